#!/usr/bin/env python3
"""scripts/fuzz end to end, with kernels that fail, hang and crash, and with engines that misbehave; it is killed, interrupted
and continued. Builds what it needs in work/faults. Without arguments, the classes run side by side, as they mostly wait.
"""

import array
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

LIB = Path(__file__).resolve().parents[2] / "scripts" / "lib"
sys.path.insert(0, str(LIB))

import builds  # noqa: E402
import faults  # noqa: E402

TARGET = "memory_small"
FAULT = "F10-join-across-parents"
SIDE_BY_SIDE = 4
HAS_AFL = bool(shutil.which("afl-fuzz") and shutil.which("afl-clang-fast"))

# Where a kernel hangs and crashes: rarely enough to get beyond the first inputs.
LOOKUP = "    unsigned order = node->order;\n"
HANG = "    while (unit == 0x3b) {\n    }\n"
CRASH = "    if (unit == 0x25) {\n        __builtin_trap();\n    }\n"

FAKE = """#!/usr/bin/env python3
import os, signal, struct, sys, time
def executed(count):
    with open(os.environ["RESCIND_COUNTERS"], "r+b") as file:
        file.write(struct.pack("=QQ", count, 2 * count))
seconds = next(float(word.split("=")[1]) for word in sys.argv if word.startswith("-max_total_time="))
"""


def fault_of(name):
    return faults.read_fault(faults.FAULTS / f"{name}.patch")


class Builds:
    """Copies of a tree's programs, one directory for each kernel; built when asked for."""

    def __init__(self, directory):
        self.directory = directory

    def _make(self, name, preset, change, programs):
        into = self.directory / f"{name}-{preset}"
        if not into.exists():
            tree = faults.Tree(preset, "runner")
            change(tree)
            tree.make(*[program for program, _ in programs], jobs=2)
            (into / "fuzz").mkdir(parents=True)
            for _, file in programs:
                shutil.copy(tree.build / file, into / file)
        return into

    def libfuzzer(self, name, change):
        return self._make(name, "fuzz-plain", change, [("rescind", "rescind"), (f"fuzz_{TARGET}", f"fuzz/{TARGET}")])

    def afl(self, name, change):
        into = self._make(name, "afl", change, [(f"fuzz_{TARGET}", f"fuzz/{TARGET}"),
                                                (f"{TARGET}.mutator", f"fuzz/{TARGET}.mutator.so")])
        shutil.copy(self.libfuzzer(name, change) / "rescind", into / "rescind")
        return into


def sound(tree):
    tree.lay(faults.Fault("sound", TARGET))


def faulty(tree):
    if not tree.lay(fault_of(FAULT)):
        raise AssertionError("the patch does not apply")


def with_code(code):
    def change(tree):
        sound(tree)
        path = tree.kernel / "lookup.c"
        text = path.read_text()
        if LOOKUP not in text:
            raise AssertionError("lookup.c has changed: where to hang?")
        path.write_text(text.replace(LOOKUP, LOOKUP + code, 1))

    return change


class Runs(unittest.TestCase):
    builds = None

    def setUp(self):
        self.directory = Path(tempfile.mkdtemp(dir=self.builds.directory))
        self.campaign, self.findings = self.directory / "campaign", self.directory / "findings"
        self.started = []
        self.addCleanup(self.end_all)

    def end_all(self):
        for run in self.started:
            if run.poll() is None:
                run.kill()
            if not run.stdout.closed:
                run.communicate()

    def start(self, binaries, *options):
        run = subprocess.Popen(
            [sys.executable, LIB / "fuzz.py", "--binaries", binaries, "--campaign", self.campaign, "--findings", self.findings,
             "--target", TARGET, "--jobs", "2", "--seed", "1", *map(str, options)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
        self.started.append(run)
        return run

    def run_fuzz(self, binaries, *options, status=0):
        run = self.start(binaries, *options)
        output = run.communicate(timeout=120)[0]
        self.assertEqual(run.returncode, status, output)
        return output

    def fake(self, code):
        into = self.directory / "fake"
        (into / "fuzz").mkdir(parents=True)
        shutil.copy(self.builds.libfuzzer("sound", sound) / "rescind", into)
        (into / "fuzz" / TARGET).write_text(FAKE + code)
        (into / "fuzz" / TARGET).chmod(0o755)
        return into

    def run_until(self, condition, what, binaries, *options):
        """A run that is interrupted once it has met the condition; it has findings then."""
        run = self.start(binaries, "--seconds", 0, *options)
        self.wait_for(self.engines, "no process")  # until then Ctrl-C only ends it
        self.wait_for(lambda: run.poll() is not None or condition(), what)
        if run.poll() is not None:
            self.fail(f"it ended by itself, with status {run.returncode}:\n{run.communicate()[0]}")
        os.kill(run.pid, signal.SIGINT)
        output = run.communicate(timeout=60)[0]
        self.assertEqual(run.returncode, 1, output)
        return output

    def wait_for(self, condition, what, seconds=100):
        end = time.monotonic() + seconds
        while not (value := condition()):
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.05)
        return value

    def corpus(self):
        path = self.campaign / "corpus" / TARGET
        return set(os.listdir(path)) if path.is_dir() else set()

    def shrunk(self):
        """Findings that are complete."""
        return [meta for meta in self.metas().values() if meta["shrunk"] != "pending"]

    def metas(self):
        return {path.parent: json.loads(path.read_text()) for path in sorted(self.findings.glob("[!.]*/meta.json"))}

    def lines(self, name):
        return [json.loads(line) for line in (self.campaign / name).read_text().splitlines()]

    def counted(self):
        """Executions in the journal and in processes that are not settled."""
        total, settled = 0, set()
        for line in self.lines("journal.jsonl"):
            total += line["executions"] if line["kind"] == "slice" else sum(arm["tally"]["executions"] for arm in line["arms"])
            settled.add(line.get("process"))
        for path in self.campaign.glob("processes/*/counters"):
            if path.parent.name not in settled:
                total += sum(array.array("Q", path.read_bytes())[:1])
        return total

    def engines(self):
        """Processes that count for this campaign."""
        mark = f"RESCIND_COUNTERS={self.campaign}".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (path / "environ").read_bytes() and (path / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z":
                    found.append(int(path.name))
            except OSError:
                pass
        return found

    def check_finding(self, path, meta, rescind):
        self.assertEqual(sorted(os.listdir(path)), ["found.rsq", "input.bin", "meta.json", "report.txt", "shrunk.rsq"])
        self.assertEqual(meta["shrunk"], "done")
        self.assertIn(meta["signature"], (path / "report.txt").read_text())
        self.assertIn(str(meta["seed"]), " ".join(meta["command"]))
        self.assertIn(meta["build"], subprocess.run([rescind, "--version"], capture_output=True, text=True, check=True).stdout)
        self.assertLessEqual(faults.count_operations(path / "shrunk.rsq"), faults.count_operations(path / "found.rsq"))
        for name in ("shrunk.rsq", "found.rsq"):
            done = subprocess.run([rescind, "run", "--json", path / name], capture_output=True, text=True)
            self.assertEqual((done.returncode, json.loads(done.stdout)["signature"]), (1, meta["signature"]))


class Findings(Runs):
    def test_findings_are_filed_and_count_up(self):
        binaries = self.builds.libfuzzer("faulty", faulty)
        self.run_until(lambda: len(self.shrunk()) > 1, "two findings", binaries, "--slice", 1)
        metas = self.metas()
        for path, meta in metas.items():
            if meta["shrunk"] != "pending":
                self.check_finding(path, meta, binaries / "rescind")
        self.assertEqual(len(set(meta["signature"] for meta in metas.values())), len(metas))
        count = sum(meta["count"] for meta in metas.values())
        again = self.run_until(lambda: sum(meta["count"] for meta in self.metas().values()) > count + 2, "known findings met again",
                               binaries, "--slice", 1)
        self.assertIn("known before", again)
        for path, meta in metas.items():
            self.assertEqual(self.metas()[path]["first_seen"], meta["first_seen"])

    def test_status_can_be_read_by_programs(self):
        self.run_fuzz(self.builds.libfuzzer("sound", sound), "--seconds", 5, "--slice", 2)
        last = self.lines("status.jsonl")[-1]
        self.assertEqual(last["executions"], self.counted())
        target = last["targets"][TARGET]
        self.assertEqual(target["corpus"], len(self.corpus()))
        self.assertGreater(min(target["edges"], target["features"], target["executions_per_second"], target["last_new"]), 0)
        self.assertEqual(last["findings"], {"unique": 0, "met": 0, "new": 0})


class Hanging(Runs):
    def test_a_kernel_that_hangs(self):
        binaries = self.builds.libfuzzer("hanging", with_code(HANG))
        self.run_until(self.metas, "no finding", binaries, "--slice", 3, "--timeout", 1)
        self.assertIn("watchdog", next(iter(self.metas().values()))["signature"])
        self.assertTrue((next(iter(self.metas())) / "input.bin").exists())


class Crashing(Runs):
    def test_a_kernel_that_crashes(self):
        binaries = self.builds.libfuzzer("crashing", with_code(CRASH))
        self.run_until(self.shrunk, "no finding", binaries, "--slice", 2)
        for path, meta in [item for item in self.metas().items() if item[1]["shrunk"] == "done"]:
            self.assertRegex(meta["signature"], "lookup")
            self.assertEqual(subprocess.run([binaries / "rescind", "run", path / "shrunk.rsq"], capture_output=True).returncode, 1)


class Afl(Runs):
    @unittest.skipUnless(HAS_AFL, "without AFL++")
    def test_afl_finds_and_gives_back(self):
        self.run_until(lambda: self.shrunk() and len(self.corpus()) > 20, "no finding or no corpus", self.builds.afl("faulty", faulty),
                       "--engine", "afl", "--slice", 4)
        for path, meta in self.metas().items():
            self.assertEqual(meta["engine"], "afl")
            if meta["shrunk"] != "pending":
                self.check_finding(path, meta, self.builds.libfuzzer("faulty", faulty) / "rescind")
        self.assertEqual(self.engines(), [])


class Endings(Runs):
    def test_killed_and_continued(self):
        binaries = self.builds.libfuzzer("sound", sound)
        self.run_fuzz(binaries, "--seconds", 3, "--slice", 1)
        before = self.counted()
        run = self.start(binaries, "--seconds", 0, "--slice", 60)
        self.wait_for(lambda: len(self.engines()) == 2 and self.counted() > before + 100, "two processes")
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
        self.wait_for(lambda: not self.engines(), "processes outlive the runner", 10)
        corpus, counted = self.corpus(), self.counted()
        self.assertGreater(len(list(self.campaign.glob("processes/*"))), 0)
        output = self.run_fuzz(binaries, "--seconds", 3, "--slice", 1)
        executed = int(re.search(r"^executions +([\d,]+) in", output, re.MULTILINE)[1].replace(",", ""))
        self.assertGreater(executed, 0)
        self.assertEqual(self.lines("status.jsonl")[-1]["executions"], counted + executed, output)
        self.assertGreater(len(self.corpus() & corpus), len(corpus) * 0.7)
        self.assertEqual(list(self.campaign.glob("processes/*")), [])

    def test_a_finding_of_a_killed_run_is_filed(self):
        binaries = self.builds.libfuzzer("faulty", faulty)
        run = self.start(binaries, "--seconds", 0)
        self.wait_for(self.engines, "no process")
        os.kill(run.pid, signal.SIGSTOP)
        self.wait_for(lambda: list(self.campaign.glob("processes/*/reports/*.txt")), "nothing found")
        os.kill(run.pid, signal.SIGKILL)
        run.communicate()
        self.wait_for(lambda: not self.engines(), "processes outlive the runner", 10)
        known = {path.read_text().split("\n")[0] for path in self.campaign.glob("processes/*/reports/*.txt")}
        self.run_fuzz(self.builds.libfuzzer("sound", sound), "--seconds", 2, status=1)
        self.assertLessEqual(known, {meta["signature"] for meta in self.metas().values()})

    def test_everything_is_killed_over_and_over(self):
        binaries = self.builds.libfuzzer("faulty", faulty)
        for pause in (0.4, 0.7, 1.1, 1.6):
            run = self.start(binaries, "--seconds", 0, "--slice", 1)
            time.sleep(pause)
            for process in [run.pid, *self.engines()]:
                os.kill(process, signal.SIGKILL)
            run.communicate()
        self.wait_for(lambda: not self.engines(), "killed processes that stay")
        self.run_until(self.shrunk, "no finding", binaries, "--slice", 1)
        self.assertEqual(self.lines("status.jsonl")[-1]["executions"], self.counted())
        for path, meta in self.metas().items():
            self.assertTrue((path / "report.txt").exists())
            self.assertEqual((path / "shrunk.rsq").exists(), meta["shrunk"] == "done")

    def check_interrupt(self, number):
        run = self.start(self.builds.libfuzzer("sound", sound), "--seconds", 0)
        self.wait_for(lambda: len(self.corpus()) > 20, "no corpus")
        os.kill(run.pid, number)
        began = time.monotonic()
        output = run.communicate(timeout=30)[0]
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual(run.returncode, 0, output)
        for row in ("executions", "operations", "campaign", "findings"):
            self.assertRegex(output, rf"(?m)^{row} ")
        self.assertEqual(self.lines("status.jsonl")[-1]["executions"], self.counted())

    def test_interrupted_by_ctrl_c(self):
        self.check_interrupt(signal.SIGINT)

    def test_interrupted_by_sigterm(self):
        self.check_interrupt(signal.SIGTERM)

    def test_a_second_ctrl_c_ends_at_once_and_loses_nothing(self):
        fake = self.fake("signal.signal(signal.SIGTERM, signal.SIG_IGN)\nexecuted(100)\ntime.sleep(1000)\n")
        run = self.start(fake, "--seconds", 0)
        self.wait_for(lambda: len(list(self.campaign.glob("processes/*/about.json"))) == 2 and self.counted() >= 200, "no process")
        os.kill(run.pid, signal.SIGINT)
        time.sleep(0.01)
        try:
            os.kill(run.pid, signal.SIGINT)
        except ProcessLookupError:
            pass
        run.communicate(timeout=5)
        self.assertEqual(self.counted(), 200)
        self.assertEqual(self.engines(), [])


class Disk(Runs):
    def test_the_disk_bound_holds(self):
        corpus = self.campaign / "corpus" / TARGET
        corpus.mkdir(parents=True)
        for number in range(1000):
            (corpus / f"{number:040}").write_bytes(random.Random(number).randbytes(16 * (1 + number % 40)))
        self.run_fuzz(self.builds.libfuzzer("sound", sound), "--seconds", 8, "--slice", 3, "--disk-mb", 1)
        self.assertLessEqual(self.lines("status.jsonl")[-1]["disk_bytes"], 1 << 20)
        used = sum(path.lstat().st_blocks * 512 for path in self.campaign.rglob("*") if path.is_file())
        self.assertLessEqual(used, (1 << 20) + 65536)
        self.assertGreater(len(self.corpus()), 20)  # the seeds, laid out for the engine, count but do not drive out the corpus

class Engines(Runs):
    def test_a_target_that_does_not_start(self):
        output = self.run_fuzz(self.fake("print('no kernel here')\nsys.exit(2)\n"), "--seconds", 20, status=2)
        self.assertIn(f"{TARGET} does not run", output)
        self.assertIn("no kernel here", output)

    def test_a_target_that_is_not_there(self):
        binaries = self.fake("")
        (binaries / "fuzz" / TARGET).unlink()
        self.assertIn("does not run", self.run_fuzz(binaries, "--seconds", 20, status=2))

    def test_an_engine_that_dies_is_a_finding_and_not_the_end(self):
        fake = self.fake("executed(10)\nprint('what a pity')\nsys.exit(3)\n")
        output = self.run_fuzz(fake, "--seconds", 4, "--slice", 1, status=1)
        (path, meta), = self.metas().items()
        self.assertEqual(meta["signature"], f"died-libfuzzer-status-3/{TARGET}", output)
        self.assertIn("what a pity", (path / "report.txt").read_text())
        self.assertGreater(meta["count"], 2)

    def test_an_engine_that_stalls_is_a_finding(self):
        fake = self.fake("signal.signal(signal.SIGABRT, signal.SIG_IGN)\nexecuted(10)\ntime.sleep(1000)\n")
        self.run_fuzz(fake, "--seconds", 3, "--slice", 1, "--timeout", 1, status=1)
        self.assertEqual({meta["signature"] for meta in self.metas().values()}, {f"stalled/{TARGET}"})

    def test_an_engine_killed_from_outside_is_no_finding(self):
        run = self.start(self.fake("executed(10)\ntime.sleep(seconds)\n"), "--seconds", 4, "--slice", 2)
        os.kill(self.wait_for(lambda: self.counted() >= 20 and self.engines() if self.campaign.exists() and
                              (self.campaign / "journal.jsonl").exists() else None, "no process")[0], signal.SIGKILL)
        output = run.communicate(timeout=30)[0]
        self.assertEqual(run.returncode, 0, output)
        self.assertIn("ended from outside", output)


def make_all(made):
    made.libfuzzer("sound", sound)
    made.libfuzzer("hanging", with_code(HANG))
    made.libfuzzer("crashing", with_code(CRASH))
    made.libfuzzer("faulty", faulty)
    if HAS_AFL:
        made.afl("faulty", faulty)


def run_side_by_side(made):
    """True if all pass; the output of those that do not is printed."""
    environment = os.environ | {"RUNNER_BUILDS": str(made.directory)}

    def run(test):
        return subprocess.run([sys.executable, __file__, test.__name__], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env=environment)

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        tests = Runs.__subclasses__()
        runs = list(pool.map(run, tests))
    for test, done in zip(tests, runs):
        print(f"{test.__name__}: {done.stdout.strip()}", flush=True)
    return all(done.returncode == 0 for done in runs)


def main():
    if "RUNNER_BUILDS" in os.environ:
        Runs.builds = Builds(Path(os.environ["RUNNER_BUILDS"]))
        unittest.main()
    (builds.ROOT / "work").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=builds.ROOT / "work", prefix="runner-") as temporary:
        Runs.builds = Builds(Path(temporary))
        if len(sys.argv) > 1:
            unittest.main()
        make_all(Runs.builds)
        return 0 if run_side_by_side(Runs.builds) else 1


if __name__ == "__main__":
    sys.exit(main())
