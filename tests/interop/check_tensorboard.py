#!/usr/bin/env python3
"""TensorBoard's own reader on the event files that train writes: every scalar of history.csv, those by video of validation.csv, losses of steps, the augmented batch.
Called with BUILD/interop and BIN."""
import csv
import io
import math
import os
import shutil
import subprocess
import sys

from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

folder, programs = sys.argv[1:3]
passed = failed = 0


def check(what, ok):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print("FAILED:", what)


run = os.path.join(folder, "board")
shutil.rmtree(run, ignore_errors=True)
train = [os.path.join(programs, "train"), "--quiet", "--device", "cpu"]
subprocess.run(train + ["--config", "tests/interop/model.json", "--set", "data.train_dir=%s/pictures/train" % folder, "--set",
                        "data.validation_split=0.25", "--set", "epochs=2", "--out", run], check=True)
subprocess.run(train + ["--resume", run, "--set", "epochs=3"], check=True)


def near(a, b):
    return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-7)  # a float there, nine digits in history.csv


with open(os.path.join(run, "history.csv")) as f:
    history = list(csv.DictReader(f))
check("three epochs", len(history) == 3)
with open(os.path.join(run, "validation.csv")) as f:
    by_video = [row for row in csv.DictReader(f) if row["by"] == "video" and row["scores"] == "raw" and not row["auc_difference"]]
with open(os.path.join(run, "speed.csv")) as f:
    speed = list(csv.DictReader(f))
check("three epochs of speed", [row["epoch"] for row in speed] == ["1", "2", "3"])
check("three epochs of videos", [row["epoch"] for row in by_video] == ["1", "2", "3"])
by_video_tags = ["auc", "average_precision", "balanced_accuracy", "log_loss", "eer", "tpr_at_5_percent", "brier", "ece"]
sides = {"train": {"epoch_loss": "loss", "epoch_accuracy": "accuracy", "epoch_learning_rate": "learning_rate"},
         "validation": {"epoch_loss": "val_loss", "epoch_accuracy": "val_accuracy", "epoch_auc": "val_auc"}}
for side, tags in sides.items():
    board = EventAccumulator(os.path.join(run, "tensorboard", side), size_guidance={"scalars": 0, "images": 0})
    board.Reload()
    for tag, column in tags.items():
        values = board.Scalars(tag)
        check("%s of %s: a value an epoch" % (tag, side), [v.step for v in values] == [0, 1, 2])
        check("%s of %s is history.csv's" % (tag, side), all(near(v.value, float(row[column])) for v, row in zip(values, history)))
    if side != "train":
        for name in by_video_tags:
            values = board.Scalars("video/" + name)
            check("video/%s is validation.csv's" % name, len(values) == 3 and all(near(v.value, float(row[name])) for v, row in zip(values, by_video)))
        continue
    for name in ["pictures", "images_per_second", "seconds", "steps", "wait", "feed", "compute", "validation", "saving", "memory_mb"]:
        values, off = board.Scalars("speed/" + name), 0.06 if name == "memory_mb" else 0
        check("speed/%s is speed.csv's" % name, len(values) == 3 and
              all(math.isclose(v.value, float(row[name]), rel_tol=1e-5, abs_tol=off) for v, row in zip(values, speed)))
    steps = board.Scalars("batch_loss")
    check("losses of steps, each once", [v.step for v in steps] == sorted({v.step for v in steps}) and len(steps) >= 3)
    check("losses are numbers", all(math.isfinite(v.value) and v.value > 0 for v in steps))
    check("times go on", all(a.wall_time <= b.wall_time for a, b in zip(steps, steps[1:])))
    images = board.Images("augmented")
    check("one picture", len(images) == 1)
    seen = Image.open(io.BytesIO(images[0].encoded_image_string)).convert("RGB")
    written = Image.open(os.path.join(run, "augmented.png")).convert("RGB")
    check("the picture is augmented.png", seen.size == (images[0].width, images[0].height) and seen.tobytes() == written.tobytes())

print("%d passed, %d failed" % (passed, failed))
sys.exit(failed > 0)
