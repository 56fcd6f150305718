"""Small weights files, each written by the real Keras in another of its ways, for tests/test_weights.c: tests/golden/weights/.

Made with TensorFlow 2.18.1, keras 3.8.0, tf_keras 2.18.0, h5py 3.16.0, numpy 2.0.2.
    python tests/golden/keras_weights.py

The model: 8 x 8 x 3, block1_conv1 (2 filters of 3 x 3), block1_pool, flatten, dense (3), dense_1 (1). Element i of the p-th tensor is
(word(100 + p, i) % 2001 - 1000) / 1024, which float16 holds exactly.
  keras3_full     model.save() of Keras 3             tfkeras_full     the same of tf_keras, compiled (it adds optimizer_weights)
  keras3_nested   the backbone as a model in a        tfkeras_nested   the same of tf_keras
                  Sequential, as many recipes have it
  tfkeras_notop   save_weights() of the backbone      tfkeras_half, tfkeras_double   of float16 and float64 layers
  keras3_split    attributes in parts (Keras' limit   keras3_new.weights.h5   save_weights() of Keras 3
                  lowered for it)
  keras1_names    what Keras 1 called weights, as in the ImageNet file; names variable in length. Written by h5py to the layout of that
                  file's published listing: no Keras 1 runs today.
"""
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import h5py
import keras
import numpy as np
import tf_keras
from keras.src.legacy.saving import legacy_h5_format

import keras_formula as formula

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "weights")
SHAPES = [(3, 3, 3, 2), (2,), (32, 3), (3,), (3, 1), (1,)]


def value(p):
    count = int(np.prod(SHAPES[p]))
    words = formula.word(100 + p, np.arange(count)) % np.uint32(2001)
    return ((words.astype(np.int32) - 1000) / 1024.0).reshape(SHAPES[p])


def backbone(k):
    x = k.Input((8, 8, 3), name="input_1")
    y = k.layers.Conv2D(2, 3, padding="same", activation="relu", name="block1_conv1")(x)
    return k.Model(x, k.layers.MaxPooling2D(2, name="block1_pool")(y), name="vgg16")


def model(k, nested=False):
    k.backend.clear_session()
    base = backbone(k)
    head = [k.layers.Flatten(name="flatten"), k.layers.Dense(3, activation="relu", name="dense"),
            k.layers.Dense(1, activation="sigmoid", name="dense_1")]
    if nested:
        m = k.Sequential([base] + head)
        m.build((None, 8, 8, 3))
    else:
        x = base.output
        for layer in head:
            x = layer(x)
        m = k.Model(base.input, x)
    m.set_weights([value(p) for p in range(len(SHAPES))])
    return m


def keras1_names(path):
    text = h5py.string_dtype("utf-8")
    with h5py.File(path, "w") as f:
        f.attrs.create("layer_names", ["input_1", "block1_conv1", "block1_pool"], dtype=text)
        for name in ("input_1", "block1_pool"):
            f.create_group(name).attrs["weight_names"] = np.array([])
        g = f.create_group("block1_conv1")
        g.attrs.create("weight_names", ["block1_conv1_W_1:0", "block1_conv1_b_1:0"], dtype=text)
        g.create_dataset("block1_conv1_W_1:0", data=value(0).astype(np.float32))
        g.create_dataset("block1_conv1_b_1:0", data=value(1).astype(np.float32))


def main():
    os.makedirs(OUT, exist_ok=True)
    at = lambda name: os.path.join(OUT, name)
    model(keras).save(at("keras3_full.h5"))
    model(keras, nested=True).save(at("keras3_nested.h5"))
    m = model(keras)
    m.save_weights(at("keras3_new.weights.h5"))
    limit, legacy_h5_format.HDF5_OBJECT_HEADER_LIMIT = legacy_h5_format.HDF5_OBJECT_HEADER_LIMIT, 40
    m.save(at("keras3_split.h5"))
    legacy_h5_format.HDF5_OBJECT_HEADER_LIMIT = limit
    m = model(tf_keras)
    m.compile(optimizer=tf_keras.optimizers.RMSprop(), loss="binary_crossentropy")
    m.optimizer.build(m.trainable_variables)
    m.save(at("tfkeras_full.h5"))
    model(tf_keras, nested=True).save(at("tfkeras_nested.h5"))
    base = backbone(tf_keras)
    base.set_weights([value(0), value(1)])
    base.save_weights(at("tfkeras_notop.h5"))
    for name, dtype in (("half", "float16"), ("double", "float64")):
        tf_keras.backend.set_floatx(dtype)
        model(tf_keras).save_weights(at(f"tfkeras_{name}.h5"))
    tf_keras.backend.set_floatx("float32")
    keras1_names(at("keras1_names.h5"))


if __name__ == "__main__":
    main()
