"""ONNX Runtime, which only infers: the network as an ONNX model in memory, all optimisations of graphs on."""

from networks import NETS
from protocol import arguments, report


def model(net, batch):
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    random, weights, nodes = np.random.default_rng(0), [], []

    def weight(name, *shape):
        values = (random.standard_normal(shape) * 0.02).astype(np.float32)
        weights.append(numpy_helper.from_array(values, name))
        return name

    def constant(name, channels, value):
        weights.append(numpy_helper.from_array(np.full(channels, value, np.float32), name))
        return name

    for number, n in enumerate(net.nodes[1:], 1):
        a, x, y = n.attrs, [f"v{i}" for i in n.reads], f"v{number}"
        window = {}
        if n.op in ["conv", "max_pool", "avg_pool"]:
            window = dict(kernel_shape=[a["k"]] * 2, strides=[a["s"]] * 2, pads=[a["p"]] * 4)
        if n.op == "conv":
            x.append(weight(f"{y}_weight", a["out"], a["inputs"], a["k"], a["k"]))
            if a["bias"]:
                x.append(weight(f"{y}_bias", a["out"]))
            op = "Conv"
        elif n.op == "dense":
            x += [weight(f"{y}_weight", a["out"], a["inputs"]), weight(f"{y}_bias", a["out"])]
            op, window = "Gemm", dict(transB=1)
        elif n.op == "batch_norm":
            of = [("gamma", 1), ("beta", 0), ("mean", 0), ("var", 1)]
            x += [constant(f"{y}_{name}", a["channels"], value) for name, value in of]
            op = "BatchNormalization"
        elif n.op == "avg_pool":
            op, window = "AveragePool", dict(window, count_include_pad=1)
        elif n.op in ["concat", "flatten"]:
            op, window = n.op.capitalize(), dict(axis=1)
        else:
            op = {"max_pool": "MaxPool", "relu": "Relu", "tanh": "Tanh", "add": "Add"}[n.op]
        nodes.append(helper.make_node(op, x, [y], **window))
    last = len(net.nodes) - 1
    ends = [
        helper.make_tensor_value_info(f"v{i}", TensorProto.FLOAT, (batch, *net.nodes[i].shape)) for i in [0, last]
    ]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 8
    return made.SerializeToString()


def main():
    a = arguments(["default"])
    import numpy as np
    import onnxruntime as ort

    if a.mode == "train":
        raise SystemExit("ONNX Runtime infers only")
    net = NETS[a.net][0]()
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = a.threads, 1
    options.log_severity_level = 3
    session = ort.InferenceSession(model(net, a.batch), options, providers=["CPUExecutionProvider"])
    data = np.random.default_rng(1).standard_normal((a.batch, *net.nodes[0].shape)).astype(np.float32)
    report(a, net, f"ONNX Runtime {ort.__version__}", lambda: session.run(None, {"v0": data}))


if __name__ == "__main__":
    main()
