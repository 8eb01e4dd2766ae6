"""Is guidance worth it? Searches for seeded faults from empty corpora, on one core, in several ways, and counts
executions to the first finding:

  random      every input is a fresh generated sequence; what ran before does not matter
  raw         libFuzzer mutates bytes
  operations  libFuzzer with the operation mutator, as scripts/fuzz runs it
  afl         AFL++ with the operation mutator, from one operation of zeros, since it wants some input

Each search that has ended is a line of the results file; searches whose line is there are not done again, so that the
whole can be stopped and gone on with. The faults come in an order of their own, always the same: a part of them is a
random sample. Time is that of the processor, and ends only searches that are far slower than others.

With --report nothing is searched for: the table of what the results file holds is printed, as docs/benchmarks.md has it,
and with --plot FILE drawn (gnuplot).

Exit status: 0, 2 usage error or a failed build.
"""

import argparse
import hashlib
import json
import math
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import builds
import engine
import faults
import inputs

MODES = {
    "random": "random generation",
    "raw": "libFuzzer, raw bytes",
    "operations": "libFuzzer, operation mutator",
    "afl": "AFL++, operation mutator",
}
MUTATORS = {"random": "generate", "raw": "raw", "operations": "operations"}  # RESCIND_MUTATOR of libFuzzer's
AFL_VARIABLES = {"AFL_NO_UI": "1", "AFL_SKIP_CPUFREQ": "1", "AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES": "1", "AFL_FAST_CAL": "1",
                 "AFL_NO_AFFINITY": "1", "AFL_BENCH_UNTIL_CRASH": "1", "AFL_CUSTOM_MUTATOR_ONLY": "1"}
AFL_PATIENCE = 3  # its budget of time is not the processor's
CRASHED = (77, 1)  # exit statuses of libFuzzer, and of the sanitizer that catches bad addresses in any build
NICE = 10


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench-search", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, metavar="N", help="only the first N of their order (default: all)")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="searches of each sort (default: 5)")
    parser.add_argument("--mode", action="append", choices=list(MODES), help="this way only; may be repeated")
    parser.add_argument("--budget", type=int, default=200_000, metavar="N", help="executions of a search (default: 200000)")
    parser.add_argument("--cpu-seconds", type=int, default=60, metavar="N", help="processor time of a search (default: 60)")
    parser.add_argument("--results", type=Path, default=builds.ROOT / "work" / "search.jsonl", metavar="FILE",
                        help="default: work/search.jsonl")
    parser.add_argument("--report", action="store_true", help="print the table instead of searching")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="with --report: draw faults found against executions, as SVG")
    arguments = parser.parse_args()
    if min(arguments.seeds, arguments.budget, arguments.cpu_seconds, arguments.faults or 1) < 1:
        parser.error("numbers must be at least 1")
    if arguments.plot and not arguments.report:
        parser.error("--plot goes with --report only")
    arguments.mode = [mode for mode in MODES if mode in (arguments.mode or MODES)]
    return arguments


@dataclass
class Search:
    """A line of the results file."""

    commit: str  # of the sources
    fault: str
    target: str
    mode: str
    seed: int
    budget: int
    executions: int  # until the finding, or until given up
    cpu_seconds: float
    signature: str  # "": nothing found

    def key(self):
        return self.fault, self.mode, self.seed, self.budget


def read_results(path):
    return [Search(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


# ---- searching ----


def ordered_faults():
    every = [faults.read_fault(path) for path in faults.FAULTS.glob("*.patch")]
    return sorted(every, key=lambda fault: hashlib.sha1(fault.id.encode()).digest())


def commit():
    done = subprocess.run(["git", "-C", builds.ROOT, "describe", "--always", "--dirty", "--abbrev=12"],
                          stdout=subprocess.PIPE, check=True)
    return done.stdout.decode().strip()


def finding_in(log):
    """The signature, and whether the execution that failed has been counted: one that crashed has not."""
    if match := re.search(r"^rescind: finding (.*)$", log, re.MULTILINE):
        return match[1], True
    match = re.search(r"^SUMMARY: \S+ (\S+) \S*?([^/ ]+ in \w+)$", log, re.MULTILINE)
    return f"{match[1]} {match[2]}" if match else "", False


def preset(mode):
    """Without sanitizers: a finding of the oracle is one without them too, and comes sooner."""
    return "afl" if mode == "afl" else "fuzz-plain"


def limits(cpu_seconds):
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))


def start(command, directory, **options):
    with (directory / "log").open("wb") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=directory, **options)


def run_libfuzzer(binary, mode, seed, arguments, directory, environment):
    """The signature, or "", and how many executions ended the process before they were counted."""
    (directory / "corpus").mkdir()
    process = start([binary, *engine.options_of(binary.name), f"-runs={arguments.budget}", f"-seed={seed}", "-timeout=1000",
                     f"-artifact_prefix={directory}/", directory / "corpus"], directory,
                    env=environment | {"RESCIND_MUTATOR": MUTATORS[mode]}, preexec_fn=lambda: limits(arguments.cpu_seconds))
    status = process.wait()
    text = (directory / "log").read_text(errors="replace")
    signature, counted = finding_in(text) if status in CRASHED else ("", True)
    if not signature and status not in (0, -signal.SIGXCPU, -signal.SIGKILL):
        raise RuntimeError(f"{binary.name} ended with {status}:\n{text}")
    return signature, not counted


def run_afl(binary, _mode, seed, arguments, directory, environment):
    (directory / "seeds").mkdir()
    (directory / "seeds" / "zeros").write_bytes(bytes(inputs.OPERATION_BYTES))
    mutator = binary.with_name(f"{binary.name}.mutator.so")
    command = ["afl-fuzz", "-i", "seeds", "-o", "output", "-s", str(seed), "-E", str(arguments.budget), "-V",
               str(arguments.cpu_seconds * AFL_PATIENCE), "-m", "none", "-t", "10000", "--", binary]
    start(command, directory, preexec_fn=lambda: os.nice(NICE),
          env=environment | AFL_VARIABLES | {"AFL_CUSTOM_MUTATOR_LIBRARY": str(mutator)}).wait()
    for sequence in directory.glob("*.rsq"):
        return re.search(r"^# check: (.*)$", sequence.read_text(), re.MULTILINE)[1], 0
    crashes = list(directory.glob("output/default/crashes/id:*"))
    if not crashes and not (directory / "output" / "default" / "fuzzer_stats").exists():
        raise RuntimeError(f"afl-fuzz does not run {binary.name}:\n{(directory / 'log').read_text(errors='replace')}")
    return ("crash", 1) if crashes else ("", 0)


def run(binary, mode, seed, arguments, directory):
    """Executions, processor time, signature ("": none)."""
    counters = directory / "counters"
    counters.write_bytes(bytes(engine.COUNTERS.size))
    before = os.times()
    signature, uncounted = (run_afl if mode == "afl" else run_libfuzzer)(
        binary, mode, seed, arguments, directory,
        os.environ | {"RESCIND_COUNTERS": str(counters), "RESCIND_FINDINGS": str(directory)})
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return engine.COUNTERS.unpack(counters.read_bytes())[0] + uncounted, spent, signature


def search_fault(trees, fault, missing, arguments):
    """The searches that are missing for one fault, one build for all of an engine."""
    for name in dict.fromkeys(preset(mode) for mode, _ in missing):
        if not trees[name].lay(fault):
            sys.exit(f"{fault.id}: the patch does not apply")
        trees[name].make(f"fuzz_{fault.target}", *([f"{fault.target}.mutator"] if name == "afl" else []))
    for mode, seed in missing:
        with tempfile.TemporaryDirectory(dir=builds.ROOT / "work", prefix="search-") as work:
            binary = trees[preset(mode)].build / "fuzz" / fault.target
            executions, seconds, found = run(binary, mode, seed, arguments, Path(work))
        done = Search(arguments.commit, fault.id, fault.target, mode, seed, arguments.budget, executions, round(seconds, 2), found)
        with arguments.results.open("a") as file:
            file.write(json.dumps(asdict(done)) + "\n")
        print(f"{fault.id:45} {mode:10} {seed} {executions:>9,} {seconds:6.1f} s  {found or '-'}", flush=True)


def search_all(arguments):
    arguments.commit = commit()
    arguments.results.parent.mkdir(exist_ok=True)
    done = {search.key() for search in read_results(arguments.results)}
    trees = {name: faults.Tree(name, "search") for name in set(map(preset, arguments.mode))}
    for fault in ordered_faults()[: arguments.faults]:
        missing = [(mode, seed) for seed in range(1, arguments.seeds + 1) for mode in arguments.mode
                   if (fault.id, mode, seed, arguments.budget) not in done]
        if missing:
            search_fault(trees, fault, missing, arguments)


def main():
    arguments = parse_arguments()
    try:
        search_all(arguments)
    except builds.BuildFailed as failure:
        sys.stderr.write(str(failure))
        return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
