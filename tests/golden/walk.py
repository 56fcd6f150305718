"""Writes tests/golden/walk.csv: a tree of files, the order in which Keras' flow_from_directory lists it, and how it splits it.

Pinned: Keras-Preprocessing 1.1.2, keras 3.8.0.
  python3 tests/golden/walk.py

Rows: file,PATH,        an empty file of the tree          link,PATH,TARGET     a symbolic link of it
      all,PATH,CLASS    in Keras' order                    training|validation,PATH,CLASS   with validation_split=0.3
"""
import csv
import os
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras.src.legacy.preprocessing.image as keras3
from keras_preprocessing.image import ImageDataGenerator as Generator2

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = [
    "real/b.png", "real/a.jpg", "real/B.JPG", "real/a.txt", "real/a.png.bak", "real/.hidden.png", "real/png", "real/.png", "real/10.jpeg",
    "real/9.jpeg", "real/x.tif", "real/x.TIFF", "real/y.bmp", "real/z.ppm", "real/z.webp", "real/z.gif", "real/\u00e9.png",
    "real/\U0001f600.png", "real/\uff21.png", "real/comma, \"quote\".png",
    "fake/sub/2.png", "fake/sub/1.png", "fake/sub-a/1.png", "fake/sub/deep/er/1.png", "fake/sub/deep/1.png", "fake/z.png",
    "fake/a.png", "fake/.hid/3.png", "fake/Sub/0.png", "fake/sub.png/5.png", "fake/sub/deep.png", "outside/never.png", "readme.png",
]
LINKS = [("fake/linked.png", "../readme.png"), ("fake/folder_link", "../real"), ("fake/folder_link.png", "../real"),
         ("other", "outside"), ("fake/broken.png", "nowhere")]
with tempfile.TemporaryDirectory() as tree, open(os.path.join(HERE, "walk.csv"), "w", newline="", encoding="utf-8") as out:
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["what", "path", "detail"])
    for f in FILES:
        os.makedirs(os.path.dirname(os.path.join(tree, f)), exist_ok=True)
        open(os.path.join(tree, f), "w").close()
        rows.writerow(["file", f, ""])
    for link, target in LINKS:
        os.symlink(target, os.path.join(tree, link))
        rows.writerow(["link", link, target])
    for what, split, subset in (("all", 0.0, None), ("training", 0.3, "training"), ("validation", 0.3, "validation")):
        lists = []
        for kind in (Generator2, keras3.ImageDataGenerator):
            d = kind(validation_split=split).flow_from_directory(tree, shuffle=False, class_mode="binary", subset=subset)
            lists.append(list(zip(d.filenames, (int(c) for c in d.classes))))
        assert lists[0] == lists[1]
        for name, label in lists[0]:
            rows.writerow([what, name, label])
