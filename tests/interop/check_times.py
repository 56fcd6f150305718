#!/usr/bin/env python3
"""When a face is seen: `shown_s` of infer --json is a frame's time as ffprobe has it, the very frame that FFmpeg's filter fps takes for `time_s`; so are
the most suspicious seconds, and --verify holds. On drawn faces (demo_clips) with even and uneven times, in containers whose clock begins elsewhere, and on
../shared/data/clips where they are there. Called with BUILD/interop and BIN."""
import fractions
import glob
import json
import math
import os
import shutil
import subprocess
import sys

folder, programs = sys.argv[1:3]
passed = failed = 0
here = os.path.join(folder, "times")


def check(what, ok, more=""):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print("FAILED:", what, more)


if not shutil.which("ffmpeg") or not shutil.which("ffprobe"):
    print("skipped: times: no ffmpeg and ffprobe here")
    print("0 passed, 0 failed")
    sys.exit(0)


def run(*words):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True).stdout


def frames(path):
    """As fractions: half a step, where the filter's choice turns, has no end as a decimal."""
    said = json.loads(run("ffprobe", "-v", "error", "-of", "json", "-select_streams", "v:0", "-show_entries",
                          "stream=time_base:frame=best_effort_timestamp", path))
    return [f["best_effort_timestamp"] * fractions.Fraction(said["streams"][0]["time_base"]) for f in said["frames"]]


def taken(times, at, fps):
    """The last frame whose time, rounded to the filter's ticks, is not later; before the first one the first."""
    before = [t for t in times if math.floor(t * fps + fractions.Fraction(1, 2)) <= round(at * fps)]
    return before[-1] if before else times[0]


def look(name, path, fps, verify):
    out = os.path.join(here, name + ".json")
    model = os.path.join(folder, "model.safetensors")
    run(os.path.join(programs, "infer"), "--quiet", "--device", "cpu", "--force", "--fps", str(fps), "--model", model, "--json", out, path)
    with open(out) as f:
        result = json.load(f)["results"][0]
    times, faces = frames(path), result["detail"]
    off = [abs(d["shown_s"] - taken(times, d["time_s"], fps)) for d in faces]
    check("%s: each face at its picture's time (%d faces)" % (name, len(faces)), faces and max(off) < 1e-9, max(off, default=None))
    ends = [s[k] for s in result["seconds"] for k in ("start_s", "end_s")]
    check("%s: suspicious seconds begin and end with a picture" % name,
          ends and all(min(abs(e - t) for t in times) < 1e-9 for e in ends), ends)
    if verify:
        run(os.path.join(programs, "infer"), "--verify", out)  # an exit status that is not 0 ends this check
    moved = max(abs(d["shown_s"] - d["time_s"]) for d in faces) if faces else 0
    print("%-32s %4d faces, up to %.3f s from the sampling's time" % (name, len(faces), moved))
    return moved


shutil.rmtree(here, ignore_errors=True)
os.makedirs(here)
clips = os.path.join(here, "clips")
run(os.path.join(programs, "demo_clips"), "--out", clips, "--train", "2", "--test", "0", "--seconds", "3")
drawn = sorted(glob.glob(os.path.join(clips, "train", "*.mp4")))[0]
codec = ["-c:v", "mpeg4", "-q:v", "3"]
cases = [("even.mp4", []), ("uneven.mkv", ["-vf", "select='not(mod(n,3))+not(mod(n,7))'", "-vsync", "vfr"]), ("late.ts", ["-muxdelay", "0.5"]),
         ("slow.mov", ["-vf", "setpts=1.37*PTS", "-vsync", "vfr", "-video_track_timescale", "30000"])]
moved = []
for name, words in cases:
    path = os.path.join(here, name)
    run("ffmpeg", "-v", "error", "-y", "-i", drawn, *codec, *words, path)
    moved.append(look(name, path, 4, True))
check("a picture's time and the sampling's differ somewhere", max(moved) > .03, moved)
real = sorted(glob.glob("../shared/data/clips/*/*.mp4"))
if not real:
    print("skipped: times: ../shared/data/clips is not there")
for path in real:
    look(os.path.basename(path), path, 2, False)
print("%d passed, %d failed" % (passed, failed))
sys.exit(failed > 0)
