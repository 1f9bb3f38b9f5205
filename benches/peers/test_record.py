"""`python3 -m unittest` in this folder: needs neither the other systems nor mxr."""

import sys
import unittest

import record
from networks import NETS
from systems import measured


def line(system, ms, run="1", mode="train", **more):
    same = dict(net="mlp", batch=128, mode=mode, threads=2, run=run, mxr="abc", machine="a machine")
    return {**same, "system": system, "median_ms": ms, "foreign": 0.0, **more}


OWN = dict(gflops=100.0, peak_share=0.5)
LINES = [
    line("mxr", 9.0, run="0", **OWN),
    line("mxr", 4.0, **OWN),
    line("mxr", 2.0, **OWN),
    line("mxr", 3.0, **OWN),
    line("mxnet", 6.0, version="MXNet 1.9.1"),
    line("torch", 4.5, version="PyTorch 2"),
    line("torch-cl", 5.0, version="PyTorch 2", foreign=0.5),
    {**line("torch-compile", 0), "failed": "no | compiler"},
]


class Records(unittest.TestCase):
    def test_medians_of_the_latest_run_and_the_best_peer(self):
        text = record.record(LINES, "2026-01-01")
        (row,) = record.table_of(text)
        self.assertEqual((row["mxr"], row["of peak"]), ("3.000", "50 %"))
        self.assertEqual((row["MXNet symbolic"], row["PyTorch eager"]), ("6.000", "4.500"))
        self.assertEqual((row["best peer"], row["best / mxr"]), ("PyTorch eager", "1.50"))
        self.assertNotIn("ONNX Runtime", row)
        self.assertIn("peak of multiply-adds 200 GFLOP/s with 2 threads", text)
        self.assertIn("Versions: mxr abc; MXNet 1.9.1, PyTorch 2.", text)
        self.assertIn("train 1.50", text)
        # A single process of a system says nothing about how they differ.
        self.assertIn("by 100 % in the median, by 100 % at most", text)

    def test_failures_and_disturbances_are_told(self):
        text = record.record(LINES, "2026-01-01")
        (row,) = record.table_of(text)
        self.assertEqual((row["PyTorch compile"], row["PyTorch channels_last"]), ("failed", "5.000*"))
        self.assertIn("PyTorch compile: no / compiler", text)
        self.assertIn("took 0.50 cores", text)

    def test_rows_without_peers_or_without_mxr_have_no_ratio(self):
        for lines in [LINES[:4], LINES[4:], [{**LINES[1], "failed": "out of memory"}, LINES[4]]]:
            (row,) = record.table_of(record.record(lines, "2026-01-01"))
            self.assertEqual(row["best / mxr"], "–")

    def test_readme_is_rewritten_between_the_marks_again_and_again(self):
        text = record.record(LINES + [line("onnxruntime", 1.0, mode="infer")], "2026-01-01")
        readme = f"before\n{record.BEGIN}\nold\n{record.END}\nafter\n"
        once = record.into_readme(readme, text, "records/x.md")
        self.assertTrue(once.startswith("before\n") and once.endswith("\nafter\n") and "old" not in once)
        self.assertIn("| mlp, 128 | train | 2 | 3.000 | 50 % | 6.000 | 4.500 | – | **1.50** |", once)
        self.assertIn("[records/x.md](records/x.md)", once)
        self.assertEqual(record.into_readme(once, text, "records/x.md"), once)
        for bad in ["no marks", record.BEGIN, record.END + record.BEGIN]:
            self.assertRaises(SystemExit, record.into_readme, bad, text, "x")

    def test_times_have_four_digits(self):
        told = [record.significant(ms) for ms in [0.033412, 0.99996, 8.7371, 427.04, 12345.6]]
        self.assertEqual(told, ["0.03341", "1.0000", "8.737", "427.0", "12346"])


class Processes(unittest.TestCase):
    ROW = dict(net="mlp", batch=1, mode="train", threads=1)

    def python(self, program, limit=60):
        return measured([sys.executable, "-c", program], self.ROW, 3, limit)

    def test_the_last_line_counts_and_arguments_arrive(self):
        program = "import json, sys; print('noise'); print(json.dumps({'words': sys.argv[1:]}))"
        words = self.python(program)["words"]
        self.assertEqual(words, ["--net=mlp", "--batch=1", "--mode=train", "--threads=1", "--runs=3"])

    def test_every_way_to_fail_has_a_reason(self):
        cases = [
            ("raise ValueError('no such kernel')", "ValueError: no such kernel"),
            ("import os; os.kill(os.getpid(), 9)", "signal 9"),
            ("raise SystemExit(3)", "code 3"),
            ("print('no JSON')", "no result"),
            ("", "no result"),
        ]
        for program, why in cases:
            self.assertIn(why, self.python(program)["failed"])
        self.assertIn("not done", self.python("import time; time.sleep(9)", limit=0.2)["failed"])
        self.assertIn("setup.sh", measured(["/nowhere/at/all"], self.ROW, None, 1)["failed"])


class Networks(unittest.TestCase):
    def test_parameters_are_those_of_the_zoo(self):
        counts = {name: make().parameters() for name, (make, _) in NETS.items()}
        want = {
            "lenet": 431_080,
            "lenet_relu": 431_080,
            "mlp": 669_706,
            "alexnet": 61_100_840,
            "overfeat": 145_920_872,
            "vgg_a": 132_863_336,
            "vgg16": 138_357_544,
            "googlenet": 6_998_552,
            "inception_bn": 11_295_240,
            "resnet50": 25_557_032,
        }
        self.assertEqual(counts, want)


if __name__ == "__main__":
    unittest.main()
