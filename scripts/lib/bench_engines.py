"""Measures how near each fuzzing engine comes to the best that it could do on a target.

For each engine and target, in one run on one core: the executions a second of the engine on an empty target; those on the
target; then the time that the same binary takes for an input when it replays the corpus which that run left, without the
engine. The best is 1 / (the empty target's time + the replay's time per input). The ratio of measured to best is what the
engine's feedback, corpus and mutator leave; times are of the CPU, so that a busy machine distorts it less.
"""

import argparse
import ctypes
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import builds
import engine

PRESETS = {"libfuzzer": "fuzz-plain", "afl": "afl"}
PR_SET_CHILD_SUBREAPER = 36  # of <linux/prctl.h>
SEED_BYTES = 16
AFL_MAX_BYTES = 4096
REPLAYS = 20_000  # inputs, at least
QUIET = {"AFL_NO_UI": "1", "AFL_QUIET": "1", "AFL_SKIP_CPUFREQ": "1", "AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES": "1"}


@dataclass
class Row:
    engine: str
    target: str
    empty_per_second: float
    replay_microseconds: float
    per_second: float
    operations_per_second: float
    ratio: float
    corpus: int


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench-engines", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", action="append", choices=list(PRESETS), help="this one only; may be repeated")
    parser.add_argument("--target", action="append", choices=list(engine.TARGETS),
                        help="may be repeated (default: memory_small, mixed)")
    parser.add_argument("--seconds", type=int, default=20, metavar="N", help="fuzz for so long (default: 20)")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    arguments = parser.parse_args()
    if arguments.seconds < 2:
        parser.error("--seconds must be at least 2")
    arguments.engine = arguments.engine or list(PRESETS)
    arguments.target = arguments.target or ["memory_small", "mixed"]
    return arguments


def adopt_orphans():
    """afl-fuzz leaves its target behind unreaped: what has no parent any more becomes ours, so that its time counts."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        sys.exit("prctl: " + os.strerror(ctypes.get_errno()))


def reap_orphans():
    try:
        while True:
            os.wait()
    except ChildProcessError:
        pass


def cpu_seconds(command, environment, directory):
    """Runs a command to its end; the CPU time that it and what it started took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with (directory / "log").open("wb") as log:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=os.environ | environment,
                              cwd=directory)
    if done.returncode != 0:
        sys.exit((directory / "log").read_text(errors="replace")[-4000:] + f"\n{command[0]} failed")
    reap_orphans()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


class LibFuzzer:
    @staticmethod
    def fuzz(binary, target, seconds, directory):
        """CPU seconds, executions, and the directory of the corpus."""
        corpus = directory / "corpus"
        corpus.mkdir()
        options = ["-max_len=1024", "-len_control=0"] if target == "empty" else engine.options_of(target)
        spent = cpu_seconds([binary, *options, "-seed=1", f"-max_total_time={seconds}", "-print_final_stats=1", corpus], {},
                            directory)
        log = (directory / "log").read_text(errors="replace")
        return spent, int(re.search(r"number_of_executed_units: (\d+)", log)[1]), corpus


class Afl:
    @staticmethod
    def fuzz(binary, target, seconds, directory):
        (directory / "in").mkdir()
        (directory / "in" / "seed").write_bytes(bytes(SEED_BYTES))
        environment = dict(QUIET)
        mutator = binary.with_name(f"{target}.mutator.so")
        if mutator.is_file():
            environment |= {"AFL_CUSTOM_MUTATOR_LIBRARY": str(mutator), "AFL_CUSTOM_MUTATOR_ONLY": "1"}
        spent = cpu_seconds(["afl-fuzz", "-s", "1", "-V", str(seconds), "-t", "1000", "-G", str(AFL_MAX_BYTES), "-i", "in",
                             "-o", "out", "--", binary], environment, directory)
        stats = (directory / "out" / "default" / "fuzzer_stats").read_text()
        return spent, int(re.search(r"^execs_done *: (\d+)", stats, re.MULTILINE)[1]), directory / "out" / "default" / "queue"


ENGINES = {"libfuzzer": LibFuzzer, "afl": Afl}


def operations(counters):
    return engine.COUNTERS.unpack(counters.read_bytes())[1] if counters.is_file() else 0


def replay_seconds(binary, empty, corpus, directory):
    """CPU seconds per input; starting, and reading the files, which the empty target does as well, is taken off."""
    names = directory / "replay"
    names.mkdir()
    files = [path for path in sorted(corpus.iterdir()) if path.is_file()]
    for number, path in enumerate(files):
        (names / str(number)).symlink_to(path)  # short names: a command line is bounded
    inputs = [str(number) for number in range(len(files))]
    passes = 1 + REPLAYS // len(files)

    def pass_over(program):
        return cpu_seconds([program, *inputs * passes], {}, names)

    return max(pass_over(binary) - pass_over(empty), 1e-9) / (passes * len(files))


def measure(name, target, seconds, work):
    kind, binaries = ENGINES[name], builds.directory(PRESETS[name]) / "fuzz"
    directories = {part: work / f"{name}-{target}-{part}" for part in ("empty", "fuzz")}
    for directory in directories.values():
        directory.mkdir()
    spent, executions, _ = kind.fuzz(binaries / "empty", "empty", max(2, seconds // 3), directories["empty"])
    empty = executions / spent
    counters = directories["fuzz"] / "counters"
    os.environ["RESCIND_COUNTERS"] = str(counters)
    spent, executions, corpus = kind.fuzz(binaries / target, target, seconds, directories["fuzz"])
    count = operations(counters)
    del os.environ["RESCIND_COUNTERS"]
    per_input = replay_seconds(binaries / target, binaries / "empty", corpus, directories["fuzz"])
    measured, best = executions / spent, 1 / (1 / empty + per_input)
    return Row(name, target, empty, per_input * 1e6, measured, count / spent, measured / best, len(os.listdir(corpus)))


def print_table(rows):
    print(f"{'engine':10} {'target':13} {'empty/s':>11} {'replay us':>10} {'runs/s':>9} {'ops/s':>9} {'corpus':>7} {'ratio':>6}")
    for row in rows:
        print(f"{row.engine:10} {row.target:13} {row.empty_per_second:>11,.0f} {row.replay_microseconds:>10.1f} "
              f"{row.per_second:>9,.0f} {row.operations_per_second:>9,.0f} {row.corpus:>7,} {row.ratio:>6.0%}")


def main():
    arguments = parse_arguments()
    out = sys.stdout
    sys.stdout = sys.stderr if arguments.json else out
    for name in arguments.engine:
        mutators = [f"{target}.mutator" for target in arguments.target if name == "afl" and engine.TARGETS[target].geometry]
        builds.make_or_exit(PRESETS[name], "fuzz_empty", *(f"fuzz_{target}" for target in arguments.target), *mutators)
    sys.stdout = out
    adopt_orphans()
    rows = []
    (builds.ROOT / "work").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=builds.ROOT / "work", prefix="bench-") as work:
        for name in arguments.engine:
            rows += [measure(name, target, arguments.seconds, Path(work)) for target in arguments.target]
    if arguments.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        print_table(rows)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
