"""What the peers have in common: their arguments, how a step is timed, and the object that they print. The protocol is that of
`convnet_bench`: warm up, then time single steps, each to its end; the median counts."""

import argparse
import json
import os
import statistics
import time

from networks import NETS

WARM_UP = 0.33


def arguments(variants):
    """The arguments of a peer. Threads are set in the environment as well, for libraries that look there when they are loaded:
    load them after this."""
    p = argparse.ArgumentParser()
    p.add_argument("--net", required=True, choices=NETS)
    p.add_argument("--batch", type=int, required=True)
    p.add_argument("--mode", required=True, choices=["train", "infer"])
    p.add_argument("--threads", type=int, required=True)
    p.add_argument("--runs", type=int, help="timed steps; by default what fits into two seconds, from 5 to 200")
    p.add_argument("--variant", choices=variants, default=variants[0])
    a = p.parse_args()
    for name in ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"]:
        os.environ[name] = str(a.threads)
    return a


def seconds(step):
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def timed(step, runs):
    """Seconds of each run. A step that returns before its results are there is no step."""
    start = time.perf_counter()
    step()
    last = seconds(step)
    while time.perf_counter() - start < WARM_UP:
        last = seconds(step)
    runs = runs or min(max(int(2.0 / last), 5), 200)
    return [seconds(step) for _ in range(runs)]


def report(a, net, version, step):
    """Times a step and prints what `convnet_bench --json` prints, without the share of the peak, with the system's version."""
    times = timed(step, a.runs)
    median, gflop = statistics.median(times), net.flops(a.batch, a.mode == "train") / 1e9
    result = {
        "net": a.net,
        "batch": a.batch,
        "mode": a.mode,
        "threads": a.threads,
        "median_ms": median * 1e3,
        "min_ms": min(times) * 1e3,
        "max_ms": max(times) * 1e3,
        "runs": len(times),
        "gflop": gflop,
        "gflops": gflop / median,
        "version": version,
    }
    print(json.dumps(result))
