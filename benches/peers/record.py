"""Results as a dated record in Markdown, and a record's table as the one in README.md."""

import math
import os
import statistics
import subprocess
from pathlib import Path

from networks import NETS
from systems import FOREIGN, OWN, PEERS, ROOT

BEGIN, END = "<!-- peers:begin -->", "<!-- peers:end -->"

INTRO = """\
Written by `benches/peers/compare.py record`; how it is measured is told in `benches/peers/README.md`. Milliseconds of a step, the
median over the processes of a system of each process's median, in turns on one machine. A training step is the forward pass and the
backward pass with the gradients of all weights, without loss and update; inference is the forward pass alone. "Of peak" is mxr's
share of the multiply-adds that the same process reached out of registers, with operations counted as 2 per multiply-add of direct
convolution. The last column is the best peer's time over mxr's: above 1, mxr is ahead."""


def record(lines, date):
    """A record of the latest measurement of each row."""
    rows = latest(lines)
    present = [s for s in PEERS if any(s.name in row["systems"] for row in rows)]
    notes, table, ratios = [], [], {}
    for row in rows:
        cells, best = [], None
        for system in present:
            got = row["systems"].get(system.name)
            cells.append(cell(got, row, system.title, notes))
            if got and "ms" in got and (best is None or got["ms"] < best[1]):
                best = (system.title, got["ms"])
        own = row["systems"].get(OWN, {})
        ratio = best[1] / own["ms"] if best and "ms" in own else None
        if ratio:
            ratios.setdefault(row["mode"], []).append(ratio)
        table.append(
            [row["net"], str(row["batch"]), row["mode"], str(row["threads"])]
            + [cell(own or None, row, OWN, notes), f"{100 * own['share']:.0f} %" if "share" in own else "–"]
            + cells
            + [best[0] if best else "–", f"{ratio:.2f}" if ratio else "–"]
        )
    head = ["net", "batch", "mode", "threads", OWN, "of peak", *(s.title for s in present), "best peer", "best / mxr"]
    parts = [f"# {date}: mxr beside other systems on the CPU", INTRO, machine_line(rows), version_line(rows)]
    parts.append(markdown(head, table))
    means = [f"{mode} {math.exp(statistics.fmean(map(math.log, r))):.2f}" for mode, r in ratios.items()]
    if means:
        parts.append(f"Geometric means of the last column: {', '.join(means)}.")
    spreads = [got["spread"] for row in rows for got in row["systems"].values() if "spread" in got]
    if spreads:
        told = f"by {100 * statistics.median(spreads):.0f} % in the median, by {100 * max(spreads):.0f} % at most"
        parts.append(f"The slowest and the fastest process of a system in a row differ {told}.")
    parts += ["\n".join(f"* {note}" for note in notes)] if notes else []
    return "\n\n".join(parts) + "\n"


def latest(lines):
    """The rows in the order of the suite, each with the systems of its latest run."""
    measured = {}
    for line in lines:
        key = (line["mode"], line["threads"], line["net"], line["batch"])
        measured.setdefault(key, []).append(line)
    rows = []
    for (mode, threads, net, batch), of_row in measured.items():
        found = [line for line in of_row if line["run"] == of_row[-1]["run"]]
        names = dict.fromkeys(line["system"] for line in found)
        systems = {name: summed([line for line in found if line["system"] == name]) for name in names}
        row = dict(net=net, batch=batch, mode=mode, threads=threads, systems=systems)
        rows.append(dict(row, mxr=found[0]["mxr"], machine=found[0]["machine"]))
    order = list(NETS)
    return sorted(
        rows, key=lambda r: (r["mode"] != "train", r["threads"], order.index(r["net"]), r["batch"])
    )


def summed(lines):
    """What a system's processes say together."""
    failed = [line["failed"] for line in lines if "failed" in line]
    if failed:
        return {"failed": failed[0]}
    got = {
        "ms": statistics.median(line["median_ms"] for line in lines),
        "foreign": max(line["foreign"] for line in lines),
        "version": lines[0].get("version"),
    }
    if len(lines) > 1:
        got["spread"] = max(line["median_ms"] for line in lines) / min(line["median_ms"] for line in lines) - 1
    if "peak_share" in lines[0]:
        got["share"] = statistics.median(line["peak_share"] for line in lines)
        got["peak"] = statistics.median(line["gflops"] / line["peak_share"] for line in lines)
    return got


def cell(got, row, title, notes):
    if not got:
        return "–"
    where = f"{row['net']} {row['batch']} {row['mode']}, {row['threads']} thread(s), {title}"
    if "failed" in got:
        notes.append(f"{where}: {got['failed'].replace('|', '/')}")
        return "failed"
    if got["foreign"] > FOREIGN:
        notes.append(f"{where}: other processes took {got['foreign']:.2f} cores meanwhile")
        return significant(got["ms"]) + "*"
    return significant(got["ms"])


def significant(ms):
    """Four digits, never an exponent."""
    return f"{ms:.{max(0, 3 - math.floor(math.log10(ms)))}f}"


def machine_line(rows):
    machines = sorted({row["machine"] for row in rows})
    peaks = {}
    for row in rows:
        if "peak" in row["systems"].get(OWN, {}):
            peaks.setdefault(row["threads"], []).append(row["systems"][OWN]["peak"])
    told = [f"{statistics.median(p):.0f} GFLOP/s with {plural(t, 'thread')}" for t, p in sorted(peaks.items())]
    return f"Machine: {'; '.join(machines)}; measured peak of multiply-adds {', '.join(told) or 'unknown'}."


def version_line(rows):
    own = sorted({row["mxr"] for row in rows})
    peers = dict.fromkeys(
        got["version"] for row in rows for got in row["systems"].values() if got.get("version")
    )
    return f"Versions: mxr {', '.join(own)}; {', '.join(sorted(peers))}."


def own_version():
    """The last commit that changed the library, and whether it has changed since."""
    library = ["--", "mxr", "mxr-graph", "mxr-kernels", "mxr-macros"]

    def git(*words):
        done = subprocess.run(["git", "-C", str(ROOT), *words, *library], capture_output=True, text=True)
        return done.stdout.strip()

    commit = git("log", "-1", "--format=%h") or "unknown"
    return commit + "-dirty" if git("status", "--porcelain", "--untracked-files=no") else commit


def machine():
    """The processor as the system names it."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return f"a machine with {plural(os.cpu_count(), 'core')}"
    said = dict(line.replace("\t", "").split(": ", 1) for line in text.splitlines() if ": " in line)
    flags = said.get("flags", "").split()
    isa = "AVX2" if {"avx2", "fma"} <= set(flags) else "no AVX2"
    if {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= set(flags):
        isa = "AVX-512"
    family = f"family {said.get('cpu family', '?')}, model {said.get('model', '?')}"
    return f"{said.get('model name', 'a processor')} ({family}), {plural(os.cpu_count(), 'core')}, {isa}"


def plural(n, what):
    return f"{n} {what}" + ("" if n == 1 else "s")


def markdown(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def table_of(text):
    """The rows of a record's table, by the names of the columns."""
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    head, _, *rows = [[word.strip() for word in line] for line in lines]
    return [dict(zip(head, row)) for row in rows]


def into_readme(readme, text, name):
    """README with the table of a record, `text`, between the marks; `name` is where the record lies."""
    before, rest = readme.split(BEGIN) if readme.count(BEGIN) == 1 else (None, None)
    if before is None or rest.count(END) != 1:
        raise SystemExit(f"error: README has to hold {BEGIN} and after it {END}, once each")
    families = {"MXNet": [], "PyTorch": [], "ONNX Runtime": []}
    for system in PEERS:
        next(of for family, of in families.items() if system.title.startswith(family)).append(system.title)
    rows = []
    for row in table_of(text):
        best = [fastest([row.get(title, "–") for title in of]) for of in families.values()]
        rows.append(
            [f"{row['net']}, {row['batch']}", row["mode"], row["threads"], row[OWN], row["of peak"]]
            + best
            + [f"**{row['best / mxr']}**"]
        )
    head = ["net, batch", "mode", "threads", OWN, "of peak", *families, "best peer / mxr"]
    said = [line for line in text.splitlines() if line.startswith(("Machine: ", "Versions: "))]
    caption = f"Milliseconds of a step, each system in its fastest form, from [{name}]({name}). " + " ".join(said)
    return f"{before}{BEGIN}\n{caption}\n\n{markdown(head, rows)}\n{END}{rest.split(END)[1]}"


def fastest(cells):
    times = [c for c in cells if c[:1].isdigit()]
    return min(times, key=lambda c: float(c.rstrip("*")), default="–")
