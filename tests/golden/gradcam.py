"""Grad-CAM by the real Keras for tests/test_gradcam.c: tests/golden/gradcam.safetensors; and colours of OpenCV's Turbo map.

Made with TensorFlow 2.18.1, keras 3.8.0, numpy 2.0.2 on a CPU; the colours with OpenCV 4.6.0,
of /usr/bin/python3 where this Python has none.
    python tests/golden/gradcam.py

Two models, the graphs of core/backbone_tiny.c (32 x 32) and core/backbone_dct.c (64 x 64), each with flatten, dense of 8 with ReLU and
dense of 1. Element i of layer l's kernel (l counts the layers with weights, in the order of the graph) is
(word(300 + 2 l, i) % 2001 - 1000) / 2048 times the power of 2 below sqrt(12 / fan in); of its bias (word(301 + 2 l, i) % 2001 - 1000) /
8192. Value i of picture s is word(900 + s, i) % (64 + 96 s) / 256. All of this is exact in float32; Keras computes in float64.

  NAME/logits             of PICTURES pictures
  NAME/LAYER/plus, minus  the maps by that layer's output of what raises the logit and what lowers it, each over its greatest value
  NAME/LAYER/peak         those greatest values, plus then minus
  resize/LAYER/HxW        the last picture's plus map of tiny's LAYER, made larger by keras.ops.image.resize, bilinear
  turbo                   OpenCV's COLORMAP_TURBO, RGB, every fifth of its 256 colours
"""
import json
import os
import subprocess
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import keras
import numpy as np
import tensorflow as tf

import keras_formula as formula

HERE = os.environ.get("GOLDEN_OUT") or os.path.dirname(os.path.abspath(__file__))
PICTURES = 3
K = keras.layers


def head(x):
    x = K.Dense(8, activation="relu", name="dense")(K.Flatten()(x))
    return K.Dense(1, name="dense_1")(x)


def tiny():
    x = start = keras.Input((32, 32, 3))
    for i, filters in enumerate((16, 32, 64, 64)):
        x = K.Conv2D(filters, 3, padding="same", activation="relu", name=f"tiny_conv{i + 1}")(x)
        x = K.MaxPooling2D(name=f"tiny_pool{i + 1}")(x)
    return keras.Model(start, head(x))


def dct():
    def conv(x, name, filters, size, stride=1, activation="relu"):
        return K.Conv2D(filters, size, strides=stride, padding="same", activation=activation, name=name)(x)

    start = keras.Input((64, 64, 3))
    x = conv(start, "dct", 16, 4, 2, None)
    x = conv(x, "block0_conv", 32, 3)
    for b, filters in enumerate((32, 64, 128), 1):
        x = conv(x, f"block{b}_conv", filters, 3, 2)
        y = conv(x, f"block{b}_conv1", filters, 3)
        y = conv(y, f"block{b}_conv2", filters, 3, activation=None)
        x = K.ReLU(name=f"block{b}")(K.Add()([x, y]))
    return keras.Model(start, head(conv(x, "reduce", 16, 1)))


def set_weights(model, names):
    for index, name in enumerate(names):
        layer = model.get_layer(name)
        shape = layer.kernel.shape
        scale = 2.0 ** np.floor(np.log2(np.sqrt(12 / np.prod(shape[:-1]))))
        k = formula.word(300 + 2 * index, np.arange(np.prod(shape))).astype(np.int64) % 2001 - 1000
        b = formula.word(301 + 2 * index, np.arange(shape[-1])).astype(np.int64) % 2001 - 1000
        layer.set_weights([(k / 2048 * scale).reshape(shape), b / 8192])


def grad_cam(model, layer, x):
    """Selvaraju et al. 2017, equations 1 and 2, for the logit and for minus the logit."""
    parts = keras.Model(model.inputs, [model.get_layer(layer).output, model.output])
    with tf.GradientTape() as tape:
        a, z = parts(x)
        tape.watch(a)
        total = tf.reduce_sum(z)
    g = tape.gradient(total, a).numpy()
    cam = (g.mean((1, 2), keepdims=True) * a.numpy()).sum(-1)
    return z.numpy()[:, 0], [np.maximum(cam, 0), np.maximum(-cam, 0)]


def turbo():
    try:
        import cv2
    except ImportError:
        code = "import cv2,numpy as n;print(cv2.applyColorMap(n.arange(256,dtype=n.uint8)[:,None],cv2.COLORMAP_TURBO)[::5,0,::-1].ravel().tolist())"
        return json.loads(subprocess.run(["/usr/bin/python3", "-c", code], check=True, capture_output=True).stdout)
    return cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_TURBO)[::5, 0, ::-1].ravel()


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, value in tensors.items():
        value = np.asarray(value, np.float32)
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [len(data), len(data) + value.nbytes]}
        data += value.tobytes()
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text + data)


def main():
    keras.config.set_floatx("float64")
    out = {}
    for name, model, layers in [
        ("tiny", tiny(), ["tiny_conv4", "tiny_conv3", "tiny_pool2"]),
        ("dct", dct(), ["reduce", "block3", "block3_conv1", "block2"]),
    ]:
        set_weights(model, [l.name for l in model.layers if l.weights] if name == "tiny" else
                    ["dct", "block0_conv"] + [f"block{b}_conv{k}" for b in (1, 2, 3) for k in ("", "1", "2")] + ["reduce", "dense", "dense_1"])
        shape = (PICTURES,) + model.input.shape[1:]
        n = int(np.prod(shape[1:]))
        x = np.stack([formula.word(900 + s, np.arange(n)) % (64 + 96 * s) for s in range(PICTURES)]).reshape(shape) / 256
        for layer in layers:
            z, maps = grad_cam(model, layer, x)
            peaks = [m.max((1, 2)) for m in maps]
            out[f"{name}/{layer}/peak"] = np.stack(peaks)
            for which, m, peak in zip(("plus", "minus"), maps, peaks):
                out[f"{name}/{layer}/{which}"] = m / np.where(peak > 0, peak, 1)[:, None, None]
            print(name, layer, z, *peaks)
        out[f"{name}/logits"] = z
    for layer, height, width in [("tiny_conv4", 11, 7), ("tiny_conv3", 20, 9)]:
        small = out[f"tiny/{layer}/plus"][-1]
        large = keras.ops.image.resize(small[..., None], (height, width), interpolation="bilinear", data_format="channels_last")
        out[f"resize/{layer}/{height}x{width}"] = np.asarray(large)[..., 0]
    out["turbo"] = turbo()
    path = os.path.join(HERE, "gradcam.safetensors")
    write_safetensors(path, out)
    print(path, os.path.getsize(path), "bytes")


if __name__ == "__main__":
    sys.exit(main())
