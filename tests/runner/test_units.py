#!/usr/bin/env python3
"""The parts of scripts/fuzz and scripts/faults that need no engine: shares of time, findings on the shelf, state on disk, schedules of a
stored sequence."""

import contextlib
import io
import json
import os
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts" / "lib"))

import campaign  # noqa: E402
import engine  # noqa: E402
import faults  # noqa: E402
import findings  # noqa: E402
import runner  # noqa: E402
import schedule  # noqa: E402
import status  # noqa: E402
import storage  # noqa: E402

A, B, C = (schedule.Arm("libfuzzer", name) for name in ("memory_small", "mixed", "ports"))


def play(plan, finds, seconds):
    """Seconds that each arm got of so many, with arms that find so many inputs a second each."""
    spent = dict.fromkeys(plan.base, 0)
    for _ in range(seconds // 4):
        arm = plan.choose([])
        spent[arm] += 4
        plan.observe(arm, 4, finds.get(arm, 0) * 4)
    return spent


class Shares(unittest.TestCase):
    def test_without_observations_base_shares_hold(self):
        plan = schedule.Schedule({A: 4, B: 3, C: 1})
        self.assertEqual(plan.shares(), {A: 0.5, B: 0.375, C: 0.125})

    def test_nothing_found_anywhere_leaves_base_shares(self):
        plan = schedule.Schedule({A: 4, B: 3, C: 1})
        spent = play(plan, {}, 800)
        self.assertAlmostEqual(spent[A] / 800, 0.5, delta=0.02)
        self.assertAlmostEqual(spent[C] / 800, 0.125, delta=0.02)

    def test_time_goes_where_something_is_found(self):
        plan = schedule.Schedule({A: 1, B: 1, C: 1})
        spent = play(plan, {B: 5}, 2000)
        self.assertGreater(spent[B], 2 * spent[A])
        self.assertGreater(spent[B], 2 * spent[C])

    def test_shares_are_proportional_to_what_is_found(self):
        plan = schedule.Schedule({A: 1, B: 1})
        plan.records[A].learn(10000, 30000)
        plan.records[B].learn(10000, 10000)
        shares = plan.shares()
        self.assertAlmostEqual((shares[A] - schedule.FLOOR / 2) / (shares[B] - schedule.FLOOR / 2), 3, delta=0.3)

    def test_nobody_starves(self):
        plan = schedule.Schedule({A: 1, B: 1, C: 1})
        spent = play(plan, {B: 1000}, 4000)
        for arm in (A, C):
            self.assertGreaterEqual(spent[arm] / 4000, schedule.FLOOR / 3 * 0.9)

    def test_what_was_found_long_ago_counts_less(self):
        plan = schedule.Schedule({A: 1, B: 1})
        plan.observe(A, 100, 1000)
        plan.observe(B, 100, 100)
        before = plan.shares()[A]
        for _ in range(20):
            plan.observe(A, 100, 0)
            plan.observe(B, 100, 100)
        self.assertGreater(before, 0.6)
        self.assertLess(plan.shares()[A], 0.3)

    def test_same_observations_same_choices(self):
        def choices():
            plan, chosen = schedule.Schedule({A: 4, B: 3, C: 1}), []
            for turn in range(200):
                arm = plan.choose([(chosen[-1], 4)] if chosen else [])
                chosen.append(arm)
                plan.observe(arm, 4, (turn * 7) % 5)
            return chosen

        self.assertEqual(choices(), choices())

    def test_many_slots_run_an_arm_more_than_once(self):
        plan, running = schedule.Schedule({A: 6, B: 1, C: 1}), []
        for _ in range(8):
            running.append((plan.choose(running), 10))
        self.assertEqual([arm for arm, _ in running].count(A), 6)

    def test_only_allowed_arms(self):
        plan = schedule.Schedule({A: 100, B: 1})
        self.assertEqual(plan.choose([], [B]), B)
        self.assertIsNone(plan.choose([], []))

    def test_who_was_never_tried_goes_first(self):
        plan = schedule.Schedule({A: 100, B: 1, C: 1})
        chosen = []
        for _ in range(4):
            chosen.append(plan.choose([]))
            plan.observe(chosen[-1], 4, 1)
        self.assertEqual(chosen, [A, B, C, A])

    def test_a_debt_is_bounded(self):
        plan = schedule.Schedule({A: 1, B: 1})
        plan.observe(A, 1e6, 0)
        self.assertEqual(plan.records[A].owed, -schedule.OWED_MAX_SECONDS)
        self.assertEqual(plan.records[B].owed, schedule.OWED_MAX_SECONDS)

    def test_both_engines_on_all_targets_and_afl_on_a_few(self):
        shares = runner.base_shares(list(engine.TARGETS), ["libfuzzer", "afl"])
        self.assertEqual({arm.target for arm in shares if arm.engine == "libfuzzer"}, set(engine.TARGETS))
        self.assertEqual({arm.target for arm in shares if arm.engine == "afl"}, set(runner.AFL_TARGETS))
        alone = runner.base_shares(list(engine.TARGETS), ["afl"])
        self.assertEqual({arm.target for arm in alone}, set(engine.TARGETS))


class WithDirectory(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="rescind-runner-")
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name)


class Filing(WithDirectory):
    ABOUT = {"engine": "libfuzzer", "build": "0.1.0 (abc)", "seed": 7, "command": ["fuzz/mixed", "-seed=7"], "process": "1"}

    def finding(self, signature="O1.reach/grant/mem/extra"):
        (self.directory / "x.rsq").write_text("# rescind: 1\n")
        (self.directory / "x.bin").write_bytes(b"raw")
        return engine.Finding(signature, "mixed", self.directory / "x.rsq", self.directory / "x.bin", "report", True)

    def shelf(self):
        return findings.Shelf(self.directory / "findings")

    def meta(self, signature="O1.reach/grant/mem/extra"):
        return json.loads((self.directory / "findings" / findings.name_of(signature) / "meta.json").read_text())

    def test_everything_is_there(self):
        shelf = self.shelf()
        self.assertTrue(shelf.file(self.finding(), self.ABOUT))
        path = shelf.path("O1.reach/grant/mem/extra")
        self.assertEqual(sorted(os.listdir(path)), ["found.rsq", "input.bin", "meta.json", "report.txt"])
        self.assertEqual((path / "input.bin").read_bytes(), b"raw")
        meta = self.meta()
        self.assertEqual((meta["seed"], meta["build"], meta["command"], meta["count"], meta["shrunk"]),
                         (7, "0.1.0 (abc)", ["fuzz/mixed", "-seed=7"], 1, findings.PENDING))

    def test_known_ones_count_up(self):
        self.shelf().file(self.finding(), self.ABOUT)
        shelf = self.shelf()
        self.assertEqual(shelf.known(), ["O1.reach/grant/mem/extra"])
        self.assertFalse(shelf.file(self.finding(), self.ABOUT | {"process": "2", "build": "later"}))
        shelf.count_up("O1.reach/grant/mem/extra", 5, self.ABOUT | {"process": "3", "build": "later"})
        meta = self.meta()
        self.assertEqual((meta["count"], meta["build"], meta["last_build"]), (7, "0.1.0 (abc)", "later"))
        self.assertEqual(shelf.met, {"O1.reach/grant/mem/extra": 6})
        self.assertEqual(shelf.new, [])

    def test_a_process_settled_twice_counts_once(self):
        self.shelf().file(self.finding(), self.ABOUT)
        self.shelf().file(self.finding(), self.ABOUT)
        self.assertEqual(self.meta()["count"], 1)

    def test_half_filed_ones_are_filed_again(self):
        half = self.directory / "findings" / f".{findings.name_of('x')}.unfinished"
        half.mkdir(parents=True)
        (half / "meta.json").write_text("{")
        shelf = self.shelf()
        self.assertFalse(half.exists())
        self.assertTrue(shelf.file(self.finding("x"), self.ABOUT))

    def test_equal_slugs_stay_apart(self):
        self.assertNotEqual(findings.name_of("a/b"), findings.name_of("a-b"))
        self.assertLess(len(findings.name_of("x" * 500)), 100)
        self.assertRegex(findings.name_of("../.. /%"), r"^[A-Za-z0-9][A-Za-z0-9.-]*$")

    def test_findings_that_are_no_sequences_are_not_shrunk(self):
        shelf, finding = self.shelf(), self.finding()
        finding.is_sequence = False
        shelf.file(finding, self.ABOUT)
        self.assertIsNone(shelf.to_shrink())
        finding = self.finding("another")
        shelf.file(finding, self.ABOUT)
        self.assertEqual(self.shelf().to_shrink(), "another")


class OnDisk(WithDirectory):
    def open(self, **options):
        state = campaign.Campaign(self.directory)
        state.open(options.get("fresh", False), lambda records: schedule.Schedule({A: 1, B: 1}, records))
        self.addCleanup(state.close)
        return state

    def process(self, state, executions=10):
        directory = state.new_process()
        directory.mkdir()
        engine.Remains.prepare(directory, {"engine": "libfuzzer", "target": A.target, "seed": 1, "seconds": 4, "command": [],
                                           "started": 0}, [])
        (directory / "log").write_bytes(b"#2\tINITED cov: 5 ft: 7 corp: 1/1b\n#3\tNEW    cov: 6 ft: 9 corp: 2/2b\n#4\tNEW  cov")
        (directory / "counters").write_bytes(engine.COUNTERS.pack(executions, 100))
        return engine.Remains(directory)

    def test_what_was_settled_is_there_again(self):
        state = self.open()
        state.settle(self.process(state), 4.0, "time")
        state.close()
        again = self.open()
        tally = again.tallies[A]
        self.assertEqual((tally.executions, tally.operations, tally.gained, tally.edges, tally.features), (10, 100, 1, 6, 9))
        self.assertEqual(again.schedule.records[A].gained, 1)
        self.assertEqual(list(again.leftovers()), [])

    def test_what_was_put_aside_is_forgotten(self):
        remains, corpus = self.process(self.open()), self.directory / "inputs"
        corpus.mkdir()
        for name, content in {"same": b"12", "longer": b"123", "shorter": b"1", "other": b"13"}.items():
            (corpus / name).write_bytes(content)
        (corpus / "replaced").symlink_to("nowhere")  # another engine's, between the listing and the look
        (remains.artifacts / "crash-1").write_bytes(b"12")
        remains.forget_inputs([corpus])
        self.assertEqual(sorted(path.name for path in corpus.iterdir()), ["other", "replaced", "shorter"])

    def test_killed_between_journal_and_removal(self):
        state = self.open()
        remains = self.process(state)
        remains.discard = lambda: None
        state.settle(remains, 4.0, "time")
        state.close()
        again = self.open()
        self.assertEqual(list(again.leftovers()), [])
        self.assertEqual(again.tallies[A].executions, 10)

    def test_leftovers_are_told_from_rubbish(self):
        state = self.open()
        kept = self.process(state)
        (state.processes / "torn").mkdir()
        (state.processes / "zeros").mkdir()
        (state.processes / "zeros" / "about.json").write_bytes(bytes(100))
        self.assertEqual([remains.directory for remains in state.leftovers()], [kept.directory])
        self.assertEqual(os.listdir(state.processes), [kept.directory.name])

    def test_what_a_power_cut_left_of_a_process(self):
        state = self.open()
        remains = self.process(state)
        for name in ("counters", "log", "known"):
            (remains.directory / name).write_bytes(b"")
        (remains.directory / "met").write_bytes(bytes(5))
        for name in ("1.rsq", "1.txt"):
            (remains.directory / "reports" / name).write_bytes(b"")
        left, = state.leftovers()
        self.assertEqual((left.counts(), left.met(), left.findings("no-command")), ((0, 0), {}, []))
        state.settle(left, 0.0, "left")
        self.assertEqual(state.tallies[A].slices, 1)

    def test_a_torn_journal(self):
        state = self.open()
        state.settle(self.process(state), 4.0, "time")
        with state.journal.path.open("ab") as file:
            file.write(bytes(50) + b'{"kind": "slice", "exec')
        state.settle(self.process(state), 4.0, "time")
        state.close()
        self.assertEqual(self.open().tallies[A].executions, 20)

    def test_fresh_forgets(self):
        state = self.open()
        state.settle(self.process(state), 4.0, "time")
        (state.corpus("mixed") / "x").write_text("x")
        state.close()
        again = self.open(fresh=True)
        self.assertEqual(again.tallies, {})
        self.assertEqual(os.listdir(again.corpus("mixed")), [])

    @mock.patch("campaign.JOURNAL_LINES_MAX", 20)
    def test_the_journal_stays_short(self):
        state = self.open()
        for _ in range(50):
            state.settle(self.process(state), 4.0, "time")
        self.assertLess(len(list(state.journal.read())), 25)
        self.assertEqual(state.tallies[A].executions, 500)
        state.close()
        self.assertEqual(self.open().tallies[A].executions, 500)

    def test_one_run_at_a_time(self):
        self.open()
        said = io.StringIO()
        with self.assertRaises(SystemExit) as caught, contextlib.redirect_stderr(said):
            campaign.Campaign(self.directory)
        self.assertEqual(caught.exception.code, 2)
        self.assertIn("in use", said.getvalue())

    def test_a_file_is_whole_or_the_old_one(self):
        path = self.directory / "x"
        storage.write_whole(path, "old")
        storage.write_whole(path, "new")
        self.assertEqual(path.read_text(), "new")
        self.assertEqual([name for name in os.listdir(self.directory) if name.startswith(".")], [])


class Page(unittest.TestCase):
    NOW = {
        "time": 1000.0, "run_seconds": 70.0, "build": "0.1.0 (abc)", "jobs": 2, "disk_bytes": 5 << 20, "executions": 1234567,
        "operations": 9, "findings": {"unique": 2, "met": 31, "new": 1}, "_limit_seconds": 0,
        "targets": {"mixed": {"running": {"afl": 1, "libfuzzer": 2}, "share": {"afl": 0.1, "libfuzzer": 0.25}, "seconds": 3,
                              "executions": 5, "operations": 6, "executions_per_second": 4321.0, "edges": 765, "features": 4321,
                              "corpus": 99, "last_new": 940.0, "findings": {"unique": 2, "met": 31}}},
    }

    def test_all_is_shown(self):
        text = "\n".join(status.page_of(self.NOW, 200, 50))
        for part in ("1,234,567", "1:10", "afl, 2 libfuzzer", "35.0%", "4,321", "765", "99", "1:00 ago", "31"):
            self.assertIn(part, text)

    def test_it_fits_the_terminal(self):
        lines = status.page_of(self.NOW, 40, 2)
        self.assertLessEqual(len(lines), 2)
        self.assertLess(max(map(len, lines)), 40)

    def test_speed_is_of_the_last_seconds(self):
        speed = status.Speed()
        self.assertEqual(speed.of("mixed", 0, 0.0), 0.0)
        self.assertEqual(speed.of("mixed", 5000, 5.0), 1000.0)
        self.assertEqual(speed.of("mixed", 5100, 6.0), 1000.0)
        self.assertEqual(speed.of("mixed", 5500, 10.0), 100.0)


class Sweep(unittest.TestCase):
    HEADER = "# rescind: 1\n# geometry: small\n# cpus: 2\n\n"
    REVOKE = "revoke root mem base=0x0 order=0 mask=rwx scope=self place=own filter=none"
    LOOKUP = "lookup root mem unit=0x0"

    def test_one_stop_comes_before_each_of_the_first_stores(self):
        texts = list(faults.schedules_of(f"{self.HEADER}{self.REVOKE} preempt=7 run=1\n  {self.LOOKUP}\n"))
        header = self.HEADER.replace("cpus: 2", "cpus: 4")
        near = [f"{header}{self.REVOKE} preempt={at} run=1\n  {self.LOOKUP}\n" for at in range(1, 256)]
        far = [f"{header}{self.REVOKE} preempt=255 run=2\n  resume of=1 points={at}\n  {self.LOOKUP}\n" for at in range(1, 256)]
        self.assertEqual(texts, near + far)

    def test_several_stops_are_drawn(self):
        text = f"{self.HEADER}{self.REVOKE} preempt=7 run=2\n  {self.REVOKE} preempt=1 run=1\n    resume of=2 points=3\n"
        texts = list(faults.schedules_of(text))
        self.assertEqual(len(texts), faults.SWEEP)
        self.assertGreater(len(set(texts)), 0.9 * faults.SWEEP)
        self.assertEqual(texts, list(faults.schedules_of(text)))

    def test_nothing_stops(self):
        self.assertEqual(list(faults.schedules_of(f"{self.HEADER}{self.LOOKUP}\n")), [])


if __name__ == "__main__":
    unittest.main()
