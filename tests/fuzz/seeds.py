"""Writes the seeds of tests/fuzz/corpus that Python and Pillow make (Pillow 13.0.0, numpy 2.0.2; seeds.c makes the others; those of the
formats of weights come from their own scripts under tests/golden). Run it from the root: python3 tests/fuzz/seeds.py"""
import csv
import io
import json
import os
import random
import shutil
import subprocess
import sys

import numpy as np
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "golden"))
from container import picture, save  # noqa: E402


def path(kind, name):
    folder = os.path.join(HERE, "corpus", kind)
    os.makedirs(folder, exist_ok=True)
    return os.path.join(folder, name)


def text(kind, name, content):
    with open(path(kind, name), "wb") as f:
        f.write(content if isinstance(content, bytes) else content.encode())


def images():
    rgb = Image.fromarray(picture(19, 23))
    grey = rgb.convert("L")
    rng = np.random.default_rng(1)
    rgb.save(path("image", "rgb.png"))
    rgb.convert("RGBA").save(path("image", "rgba.png"))
    grey.save(path("image", "grey.png"))
    grey.convert("LA").save(path("image", "grey_alpha.png"))
    rgb.quantize(7).save(path("image", "palette.png"), transparency=b"\x00\x80\xff")
    grey.convert("1").save(path("image", "bits.png"))
    Image.fromarray(rng.integers(0, 65536, (9, 11), dtype=np.uint16)).save(path("image", "grey16.png"))
    # Pillow writes no interlaced PNG; FFmpeg's encoder does.
    for pixels, name in (("rgb24", "interlaced.png"), ("gray16be", "interlaced16.png")):
        subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", path("image", "rgb.png"), "-pix_fmt", pixels, "-flags", "+ildct", "-update", "1",
                        path("image", name)], check=True)
    rgb.save(path("image", "rgb.jpg"), quality=60)
    rgb.save(path("image", "full.jpg"), quality=90, subsampling=0, optimize=True)
    rgb.save(path("image", "progressive.jpg"), progressive=True, quality=70)
    rgb.save(path("image", "restart.jpg"), restart_marker_blocks=2)
    grey.save(path("image", "grey.jpg"))
    rgb.convert("CMYK").save(path("image", "cmyk.jpg"))
    small = rgb.crop((0, 0, 9, 7))
    small.save(path("image", "binary.ppm"))
    small.convert("L").save(path("image", "binary.pgm"))
    small.convert("1").save(path("image", "binary.pbm"))
    values = np.asarray(small)
    text("image", "text.ppm", "P3\n# a comment\n9 7\n255\n" + "\n".join(" ".join(map(str, row.ravel())) for row in values) + "\n")
    text("image", "text.pgm", "P2 9 7 1023\n" + "\n".join(" ".join(str(v * 4) for v in row) for row in np.asarray(small.convert("L")).astype(int)) + "\n")
    text("image", "text.pbm", "P1 9 7\n" + "\n".join("".join(str(int(v)) for v in row) for row in np.asarray(small.convert("1"))) + "\n")
    text("image", "wide.ppm", b"P6 3 2 4095\n" + rng.integers(0, 4096, 18).astype(">u2").tobytes())
    small.save(path("image", "small.bmp"))
    small.quantize(5).save(path("image", "rle.bmp"))
    small.save(path("image", "small.tiff"))
    small.save(path("image", "lzw.tiff"), compression="tiff_lzw")
    small.save(path("image", "small.webp"), lossless=True)


def safetensors():
    golden = os.path.join(HERE, "..", "golden")
    shutil.copy(os.path.join(golden, "python.safetensors"), path("safetensors", "python.safetensors"))
    a = np.arange(8, dtype=np.float32)
    save(path("safetensors", "torchvision.safetensors"),
         {"features.0.weight": a.reshape(2, 1, 2, 2), "features.0.bias": a[:2], "classifier.0.weight": a.reshape(2, 4), "half": a.astype(np.float16),
          "bytes": a.astype(np.uint8), "count": a.astype(np.int32)}, {"format": "pt"})


def cascades():
    """Cascades of made-up numbers, in both formats: stumps and trees, tilted features, LBP's kind (which is refused)."""
    rng = random.Random(1)

    def feature(tilted):
        rects = "".join(f"<_>{x} {y} {w} {h} {v}</_>" for x, y, w, h, v in ((6, 2, 4, 3, "-1."), (6, 2, 2, 3, "2."), (7, 3, 1, 1, "3.5e-1"))[:rng.randint(2, 3)])
        return f"<rects>{rects}</rects>" + (f"<tilted>{int(tilted)}</tilted>" if tilted else "")

    def number():
        return f"{rng.uniform(-1, 1):.16e}"

    def new(trees, depth):
        stages, features = [], []
        for _ in range(2):
            weak = []
            for _ in range(trees):
                nodes, leaves = [], depth + 1
                for i in range(depth):
                    left, right = (i + 1, -i) if i + 1 < depth else (-i, -(i + 1))
                    nodes += [str(left), str(right), str(len(features)), number()]
                    features.append(f"<_>{feature(len(features) % 3 == 2)}</_>")
                weak.append("<_><internalNodes>%s</internalNodes><leafValues>%s</leafValues></_>" % (" ".join(nodes), " ".join(number() for _ in range(leaves))))
            stages.append(f"<_><maxWeakCount>{trees}</maxWeakCount><stageThreshold>{number()}</stageThreshold><weakClassifiers>{''.join(weak)}</weakClassifiers></_>")
        return ("<?xml version=\"1.0\"?>\n<opencv_storage>\n<cascade type_id=\"opencv-cascade-classifier\"><stageType>BOOST</stageType><featureType>HAAR</featureType>\n"
                f"<height>20</height><width>20</width><stageNum>2</stageNum>\n<stages>{''.join(stages)}</stages>\n<features>{''.join(features)}</features></cascade></opencv_storage>\n")

    def old():
        node = f"<_><feature>{feature(False)}</feature><threshold>{number()}</threshold><left_val>{number()}</left_val><right_node>1</right_node></_>"
        last = f"<_><feature>{feature(True)}</feature><threshold>{number()}</threshold><left_val>{number()}</left_val><right_val>{number()}</right_val></_>"
        stage = f"<_><trees><_>{node}{last}</_><_>{last}</_></trees><stage_threshold>{number()}</stage_threshold><parent>-1</parent><next>-1</next></_>"
        return f"<?xml version=\"1.0\"?>\n<opencv_storage><old type_id=\"opencv-haar-classifier\"><size>20 20</size><stages>{stage}{stage}</stages></old></opencv_storage>\n"

    text("haar_xml", "stumps.xml", new(3, 1))
    text("haar_xml", "trees.xml", new(2, 3))
    text("haar_xml", "old.xml", old())
    text("haar_xml", "lbp.xml", "<?xml version=\"1.0\"?>\n<opencv_storage><cascade type_id=\"opencv-cascade-classifier\"><stageType>BOOST</stageType><featureType>LBP</featureType></cascade></opencv_storage>\n")
    text("haar_xml", "entities.xml", "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b \"0 \"><!ENTITY c \"&b;&b;&b;\">]><opencv_storage><cascade><size>&c;</size><stageType>&#66;</stageType></cascade></opencv_storage>\n")


def tables():
    rows = [("path", "label", "video", "frame", "time_s", "x", "y", "width", "height", "score", "track", "group")]
    rows += [(f"{label}/{name}", label, "a", 1, 0.5, 3, 4, 100, 100, 12, 0, group)
             for label, name, group in (("fake", "a_000001_00.png", "ffpp_001"), ("fake", "a_000002_00.png", "b"), ("real", "a_000001_00.png", "ffpp_001"),
                                        ("real", "d e, \"f\".png", "group, with \"quotes\"\nand lines"), ("./fake//b", "c.png", ""))]
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(rows)
    for kind in ("csv", "manifest_csv"):
        text(kind, "extract.csv", out.getvalue())
        text(kind, "bom.csv", "\ufeffgroup,path\r\ng,fake/a_000001_00.png\r\n\r\n")
    text("manifest_csv", "absolute.csv", "path,group\n/tmp/fake/b/c.png,g\n" + "fake/" * 200 + "x,g\n")
    text("manifest_csv", "points.csv", "path,points,group\nfake/b/c.png,1 2.5 -3 4e1 5 6 7 8 9 10,g\nreal/a_000001_00.png,,g\nfake/a_000001_00.png,1 2 3,\n")
    text("csv", "history.csv", "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds\n1,0.693,0.5,,,2e-05,1.25\n")
    text("csv", "history_auc.csv", "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds,val_auc\n1,0.693,0.5,0.7,0.5,2e-05,1.25,0.75\n2,0.6,0.5,,,1e-05,1.2,\n")
    head = "epoch,by,rule,people,part,scores,count,fake,groups,auc,auc_low,auc_high,log_loss,ece,auc_difference,auc_difference_low,log_loss_difference_high"
    text("validation_csv", "rules.csv", head + "\n1,frame,,,,raw,48,24,12,0.75,0.6,0.9,0.5,0.1,,,\n1,video,mean,highest,,raw,16,8,12,0.8,0.6,0.9,0.5,0.1,,,\n"
         "1,video,mean,highest,,calibrated,16,8,12,0.8,0.6,0.9,0.4,0.05,,,\n1,video,median,highest,,raw,16,8,12,0.9,0.7,1,0.4,0.1,0.1,0.02,-0.1\n"
         "4,frame,,,\"a, b\",raw,9,9,3,,,,0.5,0.1,,,\n")
    text("validation_csv", "less.csv", "by,epoch\nframe,2\nvideo,3\n")
    text("csv", "open.csv", "a,\"b\n1,\"2\"\"\"\n")


def documents():
    root = os.path.join(HERE, "..", "..")
    for name in sorted(os.listdir(os.path.join(root, "configs"))):
        shutil.copy(os.path.join(root, "configs", name), path("config", name))
    text("config", "sets.json", "{}\x01epochs=3\x01data.target_size=[32,40]\x01model.backbone=tiny\x01augmentation={\"zoom_range\":[0.8,1.2]}\x01optimizer.name=adam\x01data.rescale=1/127.5")
    text("config", "wrong.json", "{\"epoch\": 3,\n \"data\": {\"batch_sise\": 1}}")
    text("config", "head.json", json.dumps({"model": {"weights": None, "trainable": "head", "head": [{"global_average_pooling2d": {"name": "gap"}}, {
        "dense": {"units": 4, "activation": "linear"}}, {"dense": {"units": 1, "activation": "sigmoid", "name": "out"}}]}, "seed": 18446744073709551615 // 2}))
    text("config", "course.json", json.dumps({"class_weight": {"fake": 1, "real": 2.5}, "optimizer": {"weight_decay": 0.01}, "early_stopping": {"patience": 2},
                                              "learning_rate_schedule": {"name": "plateau", "factor": 0.5}, "data": {"sampling": "balanced"}, "epochs": 9,
                                              "phases": [{"epochs": 2, "trainable": "head", "learning_rate_schedule": None},
                                                         {"epochs": 3, "learning_rate_schedule": {"name": "step", "boundaries": [3, 7], "values": [1, 0.1, 0.01]}},
                                                         {"learning_rate": 1e-5, "learning_rate_schedule": {"name": "cosine", "warmup_steps": 3}}]}))
    text("config", "course_sets.json", "{}\x01learning_rate_schedule.name=exponential\x01early_stopping.patience=3\x01phases=[{\"epochs\":1},{}]\x01class_weight=balanced")
    shutil.copy(os.path.join(root, "weights", "manifest.json"), path("manifest_json", "manifest.json"))
    text("manifest_json", "two.json", json.dumps({"weights": [{"name": "a", "file": "a.h5", "url": "https://x/a", "size": 1, "sha256": None, "md5": "0" * 32, "licence": "MIT"},
                                                              {"name": "b", "file": "../b", "url": "file:b", "size": 1e300, "sha256": "f" * 64, "licence": "x"}]}))
    text("labels", "metadata.json", json.dumps({"a.mp4": {"label": "FAKE", "split": "train", "original": "b.mp4"}, "b.mp4": {"label": "REAL", "split": "train", "original": None},
                                               "000_003.mp4": {"label": "fake", "original": "dir/000.mp4"}, "c.mp4": {"label": "Real"}}))
    text("labels", "twice.json", "{\"a.mp4\": {\"label\": \"FAKE\"}, \"a.mp4\": {\"label\": \"REAL\", \"original\": \".\"}}")
    text("labels", "wrong.json", "{\"a.mp4\": {\"label\": 1}}")
    # The first byte is the tree of fuzz_sets.c.
    for tree, name, content in ((0, "metadata.json", '{"a.mp4": {"label": "FAKE", "split": "train", "original": "b.mp4"}, "b.mp4": {"is_fake": 0}, "gone.mp4": {"label": "REAL"}}'),
                                (1, "labels.csv", "filename,label\r\na.mp4,1\r\nc.mp4,REAL\r\n"), (2, "train.json", '[["000", "003"], [71, 54]]'),
                                (3, "celebdf.txt", "1 YouTube-real/00170.mp4\n0 Celeb-synthesis\\id0_id1_0000.mp4\n1 Celeb-real/videos/id7_0000.mp4\n"),
                                (4, "train.txt", "000_M101.mp4\n071_W017.mp4\n"), (5, "all.txt", "end_to_end/000_M101.mp4\n003_M101\n"),
                                (6, "list.csv", "path,label,group,split,method,name\n./a.mp4,FAKE,g,train,m,\"a, b\"\nx/b.png,real,,,,\n"), (7, "auto.json", '{"a.mp4": {"label": "FAKE"}}'),
                                (8, "dfdc.names", "a\nb.MP4\nmetadata.json\n"), (9, "ffpp.names", "000_003\n003_000\n071_000\nUnknown\n"),
                                (10, "actors.names", "01__scene\n02__talking\n"), (11, "celebdf.names", "id0_id1_0000\nid1_id0_0001\nstrange\n"),
                                (12, "deeperforensics.names", "000_M101\n003_m101\n071_W017\n"), (13, "uadfv.names", "0000_fake\n0000\n"),
                                (14, "folders.names", "a_fake\n000_003.png\n-rf\n\u00fc\n")):
        text("sets", name, bytes([tree]) + content.encode())


def models():
    """seeds.c's model file, and one whose graph is far larger than the file: memory must not be asked for before tensors are found."""
    with open(path("safetensors", "model.safetensors"), "rb") as f:
        data = f.read()
    n = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + n])
    graph = json.loads(header["__metadata__"]["graph"])
    text("model", "model.safetensors", data)
    for node in graph["nodes"]:
        if node["name"] == "dense":
            node["units"] = 1 << 24
    header["__metadata__"]["graph"] = json.dumps(graph)
    with open(path("safetensors", "checkpoint.safetensors"), "rb") as f:  # without its fingerprint, which changed bytes would fail at
        checkpoint = f.read().replace(b"\"fingerprint\"", b"\"fingerless_\"")
    text("safetensors", "no_fingerprint.safetensors", checkpoint)
    del header["__metadata__"]["fingerprint"]
    head = json.dumps(header, separators=(",", ":")).encode()
    text("model", "far_too_large.safetensors", len(head).to_bytes(8, "little") + head + data[8 + n:])


for make in (images, safetensors, cascades, tables, documents, models):
    make()
