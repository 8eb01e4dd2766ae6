"""Does triage tell causes apart? Makes different failing inputs of each seeded fault, found independently by random
generation and not shrunk, sorts them as scripts/triage does (`rescind cause`), and counts what went wrong:

  split   an input that is not in the largest group of its fault
  merged  an input in a group in which another fault has more inputs

Each fault is a kernel of its own; with --pairs, also kernels that have two faults each, chosen at random, since a key
that follows whatever a kernel does wrong would never merge two causes in kernels that have one. Of these, inputs that
fail with the other fault alone are left out.

What has been measured is a line of the results file and is not measured again, so that the whole can be stopped and
gone on with. With --report nothing is measured: prints the tables of docs/sorting.md.

Exit status: 0 measured, 2 usage error or a failed build.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import bench_search
import builds
import engine
import faults

RESULTS = builds.ROOT / "work" / "sort.jsonl"
OPERATIONS = 40  # of an input
TRIES = 2_000_000  # generated sequences for the inputs of a fault
KINDS = {"ports": "pio", "objects": "obj", "tlb": "mem,obj"}  # fuzz targets that make only these
HANG_SECONDS = 3
KEYS = {"signature": "signature of the input, as before", "shrunk": "signature and shrunk sequence", "cause": "cause"}


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench-sort", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=20, metavar="N", help="of each fault (default: 20)")
    parser.add_argument("--pairs", type=int, default=0, metavar="N", help="also N kernels with two faults (default: 0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="kernels at a time (default: one a core)")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FILE", help="default: work/sort.jsonl")
    parser.add_argument("--report", action="store_true", help="print the tables instead of measuring")
    parser.add_argument("id", nargs="*", metavar="ID", help="fault (default: all)")
    arguments = parser.parse_args()
    if min(arguments.inputs, arguments.jobs, arguments.pairs + 1) < 1:
        parser.error("numbers must be at least 1")
    every = [faults.read_fault(path) for path in sorted(faults.FAULTS.glob("*.patch"))]
    if unknown := set(arguments.id) - {fault.id for fault in every}:
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    arguments.faults = [fault for fault in every if not arguments.id or fault.id in arguments.id]
    return arguments


# ---- measuring ----


@dataclass
class Kernel:
    """A line of the results file: one kernel, and its inputs as sorted."""

    commit: str
    faults: list
    inputs: list = field(default_factory=list)  # {fault, signature, operations, shrink_milliseconds, cause, shown_as, sequence}


def read_results(path):
    return [Kernel(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


def seed_of(text):
    return int(hashlib.sha1(text.encode()).hexdigest()[:8], 16)


def make_inputs(rescind, fault, count, directory):
    """Failing sequences, in the order in which they were found."""
    kind = engine.TARGETS[fault.target]
    options = [f"--geometry={kind.geometry}", f"--cpus={kind.cpus}", f"--ops={OPERATIONS}"]
    if fault.target in KINDS:
        options.append(f"--kinds={KINDS[fault.target]}")
    if fault.target == "quota":
        options.append("--oom")
    subprocess.run([rescind, "gen", f"--count={count}", f"--failing={TRIES}", f"--seed={seed_of(fault.id)}", "-o", directory,
                    *options], check=True, stdout=subprocess.DEVNULL)
    return sorted(directory.glob("*.rsq"), key=lambda path: int(path.stem.split("-")[-1]))


def sort(rescind, labelled):
    """[(fault, path)] as sorted."""
    done = subprocess.run([rescind, "cause", f"--timeout={HANG_SECONDS}", *(path for _, path in labelled)], check=True,
                          stdout=subprocess.PIPE)
    outcomes = [json.loads(line) for line in done.stdout.decode().splitlines()]
    return [{"fault": fault} | {key: value for key, value in outcome.items() if key != "path"}
            for (fault, _), outcome in zip(labelled, outcomes) if outcome["signature"]]


def failing(rescind, paths):
    if not paths:
        return []
    done = subprocess.run([rescind, "run", "--json", f"--timeout={HANG_SECONDS}", *paths], stdout=subprocess.PIPE)
    outcomes = [json.loads(line) for line in done.stdout.decode().splitlines()]
    return [path for path, outcome in zip(paths, outcomes) if outcome["signature"]]


def measure_one(tree, fault, arguments, work):
    if not tree.lay(fault):
        raise builds.BuildFailed(f"{fault.id}: the patch does not apply\n")
    tree.make("rescind")
    paths = make_inputs(tree.rescind, fault, arguments.inputs, work / fault.id)
    return sort(tree.rescind, [(fault.id, path) for path in paths])


def measure_two(tree, pair, arguments, work):
    """None: the two do not go together."""
    inputs = {}
    for fault, other in (pair, pair[::-1]):
        if not tree.lay(fault):
            raise builds.BuildFailed(f"{fault.id}: the patch does not apply\n")
        tree.make("rescind")
        inputs[fault.id] = make_inputs(tree.rescind, fault, arguments.inputs, work / f"{fault.id}+{other.id}")
    for fault, other in (pair, pair[::-1]):
        tree.lay(other)
        tree.make("rescind")
        excluded = set(failing(tree.rescind, inputs[fault.id]))
        inputs[fault.id] = [path for path in inputs[fault.id] if path not in excluded]
    if not lay_both(tree, pair):
        return None
    tree.make("rescind")
    labelled = [(fault.id, path) for fault in pair for path in failing(tree.rescind, inputs[fault.id])]
    return sort(tree.rescind, labelled) if len({fault for fault, _ in labelled}) == 2 else None


def lay_both(tree, pair):
    with tempfile.TemporaryDirectory() as name:
        fresh = Path(name)
        shutil.copytree(builds.ROOT / faults.KERNEL, fresh / faults.KERNEL)
        for fault in pair:
            done = subprocess.run(["patch", "-p1", "-s", "-F0", "-d", fresh, "-i", fault.patch], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
            if done.returncode != 0:
                return False
        faults.copy_changes(fresh / faults.KERNEL, tree.kernel)
    return True


def choose_pairs(every, count):
    """Always the same; more than asked for, since not all go together."""
    small = [fault for fault in every if engine.TARGETS[fault.target].geometry == "small"]
    dice = random.Random(1)
    return [dice.sample(small, 2) for _ in range(2 * count)] if len(small) > 1 else []


class Progress:
    def __init__(self, total):
        self._lock, self._done, self._total = threading.Lock(), 0, total

    def note(self, kernel):
        with self._lock:
            self._done += 1
            print(f"{self._done:3} of {self._total}  {words_of(kernel)}", flush=True)


def words_of(kernel):
    counts = count([kernel], "cause")
    return f"{' + '.join(kernel.faults):70} {counts.inputs:3} inputs, {counts.groups} groups, {counts.split} split, {counts.merged} merged"


def measure_all(arguments):
    arguments.results.parent.mkdir(parents=True, exist_ok=True)
    commit = bench_search.commit()
    known = {tuple(kernel.faults) for kernel in read_results(arguments.results)}
    jobs = [(measure_one, fault, [fault.id]) for fault in arguments.faults]
    jobs += [(measure_two, pair, [fault.id for fault in pair]) for pair in choose_pairs(arguments.faults, arguments.pairs)]
    jobs = [job for job in jobs if tuple(job[2]) not in known]
    twos = threading.Semaphore(max(0, arguments.pairs - sum(len(names) == 2 for names in known)))
    local, numbers, lock, progress = threading.local(), iter(range(arguments.jobs)), threading.Lock(), Progress(len(jobs))

    def take_tree():
        local.tree = faults.Tree("release", f"sort-{next(numbers)}")

    def run(job):
        measure, what, names = job
        if len(names) == 2 and not twos.acquire(blocking=False):
            return
        inputs = measure(local.tree, what, arguments, Path(work))
        if inputs is None:
            twos.release()
            return
        kernel = Kernel(commit, names, inputs)
        with lock, arguments.results.open("a") as file:
            file.write(json.dumps(kernel.__dict__) + "\n")
        progress.note(kernel)

    with tempfile.TemporaryDirectory(dir=builds.ROOT / "work", prefix="sort-") as work:
        with ThreadPoolExecutor(arguments.jobs, initializer=take_tree) as pool:
            list(pool.map(run, jobs))


# ---- counting ----


@dataclass
class Counts:
    inputs: int = 0
    groups: int = 0
    split: int = 0
    merged: int = 0
    mixed: list = field(default_factory=list)  # groups with several faults: {fault: inputs}


def key_of(entry, key):
    if key == "shrunk":
        return entry["signature"], entry["shrunk"]
    return entry[key]


def count(kernels, key):
    groups = defaultdict(Counter)
    for kernel in kernels:
        for entry in kernel.inputs:
            groups[key_of(entry, key)][entry["fault"]] += 1
    counts = Counts(groups=len(groups))
    totals, largest = Counter(), Counter()
    for group in groups.values():
        counts.merged += sum(group.values()) - max(group.values())
        if len(group) > 1:
            counts.mixed.append(dict(group))
        for fault, number in group.items():
            totals[fault] += number
            largest[fault] = max(largest[fault], number)
    counts.inputs = sum(totals.values())
    counts.split = counts.inputs - sum(largest.values())
    return counts


def add(many):
    total = Counts()
    for counts in many:
        total = Counts(total.inputs + counts.inputs, total.groups + counts.groups, total.split + counts.split,
                       total.merged + counts.merged, total.mixed + counts.mixed)
    return total


def share(part, whole):
    return f"{part} ({100 * part / whole:.1f} %)" if whole else "-"


def print_keys(title, countings):
    print(f"{title}\n\n| key | inputs | groups | split | merged | groups with two faults |\n|---|---|---|---|---|---|")
    for key, counts in countings:
        print(f"| {KEYS[key]} | {counts.inputs} | {counts.groups} | {share(counts.split, counts.inputs)} | "
              f"{share(counts.merged, counts.inputs)} | {len(counts.mixed)} |")
    print()


def print_faults(kernels):
    print("| fault | inputs | signatures | groups | split | operations, median | shrinking, slowest |\n|---|---|---|---|---|---|---|")
    for kernel in sorted(kernels, key=lambda kernel: kernel.faults):
        counts, entries = count([kernel], "cause"), kernel.inputs
        print(f"| {kernel.faults[0]} | {counts.inputs} | {len({entry['signature'] for entry in entries})} | {counts.groups} | "
              f"{counts.split} | {statistics.median(entry['operations'] for entry in entries):g} | "
              f"{max(entry['shrink_milliseconds'] for entry in entries) / 1000:.2f} s |")
    print()


def report(arguments):
    kernels = [kernel for kernel in read_results(arguments.results) if kernel.inputs]
    ones, twos = ([kernel for kernel in kernels if len(kernel.faults) == number] for number in (1, 2))
    if not ones:
        print("nothing measured yet")
        return
    print(f"Measured at commit {', '.join(sorted({kernel.commit for kernel in kernels}))}.\n")
    print_keys(f"One fault in each kernel, {len(ones)} faults:", [(key, count(ones, key)) for key in KEYS])
    for group in count(ones, "cause").mixed:
        print("merged: " + ", ".join(f"{number} of {fault}" for fault, number in sorted(group.items())))
    if twos:
        print_keys(f"Two faults in each kernel, {len(twos)} kernels:",
                   [(key, add(count([kernel], key) for kernel in twos)) for key in KEYS])
        for kernel in twos:
            if mixed := count([kernel], "cause").mixed:
                print(f"merged in a kernel with {' and '.join(kernel.faults)}: " + "; ".join(map(str, mixed)))
    entries = [entry for kernel in ones for entry in kernel.inputs]
    medians = [statistics.median(entry["operations"] for entry in kernel.inputs) for kernel in ones]
    smallest = [min(entry["operations"] for entry in kernel.inputs) for kernel in ones]
    print(f"Operations after shrinking: median over the faults {statistics.median(medians):g} (of the median input), "
          f"{statistics.median(smallest):g} (of the shortest); longest {max(entry['operations'] for entry in entries)}. "
          f"Shrinking took {statistics.median(entry['shrink_milliseconds'] for entry in entries):g} ms (median), "
          f"{max(entry['shrink_milliseconds'] for entry in entries) / 1000:.1f} s at most.\n")
    print_faults(ones)


def main():
    arguments = parse_arguments()
    if not arguments.report:
        try:
            measure_all(arguments)
        except builds.BuildFailed as failure:
            sys.stderr.write(str(failure))
            return 2
    report(arguments)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
