"""Fuzzes for a while and says what came of it: executions, speed, coverage of src/kernel, findings.

Exit status: 0 no finding, 1 findings, 2 usage error or a failed build. Ctrl-C ends the fuzzing early, not the summary.
"""

import argparse
import hashlib
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import builds
import coverage
import engine
import seeds

ROUND_SECONDS = 600  # each target gets its share of every round
STATUS_SECONDS = 0.5
FAILED_STARTS_MAX = 3


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, metavar="N", help="fuzz for so long (default: 60)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N",
                        help="processes at a time (default: one a core)")
    parser.add_argument("--target", action="append", choices=list(engine.TARGETS), help="fuzz this one only; may be repeated")
    parser.add_argument("--build", choices=["fuzz", "fuzz-plain"], default="fuzz",
                        help="with ASan and UBSan, or without and faster (default: fuzz)")
    parser.add_argument("--seed", type=int, help="start of the random numbers (default: a fresh one)")
    arguments = parser.parse_args()
    if arguments.seconds < 1 or arguments.jobs < 1:
        parser.error("--seconds and --jobs must be at least 1")
    arguments.target = [target for target in engine.TARGETS if target in (arguments.target or engine.TARGETS)]
    arguments.seed = arguments.seed if arguments.seed is not None else random.randrange(1, 2**31)
    return arguments


class Status:
    """A line that is kept up to date on a terminal."""

    def __init__(self):
        self._live = sys.stdout.isatty()
        self._shown = 0.0

    def show(self, text):
        if self._live and time.monotonic() - self._shown >= STATUS_SECONDS:
            print("\r\x1b[K" + text[: shutil.get_terminal_size().columns - 1], end="", flush=True)
            self._shown = time.monotonic()

    def say(self, text):
        print("\r\x1b[K" * self._live + text, flush=True)
        self._shown = 0.0


class Session:
    """One run of the fuzzer: which targets, for how long, and what was counted and found."""

    def __init__(self, arguments, work):
        self.arguments, self.work = arguments, work
        self.binaries = builds.directory(arguments.build)
        self.rescind = self.binaries / "rescind"
        self.status = Status()
        self.random = random.Random(arguments.seed)
        self.executions = self.operations = self.processes = 0
        self.seconds = 0.0
        self.findings = {}
        self.interrupted = False

    def corpora(self, target):
        """The corpus that grows and the seeds, which libFuzzer leaves alone."""
        return [builds.ROOT / "work" / "corpus" / target, self.work / "seeds" / target]

    def collect_seeds(self, target):
        kept, into = self.corpora(target)
        kept.mkdir(parents=True, exist_ok=True)
        into.mkdir(parents=True)
        seeds.collect(self.rescind, target, into)

    def fuzz(self):
        started = time.monotonic()
        end = started + self.arguments.seconds
        shares = sum(engine.TARGETS[target].share for target in self.arguments.target)
        while not self.interrupted and (left := end - time.monotonic()) > 1:
            for target in self.arguments.target:
                self.fuzz_target(target, min(left, ROUND_SECONDS) * engine.TARGETS[target].share / shares, end)
        self.seconds = time.monotonic() - started

    def start(self, target, seconds):
        self.processes += 1
        return engine.Process(self.binaries / "fuzz" / target, self.rescind, self.work / f"process-{self.processes}",
                              seconds=seconds, seed=self.random.randrange(1, 2**31), corpora=self.corpora(target),
                              known=self.findings)

    def fuzz_target(self, target, seconds, end):
        """Keeps `jobs` processes on a target until the time is up."""
        until = time.monotonic() + seconds
        running = [self.start(target, seconds) for _ in range(self.arguments.jobs)]
        failed_starts = 0
        try:
            while running and not self.interrupted and time.monotonic() < until + 1:
                time.sleep(0.1)
                self.show(target, running, end)
                for process in [process for process in running if process.poll() is not None]:
                    running.remove(process)
                    left = until - time.monotonic()
                    failed_starts = 0 if process.counts()[0] > 0 else failed_starts + 1
                    if failed_starts > FAILED_STARTS_MAX:
                        sys.exit(f"{target} does not run:\n{process.log.read_text(errors='replace')}")
                    self.settle(process)
                    if left > 1:
                        running.append(self.start(target, left))
        finally:
            for process in running:
                process.stop()
                self.settle(process)

    def settle(self, process):
        """Adds up what an ended process did and keeps what it found."""
        executions, operations = process.counts()
        self.executions += executions
        self.operations += operations
        finding = process.finding()
        if finding:
            process.forget_input(self.corpora(process.target))
            if finding.signature not in self.findings:
                self.keep(finding)
        process.discard()

    def keep(self, finding):
        slug = re.sub(r"[^A-Za-z0-9.]+", "-", finding.signature)[:80].strip("-")
        path = builds.ROOT / "findings" / f"{slug}-{hashlib.sha1(finding.signature.encode()).hexdigest()[:8]}.rsq"
        path.parent.mkdir(exist_ok=True)
        shutil.copy(finding.path, path)
        path.with_suffix(".log").write_text(finding.log)
        self.findings[finding.signature] = path
        self.status.say(f"finding: {finding.signature}\n         {os.path.relpath(path)}")

    def show(self, target, running, end):
        counts = [process.counts() for process in running]
        executions = self.executions + sum(count[0] for count in counts)
        operations = self.operations + sum(count[1] for count in counts)
        spent = self.arguments.seconds - max(0, end - time.monotonic())
        corpus = len(os.listdir(self.corpora(target)[0]))
        self.status.show(f"{spent:.0f}/{self.arguments.seconds} s  {target}  {executions:,} runs  "
                         f"{operations / max(spent, 1):,.0f} ops/s  corpus {corpus:,}  findings {len(self.findings)}")


def measure_coverage(session):
    """Lines and branches of src/kernel that the corpora reach; None if no target is meant to reach any, or they crash."""
    targets = [target for target in session.arguments.target if engine.TARGETS[target].explores == "kernel"]
    if not targets:
        return None
    measurement = coverage.Measurement(session.work)
    try:
        for target in targets:
            measurement.replay(target, *session.corpora(target))
    except coverage.Crashed as crash:
        session.status.say(f"no coverage: {crash}")
        return None
    return measurement.totals()


def print_summary(session, covered):
    def row(name, text):
        print(f"{name:12}{text}")

    session.status.say("")
    row("targets", f"{', '.join(session.arguments.target)} ({session.arguments.build}, {session.arguments.jobs} jobs, "
                   f"seed {session.arguments.seed})")
    row("executions", f"{session.executions:,} in {session.seconds:.0f} s")
    row("operations", f"{session.operations:,}, {session.operations / max(session.seconds, 0.1):,.0f} a second")
    if covered:
        row("coverage", f"src/kernel: {coverage.describe(covered)}")
    row("findings", str(len(session.findings)))
    for signature, path in sorted(session.findings.items()):
        print(f"  {signature}\n      build/rescind run {os.path.relpath(path)}")


def main():
    arguments = parse_arguments()
    builds.make_or_exit("release", "rescind")
    builds.make_or_exit(arguments.build)
    builds.make_or_exit("coverage")
    (builds.ROOT / "work").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=builds.ROOT / "work", prefix="fuzz-") as work:
        session = Session(arguments, Path(work))

        def interrupt(number, _frame):
            if session.interrupted:
                sys.exit(128 + number)
            session.interrupted = True

        for target in arguments.target:
            session.collect_seeds(target)
        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGTERM, interrupt)
        session.fuzz()
        print_summary(session, measure_coverage(session))
    return 1 if session.findings else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
