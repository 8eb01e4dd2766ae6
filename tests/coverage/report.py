#!/usr/bin/env python3
"""scripts/lib/coverage.py tells what ran from what did not, though the processes that run sequences are killed in the end.

usage: report.py (needs the preset `coverage` built)
"""
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "lib"))
import coverage  # noqa: E402


def export(*sequences):
    with tempfile.TemporaryDirectory() as work:
        measurement = coverage.Measurement(Path(work))
        measurement.run("rescind", "run", *(ROOT / "corpus" / sequence for sequence in sequences))
        return measurement.export()


class Report(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lookup = export("semantics/op-lookup.rsq")
        cls.both = export("semantics/op-lookup.rsq", "semantics/op-grant.rsq")

    def test_what_did_not_run_is_named(self):
        self.assertIn("src/kernel/grant.c: never called: invoke_grant", coverage.never_taken(self.lookup))

    def test_what_ran_is_not(self):
        for exported, called in ((self.lookup, "invoke_lookup"), (self.both, "invoke_lookup"), (self.both, "invoke_grant")):
            self.assertNotIn(called, "".join(coverage.never_taken(exported)))

    def test_both_sides_of_a_branch_are_named(self):
        sides = [line for line in coverage.never_taken(self.lookup) if line.startswith("src/kernel/grant.c:") and "never" in line]
        self.assertTrue(any(": never true: " in line for line in sides) and any(": never false: " in line for line in sides))

    def test_more_sequences_reach_more(self):
        def branches(exported):
            return exported["totals"]["branches"]["covered"]

        self.assertGreater(branches(self.both), branches(self.lookup))
        self.assertGreater(branches(self.lookup), 0)

    def test_a_line_for_each_file(self):
        table = list(coverage.file_table(self.both))
        for source in ("mapdb.c", "grant.c", "space.h", "arch/host/mmu.c"):
            self.assertEqual(1, sum(line.startswith(f"src/kernel/{source} ") for line in table), source)


if __name__ == "__main__":
    unittest.main()
