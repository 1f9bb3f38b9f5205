"""The networks of the suite as one neutral list of nodes, which every other system is given; their layers are those of
`examples/src/zoo`. Plain Python.

A node has an operator, the numbers of the nodes that it reads, attributes, and the shape of its result without the batch.
Pools that round up in the zoo have a padding of 1 here, which gives the same sizes: rounding up is not a form that every
system has a fast kernel for.
"""

from dataclasses import dataclass, field


@dataclass
class Node:
    op: str
    reads: list
    shape: tuple
    attrs: dict = field(default_factory=dict)


class Net:
    """A network under construction: each method adds a node and gives its number; number 0 is the data."""

    def __init__(self, *shape):
        self.nodes = [Node("data", [], shape)]

    def add_node(self, op, reads, shape, **attrs):
        self.nodes.append(Node(op, list(reads), tuple(shape), attrs))
        return len(self.nodes) - 1

    def shape(self, x):
        return self.nodes[x].shape

    def window(self, x, k, s, p):
        _, h, w = self.shape(x)
        return (h + 2 * p - k) // s + 1, (w + 2 * p - k) // s + 1

    def conv(self, x, out, k, s=1, p=0, bias=True):
        shape = (out, *self.window(x, k, s, p))
        return self.add_node("conv", [x], shape, inputs=self.shape(x)[0], out=out, k=k, s=s, p=p, bias=bias)

    def dense(self, x, out):
        return self.add_node("dense", [x], (out,), inputs=self.shape(x)[0], out=out)

    def pool(self, kind, x, k, s, p=0):
        return self.add_node(kind, [x], (self.shape(x)[0], *self.window(x, k, s, p)), k=k, s=s, p=p)

    def max_pool(self, x, k, s, p=0):
        return self.pool("max_pool", x, k, s, p)

    def avg_pool(self, x, k, s, p=0):
        return self.pool("avg_pool", x, k, s, p)

    def norm(self, x):
        return self.add_node("batch_norm", [x], self.shape(x), channels=self.shape(x)[0])

    def relu(self, x):
        return self.add_node("relu", [x], self.shape(x))

    def tanh(self, x):
        return self.add_node("tanh", [x], self.shape(x))

    def add(self, a, b):
        assert self.shape(a) == self.shape(b)
        return self.add_node("add", [a, b], self.shape(a))

    def concat(self, *xs):
        return self.add_node("concat", xs, (sum(self.shape(x)[0] for x in xs), *self.shape(xs[0])[1:]))

    def flatten(self, x):
        n = 1
        for extent in self.shape(x):
            n *= extent
        return self.add_node("flatten", [x], (n,))

    def parameters(self):
        """Trained numbers."""
        total = 0
        for n in self.nodes:
            a = n.attrs
            if n.op == "conv":
                total += a["out"] * (a["inputs"] * a["k"] ** 2 + a["bias"])
            elif n.op == "dense":
                total += a["out"] * (a["inputs"] + 1)
            elif n.op == "batch_norm":
                total += 2 * a["channels"]
        return total

    def flops(self, batch, train):
        """2 per multiply-add of convolutions and dense layers; of a training step three times the forward pass less the
        gradient of the data, which nobody computes."""
        each = []
        for n in self.nodes:
            a = n.attrs
            if n.op == "conv":
                each.append(2 * a["inputs"] * a["k"] ** 2 * a["out"] * n.shape[1] * n.shape[2])
            elif n.op == "dense":
                each.append(2 * a["inputs"] * a["out"])
        return batch * (3 * sum(each) - each[0] if train else sum(each))


def lenet(activation="tanh"):
    g = Net(1, 28, 28)
    act = getattr(g, activation)
    x = g.max_pool(act(g.conv(0, 20, 5)), 2, 2)
    x = g.max_pool(act(g.conv(x, 50, 5)), 2, 2)
    g.dense(act(g.dense(g.flatten(x), 500)), 10)
    return g


def lenet_relu():
    return lenet("relu")


def mlp():
    g = Net(784)
    g.dense(g.relu(g.dense(g.relu(g.dense(0, 512)), 512)), 10)
    return g


def head(g, x, hidden):
    """Dense layers on the last maps: rectified ones of these sizes, then 1000 classes."""
    x = g.flatten(x)
    for out in hidden:
        x = g.relu(g.dense(x, out))
    g.dense(x, 1000)
    return g


def alexnet():
    g = Net(3, 224, 224)
    x = g.max_pool(g.relu(g.conv(0, 64, 11, 4, 2)), 3, 2)
    x = g.max_pool(g.relu(g.conv(x, 192, 5, 1, 2)), 3, 2)
    x = g.relu(g.conv(x, 384, 3, 1, 1))
    x = g.relu(g.conv(x, 256, 3, 1, 1))
    return head(g, g.max_pool(g.relu(g.conv(x, 256, 3, 1, 1)), 3, 2), [4096, 4096])


def overfeat():
    g = Net(3, 231, 231)
    x = g.max_pool(g.relu(g.conv(0, 96, 11, 4)), 2, 2)
    x = g.max_pool(g.relu(g.conv(x, 256, 5)), 2, 2)
    x = g.relu(g.conv(x, 512, 3, 1, 1))
    x = g.relu(g.conv(x, 1024, 3, 1, 1))
    return head(g, g.max_pool(g.relu(g.conv(x, 1024, 3, 1, 1)), 2, 2), [3072, 4096])


def vgg(*stages):
    g = Net(3, 224, 224)
    x = 0
    for stage in stages:
        for filters in stage:
            x = g.relu(g.conv(x, filters, 3, 1, 1))
        x = g.max_pool(x, 2, 2)
    return head(g, x, [4096, 4096])


def vgg_a():
    return vgg([64], [128], [256] * 2, [512] * 2, [512] * 2)


def vgg16():
    return vgg([64] * 2, [128] * 2, [256] * 3, [512] * 3, [512] * 3)


def googlenet():
    g = Net(3, 224, 224)

    def conv(x, *attrs):
        return g.relu(g.conv(x, *attrs))

    def inception(x, c1, r3, c3, r5, c5, project):
        b1 = conv(x, c1, 1)
        b3 = conv(conv(x, r3, 1), c3, 3, 1, 1)
        b5 = conv(conv(x, r5, 1), c5, 5, 1, 2)
        return g.concat(b1, b3, b5, conv(g.max_pool(x, 3, 1, 1), project, 1))

    x = g.max_pool(conv(0, 64, 7, 2, 3), 3, 2, 1)
    x = g.max_pool(conv(conv(x, 64, 1), 192, 3, 1, 1), 3, 2, 1)
    x = inception(x, 64, 96, 128, 16, 32, 32)
    x = g.max_pool(inception(x, 128, 128, 192, 32, 96, 64), 3, 2, 1)
    x = inception(x, 192, 96, 208, 16, 48, 64)
    x = inception(x, 160, 112, 224, 24, 64, 64)
    x = inception(x, 128, 128, 256, 24, 64, 64)
    x = inception(x, 112, 144, 288, 32, 64, 64)
    x = g.max_pool(inception(x, 256, 160, 320, 32, 128, 128), 3, 2, 1)
    x = inception(x, 256, 160, 320, 32, 128, 128)
    x = inception(x, 384, 192, 384, 48, 128, 128)
    return head(g, g.avg_pool(x, 7, 1), [])


def inception_bn():
    g = Net(3, 224, 224)

    def conv(x, *attrs):
        return g.relu(g.norm(g.conv(x, *attrs)))

    def same(x, c1, r3, c3, rd, cd, kind, project):
        b1 = conv(x, c1, 1)
        b3 = conv(conv(x, r3, 1), c3, 3, 1, 1)
        bd = conv(conv(conv(x, rd, 1), cd, 3, 1, 1), cd, 3, 1, 1)
        return g.concat(b1, b3, bd, conv(g.pool(kind, x, 3, 1, 1), project, 1))

    def half(x, r3, c3, rd, cd):
        b3 = conv(conv(x, r3, 1), c3, 3, 2, 1)
        bd = conv(conv(conv(x, rd, 1), cd, 3, 1, 1), cd, 3, 2, 1)
        return g.concat(b3, bd, g.max_pool(x, 3, 2, 1))

    x = g.max_pool(conv(0, 64, 7, 2, 3), 3, 2, 1)
    x = g.max_pool(conv(conv(x, 64, 1), 192, 3, 1, 1), 3, 2, 1)
    x = same(x, 64, 64, 64, 64, 96, "avg_pool", 32)
    x = same(x, 64, 64, 96, 64, 96, "avg_pool", 64)
    x = half(x, 128, 160, 64, 96)
    x = same(x, 224, 64, 96, 96, 128, "avg_pool", 128)
    x = same(x, 192, 96, 128, 96, 128, "avg_pool", 128)
    x = same(x, 160, 128, 160, 128, 160, "avg_pool", 128)
    x = same(x, 96, 128, 192, 160, 192, "avg_pool", 128)
    x = half(x, 128, 192, 192, 256)
    x = same(x, 352, 192, 320, 160, 224, "avg_pool", 128)
    x = same(x, 352, 192, 320, 192, 224, "max_pool", 128)
    return head(g, g.avg_pool(x, 7, 1), [])


def resnet50():
    g = Net(3, 224, 224)

    def conv(x, filters, k, s=1, p=0):
        return g.norm(g.conv(x, filters, k, s, p, bias=False))

    x = g.max_pool(g.relu(conv(0, 64, 7, 2, 3)), 3, 2, 1)
    for stage, blocks in enumerate([3, 4, 6, 3]):
        filters = 64 << stage
        for block in range(blocks):
            s = 2 if block == 0 and stage > 0 else 1
            y = g.relu(conv(x, filters, 1))
            y = g.relu(conv(y, filters, 3, s, 1))
            y = conv(y, 4 * filters, 1)
            shortcut = conv(x, 4 * filters, 1, s) if block == 0 else x
            x = g.relu(g.add(y, shortcut))
    return head(g, g.avg_pool(x, 7, 1), [])


# By name, with the batch at which it is timed where nobody says.
NETS = {
    "lenet": (lenet, 64),
    "lenet_relu": (lenet_relu, 64),
    "mlp": (mlp, 128),
    "alexnet": (alexnet, 16),
    "overfeat": (overfeat, 8),
    "vgg_a": (vgg_a, 8),
    "vgg16": (vgg16, 8),
    "googlenet": (googlenet, 8),
    "inception_bn": (inception_bn, 8),
    "resnet50": (resnet50, 8),
}
