"""A model with PReLU, Softmax and Dropout, written by the real Keras in each of its ways, for tests/test_keras_files.c:
tests/golden/weights/*_bent.* and tests/golden/keras_bent.safetensors, which has the logits that Keras itself gives.

Made with TensorFlow 2.18.1, keras 3.8.0, tf_keras 2.18.0, h5py 3.16.0, numpy 2.0.2.
    python tests/golden/keras_bent.py

12 x 12 x 3, pixels / 255: an alpha a channel over pictures and over a list, softmax as a layer's own activation, as an Activation and as a
Softmax layer, a Dropout over pictures and one over a list. Values and pictures are those of keras_files.py.
"""
import os

import keras_files as files
import keras
import numpy as np
import tf_keras

import container


def bent(k):
    L = k.layers
    x = inputs = k.Input((12, 12, 3), name="photo")
    x = L.PReLU(shared_axes=[1, 2], name="bend1")(L.Conv2D(4, 3, name="conv1")(x))
    x = L.Dropout(0.25, name="drop1")(L.MaxPooling2D(2, name="pool1")(x))
    x = L.Concatenate(name="both")([x, L.Conv2D(5, 1, activation="softmax", name="conv2")(x)])
    x = L.PReLU(shared_axes=[1, 2], name="bend2")(L.Conv2D(3, 1, name="conv3")(x))
    x = L.PReLU(name="bend3")(L.Dense(6, name="dense1")(L.Flatten(name="flat")(x)))
    x = L.Dropout(0.5, name="drop2")(x)
    a = L.Activation("softmax", name="share1")(L.Dense(4, name="dense2")(x))
    b = L.Softmax(name="share2")(L.Dense(4, name="dense3")(x))
    return k.Model(inputs, L.Dense(1, activation="sigmoid", name="score")(L.Concatenate(name="all")([x, a, b])))


def main():
    at = lambda name: os.path.join(files.HERE, "weights", name)
    out = {}
    for k, tag in ((keras, "keras3"), (tf_keras, "tfkeras")):
        k.backend.clear_session()
        m = bent(k)
        files.set_values(m)
        out[f"{tag}_bent"] = files.logits(k, m, files.pictures(12) / np.float32(255))
        m.save(at(f"{tag}_bent.h5"))
        if k is keras:
            m.save(at(f"{tag}_bent.keras"))
        m.save_weights(at(f"{tag}_bent.weights.h5"))
        print(tag, out[f"{tag}_bent"])
    container.save(os.path.join(files.HERE, "keras_bent.safetensors"), {k: v.astype(np.float32) for k, v in out.items()})


if __name__ == "__main__":
    main()
