"""The systems that are compared, and one measurement of one of them: a process of its own."""

import json
import os
import re
import resource
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ENVIRONMENTS = ROOT / "target" / "peers"


@dataclass
class System:
    # On the command line and in results.
    name: str
    # Over its column.
    title: str
    # Which of `setup.sh`'s environments runs which script, in which variant.
    environment: str
    script: str
    variant: str
    modes: tuple = ("train", "infer")

    def command(self):
        python = ENVIRONMENTS / self.environment / "bin" / "python"
        return [str(python), str(HERE / self.script), "--variant", self.variant]


OWN = "mxr"
PEERS = [
    System("mxnet", "MXNet symbolic", "mxnet", "peer_mxnet.py", "symbolic"),
    System("mxnet-gluon", "MXNet gluon", "mxnet", "peer_mxnet.py", "gluon"),
    System("torch", "PyTorch eager", "torch", "peer_torch.py", "eager"),
    System("torch-cl", "PyTorch channels_last", "torch", "peer_torch.py", "channels_last"),
    System("torch-compile", "PyTorch compile", "torch", "peer_torch.py", "compile"),
    System("onnxruntime", "ONNX Runtime", "torch", "peer_onnxruntime.py", "default", ("infer",)),
]

# More of a core than this in other hands makes a measurement worth another try: threads that wait for each other at barriers
# lose far more than that.
FOREIGN = 0.1
TRIES = 3


def measured(command, row, runs, limit):
    """The object that the command prints for a row, or `{"failed": why}`; `foreign` is how much of a core other processes took
    meanwhile, at the last of a few tries if it was always too much."""
    words = [f"--{key}={row[key]}" for key in ["net", "batch", "mode", "threads"]]
    words += [f"--runs={runs}"] if runs else []
    for _ in range(TRIES):
        before = Foreign()
        result = once(command + words, limit)
        result["foreign"] = before.share()
        if "failed" in result or result["foreign"] <= FOREIGN:
            break
    return result


def once(command, limit):
    # Compiled code of PyTorch is kept with the environments, so that it is compiled once.
    env = dict(os.environ, TORCHINDUCTOR_CACHE_DIR=str(ENVIRONMENTS / "inductor"))
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, env=env)
    except subprocess.TimeoutExpired:
        return {"failed": f"not done after {limit} s"}
    except OSError as e:
        return {"failed": f"cannot be started ({e.strerror}): run benches/peers/setup.sh"}
    if done.returncode != 0:
        return {"failed": reason(done)}
    lines = done.stdout.strip().splitlines()
    try:
        return dict(json.loads(lines[-1]))
    except (IndexError, ValueError):
        return {"failed": "printed no result"}


def reason(done):
    """The line of a failed process that says most: the last one that names an error, else the last one."""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    if done.returncode < 0:
        return f"ended by signal {-done.returncode}"
    named = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b|error:", line)]
    return (named or lines or [f"ended with code {done.returncode}"])[-1][:200]


class Foreign:
    """Counts what other processes take of the processors, where the system tells."""

    def __init__(self):
        self.start, self.busy = time.perf_counter(), self.seconds()

    def share(self):
        """Cores in other hands since this was made."""
        return max(0.0, (self.seconds() - self.busy) / (time.perf_counter() - self.start))

    @staticmethod
    def seconds():
        try:
            with open("/proc/stat") as f:
                ticks = [int(word) for word in f.readline().split()[1:9]]
        except OSError:
            return 0.0
        # All but idle and waiting for disks; time that a host gave to others counts.
        busy = (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")
        for who in [resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN]:
            used = resource.getrusage(who)
            busy -= used.ru_utime + used.ru_stime
        return busy
