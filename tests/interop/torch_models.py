"""Small networks that torch.onnx writes, in the ways that it has of writing them, for check_onnx.py: OUT/torch_NAME.onnx. Needs PyTorch
(Debian's python3-torch 1.13 is enough), not onnx.

    python3 tests/interop/torch_models.py OUT
"""
import os
import sys
import warnings

import torch
from torch import nn

warnings.simplefilter("ignore")
out = sys.argv[1]
os.makedirs(out, exist_ok=True)


class Flat(nn.Module):
    """x.view(x.size(0), -1): Shape, Gather, Unsqueeze, Concat, Reshape."""
    def forward(self, x):
        return x.view(x.size(0), -1)


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(x + self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x))))))


class Fork(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.a = nn.Sequential(nn.Conv2d(channels, 3, 1), nn.ReLU())
        self.b = nn.Sequential(nn.Conv2d(channels, 5, (3, 1), padding=(1, 0)), nn.Sigmoid())
        self.c = nn.AvgPool2d(3, 1, 1)  # counts its padding

    def forward(self, x):
        return torch.cat([self.a(x), self.b(x), self.c(x), x], 1)


class Normalize(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

    def forward(self, x):
        return (x - self.mean) / self.std


def vgg(flatten, norm=False):
    layers = []
    for i, o in ((3, 6), (6, 8)):
        layers += [nn.Conv2d(i, o, 3, padding=1)] + ([nn.BatchNorm2d(o)] if norm else []) + [nn.ReLU(inplace=True), nn.MaxPool2d(2, 2)]
    return nn.Sequential(*layers, flatten, nn.Linear(8 * 64, 7), nn.ReLU(), nn.Dropout(0.5), nn.Linear(7, 1), nn.Sigmoid())


def pooled():
    return nn.Sequential(nn.Conv2d(3, 6, 5, stride=2, padding=2), nn.BatchNorm2d(6), nn.ReLU(), Residual(6),
                         nn.AvgPool2d(3, 2, 1, count_include_pad=False), Fork(6), nn.BatchNorm2d(20), nn.MaxPool2d(3, 2, 1, ceil_mode=True),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(20, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 1), nn.Sigmoid())


def save(name, net, scale=0.3, **options):
    torch.manual_seed(11)
    for m in net.modules():
        for p in m.parameters(recurse=False):
            with torch.no_grad():
                p.uniform_(-scale, scale)
        if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d)):
            m.running_mean.uniform_(-0.2, 0.2)
            m.running_var.uniform_(0.3, 1.5)
    net.eval()
    torch.onnx.export(net, torch.rand(2, 3, 32, 32), os.path.join(out, f"torch_{name}.onnx"), input_names=["image"], output_names=["score"],
                      **options)


dynamic = {"image": {0: "n"}, "score": {0: "n"}}
save("vgg", vgg(nn.Flatten()), dynamic_axes=dynamic, opset_version=13)
save("vgg_view", vgg(Flat()), dynamic_axes=dynamic, opset_version=11)
save("vgg_view_fixed", vgg(Flat()), opset_version=9)
save("vgg_norm", vgg(nn.Flatten(), norm=True), scale=0.6, dynamic_axes=dynamic, opset_version=15)
save("vgg_unfolded", vgg(nn.Flatten(), norm=True), scale=0.6, dynamic_axes=dynamic, opset_version=14, do_constant_folding=False)
save("vgg_names", vgg(nn.Flatten()), dynamic_axes=dynamic, opset_version=16, keep_initializers_as_inputs=True)
save("normalized", nn.Sequential(Normalize(), vgg(nn.Flatten())), dynamic_axes=dynamic, opset_version=13)
save("pooled", pooled(), scale=1.2, dynamic_axes=dynamic, opset_version=13)
save("pooled_unfolded", pooled(), scale=1.2, dynamic_axes=dynamic, opset_version=16, do_constant_folding=False,
     training=torch.onnx.TrainingMode.PRESERVE)
