# Golden numbers for the optimizers, from the real Keras of both generations.
# Made with TensorFlow 2.18.1, tf_keras 2.18.0 (its legacy optimizers are those of Keras 2 and TensorFlow 2.0 to 2.10), keras 3.8.0,
# numpy 2.0.2. Writes tests/golden/optimizers.txt; run from the repository root: python tests/golden/optimizers.py
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import keras
import numpy as np
import tensorflow as tf
import tf_keras

STEPS = 6
rng = np.random.RandomState(0)
w0 = rng.normal(size=12).astype(np.float32)
gradients = rng.normal(size=(STEPS, 12)).astype(np.float32)
gradients[:, 1] = 0  # never moves
gradients[:, 2] *= 1e-7  # where the place of epsilon matters
gradients[:, 3] *= 1e-4
gradients[:, 4] *= 1e3

# name, optimizer, then what um_optimizer needs: kind, learning rate, rho, momentum, nesterov, beta1, beta2, epsilon, epsilon inside,
# weight decay.
# Keras 2 puts RMSprop's epsilon outside the root, except with momentum, where its fused kernel has it inside.
legacy, new = tf_keras.optimizers.legacy, keras.optimizers
cases = [
    ("keras2_rmsprop", legacy.RMSprop(1e-2, rho=0.9, epsilon=1e-7), "rmsprop", 1e-2, 0.9, 0, 0, 0, 0, 1e-7, 0, 0),
    ("keras2_rmsprop_momentum", legacy.RMSprop(1e-2, rho=0.9, momentum=0.8, epsilon=1e-7), "rmsprop", 1e-2, 0.9, 0.8, 0, 0, 0, 1e-7, 1, 0),
    ("keras3_rmsprop", new.RMSprop(1e-2, rho=0.95, epsilon=1e-7), "rmsprop", 1e-2, 0.95, 0, 0, 0, 0, 1e-7, 1, 0),
    ("keras3_rmsprop_momentum", new.RMSprop(1e-2, rho=0.9, momentum=0.8, epsilon=1e-7), "rmsprop", 1e-2, 0.9, 0.8, 0, 0, 0, 1e-7, 1, 0),
    ("keras2_sgd", legacy.SGD(1e-2), "sgd", 1e-2, 0, 0, 0, 0, 0, 1e-7, 0, 0),
    ("keras2_momentum", legacy.SGD(1e-2, momentum=0.9), "sgd", 1e-2, 0, 0.9, 0, 0, 0, 1e-7, 0, 0),
    ("keras2_nesterov", legacy.SGD(1e-2, momentum=0.9, nesterov=True), "sgd", 1e-2, 0, 0.9, 1, 0, 0, 1e-7, 0, 0),
    ("keras3_sgd", new.SGD(1e-2), "sgd", 1e-2, 0, 0, 0, 0, 0, 1e-7, 0, 0),
    ("keras3_momentum", new.SGD(1e-2, momentum=0.9), "sgd", 1e-2, 0, 0.9, 0, 0, 0, 1e-7, 0, 0),
    ("keras3_nesterov", new.SGD(1e-2, momentum=0.9, nesterov=True), "sgd", 1e-2, 0, 0.9, 1, 0, 0, 1e-7, 0, 0),
    ("keras2_adam", legacy.Adam(1e-2, beta_1=0.9, beta_2=0.999, epsilon=1e-7), "adam", 1e-2, 0, 0, 0, 0.9, 0.999, 1e-7, 0, 0),
    ("keras3_adam", new.Adam(1e-2, beta_1=0.8, beta_2=0.99, epsilon=1e-7), "adam", 1e-2, 0, 0, 0, 0.8, 0.99, 1e-7, 0, 0),
    ("keras3_adamw", new.AdamW(1e-2, beta_1=0.8, beta_2=0.99, weight_decay=0.4), "adam", 1e-2, 0, 0, 0, 0.8, 0.99, 1e-7, 0, 0.4),
    ("keras3_rmsprop_decay", new.RMSprop(1e-2, rho=0.9, weight_decay=0.4), "rmsprop", 1e-2, 0.9, 0, 0, 0, 0, 1e-7, 1, 0.4),
    ("keras3_nesterov_decay", new.SGD(1e-2, momentum=0.9, nesterov=True, weight_decay=0.4), "sgd", 1e-2, 0, 0.9, 1, 0, 0, 1e-7, 0, 0.4),
]

with open("tests/golden/optimizers.txt", "w") as out:

    def line(name, values):
        out.write(name + " " + " ".join("%.9g" % v for v in values) + "\n")

    out.write("%d %d %d\n" % (len(cases), STEPS, len(w0)))
    line("w0", w0)
    for g in gradients:
        line("g", g)
    for name, optimizer, *parameters in cases:
        out.write(name + " " + " ".join(str(p) for p in parameters) + "\n")
        w = keras.Variable(w0) if name.startswith("keras3") else tf.Variable(w0)
        for g in gradients:
            optimizer.apply_gradients([(tf.constant(g), w)])
            line("w", w.numpy())
