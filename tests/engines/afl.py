#!/usr/bin/env python3
"""AFL++ finds a seeded fault from a single seed, with the mutator, counters, findings and known signatures that it shares
with libFuzzer; and the real kernel stays silent meanwhile.

usage: afl.py [--keep]     builds by itself; --keep leaves what afl-fuzz wrote in work/test-afl
"""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "lib"))

import builds
import engine
import faults

TARGET = "lifecycle"
FAULT = "F49-destroy-keeps-delegated-caps"
SECONDS_MAX = 60
WORK = ROOT / "work" / "test-afl"

failures = []


def check(condition, what):
    print(f"{'ok    ' if condition else 'FAILED'}  {what}", flush=True)
    if not condition:
        failures.append(what)


class Campaign:
    """One run of afl-fuzz, and what it left."""

    def __init__(self, binaries, name, *, seconds, known=()):
        self.work = WORK / name
        self.findings = self.work / "findings"
        for directory in (self.findings, self.work / "seeds"):
            directory.mkdir(parents=True)
        (self.work / "seeds" / "seed").write_bytes(bytes(16))
        (self.work / "known").write_text("".join(f"{signature}\n" for signature in known))
        environment = os.environ | {
            "AFL_CUSTOM_MUTATOR_LIBRARY": str(binaries / f"{TARGET}.mutator.so"), "AFL_CUSTOM_MUTATOR_ONLY": "1",
            "AFL_NO_UI": "1", "AFL_SKIP_CPUFREQ": "1", "AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES": "1",
            "AFL_BENCH_UNTIL_CRASH": "1", "AFL_NO_AFFINITY": "1", "AFL_QUIET": "1",
            "RESCIND_COUNTERS": str(self.work / "counters"), "RESCIND_FINDINGS": str(self.findings),
            "RESCIND_KNOWN": str(self.work / "known"),
        }
        command = ["afl-fuzz", "-s", "1", "-t", "1000", "-V", str(seconds), "-G", "4096", "-i", self.work / "seeds", "-o", self.work / "out",
                   "--", binaries / TARGET]
        with (self.work / "log").open("wb") as log:
            self.status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                                         timeout=seconds + 60).returncode

    def files(self, kind):
        return sorted(path for path in (self.work / "out" / "default" / kind).glob("id:*"))

    def statistic(self, name):
        text = (self.work / "out" / "default" / "fuzzer_stats").read_text()
        return re.search(rf"^{name} *: *(\S+)", text, re.MULTILINE)[1]

    def counts(self):
        return engine.COUNTERS.unpack((self.work / "counters").read_bytes())


def faulty_binaries():
    tree = faults.Tree("afl", "test")
    if not tree.lay(faults.read_fault(faults.FAULTS / f"{FAULT}.patch")):
        sys.exit(f"{FAULT} does not apply")
    tree.make(f"fuzz_{TARGET}", f"{TARGET}.mutator", jobs=2)
    return tree.build / "fuzz"


def signature_of(finding):
    return re.search(r"^# check: (.*)$", finding.read_text(), re.MULTILINE)[1]


def look_at_queue(campaign):
    queue = campaign.files("queue")
    executions, operations = campaign.counts()
    check(not campaign.files("crashes") and not list(campaign.findings.iterdir()), "the real kernel stays silent")
    check(len(queue) > 50, f"the queue grows ({len(queue)})")
    check(executions > 1000 and operations > 3 * executions, f"counters count ({executions:,} runs, {operations:,} operations)")
    check(float(campaign.statistic("stability").rstrip("%")) == 100.0, "the same input gives the same coverage")
    for word in ("fresh", "ops", "bytes", "cross"):
        check(any(re.search(rf"[,-]{word}(-|$|,)", path.name) for path in queue), f"file names tell of `{word}`")
    return [path for path in queue if path.stat().st_size > 1024]


def main():
    shutil.rmtree(WORK, ignore_errors=True)
    builds.make("afl", f"fuzz_{TARGET}", f"{TARGET}.mutator", jobs=2)
    control = Campaign(builds.directory("afl") / "fuzz", "control", seconds=8)
    check(look_at_queue(control), "there are inputs longer than libFuzzer's 64 operations")

    binaries = faulty_binaries()
    found = Campaign(binaries, "fault", seconds=SECONDS_MAX)
    findings = list(found.findings.glob("*.rsq"))
    check(found.files("crashes"), f"{FAULT} is a crash for AFL++, found within {SECONDS_MAX} s")
    check(len(findings) == 1, "and a finding, as a sequence")
    expected = faults.read_fault(faults.FAULTS / f"{FAULT}.patch").expected
    signatures = [signature_of(finding) for finding in findings]
    check(signatures and signatures[0].split(".")[0] in expected, f"that fails as it must ({', '.join(signatures)})")

    silent = Campaign(binaries, "known", seconds=4, known=["*"])
    check(silent.counts()[0] > 1000, "the fault runs on when it is known")
    check(not silent.files("crashes") and not list(silent.findings.iterdir()), "and known findings are passed over")
    if failures or "--keep" in sys.argv:
        print(f"left in {WORK.relative_to(ROOT)}")
    else:
        shutil.rmtree(WORK)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
