#!/usr/bin/env python3
"""mxr beside other systems on the convnet suite: the same networks, shapes, threads and protocol, in turns on one machine.

    benches/peers/compare.py run --nets alexnet,mlp --modes infer      # appends to target/peers/results.jsonl
    benches/peers/compare.py record benches/records/DATE-peers.md      # a record of all that is there
    benches/peers/compare.py readme benches/records/DATE-peers.md      # its table into README.md

README.md beside this file says how it is set up and what is measured. Plain Python; the systems run in their own environments.
"""

import argparse
import json
import os
import re
import sys
import time
from pathlib import Path

import record
from networks import NETS
from systems import ENVIRONMENTS, OWN, PEERS, ROOT, measured

RESULTS = ENVIRONMENTS / "results.jsonl"
BINARY = ROOT / "target" / "release" / "examples" / "convnet_bench"


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = p.add_subparsers(required=True)

    c = commands.add_parser("run", help="measure rows")
    c.add_argument("--nets", type=listed(NETS), default=list(NETS), help="of " + ", ".join(NETS))
    c.add_argument("--modes", type=listed(["train", "infer"]), default=["train", "infer"])
    c.add_argument("--threads", type=numbers, default=[os.cpu_count()])
    c.add_argument("--batch", type=numbers, help="instead of the suite's, which differ from net to net")
    names = [s.name for s in PEERS]
    c.add_argument("--peers", type=listed(names), default=names, help="of " + ", ".join(names))
    c.add_argument("--rounds", type=number, default=3, help="processes of each system for a row; their median counts")
    c.add_argument("--runs", type=number, help="steps in a process; by default what fits into two seconds, from 5 to 200")
    now = time.strftime("%Y-%m-%dT%H:%M:%S")
    c.add_argument("--run", default=now, help="name of a run that is made in pieces; by default the time")
    c.add_argument("--limit", type=float, default=600, help="seconds for one process")
    c.add_argument("--binary", type=Path, default=BINARY, help="convnet_bench")
    c.add_argument("--results", type=Path, default=RESULTS)
    c.set_defaults(call=run)

    c = commands.add_parser("record", help="write a dated record of results")
    c.add_argument("file", type=Path)
    c.add_argument("--results", type=Path, default=RESULTS)
    c.set_defaults(call=dated)

    c = commands.add_parser("readme", help="put a record's table between the marks in README.md")
    c.add_argument("file", type=Path)
    c.add_argument("--readme", type=Path, default=ROOT / "README.md")
    c.set_defaults(call=readme)

    a = p.parse_args()
    a.call(a)


def run(a):
    if not a.binary.exists():
        make = "cargo build --release -p mxr-examples --example convnet_bench"
        sys.exit(f"error: {a.binary} is not there: {make}")
    a.results.parent.mkdir(parents=True, exist_ok=True)
    # Rows that are measured again replace those of earlier runs, whichever was faster; those of one run are taken together.
    stamp = dict(run=a.run, mxr=record.own_version(), machine=record.machine())
    for threads in a.threads:
        for net in a.nets:
            for batch in a.batch or [NETS[net][1]]:
                for mode in a.modes:
                    measure(a, stamp, dict(net=net, batch=batch, mode=mode, threads=threads))


def measure(a, stamp, row):
    """One row: rounds in which every system has a process of its own, in opposite order every other time."""
    commands = [(OWN, [str(a.binary), "--json"])]
    commands += [(s.name, s.command()) for s in PEERS if s.name in a.peers and row["mode"] in s.modes]
    failed = set()
    print(f"{row['net']} x {row['batch']}, {row['mode']}, {row['threads']} thread(s)", flush=True)
    for number in range(a.rounds):
        for name, command in commands if number % 2 == 0 else reversed(commands):
            if name in failed:
                continue
            result = counted(measured(command, row, a.runs, a.limit), row)
            if "failed" in result:
                failed.add(name)
            line = {**result, **row, **stamp, "system": name}
            with open(a.results, "a") as f:
                f.write(json.dumps(line) + "\n")
            told = f"{result['median_ms']:10.3f} ms" if "median_ms" in result else f"failed: {result['failed']}"
            print(f"  {name:14} {told}", flush=True)


def counted(result, row):
    """The result of a system that does the same work as the others: mxr counts the operations of its own networks."""
    want = NETS[row["net"]][0]().flops(row["batch"], row["mode"] == "train") / 1e9
    if "failed" in result or abs(result["gflop"] / want - 1) < 1e-9:
        return result
    return {"failed": f"runs another network: {result['gflop']} GFLOP a step, not {want}"}


def dated(a):
    date = a.file.name[:10]
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", date):
        sys.exit(f"error: the name of a record begins with its date, as 2026-01-31-peers.md; this is {a.file.name}")
    write(a.file, record.record(lines(a.results), date))


def readme(a):
    text = a.readme.read_text()
    name = os.path.relpath(a.file.resolve(), a.readme.resolve().parent)
    write(a.readme, record.into_readme(text, a.file.read_text(), name))


def lines(file):
    if not file.exists():
        sys.exit(f"error: {file} is not there: `compare.py run` makes it")
    return [json.loads(line) for line in file.read_text().splitlines()]


def write(file, text):
    file.write_text(text)
    print(file)


def listed(known):
    def parse(text):
        words = text.split(",")
        for word in words:
            if word not in known:
                raise argparse.ArgumentTypeError(f"`{word}` is not one of {', '.join(known)}")
        return words

    return parse


def numbers(text):
    return [number(word) for word in text.split(",")]


def number(word):
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"`{word}` is not a whole number from 1")
    return int(word)


if __name__ == "__main__":
    main()
