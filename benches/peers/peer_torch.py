"""PyTorch: eager, eager with channels last, or compiled with channels last (and, in inference, frozen weights)."""

from networks import NETS
from protocol import arguments, report


def module(torch, net):
    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = torch.nn.ModuleDict()
            for number, n in enumerate(net.nodes):
                a = n.attrs
                if n.op == "conv":
                    layer = torch.nn.Conv2d(a["inputs"], a["out"], a["k"], a["s"], a["p"], bias=a["bias"])
                elif n.op == "dense":
                    layer = torch.nn.Linear(a["inputs"], a["out"])
                elif n.op == "batch_norm":
                    layer = torch.nn.BatchNorm2d(a["channels"])
                else:
                    continue
                self.layers[str(number)] = layer

        def forward(self, data):
            f, values = torch.nn.functional, [data]
            for number, n in enumerate(net.nodes[1:], 1):
                a, x = n.attrs, [values[i] for i in n.reads]
                if n.op in ["conv", "dense", "batch_norm"]:
                    y = self.layers[str(number)](x[0])
                elif n.op == "relu":
                    y = f.relu(x[0])
                elif n.op == "tanh":
                    y = torch.tanh(x[0])
                elif n.op == "max_pool":
                    y = f.max_pool2d(x[0], a["k"], a["s"], a["p"])
                elif n.op == "avg_pool":
                    y = f.avg_pool2d(x[0], a["k"], a["s"], a["p"])
                elif n.op == "add":
                    y = x[0] + x[1]
                elif n.op == "concat":
                    y = torch.cat(x, 1)
                else:
                    y = torch.flatten(x[0], 1)
                values.append(y)
            return values[-1]

    return Module()


def training_step(torch, net, run, parameters, data):
    ones = torch.ones((data.shape[0], *net.nodes[-1].shape))

    def step():
        for p in parameters:
            p.grad = None
        run(data).backward(ones)

    return step


def main():
    a = arguments(["eager", "channels_last", "compile"])
    import torch

    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    net = NETS[a.net][0]()
    model, data = module(torch, net), torch.randn((a.batch, *net.nodes[0].shape))
    if a.variant != "eager" and data.dim() == 4:
        model, data = model.to(memory_format=torch.channels_last), data.to(memory_format=torch.channels_last)
    model.train(a.mode == "train")
    run = model
    if a.variant == "compile":
        import torch._inductor.config

        torch._inductor.config.freezing = a.mode == "infer"
        run = torch.compile(model)
    if a.mode == "train":
        step = training_step(torch, net, run, list(model.parameters()), data)
    else:
        # Freezing does not take tensors of inference mode.
        guard = torch.no_grad if a.variant == "compile" else torch.inference_mode

        def step():
            with guard():
                run(data)

    report(a, net, f"PyTorch {torch.__version__}", step)


if __name__ == "__main__":
    main()
