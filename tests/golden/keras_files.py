"""Whole models, each written by the real Keras in another of its ways, for tests/test_keras_files.c: tests/golden/weights/ and
tests/golden/keras_files.safetensors, which has the logits that Keras itself gives; and the seeds of tests/fuzz/corpus/keras_*.

Made with TensorFlow 2.18.1, keras 3.8.0, tf_keras 2.18.0, h5py 3.16.0, numpy 2.0.2.
    python tests/golden/keras_files.py

Element i of the p-th weight is (word(300 + p, i) % 2001 - 800) / 2048; variances are 1/2 + its square. Pixel i of picture s is
word(900 + s, i) % (64 + 96 s), for s = 0, 1, 2.
  tiny     a chain in the shape of core/backbone_tiny.c, four convolutions, each with its pool, but of few filters, and the recipe's head;
           32 x 32 x 3, pixels / 255. keras3_tiny and tfkeras_tiny: .h5, .keras and .weights.h5 of Keras 3 and tf_keras
  stacked  the same layers, the backbone a model in a Sequential: .keras and .weights.h5 of Keras 3
  dag      20 x 20 x 3: Rescaling, a model inside, ZeroPadding2D, BatchNormalization without bias, scale, center, Add, Concatenate,
           AveragePooling2D, Dropout, GlobalAveragePooling2D: .h5 of both, .keras of Keras 3
"""
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import keras
import numpy as np
import tf_keras

import container
import keras_formula as formula

HERE = os.path.dirname(os.path.abspath(__file__))
PICTURES = 3


def set_values(model):
    values = []
    for p, w in enumerate(model.weights):
        words = formula.word(300 + p, np.arange(int(np.prod(w.shape)))) % np.uint32(2001)
        v = ((words.astype(np.int32) - 800) / 2048.0).reshape(w.shape)
        values.append(0.5 + v * v if "variance" in w.name else v)
    model.set_weights(values)


def tiny_backbone(k):
    x = inputs = k.Input((32, 32, 3), name="input")
    for i, filters in enumerate((2, 3, 4, 4)):
        x = k.layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"tiny_conv{i + 1}")(x)
        x = k.layers.MaxPooling2D(2, name=f"tiny_pool{i + 1}")(x)
    return inputs, x


def head(k):
    return [k.layers.Flatten(name="flatten"), k.layers.Dense(3, activation="relu", name="dense"),
            k.layers.Dense(1, activation="sigmoid", name="dense_1")]


def tiny(k):
    inputs, x = tiny_backbone(k)
    for layer in head(k):
        x = layer(x)
    return k.Model(inputs, x)


def stacked(k):
    inputs, x = tiny_backbone(k)
    m = k.Sequential([k.Model(inputs, x, name="backbone")] + head(k))
    m.build((None, 32, 32, 3))
    return m


def dag(k):
    L = k.layers
    inner = k.Input((20, 20, 3), name="inner")
    x = L.ZeroPadding2D(1, name="pad1")(inner)
    x = L.Conv2D(4, 3, strides=2, use_bias=False, name="c1")(x)
    x = L.BatchNormalization(name="b1")(x)
    x = L.ReLU(name="r1")(x)
    x = L.ZeroPadding2D(((0, 1), (1, 0)), name="pad2")(x)
    stem = k.Model(inner, L.MaxPooling2D(3, strides=2, name="p1")(x), name="stem")
    inputs = k.Input((20, 20, 3), name="photo")
    s = stem(L.Rescaling(1 / 255.0, name="rescaling")(inputs))
    a = L.Conv2D(4, 3, padding="same", use_bias=False, name="c2")(s)
    a = L.BatchNormalization(scale=False, epsilon=1e-5, name="b2")(a)
    a = L.Activation("relu", name="r2")(a)
    a = L.Activation("relu", name="r3")(L.Add(name="add")([a, s]))
    b = L.AveragePooling2D(2, padding="same", name="avg")(a)
    c = L.MaxPooling2D(2, padding="same", name="p2")(L.Conv2D(3, 1, activation="sigmoid", name="c3")(a))
    x = L.Dropout(0.3, name="drop")(L.Concatenate(name="both")([b, c]))
    d = L.Dense(4, use_bias=False, name="d1")(L.Flatten(name="flat")(x))
    d = L.ReLU(name="r4")(L.BatchNormalization(center=False, name="b3")(d))
    x = L.Concatenate(name="last")([d, L.GlobalAveragePooling2D(name="gap")(x)])
    return k.Model(inputs, L.Dense(1, activation="sigmoid", name="score")(x))


def pictures(side):
    n = side * side * 3
    return np.stack([(formula.word(900 + s, np.arange(n)) % np.uint32(64 + 96 * s)).reshape(side, side, 3) for s in range(PICTURES)]).astype(np.float32)


def logits(k, model, x):
    last = model.layers[-1]
    was, last.activation = last.activation, k.activations.linear
    z = k.models.clone_model(model)
    z.set_weights(model.get_weights())
    last.activation = was
    z = np.asarray(z(x, training=False))[:, 0]
    p = np.asarray(model(x, training=False))[:, 0]
    assert np.allclose(1 / (1 + np.exp(-z)), p, atol=1e-6) and np.abs(z).max() < 20 and z.std() > 1e-2, z
    return z


def corpus(k, tag):
    """Seeds of tests/fuzz/corpus: the smallest model that has a convolution, a BatchNormalization and a dense layer."""
    k.backend.clear_session()
    L = k.layers
    x = inputs = k.Input((3, 3, 3), name="in")
    x = L.ReLU(name="r")(L.BatchNormalization(name="b")(L.Conv2D(2, 2, use_bias=False, name="c")(x)))
    x = L.Dense(1, activation="sigmoid", name="d")(L.Flatten(name="f")(x))
    m = k.Model(inputs, x)
    set_values(m)
    folder = lambda name: os.path.join(HERE, "..", "fuzz", "corpus", name)
    for name in ("keras_h5", "keras_zip", "keras_config"):
        os.makedirs(folder(name), exist_ok=True)
    m.save(os.path.join(folder("keras_h5"), f"{tag}.h5"))
    m.save_weights(os.path.join(folder("keras_h5"), f"{tag}.weights.h5"))
    m.save(os.path.join(folder("keras_zip"), f"{tag}.keras"))
    for name, build in (("small", None), ("dag", dag), ("stacked", stacked)):
        with open(os.path.join(folder("keras_config"), f"{tag}_{name}.json"), "w") as f:
            f.write((build(k) if build else m).to_json())


def main():
    at = lambda name: os.path.join(HERE, "weights", name)
    out = {}
    for k, tag in ((keras, "keras3"), (tf_keras, "tfkeras")):
        for build in (tiny, stacked, dag):
            name = build.__name__
            if build is stacked and k is tf_keras:
                continue
            k.backend.clear_session()
            m = build(k)
            set_values(m)
            x = pictures(m.input_shape[1])
            out[f"{tag}_{name}"] = logits(k, m, x if build is dag else x / np.float32(255))
            if not (build is dag and k is tf_keras):
                m.save(at(f"{tag}_{name}.keras"))
            if build is not stacked:
                m.save(at(f"{tag}_{name}.h5"))
            if build is not dag:
                m.save_weights(at(f"{tag}_{name}.weights.h5"))
            print(tag, name, out[f"{tag}_{name}"])
        corpus(k, tag)
    container.save(os.path.join(HERE, "keras_files.safetensors"), {k: v.astype(np.float32) for k, v in out.items()})


if __name__ == "__main__":
    main()
