"""facenet-pytorch's MTCNN over pictures: THREADS FRAME...; prints, of one pass after another to warm up, seconds, processor seconds and
faces, as build/tests/bench_mtcnn does."""
import resource
import sys
import time

import numpy as np
import torch
from facenet_pytorch.models.mtcnn import MTCNN
from PIL import Image

torch.set_num_threads(int(sys.argv[1]))
frames = [np.array(Image.open(path).convert("RGB")) for path in sys.argv[2:]]
detector = MTCNN(keep_all=True)


def processor():
    r = resource.getrusage(resource.RUSAGE_SELF)
    return r.ru_utime + r.ru_stime


for measured in (False, True):
    start, start_processor, faces = time.perf_counter(), processor(), 0
    for frame in frames[: None if measured else 2]:
        boxes, _, _ = detector.detect(frame, landmarks=True)
        faces += 0 if boxes is None else len(boxes)
    if measured:
        print(f"{time.perf_counter() - start:.4f} {processor() - start_processor:.4f} {faces}")
