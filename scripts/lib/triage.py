"""From what fuzzers left behind to one folder a cause: reproduces, sorts, shrinks, replays and explains findings.

PATHs are directories of findings or crashes, of AFL++, libFuzzer or scripts/fuzz, or single files, sequences or bare
operations. Each input is run several times; those that fail are sorted by signature; the shortest of each signature is
shrunk, replayed on every target that is there, and explained on a page, in FINDINGS/<signature>/.

Exit status: 0 no new finding, 1 new findings (or, with --promote, a sequence that still fails), 2 usage error, or
nothing that could be judged.
"""

import argparse
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import builds
import crashes
import engine
import findings
import junit
import page
import storage
import traces

RUNS = 3
SHRINK_SECONDS = 10
KNOWN = "known.tsv"
KNOWN_FIELDS = ("signature", "title", "status", "link")
SHRUNK_OF_SIGNATURE = 3  # inputs of each signature, the shortest ones
BATCH = 500  # files of one process
SKIPPED_SHOWN = 20


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/triage", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--findings", type=Path, default=builds.ROOT / "findings", metavar="DIRECTORY",
                        help="where known.tsv is and folders of findings go (default: findings)")
    parser.add_argument("--build", type=Path, default=builds.directory("release"), metavar="DIRECTORY",
                        help="build of the kernel that is judged (default: build)")
    parser.add_argument("--sanitized", type=Path, metavar="DIRECTORY",
                        help="the same with sanitizers: judges what agrees otherwise (default: build/gcc-asan, if it is "
                             "there and --build is not given)")
    parser.add_argument("--fuzz-target", choices=list(engine.TARGETS), default="memory_small",
                        help="form of bare operations whose path does not name a fuzz target (default: memory_small)")
    parser.add_argument("--runs", type=int, default=RUNS, metavar="N", help=f"runs of each input (default: {RUNS})")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="also write the outcome as JUnit XML")
    parser.add_argument("--promote", metavar="SIGNATURE", help="instead: make the finding a test, corpus/regress/NAME.rsq")
    parser.add_argument("--name", help="with --promote: NAME (default: made from the signature)")
    parser.add_argument("--into", type=Path, default=builds.ROOT / "corpus" / "regress", metavar="DIRECTORY",
                        help="with --promote: where to write it (default: corpus/regress)")
    parser.add_argument("--title", help="with --promote: what it shows")
    parser.add_argument("--expected-fail", action="store_true", help="with --promote: although it still fails")
    parser.add_argument("path", nargs="*", type=Path, metavar="PATH")
    arguments = parser.parse_args()
    if bool(arguments.path) == bool(arguments.promote):
        parser.error("either PATHs or --promote SIGNATURE")
    if arguments.runs < 2:
        parser.error("--runs must be at least 2")
    default = builds.directory("gcc-asan")
    if not arguments.sanitized and arguments.build == builds.directory("release") and (default / "rescind").exists():
        arguments.sanitized = default
    for build in filter(None, (arguments.build, arguments.sanitized)):
        if not (build / "rescind").exists():
            parser.error(f"{build} has no rescind: build it first (cmake --preset release && cmake --build build)")
    return arguments


# ---- what a run says ----


@dataclass
class Case:
    """An input, and what came of its runs."""

    origin: crashes.Input
    sequence: Path  # as text
    rescind: Path  # that it fails with
    signatures: list = field(default_factory=list)  # one a run; None: all agree
    operations: int = 0

    def signature(self):
        """The signature that it fails with most often, if it ever does."""
        failed = [s for s in self.signatures if s]
        return max(sorted(set(failed)), key=failed.count) if failed else None

    def is_flaky(self):
        return len(set(self.signatures)) > 1


def schedules(runs):
    """Options of each run: what may differ without changing a deterministic outcome."""
    return [(f"--seed={run}", "--compare=full" if run == runs - 1 else "--compare=log") for run in range(runs)]


def run_batch(rescind, cases, options):
    """Runs sequences with one process; notes the signature of each, or None."""
    command = [rescind, "run", "--json", *options, *(case.sequence for case in cases)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    outcomes = [json.loads(line) for line in done.stdout.decode().splitlines()]
    if len(outcomes) != len(cases):
        raise RuntimeError(f"rescind run failed: {done.stderr.decode(errors='replace').strip()}")
    for case, outcome in zip(cases, outcomes):
        case.operations = outcome.get("operations", 0)
        case.signatures.append(outcome.get("signature"))


def run_all(rescind, cases, runs, progress):
    """Runs each sequence several times, always otherwise."""
    for case in cases:
        case.rescind, case.signatures = rescind, []
    for number, options in enumerate(schedules(runs)):
        for start in range(0, len(cases), BATCH):
            progress.show(f"run {number + 1} of {runs}, input {start + 1} of {len(cases)}")
            run_batch(rescind, cases[start:start + BATCH], options)
    progress.hide()


def to_text(rescind, found, output):
    """Writes an input as text. None, or what is wrong with it."""
    command = [rescind, "show", found.path]
    if found.form == "raw":
        kind = engine.TARGETS[found.target]
        if not kind.geometry:
            return f"an input of {found.target}, which is no sequence: build/fuzz/fuzz/{found.target} {found.path}"
        command[2:2] = ["--raw", "--geometry", kind.geometry, "--cpus", str(kind.cpus)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        return done.stderr.decode(errors="replace").strip().splitlines()[-1].removeprefix("rescind: ").removeprefix(f"{found.path}:")
    output.write_bytes(done.stdout)
    return None


class Progress:
    """A line on a terminal."""

    def __init__(self):
        self._live = sys.stderr.isatty()

    def show(self, text):
        if self._live:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    def hide(self):
        self.show("")


# ---- known findings ----


def read_known(directory):
    """signature -> (title, status, link), of known.tsv."""
    known = {}
    path = directory / KNOWN
    if path.exists():
        for number, line in enumerate(path.read_text().splitlines(), 1):
            fields = line.split("\t")
            if line.startswith("#") or not line.strip() or fields[0] == KNOWN_FIELDS[0]:
                continue
            if len(fields) != len(KNOWN_FIELDS):
                sys.exit(f"{path}:{number}: expected {len(KNOWN_FIELDS)} fields apart by tabs ({', '.join(KNOWN_FIELDS)}), "
                         f"found {len(fields)}")
            known[fields[0]] = fields[1:]
    return known


# ---- one finding ----


@dataclass
class Finding:
    signature: str
    cases: list
    folder: Path
    new: bool
    shrunk: Path = None
    operations: int = 0
    verdicts: dict = field(default_factory=dict)  # target -> words


def shrink(rescind, case, signature, output):
    """Writes the shrunk sequence, or the sequence as it is when that takes too long. True: shrunk."""
    try:
        done = subprocess.run([rescind, "shrink", case.sequence, "-o", output], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SHRINK_SECONDS)
    except subprocess.TimeoutExpired:
        done = None
    if done and done.returncode == 0 and engine.signature_of(rescind, output) == signature:
        return True
    shutil.copy(case.sequence, output)
    return False


def count_operations(sequence):
    return sum(1 for line in sequence.read_text().splitlines() if line and not line.startswith("#"))


def annotate(sequence, trace):
    """The text of a sequence with what each operation does at the end of its line."""
    lines, index = [], 0
    texts = sequence.read_text().splitlines()
    width = max((len(line) for line in texts if line and not line.startswith("#")), default=0)
    for line in texts:
        if line and not line.startswith("#"):
            index += 1
            if index < len(trace.steps):
                step = trace.steps[index]
                line = f"{line:{width}}  # {traces.comment(trace.steps[index - 1], step, step['result'])}"
        lines.append(line)
    return "\n".join(lines) + "\n"


def on_machine(build):
    """The command that replays on a booted kernel, or why there is none."""
    if not shutil.which("qemu-system-x86_64"):
        return "not installed: apt-get install qemu-system-x86"
    if not all((build / "emu" / name).exists() for name in ("kernel.elf", "roottask.elf")):
        return f"not built: cmake --build {os.path.relpath(build)} --target kernel.elf roottask"
    return [build / "rescind", "run", "--on=qemu"]


def under_unicorn(build):
    if not all((build / "emu" / name).exists() for name in ("kernel.elf", "unicorn.so")):
        return "not built: scripts/install-packages, then the release build"
    return [build / "rescind", "run", "--on=unicorn"]


def targets(arguments):
    """Every way to replay a sequence: name -> command, or why there is none."""
    rescind = arguments.build / "rescind"
    sanitized = "not built: cmake --preset gcc-asan && cmake --build --preset gcc-asan"
    if arguments.sanitized:
        sanitized = [arguments.sanitized / "rescind", "run", "--compare=full"]
    return {"host": [rescind, "run"], "host, everything compared": [rescind, "run", "--compare=full"],
            "host, by probes": [rescind, "run", "--compare=probe"], "host, ASan+UBSan": sanitized,
            "Unicorn": under_unicorn(arguments.build), "QEMU": on_machine(arguments.build)}


def replay(command, sequence):
    done = subprocess.run([*command, "--json", sequence], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode not in (0, 1):
        return "could not be run: " + done.stderr.decode(errors="replace").strip()
    return json.loads(done.stdout).get("signature") or "agrees"


def commit_of(rescind):
    return subprocess.run([rescind, "--version"], stdout=subprocess.PIPE, check=True).stdout.decode().split("\n")[0]


REPLAY = """#!/bin/sh
# Replays this finding on every target that is built. {version}
# Exit status: 0 it agrees everywhere, 1 it fails somewhere.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "${{RESCIND:-{root}}}"
status=0
{commands}
exit $status
"""


def replay_script(finding, ways, version):
    commands = []
    for name, command in ways.items():
        if isinstance(command, str):
            commands.append(f"echo {shlex.quote(f'{name}: {command}')}")
            continue
        words = [os.path.relpath(command[0], builds.ROOT), *command[1:]]
        commands.append(f"echo {shlex.quote(name + ':')}\n" + " ".join(map(shlex.quote, words)) +
                        ' "$here/sequence.rsq" || status=1')
    return REPLAY.format(version=version, root=builds.ROOT, commands="\n".join(commands))


def explain(finding, ways, version):
    """Fills the folder: the sequence with comments, the report, the page, the script."""
    folder = finding.folder
    rescind = finding.cases[0].rescind
    trace = traces.of(rescind, finding.shrunk)
    (folder / "sequence.rsq").write_text(annotate(finding.shrunk, trace))
    (folder / "report.txt").write_text((trace.head["report"] or "") + "\n")
    script = folder / "replay.sh"
    script.write_text(replay_script(finding, ways, version))
    script.chmod(0o755)
    commands = [f"{os.path.relpath(folder / 'replay.sh')}", f"{os.path.relpath(rescind)} run {os.path.relpath(folder)}/sequence.rsq"]
    (folder / "index.html").write_text(page.finding(trace, version, commands))
    return trace


def settle(finding, arguments, work, version):
    """Shrinks, replays and explains one finding."""
    finding.folder.mkdir(parents=True, exist_ok=True)
    candidates = sorted(finding.cases, key=lambda case: (case.operations, str(case.origin.path)))[:SHRUNK_OF_SIGNATURE]
    tried = []
    for number, case in enumerate(candidates):
        output = work / f"shrunk-{number}.rsq"
        shrink(case.rescind, case, finding.signature, output)
        tried.append((count_operations(output), number, output))
    finding.operations, _, finding.shrunk = min(tried)
    ways = targets(arguments)
    trace = explain(finding, ways, version)
    finding.verdicts = {name: command if isinstance(command, str) else replay(command, finding.folder / "sequence.rsq")
                        for name, command in ways.items()}
    record(finding, version)
    return trace


def record(finding, version):
    """Adds what was seen to the folder's meta.json, and keeps the first input as it came."""
    path = finding.folder / "meta.json"
    meta = json.loads(path.read_text()) if path.exists() else {}
    seen = set(meta.get("inputs", ()))
    for case in finding.cases:
        seen.add(hashlib.sha1(case.origin.path.read_bytes()).hexdigest())
    meta.setdefault("signature", finding.signature)
    meta.setdefault("build", version)
    meta.setdefault("first_seen", findings.stamp())
    meta.setdefault("last_seen", meta["first_seen"])
    meta.update({"operations": finding.operations, "inputs": sorted(seen), "count": max(meta.get("count", 0), len(seen)), "verdicts": finding.verdicts})
    storage.write_whole(path, json.dumps(meta, indent=1) + "\n")


# ---- the table ----


def print_finding(finding, known, trace):
    flaky = sum(case.is_flaky() for case in finding.cases)
    state = "new" if finding.new else f"known: {', '.join(filter(None, known[finding.signature]))}"
    print(f"\n{finding.signature}\n    {state}; {len(finding.cases)} inputs" +
          (f", {flaky} of them flaky" if flaky else "") + f"; {finding.operations} operations")
    for case in finding.cases:
        if case.is_flaky():
            print(f"    flaky: {case.origin.path}: " + ", ".join(
                f"{' '.join(options)}: {signature or 'agrees'}"
                for options, signature in zip(schedules(len(case.signatures)), case.signatures)))
    for index, step in enumerate(trace.steps[1:], 1):
        mark = ">" if index == trace.failing() else " "
        print(f"  {mark} {step['operation']}  # {traces.comment(trace.steps[index - 1], step, step['result'])}")
    for name, verdict in finding.verdicts.items():
        print(f"    {name:28}{verdict}")
    print(f"    {os.path.relpath(finding.folder)}/index.html")


def collect(arguments, work, progress):
    """The inputs as text; what could not be taken is told at once."""
    found, skipped = crashes.collect(arguments.path, arguments.fuzz_target)
    cases = []
    for number, entry in enumerate(found):
        progress.show(f"reading {number + 1} of {len(found)}")
        sequence = work / f"{number:06}.rsq"
        wrong = to_text(arguments.build / "rescind", entry, sequence)
        if wrong:
            skipped.append(crashes.Skipped(entry.path, wrong))
        else:
            cases.append(Case(entry, sequence, arguments.build / "rescind"))
    progress.hide()
    for entry in skipped[:SKIPPED_SHOWN]:
        print(f"skipped  {entry.path}: {entry.why}")
    if len(skipped) > SKIPPED_SHOWN:
        print(f"skipped  {len(skipped) - SKIPPED_SHOWN} more")
    return cases, skipped


def triage(arguments, work):
    progress = Progress()
    version = commit_of(arguments.build / "rescind")
    known = read_known(arguments.findings)
    cases, skipped = collect(arguments, work, progress)
    if not cases:
        print("nothing that could be judged")
        return 2
    run_all(arguments.build / "rescind", cases, arguments.runs, progress)
    if arguments.sanitized:
        run_all(arguments.sanitized / "rescind", [case for case in cases if not case.signature()], arguments.runs, progress)
    sorted_cases = defaultdict(list)
    for case in cases:
        sorted_cases[case.signature()].append(case)
    agreeing = sorted_cases.pop(None, [])
    found = []
    for number, (signature, members) in enumerate(sorted(sorted_cases.items())):
        progress.show(f"finding {number + 1} of {len(sorted_cases)}: {signature}")
        finding = Finding(signature, members, arguments.findings / findings.name_of(signature), signature not in known)
        trace = settle(finding, arguments, work, version)
        progress.hide()
        print_finding(finding, known, trace)
        found.append(finding)
    new = sum(finding.new for finding in found)
    print(f"\n{len(cases)} inputs, {len(skipped)} skipped: {len(found)} findings, {new} of them new; "
          f"{len(agreeing)} inputs agree")
    if arguments.junit:
        junit.write(arguments.junit, "triage", [
            (finding.signature, None if not finding.new else finding.folder.joinpath("report.txt").read_text())
            for finding in found] + [(str(case.origin.path), None) for case in agreeing])
    return 1 if new else 0


# ---- promotion ----


def header(sequence, values):
    """The text of a sequence with header lines set; lines stay in their order, new ones come last."""
    lines = sequence.read_text().splitlines()
    start = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    kept = [line for line in lines[:start] if line[2:].split(":")[0] not in values]
    return "\n".join(kept + [f"# {key}: {value}" for key, value in values.items() if value] + lines[start:]) + "\n"


def promote(arguments):
    folder = arguments.findings / findings.name_of(arguments.promote)
    sequence = folder / "sequence.rsq"
    if not sequence.exists():
        print(f"{folder} has no sequence.rsq: run scripts/triage on the inputs first", file=sys.stderr)
        return 2
    rescind = arguments.build / "rescind"
    meta = json.loads((folder / "meta.json").read_text())
    now = engine.signature_of(rescind, sequence)
    if now and not arguments.expected_fail:
        print(f"{sequence} still fails: {now}\nfix it first, or mark it with --expected-fail", file=sys.stderr)
        return 1
    if not now and arguments.expected_fail:
        print(f"{sequence} agrees: --expected-fail would be wrong", file=sys.stderr)
        return 2
    name = arguments.name or re.sub(r"[^a-z0-9]+", "-", arguments.promote.lower()).strip("-")[:60]
    output = arguments.into / f"{name}.rsq"
    if output.exists():
        print(f"{output} exists already: choose another --name", file=sys.stderr)
        return 2
    date = subprocess.run(["git", "-C", builds.ROOT, "log", "-1", "--format=%cs"], stdout=subprocess.PIPE,
                          check=True).stdout.decode().strip()
    text = header(sequence, {
        "title": arguments.title or f"once failed with {arguments.promote}"[:190], "origin": f"fuzzing, {meta['build']}",
        "date": date, "check": now or arguments.promote,
        "fixed-in": "" if now else commit_of(rescind).split()[-1], "expected": "fail" if now else ""})
    output.write_text(text)
    print(f"wrote {os.path.relpath(output)}; ./scripts/test runs it from now on")
    return 0


def main():
    arguments = parse_arguments()
    if arguments.promote:
        return promote(arguments)
    (builds.ROOT / "work").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=builds.ROOT / "work", prefix="triage-") as work:
        return triage(arguments, Path(work))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
