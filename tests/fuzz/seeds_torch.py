"""Writes corpus/model/names.pt, a state dict of the model of seeds.c (PyTorch 1.13). Run it from the root."""
import collections
import os

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
torch.manual_seed(1)
state = collections.OrderedDict()
for name, shape in (("conv", (2, 3, 3, 3)), ("beside", (2, 2, 1, 1)), ("dense", (3, 48)), ("dense_1", (1, 3))):
    state[name + ".weight"] = torch.randn(shape)
    state[name + ".bias"] = torch.randn(shape[0])
torch.save(state, os.path.join(HERE, "corpus/model/names.pt"))
