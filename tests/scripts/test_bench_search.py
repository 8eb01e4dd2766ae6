#!/usr/bin/env python3
"""The figures of scripts/bench-search, with searches that found nothing."""
import contextlib
import io
import math
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts" / "lib"))
import bench_search  # noqa: E402

BUDGET = 1000


def searches(fault, mode, *executions):
    """None: not found."""
    return [bench_search.Search("commit", fault, "target", mode, seed, BUDGET, count or BUDGET, 0.1, "O1" if count else "")
            for seed, count in enumerate(executions)]


class Figures(unittest.TestCase):
    def setUp(self):
        self.searches = [*searches("F1", "raw", 50, None, None), *searches("F1", "operations", 10, 5, 20),
                         *searches("F2", "raw", 30, 20, 10), *searches("F2", "operations", 5, None, 4),
                         *searches("F3", "raw", 1, 1, 1)]
        self.results = bench_search.Results(self.searches)

    def test_faults_not_searched_for_in_all_ways_are_left_out(self):
        self.assertEqual(["F1", "F2"], self.results.faults)

    def test_what_was_given_up_counts_as_more_than_anything(self):
        self.assertEqual(math.inf, self.results.median("F1", "raw"))
        self.assertEqual(5, self.results.median("F2", "operations"))
        self.assertEqual(f"> {BUDGET:,}", self.results.number(self.results.median("F1", "raw")))

    def test_factors_take_the_budget_for_what_was_given_up(self):
        self.assertEqual((BUDGET / 10 + 20 / 5) / 2, self.results.factor("raw", "operations"))
        self.assertEqual(0, self.results.fewer("raw", "operations"))

    def test_searches_that_found(self):
        self.assertEqual(4, self.results.found("raw"))
        self.assertEqual(5, self.results.found("operations"))

    def test_other_budgets_do_not_mix(self):
        short = bench_search.Search("commit", "F1", "target", "raw", 1, BUDGET // 2, BUDGET // 2, 0.1, "")
        self.assertEqual(self.results.efforts, bench_search.Results([*self.searches, short]).efforts)

    def test_the_curve_ends_with_all_that_was_found(self):
        points = bench_search.curve(self.results, "raw")
        self.assertEqual((BUDGET, 4 / 3), points[-1])
        self.assertEqual(sorted(points), points)

    def test_the_report_names_each_way(self):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            bench_search.report(self.results, self.searches)
        for text in ("libFuzzer, raw bytes | 4 of 6 | 1 |", "| F1 | > 1,000 | 10 |"):
            self.assertIn(text, output.getvalue())


class Logs(unittest.TestCase):
    def test_a_finding_is_counted_already(self):
        self.assertEqual(("O1.reach/grant", True), bench_search.finding_in("x\nrescind: finding O1.reach/grant\nSUMMARY: libFuzzer: x\n"))

    def test_a_crash_is_not(self):
        log = "SUMMARY: UndefinedBehaviorSanitizer: SEGV /some/where/index.c:163:19 in index_in\n"
        self.assertEqual(("SEGV index.c:163:19 in index_in", False), bench_search.finding_in(log))

    def test_neither(self):
        self.assertEqual("", bench_search.finding_in("Done 200000 runs in 3 second(s)\n")[0])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
