"""Golden numbers of full-size VGG16 at 150 x 150 from the real Keras: tests/golden/vgg16.h5 and vgg16.safetensors.

Made with TensorFlow 2.18.1, keras 3.8.0, tf_keras 2.18.0, h5py 3.16.0, numpy 2.0.2 and h5repack 1.10.8 (Debian 12's hdf5-tools),
on a CPU.
    python tests/golden/keras_vgg16.py [--full]
--full also writes every gradient whole to build/golden/vgg16_gradients.h5; the test compares them all where that file is.

Keras computes in float64 (set_floatx), from weights and pixels / 255 that are float32: what differs from our float32 is our rounding,
not the sum of two.

  vgg16.h5            the model, as Keras 3's model.save() wrote it, repacked with shuffle and gzip (twice: the values repeat, so it is
                      small)
  vgg16.safetensors   of each parameter the CRC-32; logits and loss of the first batch; of each layer's activations and each parameter's
                      gradient the norm, a count sketch and some values; 20 losses with RMSprop of tf_keras' legacy optimizer ("keras2",
                      lr g / (sqrt(v) + eps)) and of keras 3 ("keras3", lr g / sqrt(v + eps))
"""
import json
import os
import subprocess
import sys
import zlib

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # TensorFlow's own Eigen kernels: not the library that we use ourselves
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import h5py
import keras
import numpy as np
import tensorflow as tf
import tf_keras

import keras_formula as formula

HERE = os.environ.get("GOLDEN_OUT") or os.path.dirname(os.path.abspath(__file__))
BATCH, STEPS, SAMPLES = 4, 20, 32
LEARNING_RATE = 5e-7
GRADIENT_LABELS = [1, 1, 0, 1]  # half and half would cancel most of the gradient, and leave the rounding
MARGINS = [3.5] * 7 + [-3.0, -2.0]
DENSE_MARGINS = [6.0] * 7 + [-6.0] * 2  # one of its 1,024 values turned over is 12 % of every gradient: none may come near 0


def calibrate(model):
    """Weights whose gradients float32 can tell: kernels by formula, each scaled (to 3 significant bits) so that the layer's sums have
    standard deviation 1 over the first 8 images (the logit's: 1/4), and biases (8 bits) that set each channel's mean to one of MARGINS.

    A gradient is not continuous in the activations: one ReLU or one winner of a pooling that rounding turns over moves a layer's
    gradient by about sqrt(1 / its activations). With ordinary random weights (means near 0) Keras differs from itself by 1 %
    between TensorFlow's own kernels and oneDNN's, and after five steps of RMSprop the losses have nothing in common. With most sums
    a few deviations away from 0 few of them turn over: what is left is the difference between two programs."""
    values = []
    x = tf.constant(formula.batch(0, 8).astype(np.float64) / 255)
    for layer in model.layers[1:]:
        if not layer.weights:
            x = layer(x)
            continue
        w = formula.kernel(len(values), layer.kernel.shape).astype(np.float64)
        z = (tf.nn.conv2d(x, w, 1, "SAME") if w.ndim == 4 else tf.linalg.matmul(x, w)).numpy()
        mean = z.reshape(-1, w.shape[-1]).mean(0)
        last = layer.name == "dense_1"
        step = formula.short((0.25 if last else 1.0) / (z - mean).std(), 3)
        margins = np.array(MARGINS if w.ndim == 4 else DENSE_MARGINS)
        pick = formula.word(5, np.arange(mean.size) + 1000 * (len(values) + 2)) % np.uint32(margins.size)
        values += [(w * step).astype(np.float32), formula.short(-mean * step + (0 if last else margins[pick]), 8)]
        x = tf.nn.relu(z * step + values[-1])
    return values


def build(k):
    """The recipe's model, flat: VGG16 without top, Flatten, Dense 256 relu, Dense 1 sigmoid."""
    k.backend.clear_session()
    base = k.applications.VGG16(weights=None, include_top=False, input_shape=(formula.SIDE, formula.SIDE, 3))
    x = k.layers.Flatten(name="flatten")(base.output)
    x = k.layers.Dense(256, activation="relu", name="dense")(x)
    x = k.layers.Dense(1, activation="sigmoid", name="dense_1")(x)
    return k.Model(base.input, x)


def logits_model(k, model):
    """The same layers with the last activation left out."""
    dense = model.get_layer("dense_1")
    z = tf.linalg.matmul
    return k.Model(model.input, [layer.output for layer in model.layers[1:-1]]), lambda a: z(a, dense.kernel) + dense.bias


def inputs(first):
    return (formula.batch(first, BATCH).astype(np.float32) * np.float32(1 / 255.0)).astype(np.float64)


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, value in tensors.items():
        value = np.asarray(value)
        value = value.view(np.int32) if value.dtype == np.uint32 else value.astype(np.float32)
        header[name] = {"dtype": "I32" if value.dtype == np.int32 else "F32", "shape": list(value.shape), "data_offsets": [len(data), len(data) + value.nbytes]}
        data += value.tobytes()
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text + data)


def save_weights(model):
    plain, packed = os.path.join(HERE, "vgg16_plain.h5"), os.path.join(HERE, "vgg16.h5")
    model.save(plain)
    subprocess.run(["h5repack", "-f", "SHUF", "-f", "GZIP=9", "-f", "GZIP=9", plain, packed], check=True)
    os.remove(plain)
    print("vgg16.h5", os.path.getsize(packed), "bytes")


def forward_and_gradients(out, values, full):
    model = build(keras)
    model.set_weights(values)
    inner, last = logits_model(keras, model)
    x, t = inputs(0), np.array(GRADIENT_LABELS, dtype=np.float64)
    names = [layer.name for layer in model.layers[1:-1]]
    with tf.GradientTape() as tape:
        acts = inner(x)
        z = last(acts[-1])
        loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=t[:, None], logits=z))
    p = model(x).numpy()
    assert np.allclose(p, tf.sigmoid(z).numpy(), rtol=1e-5)
    gradients = tape.gradient(loss, [w.value for w in model.weights])
    out["logits"] = z.numpy()[:, 0]
    out["loss"] = [loss.numpy()]
    out["labels"] = GRADIENT_LABELS
    out["learning_rate"] = [LEARNING_RATE]
    print("logits", out["logits"], "loss", loss.numpy())
    for i, (name, a) in enumerate(zip(names, acts)):
        a = a.numpy()
        out[f"activation/{name}/norm"] = [np.linalg.norm(a.astype(np.float64))]
        out[f"activation/{name}/sketch"] = formula.sketch(a, 1000 + i)
        out[f"activation/{name}/samples"] = a.ravel()[formula.samples(a.size, SAMPLES, 2000 + i)]
        print(f"{name:14s} norm {np.linalg.norm(a):10.4f} mean {a.mean():.4f} std over images "
              f"{a.std(axis=0).mean():.4f} alive {np.mean(a > 0):.3f} channels alive {np.mean((a > 0).reshape(-1, a.shape[-1]).any(0)):.3f}")
    dump = None
    if full:
        os.makedirs("build/golden", exist_ok=True)
        dump = h5py.File("build/golden/vgg16_gradients.h5", "w")
    for i, (w, g) in enumerate(zip(model.weights, gradients)):
        g = g.numpy()
        out[f"crc/{w.path}"] = np.array([zlib.crc32(w.numpy().astype(np.float32).tobytes())], dtype=np.uint32)
        out[f"gradient/{w.path}/norm"] = [np.linalg.norm(g.astype(np.float64))]
        out[f"gradient/{w.path}/sketch"] = formula.sketch(g, 3000 + i)
        out[f"gradient/{w.path}/samples"] = g.ravel()[formula.samples(g.size, SAMPLES, 4000 + i)]
        print(f"{w.path:22s} {str(g.shape):18s} gradient norm {np.linalg.norm(g):.4e} median |g| {np.median(np.abs(g)):.2e}")
        if dump:
            dump.create_dataset(w.path, data=g.astype(np.float32))
    if dump:
        dump.close()


def train(k, values, optimizer):
    """20 steps on batches 0, 1, ...: the loss of each before its step."""
    model = build(k)
    model.set_weights(values)
    inner, last = logits_model(k, model)
    variables = model.trainable_variables
    losses, nearest = [], np.inf
    dense = model.get_layer("dense")

    @tf.function
    def step(x, t):
        with tf.GradientTape() as tape:
            a = inner(x)
            z = last(a[-1])
            loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=t[:, None], logits=z))
        near = tf.reduce_min(tf.abs(tf.linalg.matmul(a[-2], dense.kernel) + dense.bias))
        gradients = tape.gradient(loss, [getattr(v, "value", v) if k is keras else v for v in variables])
        optimizer.apply_gradients(zip(gradients, variables))
        return loss, near

    if hasattr(optimizer, "build"):
        optimizer.build(variables)
    for s in range(STEPS):
        loss, near = step(inputs(s * BATCH), formula.labels(s * BATCH, BATCH).astype(np.float64))
        losses.append(float(loss))
        nearest = min(nearest, float(near))
        print(s, losses[-1], float(near), flush=True)
    assert nearest > 1e-3, "a unit of the dense layer comes near 0: choose other margins"
    return losses


def main():
    out = {}
    model = build(keras)
    values = calibrate(model)
    model.set_weights(values)
    save_weights(model)
    keras.config.set_floatx("float64")
    tf_keras.backend.set_floatx("float64")
    forward_and_gradients(out, values, "--full" in sys.argv)
    out["loss/keras2"] = train(tf_keras, values, tf_keras.optimizers.legacy.RMSprop(learning_rate=LEARNING_RATE))
    out["loss/keras3"] = train(keras, values, keras.optimizers.RMSprop(learning_rate=LEARNING_RATE))
    path = os.path.join(HERE, "vgg16.safetensors")
    write_safetensors(path, out)
    print("vgg16.safetensors", os.path.getsize(path), "bytes")


if __name__ == "__main__":
    main()
