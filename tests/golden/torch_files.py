"""Small files of torch.save, each in another of its ways, for tests/test_torch.c: tests/golden/weights/torch_*.

Made with PyTorch 1.13.0 (Debian 12's python3-torch), numpy 1.24.2.
    /usr/bin/python3 tests/golden/torch_files.py

The model and the values are those of keras_weights.py, in PyTorch's layouts and torchvision's names.
  torch_zip         model.state_dict()                       torch_legacy    the same in the format before PyTorch 1.6
  torch_checkpoint  {"epoch", "state_dict" of DataParallel,  torch_views     parameters, transposed and channels-last tensors,
                    "optimizer"}, as training scripts write                   and parts of one storage
  torch_types       float16, bfloat16, float64, int64        torch_protocol4, torch_protocol5   other protocols of pickle
  torch_deflated    a zip whose entries are deflated         torch_newer     the entries that PyTorch 2.1 to 2.8 add: laid out by
                                                                             Python's zipfile after their source
  torch_dropout     a head with Dropout: other numbers       torch_timm      timm's names of another head
  torch_legacy_old  legacy, of Python 2: strings and an OrderedDict of pairs, written by hand after its pickler
Refused: torch_module (a whole module), torch_script (TorchScript), torch_system (a pickle that would run a command).
"""
import io
import os
import pickle
import struct
import zipfile
from collections import OrderedDict

import numpy as np
import torch
from torch import nn

import keras_formula as formula

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "weights")
SHAPES = [(3, 3, 3, 2), (2,), (32, 3), (3,), (3, 1), (1,)]


def value(p):
    count = int(np.prod(SHAPES[p]))
    words = formula.word(100 + p, np.arange(count)) % np.uint32(2001)
    return ((words.astype(np.int32) - 1000) / 1024.0).reshape(SHAPES[p]).astype(np.float32)


def tensors():
    """H W I O to O I H W; in x out to out x in, the first dense layer's inputs from H W C to C H W."""
    v = [value(p) for p in range(6)]
    first = v[2].reshape(4, 4, 2, 3).transpose(2, 0, 1, 3).reshape(32, 3).T
    return [torch.from_numpy(np.ascontiguousarray(a)) for a in (v[0].transpose(3, 2, 0, 1), v[1], first, v[3], v[4].T, v[5])]


NAMES = ["features.0.weight", "features.0.bias", "classifier.0.weight", "classifier.0.bias", "classifier.2.weight", "classifier.2.bias"]


def model(dropout=False):
    head = [nn.Linear(32, 3), nn.ReLU()] + ([nn.Dropout()] if dropout else []) + [nn.Linear(3, 1)]
    m = nn.Sequential(OrderedDict(features=nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)), flatten=nn.Flatten(),
                                  classifier=nn.Sequential(*head)))
    with torch.no_grad():
        for p, t in zip(m.parameters(), tensors()):
            p.copy_(t)
    return m


def path(name):
    return os.path.join(OUT, name)


def rewrite(source, target, method=zipfile.ZIP_STORED, more=(), order=None):
    """Another zip of the same entries; `more` are new ones, by name without the prefix."""
    with zipfile.ZipFile(path(source)) as z:
        entries = [(n.split("/", 1)[1], z.read(n)) for n in z.namelist()] + list(more)
    if order:
        entries.sort(key=lambda e: order.index(e[0]) if e[0] in order else 4 + e[0].startswith("."))
    with zipfile.ZipFile(path(target), "w") as z:
        for name, data in entries:
            info = zipfile.ZipInfo("archive/" + name)
            info.compress_type = method
            z.writestr(info, data)


def old_legacy(name):
    """What Python 2.7 wrote: its strings are SHORT_BINSTRING, and OrderedDict reduces to a list of pairs."""
    def text(s):
        return b"U" + bytes([len(s)]) + s.encode()

    def storage(key, count):
        return b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu") + b"K" + bytes([count]) + b"NtQ"

    def sizes(shape):
        return b"(" + b"".join(b"K" + bytes([n]) for n in shape) + b"t"

    def tensor(key, t):
        hooks = b"ccollections\nOrderedDict\n]\x85R"
        return (b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage(key, t.numel()) + b"K\x00" + sizes(t.shape) + sizes(t.stride()) + b"\x89" +
                hooks + b"tR")

    keys = ["9%d" % i for i in range(6)]
    pairs = b"".join(b"]" + text(n) + b"a" + tensor(k, t) + b"a" + b"a" for n, k, t in zip(NAMES, keys, tensors()))
    root = b"\x80\x02ccollections\nOrderedDict\n]" + pairs + b"\x85R."
    with open(path(name), "wb") as f:
        pickle.dump(0x1950A86A20F9469CFC6C, f, protocol=2)
        pickle.dump(1001, f, protocol=2)
        pickle.dump({"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}, f, protocol=2)
        f.write(root)
        pickle.dump(keys, f, protocol=2)
        for t in tensors():
            f.write(struct.pack("<q", t.numel()) + t.numpy().tobytes())
    loaded = torch.load(path(name))  # the real one reads it, too
    assert list(loaded) == NAMES and all(torch.equal(a, b) for a, b in zip(loaded.values(), tensors()))


class System:
    def __reduce__(self):
        return os.system, ("touch /tmp/unmask-was-run",)


def main():
    m = model()
    torch.save(m.state_dict(), path("torch_zip.pt"))
    torch.save(m.state_dict(), path("torch_legacy.pt"), _use_new_zipfile_serialization=False)
    for protocol in (4, 5):
        torch.save(m.state_dict(), path("torch_protocol%d.pt" % protocol), pickle_protocol=protocol)

    parallel = nn.DataParallel(m)
    optimizer = torch.optim.RMSprop(m.parameters(), lr=1e-3)
    m(torch.ones(1, 3, 8, 8)).sum().backward()
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    optimizer.step()
    torch.save({"epoch": 3, "best": 0.75, "arch": "vgg", "note": None, "state_dict": parallel.state_dict(), "optimizer": optimizer.state_dict()},
               path("torch_checkpoint.pth"))

    t = tensors()
    flat = torch.cat([torch.full((7,), 99.0), t[1], t[3], t[5]])
    views = OrderedDict()
    views[NAMES[0]] = nn.Parameter(t[0].contiguous(memory_format=torch.channels_last))
    views[NAMES[1]] = flat[7:9]
    views[NAMES[2]] = t[2].t().contiguous().t()
    views[NAMES[3]] = flat[9:12]
    views[NAMES[4]] = torch.stack([t[4], -t[4]], dim=2)[:, :, 0]
    views[NAMES[5]] = nn.Parameter(flat[12:13])
    assert not any(views[n].is_contiguous() for n in (NAMES[0], NAMES[2]))
    torch.save(views, path("torch_views.pt"))
    torch.save(views, path("torch_views_legacy.pt"), _use_new_zipfile_serialization=False)

    types = OrderedDict(zip(NAMES, t))
    types[NAMES[0]] = t[0].half()
    types[NAMES[1]] = t[1].bfloat16()
    types[NAMES[2]] = t[2].double()
    types["num_batches_tracked"] = torch.tensor(1234567)
    types["mask"] = torch.tensor([True, False])
    types["empty"] = torch.empty(0, 5)
    torch.save(types, path("torch_types.pt"))

    torch.save(model(dropout=True).state_dict(), path("torch_dropout.pt"))
    timm = OrderedDict(zip(NAMES[:2], t))
    timm["pre_logits.fc1.weight"] = torch.zeros(3, 2, 4, 4)
    timm["head.fc.weight"] = torch.zeros(5, 3)
    torch.save(timm, path("torch_timm.pt"))

    rewrite("torch_zip.pt", "torch_deflated.pt", zipfile.ZIP_DEFLATED)
    rewrite("torch_zip.pt", "torch_newer.pt",
            more=[(".format_version", b"1"), (".storage_alignment", b"64"), ("byteorder", b"little"),
                  (".data/serialization_id", b"1234567890123456789012345678901234567890")],
            order=["data.pkl", ".format_version", ".storage_alignment", "byteorder"])
    loaded = torch.load(path("torch_newer.pt"))
    assert all(torch.equal(a, b) for a, b in zip(loaded.values(), tensors()))
    old_legacy("torch_legacy_old.pt")

    torch.save(m, path("torch_module.pt"))
    torch.jit.script(nn.Linear(1, 1)).save(path("torch_script.pt"))
    torch.save({"w": torch.ones(2), "x": System()}, path("torch_system.pt"))


main()
