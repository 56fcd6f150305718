#!/usr/bin/env python3
"""The real ffprobe and ffmpeg on annotated copies: streams, pictures, times and sound are the source's, for containers and codecs as people
have them. Sources are made by ffmpeg on the spot; one has drawn faces (demo_clips). Called with BUILD/interop and BIN."""
import glob
import json
import os
import shutil
import subprocess
import sys

folder, programs = sys.argv[1:3]
passed = failed = 0
here = os.path.join(folder, "annotate")


def check(what, ok):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print("FAILED:", what)


if not shutil.which("ffmpeg") or not shutil.which("ffprobe"):
    print("skipped: annotate: no ffmpeg and ffprobe here")
    print("0 passed, 0 failed")
    sys.exit(0)


def run(*words):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout


def probe(path, *words):
    return json.loads(run("ffprobe", "-v", "error", "-of", "json", *words, path))


def streams(path):
    return probe(path, "-count_frames", "-show_streams")["streams"]


def times(path, which):
    """When each packet is shown or heard."""
    packets = probe(path, "-select_streams", which, "-show_entries", "packet=pts_time")["packets"]
    return sorted(float(p["pts_time"]) for p in packets)


def digest(path, *how):
    return run("ffmpeg", "-v", "error", "-i", path, "-map", "0:a", *how, "-f", "md5", "-").strip()


def has_encoder(name):
    return (" %s " % name) in run("ffmpeg", "-v", "error", "-encoders")


def near(a, b, late):
    return len(a) == len(b) and all(abs(x - y) < late for x, y in zip(a, b))


def annotate(source, to):
    subprocess.run([os.path.join(programs, "infer"), "--model", os.path.join(folder, "model.safetensors"), "--quiet", "--device", "cpu",
                    "--annotate", to, source], check=True, stderr=subprocess.DEVNULL)


def compare(name, source, to, copied=True, heard=True, late=1.5e-3):
    """copied: the packets of the sound are the same to the byte; not where the container wants them in other clothes (ADTS). heard: so is what
    is decoded of them; not of WebM, which says how much of the last packet is silence of the encoder: MP4 plays that, too."""
    annotate(source, to)
    a, b = streams(source), streams(to)
    video = [[s for s in of if s["codec_type"] == "video"] for of in (a, b)]
    sound = [[s for s in of if s["codec_type"] == "audio"] for of in (a, b)]
    check("%s: one video stream, H.264, yuv420p" % name,
          len(video[1]) == 1 and video[1][0]["codec_name"] in ("h264", "mpeg4") and video[1][0]["pix_fmt"] == "yuv420p")
    check("%s: as many pictures" % name, video[0][0]["nb_read_frames"] == video[1][0]["nb_read_frames"])
    v, w = times(source, "v:0"), times(to, "v:0")
    check("%s: pictures at their times" % name, near([t - v[0] for t in v], [t - w[0] for t in w], late))
    check("%s: the same sounds" % name, [s["codec_name"] for s in sound[0]] == [s["codec_name"] for s in sound[1]])
    for i in range(len(sound[0])):
        s, t = times(source, "a:%d" % i), times(to, "a:%d" % i)
        check("%s: sound %d at its times" % (name, i), near([x - v[0] for x in s], [x - w[0] for x in t], late))
    if sound[0]:
        if copied:
            check("%s: the sound's packets" % name, digest(source, "-c", "copy") == digest(to, "-c", "copy"))
        if heard:
            check("%s: the sound as heard" % name, digest(source) == digest(to))
    run("ffmpeg", "-v", "error", "-xerror", "-i", to, "-f", "null", "-")
    return video[1][0]


shutil.rmtree(here, ignore_errors=True)
os.makedirs(here)
pictures = ["-f", "lavfi", "-i", "testsrc=s=160x120:r=25:d=2"]
tone = ["-f", "lavfi", "-i", "sine=d=2.3:r=48000"]
cases = [  # name, ending of the source, of the copy, ffmpeg's words, copied
    ("aac", "mp4", "mp4", ["-c:a", "aac"], True),
    ("mp3", "avi", "mp4", ["-c:a", "libmp3lame"], True),
    ("ac3", "mkv", "mp4", ["-c:a", "ac3"], True),
    ("opus", "webm", "mp4", ["-c:v", "libvpx", "-c:a", "libopus"], True),
    ("vorbis", "mkv", "mp4", ["-c:a", "libvorbis"], True),
    ("flac", "mkv", "mp4", ["-c:a", "flac"], True),
    ("alac", "mov", "mp4", ["-c:a", "alac"], True),
    ("pcm", "mov", "mov", ["-c:a", "pcm_s16le"], True),
    ("pcm-mkv", "avi", "mkv", ["-c:a", "pcm_s16le"], True),
    ("aac-ts", "ts", "mp4", ["-c:a", "aac"], False),
    ("ac3-ts", "ts", "mp4", ["-c:v", "mpeg2video", "-c:a", "ac3"], True),
    ("silent", "mp4", "mp4", ["-an"], True),
    ("uneven", "mp4", "mp4", ["-vf", "select='not(mod(n,3))+lt(n,10)+not(mod(n,7))'", "-vsync", "vfr", "-c:a", "aac"], True),
    ("two sounds", "mp4", "mp4", ["-map", "0:v", "-map", "1:a", "-map", "1:a", "-c:a:0", "aac", "-c:a:1", "ac3"], True),
]
for name, ending, to, words, copied in cases:
    wanted = [w for k, w in zip(words, words[1:]) if k.startswith("-c:")]
    if not all(has_encoder(w) for w in wanted):
        print("skipped: annotate: %s: this ffmpeg does not encode %s" % (name, " and ".join(wanted)))
        continue
    source = os.path.join(here, "%s.%s" % (name, ending))
    run("ffmpeg", "-v", "error", "-y", *pictures, *tone, *words, source)
    compare(name, source, os.path.join(here, "%s-copy.%s" % (name, to)), copied, heard=ending != "webm")

# Sound that begins later, and pictures that do.
for late, name in (("sound", "late sound"), ("pictures", "late pictures")):
    source = os.path.join(here, name + ".mp4")
    shift = ["-itsoffset", "0.7"]
    inputs = pictures + shift + tone if late == "sound" else shift + pictures + tone
    run("ffmpeg", "-v", "error", "-y", *inputs, "-c:a", "aac", source)
    compare(name, source, os.path.join(here, name + "-copy.mp4"))

# A cut without decoding begins between key frames: an edit list hides what is before.
source = os.path.join(here, "edited.mp4")
run("ffmpeg", "-v", "error", "-y", "-ss", "0.9", "-i", os.path.join(here, "aac.mp4"), "-c", "copy", source)
annotate(source, os.path.join(here, "edited-copy.mp4"))
check("edited: the sound as heard", digest(source) == digest(os.path.join(here, "edited-copy.mp4")))
a, b = [streams(p) for p in (source, os.path.join(here, "edited-copy.mp4"))]
check("edited: as many pictures as are shown", a[0]["nb_read_frames"] == b[0]["nb_read_frames"])

# Not square, and odd.
source = os.path.join(here, "wide.mp4")
run("ffmpeg", "-v", "error", "-y", *pictures, "-vf", "setsar=2", source)
shape = compare("wide pixels", source, os.path.join(here, "wide-copy.mp4"))
check("wide pixels: shown as wide, in square ones",
      (shape["width"], shape["height"]) == (320, 120) and shape.get("sample_aspect_ratio", "1:1") in ("1:1", "0:1"))
source = os.path.join(here, "odd.mkv")
run("ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc=s=161x121:r=25:d=1", "-c:v", "ffv1", source)
shape = compare("odd", source, os.path.join(here, "odd-copy.mp4"))
check("odd: even", (shape["width"], shape["height"]) == (162, 122))

# Drawn faces.
clips = os.path.join(here, "clips")
run(os.path.join(programs, "demo_clips"), "--out", clips, "--train", "2", "--test", "0", "--seconds", "2")
source = os.path.join(here, "faces.mp4")
run("ffmpeg", "-v", "error", "-y", "-i", sorted(glob.glob(os.path.join(clips, "train", "*.mp4")))[0], *tone, "-c:v", "copy", "-c:a", "aac", source)
compare("faces", source, os.path.join(here, "faces-copy.mp4"))

print("%d passed, %d failed" % (passed, failed))
sys.exit(failed > 0)
