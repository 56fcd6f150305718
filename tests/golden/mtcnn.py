"""MTCNN as facenet-pytorch computes it. Needs torch 2.2.2, torchvision 0.17.2, facenet-pytorch 2.6.0, Pillow 10 and numpy 1:
    pip install torch==2.2.2 torchvision==0.17.2 pillow==10.2.0 'numpy<2' tqdm requests; pip install --no-deps facenet-pytorch==2.6.0

Writes tests/golden/mtcnn.txt: areas, the three networks and the whole search, with weights and pictures from formulas; and, where
../shared/data and the program build/tests/test_mtcnn are there, tests/golden/mtcnn_faces.txt: the boxes, scores and points of the photos and of the
clips' frames at 2 fps, scaled to fit 1000 (as our reader gives them: the test writes them out as PNG when it is asked to)."""
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from container import picture  # noqa: E402
from facenet_pytorch.models.mtcnn import MTCNN  # noqa: E402
from facenet_pytorch.models.utils.detect_face import imresample  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
PHOTOS = ["2007_007763.jpg", "2008_001009.jpg", "2008_001322.jpg", "2008_002079.jpg", "astronaut.png", "dogs.jpg"]
CLIPS = ["fake/dfdc_widuwuoiur.mp4", "fake/dfdc_yhffcuhhjy.mp4", "fake/ffpp_NeuralTextures_004_982.mp4", "fake/uadfv_0017_fake.mp4",
         "real/dfdc_anndvqgoko.mp4", "real/ffpp_youtube_004.mp4"]
# The bias that the face's logit gets in each of the random networks, so that some windows pass and most do not.
FACE_BIAS = {"pnet": -1.5, "rnet": 6.5, "onet": 5.0}


def noise(count, seed):
    """Numbers from -1 to 1 out of 32-bit integers: tests/support/mtcnn_fixture.c has the same."""
    h = (np.arange(count, dtype=np.uint64) + np.uint64(seed * 1000003)) * np.uint64(2654435761) & np.uint64(0xFFFFFFFF)
    h ^= h >> np.uint64(16)
    h = h * np.uint64(2246822519) & np.uint64(0xFFFFFFFF)
    h ^= h >> np.uint64(13)
    h = h * np.uint64(3266489917) & np.uint64(0xFFFFFFFF)
    h ^= h >> np.uint64(16)
    return ((h >> np.uint64(8)).astype(np.float64) / 2**23 - 1).astype(np.float32)


def fill(model, seed):
    """Every parameter of a network: kernels by their fan-in, others small."""
    for net in ("pnet", "rnet", "onet"):
        state = getattr(model, net).state_dict()
        for name, value in state.items():
            seed += 1
            fan = value[0].numel()
            scale = np.float32(np.sqrt(6 / fan)) if value.ndim > 1 else np.float32(0.25)
            if name.split(".")[0] in ("conv4_2", "dense5_2", "dense6_2"):
                scale *= np.float32(0.0625)  # a box that leaves the picture is more than facenet-pytorch can take
            state[name] = torch.from_numpy(noise(value.numel(), seed) * scale).reshape(value.shape)
            if name in ("conv4_1.bias", "dense5_1.bias", "dense6_1.bias"):
                state[name][1] += np.float32(FACE_BIAS[net])
        getattr(model, net).load_state_dict(state)


def line(f, name, values):
    values = np.asarray(values, np.float32).ravel()
    f.write(f"{name} {len(values)}" + "".join(f" {v:.7g}" for v in values) + "\n")


def faces(f, name, model, image):
    boxes, scores, points = model.detect(image, landmarks=True)
    count = 0 if boxes is None else len(boxes)
    rows = [list(boxes[i]) + [scores[i]] + list(points[i].ravel()) for i in range(count)]
    line(f, name, np.array(rows, np.float64))
    return count


def networks(model):
    with open(os.path.join(HERE, "mtcnn.txt"), "w") as f, torch.no_grad():
        tensor = lambda h, w: torch.from_numpy(picture(h, w)).permute(2, 0, 1)[None].float()  # noqa: E731
        norm = lambda x: (x - 127.5) * 0.0078125  # noqa: E731
        nhwc = lambda x: x.permute(0, 2, 3, 1)  # noqa: E731
        for h, w, to in ((47, 61, (9, 13)), (19, 7, (9, 11)), (300, 5, (2, 3))):
            line(f, f"area_{h}x{w}_to_{to[0]}x{to[1]}", nhwc(norm(imresample(tensor(h, w), to))))
        reg, prob = model.pnet(norm(tensor(31, 40)))
        line(f, "pnet_31x40", torch.cat([nhwc(prob), nhwc(reg)], 3))
        two = torch.cat([norm(tensor(24, 24)), norm(255 - tensor(24, 24))])
        reg, prob = model.rnet(two)
        line(f, "rnet", torch.cat([prob, reg], 1))
        two = torch.cat([norm(tensor(48, 48)), norm(255 - tensor(48, 48))])
        reg, points, prob = model.onet(two)
        line(f, "onet", torch.cat([prob, reg, points], 1))
        for h, w in ((81, 66), (300, 220)):
            print(f"{h} x {w}: {faces(f, f'found_{h}x{w}', model, picture(h, w))} of random networks")


def clips(model):
    data = os.path.join(HERE, "../../../shared/data")
    program = os.path.join(HERE, "../../build/tests/test_mtcnn")
    if not os.path.isdir(data) or not os.path.exists(program):
        print("no ../shared/data, or build/tests/test_mtcnn is not built: mtcnn_faces.txt stays as it is")
        return
    with open(os.path.join(HERE, "mtcnn_faces.txt"), "w") as f, tempfile.TemporaryDirectory() as folder:
        for name in PHOTOS:
            print(name, faces(f, name, model, np.array(Image.open(os.path.join(data, "photos", name)).convert("RGB"))))
        subprocess.run([program], env=dict(os.environ, UM_DUMP_FRAMES=folder), check=True)
        for name in sorted(os.listdir(folder)):
            print(name, faces(f, name[:-4], model, np.array(Image.open(os.path.join(folder, name)).convert("RGB"))))


if __name__ == "__main__":
    torch.set_num_threads(1)
    detector = MTCNN(keep_all=True)
    if "networks" not in sys.argv:
        clips(detector)
    if "faces" not in sys.argv:
        fill(detector, 0)
        networks(detector)
