#!/usr/bin/env python3
"""VGG16 (no top, 150x150) + flatten + dense 256 + dense 1 on PyTorch's CPU: the same step and inference as tests/bench_vgg16.c.

usage: bench_torch.py train|infer BATCH [REPEATS] [--form plain|channels_last|mkldnn|jit] [--threads N]

A step: bytes to floats / 255, forward, binary cross-entropy from logits, backward, RMSprop (alpha 0.9, eps 1e-7).
Forms: plain and channels_last tensors; for inference also mkldnn (weights packed by torch.utils.mkldnn) and jit (traced, frozen,
optimize_for_inference). Prints "images/s MEDIAN  peak_MB RSS  form". Written for PyTorch 1.13 (Debian 12's python3-torch)."""
import argparse
import resource
import statistics
import time
import warnings

warnings.filterwarnings("ignore")
import torch
import torch.utils.mkldnn
from torch import nn

SIDE = 150


def vgg16():
    layers, channels = [], 3
    for count, filters in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
        for _ in range(count):
            layers += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU(inplace=True)]
            channels = filters
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(8192, 256), nn.ReLU(inplace=True), nn.Linear(256, 1))


def timed(step, repeats):
    for _ in range(2):
        step()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=("train", "infer"))
    parser.add_argument("batch", type=int)
    parser.add_argument("repeats", type=int, nargs="?", default=5)
    parser.add_argument("--form", choices=("plain", "channels_last", "mkldnn", "jit"), default="plain")
    parser.add_argument("--threads", type=int, default=2)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    model = vgg16()
    order = torch.channels_last if a.form == "channels_last" else torch.contiguous_format
    model = model.to(memory_format=order)
    pixels = torch.randint(0, 256, (a.batch, SIDE, SIDE, 3), dtype=torch.uint8)
    labels = (torch.arange(a.batch) % 2).float().reshape(-1, 1)

    def feed():
        return pixels.permute(0, 3, 1, 2).to(torch.float32, memory_format=order).div_(255)

    if a.mode == "train":
        optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-5, alpha=0.9, eps=1e-7)

        def step():
            optimizer.zero_grad(set_to_none=True)
            loss = nn.functional.binary_cross_entropy_with_logits(model(feed()), labels)
            loss.backward()
            optimizer.step()
            return loss.item()
    else:
        model.eval()
        if a.form == "mkldnn":
            packed = torch.utils.mkldnn.to_mkldnn(model)
            packed[-4] = nn.Flatten()  # between them: an mkldnn tensor has no flatten
            body, head = packed[:-4], model[-4:]

            def run():
                return head(body(feed().to_mkldnn()).to_dense())
        elif a.form == "jit":
            with torch.inference_mode():
                traced = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model, feed())))

            def run():
                return traced(feed())
        else:

            def run():
                return model(feed())

        def step():
            with torch.inference_mode():
                return run().tolist()

    seconds = timed(step, a.repeats)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(f"images/s {a.batch / seconds:.3f}  peak_MB {peak:.0f}  {a.form} torch {torch.__version__}")


main()
