"""Writes the seeds of zip, torch, npz and pickle: files of tests/golden/weights (torch_files.py, npz_files.py and zip_fixture.py made them) and
the pickles in them. Run it from the root: python3 tests/fuzz/seeds_weights.py"""
import glob
import os
import shutil
import zipfile

GOLDEN, CORPUS = "tests/golden/weights/", "tests/fuzz/corpus/"
for kind, names in (("zip", ["python.zip"]), ("npz", [os.path.basename(p) for p in glob.glob(GOLDEN + "npz_*")]),
                    ("torch", ["torch_%s.pt" % n for n in ("legacy", "legacy_old", "views_legacy", "deflated", "timm", "types", "protocol4")] +
                     ["torch_checkpoint.pth"])):
    os.makedirs(CORPUS + kind, exist_ok=True)
    for name in names:
        shutil.copy(GOLDEN + name, CORPUS + kind)
os.makedirs(CORPUS + "pickle", exist_ok=True)
for name in ("torch_checkpoint.pth", "torch_views.pt", "torch_protocol5.pt", "torch_system.pt"):
    with zipfile.ZipFile(GOLDEN + name) as z:
        data = z.read(next(n for n in z.namelist() if n.endswith("data.pkl")))
    with open(CORPUS + "pickle/" + name.split(".")[0] + ".pkl", "wb") as f:
        f.write(data)
