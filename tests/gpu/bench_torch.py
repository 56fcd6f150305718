#!/usr/bin/env python3
"""The training step of gpu_bench, in PyTorch on the same GPU: VGG16 without its top, flatten, dense 256 with ReLU, dense 1, binary
cross-entropy from logits, RMSprop (alpha 0.9, eps 1e-7). A step begins with a uint8 batch that is already on the GPU (N x H x W x 3) and
ends with the updated weights; nothing is read back.

usage: bench_torch.py [--batch N ...] [--variants NAME ...] [--side 150] [--rounds 5] [--seconds 0.3] [--limit S] [--json FILE] [--peaks]

A variant is a precision (fp32, tf32, bf16) and, after a dash, a form:
  (none)   eager; fp32 in plain layout, the others in channels_last
  last     eager, channels_last (for fp32)
  graph    eager, the whole step captured in a CUDA graph and replayed
  compile  torch.compile of forward and loss, and of the optimizer's step
  reduce   the same with mode="reduce-overhead" (CUDA graphs)
  max      the same with mode="max-autotune"
bf16 is autocast over fp32 weights. cudnn.benchmark is on throughout.

A time is the median over rounds of (time of K steps) / K, by CUDA events, K such that a round lasts --seconds; what was compiled,
captured or measured by cuDNN is warmed up before. --json appends a line of JSON for each. A variant that fails is said and left out; the
exit status is 1 when none ran. --device cpu runs the same code without a GPU (to test it; its times mean nothing here)."""
import argparse
import contextlib
import inspect
import json
import statistics
import sys
import time
import warnings

warnings.filterwarnings("ignore")
import torch
from torch import nn
from torch.nn import functional as F

VERSION = tuple(int("".join(c for c in part if c.isdigit()) or 0) for part in torch.__version__.split("+")[0].split(".")[:2])
FORMS = ("", "last", "graph", "compile", "reduce", "max")
VARIANTS = ["fp32", "fp32-last", "tf32", "tf32-graph", "bf16", "bf16-graph", "bf16-compile", "bf16-reduce", "bf16-max"]


class Flat(nn.Module):
    """N C H W in channels_last is N H W C in memory, and flattening that order copies nothing."""

    def __init__(self, last):
        super().__init__()
        self.last = last

    def forward(self, x):
        return (x.permute(0, 2, 3, 1) if self.last else x).flatten(1)


def vgg16(side, last):
    layers, channels = [], 3
    for count, filters in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
        for _ in range(count):
            layers += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU(inplace=True)]
            channels = filters
        layers.append(nn.MaxPool2d(2))
    inputs = 512 * (side // 32) ** 2
    return nn.Sequential(*layers, Flat(last), nn.Linear(inputs, 256), nn.ReLU(inplace=True), nn.Linear(256, 1))


class Step:
    """One variant at one batch size: call it for a step; self.loss is the last loss (a tensor)."""

    def __init__(self, variant, batch, side, device):
        precision, _, form = variant.partition("-")
        if precision not in ("fp32", "tf32", "bf16") or form not in FORMS:
            raise ValueError("no such variant")
        if form in ("compile", "reduce", "max") and VERSION < (2, 0):
            raise ValueError("PyTorch %s has no torch.compile" % torch.__version__)
        self.gpu, self.device = device.startswith("cuda"), device
        if form == "graph" and not self.gpu:
            raise ValueError("CUDA graphs need a GPU")
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision != "fp32"
        torch.manual_seed(1)
        last = precision != "fp32" or form != ""
        self.autocast = precision == "bf16"
        self.model = vgg16(side, last).to(device)
        if last:
            self.model = self.model.to(memory_format=torch.channels_last)
        self.last = last
        more = {}
        known = inspect.signature(torch.optim.RMSprop.__init__).parameters
        if "foreach" in known and self.gpu:
            more["foreach"] = True
        if "capturable" in known and self.gpu and form not in ("", "last"):
            more["capturable"] = True
        elif form == "graph":
            raise ValueError("PyTorch %s has no capturable RMSprop" % torch.__version__)
        self.optimizer = torch.optim.RMSprop(self.model.parameters(), lr=2e-5, alpha=0.9, eps=1e-7, **more)
        generator = torch.Generator().manual_seed(2)
        self.pixels = torch.randint(0, 256, (batch, side, side, 3), dtype=torch.uint8, generator=generator).to(device)
        self.labels = (torch.arange(batch) % 2).float().reshape(-1, 1).to(device)
        self.forward, self.update, self.mark = self.loss_of, self.optimizer.step, lambda: None
        if form in ("compile", "reduce", "max"):
            mode = {"compile": "default", "reduce": "reduce-overhead", "max": "max-autotune"}[form]
            self.forward = torch.compile(self.loss_of, mode=mode)
            self.update = torch.compile(self.optimizer.step)
            if form != "compile" and hasattr(torch, "compiler") and hasattr(torch.compiler, "cudagraph_mark_step_begin"):
                self.mark = torch.compiler.cudagraph_mark_step_begin
        self.graph = None
        if form == "graph":
            self.capture()

    def loss_of(self, pixels, labels):
        x = pixels.permute(0, 3, 1, 2)
        x = x.float() / 255 if self.last else x.contiguous().float() / 255
        kind = "cuda" if self.gpu else "cpu"
        with torch.autocast(kind, dtype=torch.bfloat16) if self.autocast else contextlib.nullcontext():
            z = self.model(x)
        return F.binary_cross_entropy_with_logits(z.float(), labels)

    def eager(self):
        self.mark()
        self.optimizer.zero_grad(set_to_none=True)
        self.loss = self.forward(self.pixels, self.labels)
        self.loss.backward()
        self.update()

    def capture(self):
        """As PyTorch's notes on CUDA graphs have it: a few steps on a side stream, then the capture."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(5):
                self.eager()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.cuda.graph(graph):
            self.loss = self.forward(self.pixels, self.labels)
            self.loss.backward()
            self.update()
        self.graph = graph

    def __call__(self):
        if self.graph:
            self.graph.replay()
        else:
            self.eager()


def wait(gpu):
    if gpu:
        torch.cuda.synchronize()


def once(run, count, gpu):
    """Seconds of `count` runs, each."""
    if not gpu:
        start = time.perf_counter()
        for _ in range(count):
            run()
        return (time.perf_counter() - start) / count
    first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    first.record()
    for _ in range(count):
        run()
    last.record()
    last.synchronize()
    return first.elapsed_time(last) * 1e-3 / count


def timed(run, gpu, rounds, seconds, warm=10):
    """Rounds of steps: (their median, least, most) in seconds a run, and the runs of a round."""
    for _ in range(warm):
        run()
    wait(gpu)
    count = max(1, min(1000, int(seconds / max(once(run, 3 if gpu else 1, gpu), 1e-6))))
    each = [once(run, count, gpu) for _ in range(rounds)]
    return statistics.median(each), min(each), max(each), count


def peaks(device, gpu, rounds, seconds, side=8192, megabytes=1024):
    """The two ceilings: a large matrix product, in TFLOP/s, and a large copy, in TB/s read and written."""
    for name, dtype, tf32 in (("bf16", torch.bfloat16, False), ("tf32", torch.float32, True), ("fp32", torch.float32, False)):
        torch.backends.cuda.matmul.allow_tf32 = tf32
        a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
        t = timed(lambda: torch.matmul(a, b), gpu, rounds, seconds, 3)[0]
        print("torch peak: %s matrix product of %d: %.1f TFLOP/s" % (name, side, 2e-12 * side**3 / t))
    x = torch.randint(0, 255, (megabytes << 20,), dtype=torch.uint8, device=device)
    y = torch.empty_like(x)
    t = timed(lambda: y.copy_(x), gpu, rounds, seconds, 3)[0]
    print("torch peak: copy of %d MB: %.2f TB/s read and written" % (megabytes, 2e-12 * x.numel() / t), flush=True)


def describe(device):
    if not device.startswith("cuda"):
        return "cpu"
    return "%s, cuDNN %s" % (torch.cuda.get_device_name(), torch.backends.cudnn.version())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, nargs="+", default=[10, 32, 128])
    parser.add_argument("--variants", nargs="+", default=VARIANTS)
    parser.add_argument("--side", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--limit", type=float, default=1e9, help="begin no variant after so many seconds")
    parser.add_argument("--json")
    parser.add_argument("--peaks", action="store_true")
    parser.add_argument("--device", default="cuda")
    a = parser.parse_args()
    gpu, began, done = a.device.startswith("cuda"), time.perf_counter(), 0
    if gpu and not torch.cuda.is_available():
        sys.exit("bench_torch.py: PyTorch %s sees no GPU" % torch.__version__)
    print("PyTorch %s on %s" % (torch.__version__, describe(a.device)), flush=True)
    if a.peaks:
        peaks(a.device, gpu, a.rounds, a.seconds, *(() if gpu else (256, 4)))
    print("%-14s %6s %10s %10s %10s %12s %10s %8s" % ("variant", "batch", "ms a step", "least", "most", "images/s", "peak MB", "loss"))
    for batch in a.batch:
        for variant in a.variants:
            if time.perf_counter() - began > a.limit:
                print("%-14s %6d left out: %.0f seconds are over" % (variant, batch, a.limit), flush=True)
                continue
            step = None
            try:
                if gpu:
                    torch.cuda.empty_cache()
                    torch.cuda.reset_peak_memory_stats()
                start = time.perf_counter()
                step = Step(variant, batch, a.side, a.device)
                median, least, most, count = timed(step, gpu, a.rounds, a.seconds, 10 if gpu else 1)
                loss, megabytes = float(step.loss), torch.cuda.max_memory_allocated() / 1e6 if gpu else 0
            except Exception as e:  # out of memory, a form that this version lacks, a compiler that fails
                print("%-14s %6d left out: %s" % (variant, batch, str(e).strip().splitlines()[0] if str(e) else repr(e)), flush=True)
                continue
            finally:
                del step
                if VERSION >= (2, 0):
                    torch._dynamo.reset()
            line = {"who": "torch", "variant": variant, "precision": variant.partition("-")[0], "batch": batch, "ms": median * 1e3,
                    "least_ms": least * 1e3, "most_ms": most * 1e3, "steps": count * a.rounds, "torch": torch.__version__}
            print("%-14s %6d %10.3f %10.3f %10.3f %12.1f %10.0f %8.4f   (ready after %.0f s)"
                  % (variant, batch, median * 1e3, least * 1e3, most * 1e3, batch / median, megabytes, loss, time.perf_counter() - start), flush=True)
            if a.json:
                with open(a.json, "a") as f:
                    f.write(json.dumps(line) + "\n")
            done += 1
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
