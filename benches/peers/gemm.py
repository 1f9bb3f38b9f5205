"""Products of square f32 matrices: mxr beside oneDNN (inside MXNet) and OpenBLAS (inside numpy), in turns on one machine.

    cargo build --release -p mxr-benches --example gemm
    benches/peers/setup.sh
    target/peers/mxnet/bin/python benches/peers/gemm.py target/release/examples/gemm

Prints a table of the best rates in GFLOP/s over all rounds. oneDNN is reached through FullyConnected, y = x W^T, which
MXNet hands to its inner product.
"""

import json
import os
import subprocess
import sys
import time

SIZES = [256, 512, 1024, 2048]
ROUNDS = 5
SECONDS = 0.7


def best(call, flops):
    """The rate of the fastest of many calls."""
    call()
    fastest, start = float("inf"), time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        one = time.perf_counter()
        call()
        fastest = min(fastest, time.perf_counter() - one)
    return flops / fastest / 1e9


def numpy_rates():
    import numpy as np

    rates = {}
    for n in SIZES:
        a, b, c = (np.random.rand(n, n).astype("f4") - 0.5 for _ in range(3))
        rates[str(n)] = best(lambda: np.matmul(a, b, out=c), 2 * n**3)
    return rates


def onednn_rates():
    import numpy as np

    np.bool = bool  # MXNet 1.9.1 was written for older numpys
    import mxnet as mx

    rates = {}
    for n in SIZES:
        x, w = (mx.nd.array(np.random.rand(n, n) - 0.5, dtype="float32") for _ in range(2))
        y = mx.nd.zeros((n, n))

        def call():
            mx.nd.FullyConnected(x, w, no_bias=True, num_hidden=n, flatten=False, out=y)
            y.wait_to_read()

        rates[str(n)] = best(call, 2 * n**3)
    return rates


def mxr_rates(binary):
    lines = subprocess.run([binary], check=True, capture_output=True, text=True).stdout.split("\n")
    return {name: float(rate) for name, rate in (line.split() for line in lines if line)}


def child(binary, system, threads):
    names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"]
    env = dict(os.environ, **{name: str(threads) for name in names})
    if "avx512f" in open("/proc/cpuinfo").read():
        # The OpenBLAS of old numpys takes newer processors for very old ones.
        env.setdefault("OPENBLAS_CORETYPE", "SKYLAKEX")
    command = [sys.executable, __file__, binary, system]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout)


def main():
    binary = sys.argv[1]
    if len(sys.argv) > 2:
        rates = {"mxr": lambda: mxr_rates(binary), "numpy": numpy_rates, "oneDNN": onednn_rates}
        print(json.dumps(rates[sys.argv[2]]()))
        return
    for threads in sorted({1, os.cpu_count()}):
        rates = {}
        for _ in range(ROUNDS):
            for system in ["mxr", "oneDNN", "numpy"]:
                for name, rate in child(binary, system, threads).items():
                    key = (system, name)
                    rates[key] = max(rates.get(key, 0.0), rate)
        print(f"\n{threads} thread(s), FMA peak {rates['mxr', 'peak']:.0f} GFLOP/s\n")
        print("| size | mxr | of peak | oneDNN | mxr / oneDNN | OpenBLAS | mxr / OpenBLAS |")
        print("|---|---|---|---|---|---|---|")
        for n in map(str, SIZES):
            own, dnn, blas = (rates[s, n] for s in ["mxr", "oneDNN", "numpy"])
            share = 100 * own / rates["mxr", "peak"]
            print(f"| {n} | {own:.0f} | {share:.0f} % | {dnn:.0f} | {own / dnn:.2f} | {blas:.0f} | {own / blas:.2f} |")


if __name__ == "__main__":
    main()
