#!/usr/bin/python3
"""Fixture of test_haar: what OpenCV 4.6.0 (Debian 12's python3-opencv) makes of the drawn scene and of real pictures.

    build/tests/test_haar --dump DIR     # the grey planes that our decoder hands out, as PGM (needs ../shared/data)
    tests/golden/haar.py DIR > tests/golden/haar.txt

Lines: what, its name or size, then numbers; checksums are CRC-32. Raw hits (min neighbours 0) are sorted and hashed as
little-endian int32 x, y, width, height; boxes (min neighbours 2) are written out.
"""
import glob
import os
import sys
import tempfile
import xml.etree.ElementTree as ET
import zlib

import cv2
import numpy as np

from scene import scene

assert cv2.__version__ == "4.6.0", cv2.__version__
cv2.setNumThreads(1)
CASCADES = "/usr/share/opencv4/haarcascades/"


def crc(a):
    return zlib.crc32(np.ascontiguousarray(a).tobytes())


def detect(cascade, grey, neighbours, small):
    found = cascade.detectMultiScale(cv2.equalizeHist(grey), 1.1, neighbours, cv2.CASCADE_SCALE_IMAGE, (small, small))
    return sorted(tuple(int(v) for v in r) for r in found)


def line(what, cascade, grey, small):
    raw = detect(cascade, grey, 0, small)
    boxes = detect(cascade, grey, 2, small)
    print(what, len(raw), crc(np.array(raw, "<i4")) if raw else 0, len(boxes), *(v for b in boxes for v in b))


def old_format(path):
    """opencv-haar-classifier's XML of a cascade in today's format."""
    c = ET.parse(path).getroot()[0]
    features = list(c.find("features"))
    out = ['<?xml version="1.0"?>', "<opencv_storage><old type_id=\"opencv-haar-classifier\"><size>%s %s</size><stages>" % (c.find("width").text, c.find("height").text)]
    for stage in c.find("stages"):
        out.append("<_><trees>")
        for weak in stage.find("weakClassifiers"):
            node, leaf = weak.find("internalNodes").text.split(), weak.find("leafValues").text.split()
            out.append("<_>")
            for i in range(0, len(node), 4):
                f = features[int(node[i + 2])]
                rects = "".join("<_>%s</_>" % r.text for r in f.find("rects"))
                tilted = f.find("tilted").text if f.find("tilted") is not None else "0"
                out.append(f"<_><feature><rects>{rects}</rects><tilted>{tilted}</tilted></feature><threshold>{node[i + 3]}</threshold>")
                for side, child in (("left", int(node[i])), ("right", int(node[i + 1]))):
                    out.append(f"<{side}_node>{child}</{side}_node>" if child > 0 else f"<{side}_val>{leaf[-child]}</{side}_val>")
                out.append("</_>")
            out.append("</_>")
        out.append("</trees><stage_threshold>%s</stage_threshold><parent>-1</parent><next>-1</next></_>" % stage.find("stageThreshold").text)
    out.append("</stages></old></opencv_storage>")
    return "\n".join(out)


print("# tests/golden/haar.py, OpenCV", cv2.__version__)
picture = scene()
height, width = picture.shape
print("scene", width, height, crc(picture))
print("equalized", crc(cv2.equalizeHist(picture)))
flat = np.full((30, 40), 77, np.uint8)
print("flat", crc(cv2.equalizeHist(flat)))
for w, h in ((400, 300), (364, 273), (301, 226), (200, 150), (57, 43), (21, 16), (640, 480)):
    small = cv2.resize(picture, (w, h), interpolation=cv2.INTER_LINEAR_EXACT)
    total, square, tilted = cv2.integral3(small, sdepth=cv2.CV_32S, sqdepth=cv2.CV_32S)
    print("integral", w, h, crc(small), crc(total), crc(square), crc(tilted))
for path in sorted(glob.glob(CASCADES + "*.xml")):
    line("cascade " + os.path.basename(path), cv2.CascadeClassifier(path), picture, 1)
# The older format of the same cascade must mean the same (test_haar writes it in the same way).
old = tempfile.NamedTemporaryFile("w", suffix=".xml")
old.write(old_format(CASCADES + "haarcascade_frontalface_alt2.xml"))
old.flush()
line("old haarcascade_frontalface_alt2.xml", cv2.CascadeClassifier(old.name), picture, 1)
# Boxes to group: jittered around a few centres, by a generator that C repeats.
for seed in range(1, 9):
    state, boxes = seed, []
    for _ in range(40 * seed):
        v = []
        for _ in range(4):
            state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
            v.append(state >> 16)
        k = v[0] % 7
        size = 30 + 17 * k + v[1] % 9
        boxes.append((40 * k + v[2] % 23, 25 * k + v[3] % 19, size, size))
    grouped, weights = cv2.groupRectangles(boxes, 2, 0.2)
    both = sorted((*map(int, b), int(n)) for b, n in zip(grouped, np.ravel(weights)))
    print("group", seed, len(both), *(v for b in both for v in b))
frontal = cv2.CascadeClassifier(CASCADES + "haarcascade_frontalface_alt.xml")
for path in sorted(glob.glob(sys.argv[1] + "/*.pgm")) if len(sys.argv) > 1 else []:
    grey = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
    name, number = os.path.basename(path)[:-4].rsplit("@", 1)
    line(f"frame {name} {int(number)} {grey.shape[1]} {grey.shape[0]} {crc(grey)}", frontal, grey, 30)
