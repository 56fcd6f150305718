"""Writes ONNX's own tests of the ops that unmask reads as files: OUT/NAME/{model.onnx, input_I.pb, output_0.pb, tolerance}, for
tests/interop/onnx_node.c. They come with the onnx package: its node tests, made by its own code, and what it keeps of PyTorch's exports.

    python tests/interop/onnx_nodes.py OUT
"""
import os
import shutil
import sys
import warnings

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

warnings.simplefilter("ignore")
# ops[] of weights/onnx_graph.c
OPS = set("""Add AveragePool BatchNormalization Cast Concat Constant Conv Div Dropout Flatten Gather Gemm GlobalAveragePool Identity MatMul
MaxPool Mul Neg Pad PRelu ReduceMean Relu Reshape Shape Sigmoid Softmax Squeeze Sub Sum Transpose Unsqueeze""".split())


def proto(value, name):
    return value if isinstance(value, onnx.TensorProto) else numpy_helper.from_array(np.asarray(value), name)


def write(out, name, model, inputs, outputs, rtol, atol):
    folder = os.path.join(out, name)
    os.makedirs(folder)
    with open(os.path.join(folder, "model.onnx"), "wb") as f:
        f.write(model.SerializeToString())
    for kind, values in (("input", inputs), ("output", outputs)):
        for i, value in enumerate(values):
            with open(os.path.join(folder, f"{kind}_{i}.pb"), "wb") as f:
                f.write(value.SerializeToString())
    with open(os.path.join(folder, "tolerance"), "w") as f:
        f.write(f"{rtol} {atol}\n")


def ours(model):
    return model.graph.node and all(n.op_type in OPS and n.domain in ("", "ai.onnx") for n in model.graph.node)


def main(out):
    shutil.rmtree(out, ignore_errors=True)
    count = 0
    for case in collect_testcases(None):
        if not case.model or not ours(case.model) or not case.data_sets:
            continue
        inputs, outputs = case.data_sets[0]
        names = [i.name for i in case.model.graph.input]
        try:
            protos = [proto(v, n) for v, n in zip(inputs, names)], [proto(v, "") for v in outputs]
        except (TypeError, ValueError, AttributeError):
            continue  # sequences and optionals, of which we have no op
        write(out, case.name, case.model, *protos, case.rtol, case.atol)
        count += 1
    data = os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data")
    for kind in ("pytorch-converted", "pytorch-operator", "simple"):
        for name in sorted(os.listdir(os.path.join(data, kind))):
            folder = os.path.join(data, kind, name)
            model = onnx.load(os.path.join(folder, "model.onnx"))
            first = os.path.join(folder, "test_data_set_0")
            if not ours(model) or not os.path.isdir(first):
                continue
            protos = []
            for part in ("input", "output"):
                protos.append([])
                while os.path.exists(path := os.path.join(first, f"{part}_{len(protos[-1])}.pb")):
                    protos[-1].append(onnx.TensorProto.FromString(open(path, "rb").read()))
            write(out, kind + "_" + name, model, *protos, 1e-3, 1e-7)
            count += 1
    print(f"{count} tests of ONNX {onnx.__version__} in {out}")


main(sys.argv[1])
