"""MXNet 1.9.1: the symbolic executor, or a hybridised gluon block with static memory."""

from networks import NETS
from protocol import arguments, report


def symbol(mx, net):
    values = [mx.sym.Variable("data")]
    for number, n in enumerate(net.nodes[1:], 1):
        a, x, name = n.attrs, [values[i] for i in n.reads], f"{n.op}{number}"
        if n.op == "conv":
            window = dict(kernel=(a["k"],) * 2, stride=(a["s"],) * 2, pad=(a["p"],) * 2)
            y = mx.sym.Convolution(x[0], num_filter=a["out"], no_bias=not a["bias"], name=name, **window)
        elif n.op == "dense":
            y = mx.sym.FullyConnected(x[0], num_hidden=a["out"], name=name)
        elif n.op == "batch_norm":
            y = mx.sym.BatchNorm(x[0], fix_gamma=False, eps=1e-5, name=name)
        elif n.op in ["relu", "tanh"]:
            y = mx.sym.Activation(x[0], act_type=n.op, name=name)
        elif n.op in ["max_pool", "avg_pool"]:
            window = dict(kernel=(a["k"],) * 2, stride=(a["s"],) * 2, pad=(a["p"],) * 2)
            y = mx.sym.Pooling(x[0], pool_type=n.op[:3], name=name, **window)
        elif n.op == "add":
            y = x[0] + x[1]
        elif n.op == "concat":
            y = mx.sym.Concat(*x, name=name)
        else:
            y = mx.sym.Flatten(x[0], name=name)
        values.append(y)
    return values[-1]


def executor_step(mx, net, batch, train):
    out = symbol(mx, net)
    shape = (batch, *net.nodes[0].shape)
    wanted = {name: "write" if train and name != "data" else "null" for name in out.list_arguments()}
    bound = out.simple_bind(mx.cpu(), grad_req=wanted, data=shape)
    for name, array in bound.arg_dict.items():
        array[:] = mx.nd.random.normal(0, 1 if name == "data" else 0.02, array.shape)
    for name, array in bound.aux_dict.items():
        array[:] = 0 if "mean" in name else 1
    ones = mx.nd.ones((batch, *net.nodes[-1].shape))
    mx.nd.waitall()

    def step():
        bound.forward(is_train=train)
        if train:
            bound.backward([ones])
        mx.nd.waitall()

    return step


def gluon_step(mx, net, batch, train):
    block = mx.gluon.SymbolBlock(symbol(mx, net), [mx.sym.var("data")])
    block.collect_params().initialize(mx.init.Normal(0.02), ctx=mx.cpu())
    block.hybridize(static_alloc=True, static_shape=True)
    data = mx.nd.random.normal(shape=(batch, *net.nodes[0].shape))
    ones = mx.nd.ones((batch, *net.nodes[-1].shape))

    def step():
        if train:
            with mx.autograd.record():
                y = block(data)
            y.backward(ones)
        else:
            block(data)
        mx.nd.waitall()

    return step


def main():
    a = arguments(["symbolic", "gluon"])
    import mxnet as mx

    net = NETS[a.net][0]()
    make = executor_step if a.variant == "symbolic" else gluon_step
    report(a, net, f"MXNet {mx.__version__}", make(mx, net, a.batch, a.mode == "train"))


if __name__ == "__main__":
    main()
