"""Networks made with onnx.helper, with what torch.onnx does not write: N H W C inputs, preprocessing inside, MatMul, auto_pad, values that
are not raw, half precision, doubles. The score is the output."""
import numpy as np
from onnx import TensorProto, helper, numpy_helper

rng = np.random.RandomState(3)


def weights(*shape, scale=0.3):
    return rng.uniform(-scale, scale, shape).astype(np.float32)


def const(name, value, raw=True):
    value = np.asarray(value)
    if raw:
        return numpy_helper.from_array(value, name)
    return helper.make_tensor(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape, value.flatten().tolist())


def model(nodes, inits, shape, opset=13, kind=TensorProto.FLOAT):
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", kind, shape)],
                              [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n", 1])], inits)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def node(op, inputs, output, **attributes):
    return helper.make_node(op, inputs.split(), [output], **attributes)


def all_models():
    """name: (model, layout, what the pixels are multiplied by before it)"""
    out = {}
    chw = ["n", 3, 32, 32]
    # As tf2onnx writes a Keras model: transpositions around the convolutions, MatMul and Add.
    out["keras_like"] = model(
        [node("Transpose", "x", "t", perm=[0, 3, 1, 2]), node("Conv", "t w", "c", auto_pad="SAME_UPPER", strides=[2, 2], kernel_shape=[3, 3]),
         node("Add", "c b", "cb"), node("Relu", "cb", "r"), node("MaxPool", "r", "p", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_LOWER"),
         node("Transpose", "p", "u", perm=[0, 2, 3, 1]), node("Reshape", "u shape", "f"), node("MatMul", "f d", "m"), node("Add", "m e", "a"),
         node("Sigmoid", "a", "score")],
        [const("w", weights(5, 3, 3, 3)), const("b", weights(1, 5, 1, 1)), const("shape", np.array([-1, 320], np.int64)),
         const("d", weights(320, 1)), const("e", weights(1))], ["n", 32, 32, 3]), "nhwc", 1 / 255
    # C H W flattened, alpha, beta, a scalar bias, transB; values in float_data and double_data.
    out["gemm"] = model(
        [node("Conv", "x w b", "c", kernel_shape=[4, 4], strides=[4, 4], pads=[1, 2, 0, 1]), node("Sigmoid", "c", "s"), node("Flatten", "s", "f"),
         node("Gemm", "f g h", "z", alpha=0.5, beta=2.0, transB=1), node("Relu", "z", "zr"), node("Gemm", "zr k l", "a", alpha=1.5, beta=-0.25),
         node("Sigmoid", "a", "score")],
        [const("w", weights(4, 3, 4, 4), raw=False), const("b", weights(4)), const("g", weights(6, 4 * 8 * 8).astype(np.float64), raw=False),
         const("h", np.float32(0.2)), const("k", weights(6, 1), raw=False), const("l", weights(1, 1))], chw, opset=11), "nchw", 1 / 255
    out["gemm"][0].graph.initializer[2].CopyFrom(const("g", weights(6, 256), raw=False))
    # Pixels as bytes, rescaled inside.
    out["bytes"] = model(
        [node("Cast", "x", "xf", to=TensorProto.FLOAT), node("Mul", "xf k", "xs"), node("Conv", "xs w", "c", kernel_shape=[5, 5], strides=[3, 3]),
         node("Relu", "c", "r"), node("GlobalAveragePool", "r", "p"), node("Squeeze", "p axes", "q"), node("Gemm", "q d e", "a"),
         node("Sigmoid", "a", "score")],
        [const("k", np.float32(1 / 255)), const("w", weights(8, 3, 5, 5)), const("axes", np.array([2, 3], np.int64)), const("d", weights(8, 1, scale=2)),
         const("e", weights(1))], chw, kind=TensorProto.UINT8), "nchw", 1
    # BGR minus the mean inside, N H W C; a mean over height and width; batch norm at the very input of a pooling.
    out["caffe"] = model(
        [node("Gather", "x bgr", "g", axis=3), node("Sub", "g mean", "s"), node("Transpose", "s", "t", perm=[0, 3, 1, 2]),
         node("AveragePool", "t", "p", kernel_shape=[2, 2], strides=[2, 2]), node("BatchNormalization", "p ga be mu va", "n", epsilon=1e-3),
         node("Conv", "n w b", "c", kernel_shape=[3, 3], pads=[1, 1, 1, 1]), node("Relu", "c", "r"),
         node("ReduceMean", "r", "m", axes=[2, 3], keepdims=0), node("Gemm", "m d e", "a"), node("Neg", "a", "na"), node("Sigmoid", "na", "score")],
        [const("bgr", np.array([2, 1, 0], np.int64)), const("mean", np.array([103.939, 116.779, 123.68], np.float32)),
         const("ga", weights(3) + 0.01), const("be", weights(3)), const("mu", weights(3)), const("va", np.abs(weights(3)) + 900),
         const("w", weights(6, 3, 3, 3)), const("b", weights(6)), const("d", weights(6, 1)), const("e", weights(1))], ["n", 32, 32, 3]), "nhwc", 1
    # tf.keras.applications' other habit: x / 127.5 - 1, padding with zeros after it.
    out["minus_one"] = model(
        [node("Div", "x k", "d1"), node("Sub", "d1 one", "s"), node("Conv", "s w", "c", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[4, 4]),
         node("Mul", "c gain", "cg"), node("Relu", "cg", "r"), node("Concat", "r c", "rc", axis=1), node("Flatten", "rc", "f"),
         node("BatchNormalization", "f ga be mu va", "fn"), node("MatMul", "fn d", "a"), node("Sigmoid", "a", "score")],
        [const("k", np.float32(127.5)), const("one", np.float32(1)), const("w", weights(4, 3, 3, 3)), const("gain", weights(4, 1, 1)),
         const("ga", weights(512)), const("be", weights(512)), const("mu", weights(512)), const("va", np.abs(weights(512)) + 0.1),
         const("d", weights(512, 1))], chw), "nchw", 1
    # Half precision inside, as converters make it.
    half = lambda name, *shape: const(name, weights(*shape).astype(np.float16), raw=len(shape) > 1)
    out["half"] = model(
        [node("Cast", "x", "h", to=TensorProto.FLOAT16), node("Conv", "h w b", "c", kernel_shape=[8, 8], strides=[8, 8]), node("Relu", "c", "r"),
         node("Flatten", "r", "f"), node("Gemm", "f d e", "a"), node("Cast", "a", "af", to=TensorProto.FLOAT), node("Sigmoid", "af", "score")],
        [half("w", 4, 3, 8, 8), half("b", 4), const("d", weights(64, 1).astype(np.float16)), half("e", 1)], chw), "nchw", 1 / 255
    return out
