"""Mutants of the kernel: one line of src/kernel is changed as slips of a programmer would change it (a statement left out, a
condition turned round or never met, another relation, another connective, a bound off by one), by lot. Each must be killed:
by the stored sequences, or else by fuzzing from an empty corpus, target after target. Unlike faults/*.patch nobody chose
them with a check in mind.

What survives is printed and its patch kept in work/mutants. It is either no fault (another order of the same work, a
bookkeeping of the tests, one flush too many) or a gap in the checks: that is for a person to tell.

Exit status: 0 all are told about, 2 usage error or a failed build of the kernel as it is.
"""

import argparse
import difflib
import os
import random
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import builds
import engine
import faults

WORK = builds.ROOT / "work" / "mutants"
STORED = ("corpus/scenarios", "corpus/semantics", "corpus/regress", "faults")
SEARCHED = ("memory_small", "interleavings", "quota", "tlb", "memory_real", "registers")
GEOMETRIES = ("small", "real")

# What only counts, poisons or asserts: the kernel does the same without.
PASSED_OVER = re.compile(r"KSTEP|KASSERT|arch_forbid|arch_permit|arch_stop\(|_reset\(")
STATEMENT = re.compile(r"^(\s+)[\w>.\-\[\]()*&+]+(?:\(.*\)| [-+|&]?= .*|\+\+|--);$")
CONDITION = re.compile(r"^(\s+(?:\} else )?(?:if|while) \()(.*)(\) \{)$")
EXCHANGED = {
    "connective": (("&&", "||"), ("||", "&&"), (" & ", " | "), (" | ", " & ")),
    "relation": (("==", "!="), ("!=", "=="), (" < ", " <= "), (" <= ", " < "), (" > ", " >= "), (" >= ", " > ")),
    "bound": ((" + 1", ""), (" - 1", "")),
    "answer": (("return true;", "return false;"), ("return false;", "return true;")),
}


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/mutants", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20, metavar="N", help="mutants (default: 20)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="chooses them (default: 1)")
    parser.add_argument("--seconds", type=int, default=60, metavar="N",
                        help="search with each target so long for what the corpus does not kill (default: 60)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="mutants at a time (default: one a core)")
    parser.add_argument("file", nargs="*", metavar="FILE.c", help="only mutants of these files of src/kernel")
    arguments = parser.parse_args()
    if min(arguments.count, arguments.seconds, arguments.jobs) < 1:
        parser.error("numbers must be at least 1")
    arguments.sources = sorted((builds.ROOT / faults.KERNEL).glob("*.c"))
    if unknown := set(arguments.file) - {source.name for source in arguments.sources}:
        parser.error(f"not in src/kernel: {', '.join(sorted(unknown))}")
    if arguments.file:
        arguments.sources = [source for source in arguments.sources if source.name in arguments.file]
    return arguments


# ---- mutants ----


@dataclass
class Mutant:
    source: Path
    line: int  # from 0
    change: str
    code: str  # instead of the line
    number: int = 0  # among all

    def name(self):
        return f"{self.source.name}:{self.line + 1} {self.change}"

    def patch(self):
        before = self.source.read_text().splitlines(keepends=True)
        after = [*before[: self.line], f"{self.code}\n", *before[self.line + 1:]]
        path = str(faults.KERNEL / self.source.name)
        return "".join(difflib.unified_diff(before, after, f"a/{path}", f"b/{path}"))


def changes_of(line):
    """Each (kind of change, other line)."""
    if STATEMENT.match(line) and not line.strip().startswith("return"):
        yield "left out", f"{STATEMENT.match(line)[1]};"
    if condition := CONDITION.match(line):
        yield "turned round", f"{condition[1]}!({condition[2]}){condition[3]}"
        yield "never", f"{condition[1]}false && ({condition[2]}){condition[3]}"
    for kind, pairs in EXCHANGED.items():
        for old, new in pairs:
            for found in re.finditer(re.escape(old), line):
                yield kind, line[: found.start()] + new + line[found.end():]


def mutants_of(source):
    for number, line in enumerate(source.read_text().splitlines()):
        if line.startswith("    ") and not line.strip().startswith(("*", "/*")) and not PASSED_OVER.search(line):
            for change, code in changes_of(line):
                yield Mutant(source, number, change, code)


# ---- killing ----


def stored_sequences():
    """Those of each geometry."""
    paths = sorted(path for directory in STORED for path in (builds.ROOT / directory).rglob("*.rsq"))
    return {geometry: [path for path in paths if (faults.geometry_of(path) == geometry)] for geometry in GEOMETRIES}


def failed_in(tree, sequences):
    """What the first of the sequences that fails does; None: all agree."""
    for geometry in GEOMETRIES:
        library = tree.make_library(sequences[geometry][0])
        if signature := first_finding([builds.directory("release") / "rescind", "run", library, "--timeout=20", *sequences[geometry]]):
            return signature
    return None


def first_finding(command):
    """What follows is not awaited: a kernel that hangs does so in most sequences. None: all agree."""
    said = []
    with subprocess.Popen(["stdbuf", "-oL", *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", cwd=builds.ROOT) as process:
        for line in process.stdout:
            said.append(line)
            if found := re.match(r"FINDING \S+ (.*)$", line):
                process.kill()
                return found[1]
    if process.returncode != 0:
        raise RuntimeError("".join(said))
    return None


@dataclass
class Trial:
    mutant: Mutant
    result: str = "survived"
    detail: str = ""


def try_mutant(trees, mutant, sequences, arguments, work):
    name = f"{mutant.number:04}-{mutant.source.stem}-{mutant.line + 1}"
    patch = WORK / f"{name}.patch"
    patch.write_text(mutant.patch())
    trial = Trial(mutant)
    plain, fuzzed = trees
    plain.lay(faults.Fault(name, SEARCHED[0], patch=patch))
    try:
        signature = failed_in(plain, sequences)
    except builds.BuildFailed:
        trial.result = "not built"
        signature = None
    if signature:
        trial.result, trial.detail = "corpus", signature
    for target in SEARCHED if trial.result == "survived" else ():
        found = faults.search(fuzzed, faults.Fault(f"{name}-{target}", target, patch=patch), arguments, work)
        if found.killed():
            trial.result, trial.detail = "search", f"{target}, {found.seconds:.0f} s: {found.signature}"
            break
    if trial.result != "survived":
        patch.unlink()
    return trial


def print_trial(trial):
    print(f"{trial.mutant.name():34} {trial.result:9} {trial.detail}", flush=True)
    if trial.result == "survived":
        before = trial.mutant.source.read_text().splitlines()[trial.mutant.line]
        print(f"    - {before.strip()}\n    + {trial.mutant.code.strip()}", flush=True)


def main():
    arguments = parse_arguments()
    WORK.mkdir(parents=True, exist_ok=True)
    mutants = [mutant for source in arguments.sources for mutant in mutants_of(source)]
    for number, mutant in enumerate(mutants):
        mutant.number = number
    chosen = random.Random(arguments.seed).sample(mutants, min(arguments.count, len(mutants)))
    print(f"{len(chosen)} of {len(mutants)} mutants, seed {arguments.seed}; up to {len(SEARCHED)} x {arguments.seconds} s each")
    arguments.build, arguments.store = "fuzz", False
    sequences, results = stored_sequences(), []
    builds.make_or_exit("release", "rescind")

    def trees(number):
        return faults.Tree("release", f"mutants-{number}"), faults.Tree("fuzz", f"mutants-{number}")

    with tempfile.TemporaryDirectory(dir=WORK) as work:
        for trial in faults.side_by_side(arguments.jobs, trees, chosen,
                                         lambda pair, mutant: try_mutant(pair, mutant, sequences, arguments, Path(work))):
            print_trial(trial)
            results.append(trial.result)
    print(", ".join(f"{results.count(result)} {words}" for result, words in (
        ("corpus", "killed by the corpus"), ("search", "by search"), ("survived", "survived"), ("not built", "not built"))))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
