#!/usr/bin/env python3
"""What gpu_bench and bench_torch.py measured in turn (lines of JSON), as tables of ratios. usage: ratios.py FILE

Ours over PyTorch's best of the same precision: above 1 we are faster. Of several measurements of one thing the median counts."""
import json
import statistics
import sys

AIMS = {10: 1.3, 32: 1.0, 128: 1.0}


def main():
    lines = []
    with open(sys.argv[1]) as f:
        for line in f:
            if line.strip():
                lines.append(json.loads(line))
    ours, torch = {}, {}
    for n in lines:
        if n["who"] == "unmask":
            ours.setdefault((n["batch"], n["precision"], n["engine"]), []).append(n["ms"])
        elif n["who"] == "torch":
            torch.setdefault((n["batch"], n["precision"], n["variant"]), []).append(n["ms"])
    if ours:
        print("Training step, ms (median; least to most of the measurements in turn), and PyTorch's best of the precision over it:\n")
        print("| batch | precision | unmask, engine | ms | images/s | PyTorch's best | ms | ratio |")
        print("|---|---|---|---|---|---|---|---|")
    for (batch, precision, engine), ms in sorted(ours.items(), key=lambda i: (i[0][0], i[0][1], i[0][2])):
        mine = statistics.median(ms)
        theirs = [(statistics.median(t), variant) for (b, p, variant), t in torch.items() if (b, p) == (batch, precision)]
        best = min(theirs) if theirs else None
        print("| %d | %s | %s | %.3f (%.3f to %.3f) | %.0f | %s | %s | %s |"
              % (batch, precision, engine, mine, min(ms), max(ms), 1e3 * batch / mine, best[1] if best else "",
                 "%.3f" % best[0] if best else "", "%.2f" % (best[0] / mine) if best else ""))
    if torch:
        print("\nAll of PyTorch's:\n\n| batch | variant | ms | images/s |\n|---|---|---|---|")
    for (batch, _, variant), ms in sorted(torch.items()):
        print("| %d | %s | %.3f | %.0f |" % (batch, variant, statistics.median(ms), 1e3 * batch / statistics.median(ms)))
    goals = []
    for batch, aim in AIMS.items():
        mine, all_theirs = ours.get((batch, "bf16", "auto")), [statistics.median(t) for (b, _, _), t in torch.items() if b == batch]
        if mine and all_theirs:
            ratio = min(all_theirs) / statistics.median(mine)
            goals.append("- batch %d, bf16, engine auto: %.2f times PyTorch's best, aim %.1f: %s" % (batch, ratio, aim, "reached" if ratio >= aim else "not reached"))
    for n in lines:
        if n["who"] == "mean":
            aim = " (aim 0.6: %s)" % ("reached" if n["native_over_cudnn"] >= 0.6 else "not reached") if n["precision"] == "bf16" else ""
            goals.append("- native convolutions, %s, batch %d: %.2f of cuDNN's speed, geometric mean over %d passes%s"
                         % (n["precision"], n["batch"], n["native_over_cudnn"], n["passes"], aim))
    if goals:
        print("\nAims:\n")
        print("\n".join(goals))


if __name__ == "__main__":
    main()
