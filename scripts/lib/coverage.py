"""Which lines, branches and functions of src/kernel inputs reach: all sequences of corpus/, and whatever fuzzing has kept.

Prints a line for each file of the kernel and the branches that were never taken, and leaves a report behind: index.html,
and files.txt and never.txt with what it prints, for comparing with another time's.

With --on qemu: which functions and lines of kernel.elf the corpus reaches on a booted machine, and whatever else was run on that
kernel before; blocks of machine code tell, with no instrumentation.

Exit status: 0, 2 usage error, a failed build, or inputs that the kernel does not survive.
"""

import argparse
import collections
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import blocks
import builds
import engine
import inputs
import seeds

KERNEL = builds.ROOT / "src" / "kernel"
REPORT = builds.directory("coverage") / "report"
KINDS = ("lines", "branches", "functions")


class Crashed(Exception):
    """Inputs that end a program: says which."""


class Measurement:
    """Programs of the preset `coverage` that have run, and what their kernels counted."""

    def __init__(self, work):
        self.work = work
        self.programs = []

    def run(self, name, *arguments, good=(0,)):
        """Counters live in the profile from the start (%c): what a killed process did is in it too."""
        program = builds.directory("coverage") / name
        (self.work / "known").write_text("*\n")
        profile = self.work / f"{len(self.programs)}.profraw"
        environment = os.environ | {"LLVM_PROFILE_FILE": f"{profile}%c", "RESCIND_KNOWN": str(self.work / "known")}
        self.programs.append(program)
        done = subprocess.run([program, *arguments], env=environment, cwd=self.work, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        if done.returncode not in good:
            raise Crashed(f"{name} does not survive its inputs:\n{done.stdout.decode(errors='replace')}")

    def replay(self, target, *corpora):
        self.run(f"fuzz/{target}", "-runs=0", *corpora)

    def _read(self, command, *options):
        profiles, merged = sorted(self.work.glob("*.profraw*")), self.work / "profile"
        subprocess.run(["llvm-profdata", "merge", *profiles, "-o", merged], check=True)
        programs = sorted(set(self.programs))
        objects = [str(programs[0])] + [word for program in programs[1:] for word in ("-object", str(program))]
        return subprocess.run(["llvm-cov", command, *options, "-instr-profile", merged, *objects], check=True,
                              stdout=subprocess.PIPE).stdout

    def totals(self):
        return json.loads(self._read("export", "-summary-only"))["data"][0]["totals"]

    def export(self):
        return json.loads(self._read("export"))["data"][0]

    def show(self, directory):
        self._read("show", "-format=html", "-show-branches=count", f"-output-dir={directory}",
                   "-project-title=Rescind: src/kernel")


def describe(totals):
    return ", ".join(f"{totals[kind]['covered']} of {totals[kind]['count']} {kind} ({totals[kind]['percent']:.1f} %)"
                     for kind in ("lines", "branches"))


# ---- the report ----


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/coverage", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", nargs="*", type=Path, metavar="DIRECTORY",
                        help="with inputs of fuzz targets, each in a directory called like its target (default: work/corpus "
                             "and work/campaign, if there)")
    parser.add_argument("--shipped", action="store_true", help="only what corpus/ holds")
    parser.add_argument("-o", "--output", type=Path, default=REPORT, metavar="DIRECTORY", help=f"default: {os.path.relpath(REPORT)}")
    parser.add_argument("--on", choices=["host", "qemu"], default="host", help="where the kernel runs (default: host)")
    arguments = parser.parse_args()
    if arguments.on == "qemu" and (arguments.directory or arguments.shipped):
        parser.error("--on qemu goes with neither directories nor --shipped")
    if missing := [str(directory) for directory in arguments.directory if not directory.is_dir()]:
        parser.error(f"no such directory: {', '.join(missing)}")
    if arguments.shipped and arguments.directory:
        parser.error("--shipped goes with no directory")
    if not arguments.shipped and not arguments.directory:
        arguments.directory = [directory for directory in inputs.KEPT if directory.is_dir()]
    return arguments


def measure(measurement, directories):
    """A fuzz target reads what it can of an input, whatever it is; the sequences of corpus/ run as they are."""
    measurement.run("rescind", "run", builds.ROOT / "corpus", good=(0, 1))
    for target, kind in engine.TARGETS.items():
        if kind.explores != "kernel":
            continue
        folder = measurement.work / "inputs" / target
        folder.mkdir(parents=True)
        raw = [path.read_bytes() for path in seeds.own(target) if path.suffix != ".rsq"]
        for number, content in enumerate([*raw, *inputs.kept(directories, target)]):
            (folder / str(number)).write_bytes(content)
        measurement.replay(target, folder)


def name_of(path):
    return os.path.relpath(path, builds.ROOT)


def file_table(exported):
    yield f"{'file':34}" + "".join(f"{kind:>24}" for kind in KINDS)
    files = sorted(exported["files"], key=lambda file: file["filename"])
    for name, summary in [*((name_of(file["filename"]), file["summary"]) for file in files), ("all", exported["totals"])]:
        if summary["functions"]["count"]:
            counts = ((summary[kind]["covered"], summary[kind]["count"]) for kind in KINDS)
            yield f"{name:34}" + "".join(
                f"{covered:>8} of {count:>4}" + (f" {covered / count:8.1%}" if count else f"{'-':>9}") for covered, count in counts)


def never_taken(exported):
    """A line for each side of a branch that no instance of its code took, and for each function that was not called. What a
    macro expands to lies where the macro does."""
    taken = collections.defaultdict(lambda: [0, 0])
    for function in exported["functions"]:
        for *place, true, false, file, _, _ in function["branches"]:
            counts = taken[(function["filenames"][file], *place)]
            counts[0] += true
            counts[1] += false
    for (file, line, column, last_line, last_column), counts in sorted(taken.items()):
        source = Path(file).read_text().splitlines()[line - 1]
        condition = source[column - 1 : last_column - 1 if last_line == line else None]
        for count, side in zip(counts, ("true", "false")):
            if count == 0:
                yield f"{name_of(file)}:{line}: never {side}: {condition}    | {source.strip()}"
    calls = collections.Counter()
    for function in exported["functions"]:
        calls[name_of(function["filenames"][0]), function["name"].split(":")[-1]] += function["count"]
    for (name, function), count in sorted(calls.items()):
        if count == 0:
            yield f"{name}: never called: {function}"


def write_report(measurement, output):
    exported = measurement.export()
    shutil.rmtree(output, ignore_errors=True)
    measurement.show(output)
    for name, lines in (("files.txt", file_table(exported)), ("never.txt", never_taken(exported))):
        text = "".join(f"{line}\n" for line in lines)
        (output / name).write_text(text)
        print(text)
    print(f"{name_of(output)}/index.html")


def report_machine(output):
    """What has run of build/emu/kernel.elf."""
    kernel = builds.directory("release") / "emu" / "kernel.elf"
    noted = kernel.with_name("kernel.elf.blocks")
    done = subprocess.run([builds.directory("release") / "rescind", "run", "--on=qemu", builds.ROOT / "corpus"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode not in (0, 1) or not noted.exists():
        sys.stderr.write(done.stdout.decode(errors="replace"))
        return 2
    image = blocks.Image(kernel)
    image.note(noted)
    text = "".join(f"{line}\n" for line in blocks.table(image, builds.ROOT))
    output.mkdir(parents=True, exist_ok=True)
    (output / "machine.txt").write_text(text)
    print(text, end="")
    return 0


def main():
    arguments = parse_arguments()
    if arguments.on == "qemu":
        builds.make_or_exit("release")
        return report_machine(arguments.output)
    builds.make_or_exit("coverage")
    (builds.ROOT / "work").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=builds.ROOT / "work", prefix="coverage-") as work:
        measurement = Measurement(Path(work))
        try:
            measure(measurement, arguments.directory)
        except Crashed as crash:
            sys.stderr.write(str(crash))
            return 2
        write_report(measurement, arguments.output)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
