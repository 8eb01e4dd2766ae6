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
HARDEST = 12  # faults in the report's second table


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench-search", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, metavar="N", help="only the first N of their order (default: all)")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="searches of each sort (default: 5)")
    parser.add_argument("--mode", action="append", choices=list(MODES), help="this way only; may be repeated")
    parser.add_argument("--budget", type=int, default=200_000, metavar="N", help="executions of a search (default: 200000)")
    parser.add_argument("--cpu-seconds", type=int, default=60, metavar="N", help="processor time of a search (default: 60)")
    parser.add_argument("--results", type=Path, action="append", metavar="FILE",
                        help="default: work/search.jsonl; may be repeated for a report")
    parser.add_argument("--report", action="store_true", help="print the table instead of searching")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="with --report: draw faults found against executions, as SVG")
    arguments = parser.parse_args()
    if min(arguments.seeds, arguments.budget, arguments.cpu_seconds, arguments.faults or 1) < 1:
        parser.error("numbers must be at least 1")
    if arguments.plot and not arguments.report:
        parser.error("--plot goes with --report only")
    arguments.results = arguments.results or [builds.ROOT / "work" / "search.jsonl"]
    if len(arguments.results) > 1 and not arguments.report:
        parser.error("only a report has more than one file of results")
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
        with arguments.results[0].open("a") as file:
            file.write(json.dumps(asdict(done)) + "\n")
        print(f"{fault.id:45} {mode:10} {seed} {executions:>9,} {seconds:6.1f} s  {found or '-'}", flush=True)


def search_all(arguments):
    arguments.commit = commit()
    arguments.results[0].parent.mkdir(exist_ok=True)
    done = {search.key() for search in read_results(arguments.results[0])}
    trees = {name: faults.Tree(name, "search") for name in set(map(preset, arguments.mode))}
    for fault in ordered_faults()[: arguments.faults]:
        missing = [(mode, seed) for seed in range(1, arguments.seeds + 1) for mode in arguments.mode
                   if (fault.id, mode, seed, arguments.budget) not in done]
        if missing:
            search_fault(trees, fault, missing, arguments)


# ---- what came of it ----


def effort(search):
    """Executions; a search that was given up would have taken more than any that was not."""
    return search.executions if search.signature else math.inf


class Results:
    """The searches of all faults that were searched for in each way, with each seed, by the same budget."""

    def __init__(self, searches):
        self.budget = max(search.budget for search in searches)
        efforts = {}
        for search in searches:
            if search.budget == self.budget:
                efforts.setdefault((search.fault, search.mode), {})[search.seed] = effort(search)
        self.modes = [mode for mode in MODES if any(mode == there for _, there in efforts)]
        self.seeds = max(map(len, efforts.values()))
        self.faults = sorted(fault for fault in {fault for fault, _ in efforts}
                             if all(len(efforts.get((fault, mode), ())) == self.seeds for mode in self.modes))
        self.efforts = {(fault, mode): sorted(efforts[fault, mode].values()) for fault in self.faults for mode in self.modes}

    def median(self, fault, mode):
        return statistics.median_low(self.efforts[fault, mode])

    def over_faults(self, mode):
        return statistics.median_low(self.median(fault, mode) for fault in self.faults)

    def found(self, mode):
        return sum(value < math.inf for fault in self.faults for value in self.efforts[fault, mode])

    def factor(self, mode, base):
        """How many times as many executions as another way, median over faults; what was not found counts as the budget."""
        return statistics.median(min(self.median(fault, mode), self.budget) / min(self.median(fault, base), self.budget)
                                 for fault in self.faults)

    def fewer(self, mode, base):
        return sum(self.median(fault, mode) < self.median(fault, base) for fault in self.faults)

    def number(self, value):
        return f"{value:,}" if value < math.inf else f"> {self.budget:,}"


BASE = "operations"


def report(results, searches):
    every = len(list(faults.FAULTS.glob("*.patch")))
    print(f"{len(results.faults)} of {every} seeded faults, {results.seeds} seeds, at most {results.budget:,} executions a search; "
          f"commits: {', '.join(sorted({search.commit for search in searches}))}\n")
    print("| inputs | searches that found | faults found by most seeds | executions to find, median | times those of the "
          "operation mutator, median over faults | fewer than it, of the faults |")
    print("|---|---|---|---|---|---|")
    for mode in results.modes:
        most = sum(results.median(fault, mode) < math.inf for fault in results.faults)
        against = f"{results.factor(mode, BASE):.2g} | {results.fewer(mode, BASE)}" if mode != BASE else "1 | -"
        print(f"| {MODES[mode]} | {results.found(mode)} of {len(results.faults) * results.seeds} | {most} | "
              f"{results.number(results.over_faults(mode))} | {against} |")
    print("\n| fault, median of the seeds | " + " | ".join(MODES[mode] for mode in results.modes) + " |")
    print("|---" * (1 + len(results.modes)) + "|")
    for fault in sorted(results.faults, key=lambda fault: -results.median(fault, BASE))[:HARDEST]:
        print(f"| {fault} | " + " | ".join(results.number(results.median(fault, mode)) for mode in results.modes) + " |")


def curve(results, mode):
    """Executions, and how many faults the searches of an average seed have found by then."""
    efforts = sorted(value for fault in results.faults for value in results.efforts[fault, mode] if value < math.inf)
    points = [(value, (at + 1) / results.seeds) for at, value in enumerate(efforts)]
    return [(1, 0), *points, (results.budget, len(efforts) / results.seeds)]


def plot(results, output):
    script = [f'set terminal svg size 800,500 dynamic background "white"; set output "{output}"',
              "set logscale x; set xrange [1:]; set yrange [0:]; set key right bottom; set grid",
              'set xlabel "executions"; set ylabel "faults found, mean of the seeds"; set format x "10^{%T}"',
              f'set title "{len(results.faults)} seeded faults, {results.seeds} seeds, from empty corpora, one core"']
    for mode in results.modes:
        script += [f"${mode} << EOD", *(f"{executions} {count}" for executions, count in curve(results, mode)), "EOD"]
    script.append("plot " + ", ".join(f'${mode} using 1:2 with steps linewidth 2 title "{MODES[mode]}"' for mode in results.modes))
    subprocess.run(["gnuplot"], input="\n".join(script).encode(), check=True)


def report_all(arguments):
    searches = [search for path in arguments.results for search in read_results(path)]
    if not searches:
        sys.exit("there are no results yet")
    results = Results(searches)
    if not results.faults or BASE not in results.modes:
        sys.exit(f"no fault has been searched for in all ways, {BASE} among them, with all seeds")
    report(results, searches)
    if arguments.plot:
        plot(results, arguments.plot)


def main():
    arguments = parse_arguments()
    try:
        if arguments.report:
            report_all(arguments)
        else:
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
