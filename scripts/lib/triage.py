"""From what fuzzers left behind to one folder a cause: reproduces, sorts, shrinks, replays and explains findings.

PATHs are directories of findings or crashes, of AFL++, libFuzzer or scripts/fuzz, or single files, sequences or bare
operations. Each input is run several times; those that fail are sorted by cause; the simplest sequence that shows a cause
is replayed on every target that is there, and explained on a page, in a folder of FINDINGS named like its signature.

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
from collections import Counter, defaultdict
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
KNOWN = "known.tsv"
KNOWN_FIELDS = ("signature", "title", "status", "link")
SORTED_OF_SIGNATURE = 20  # inputs of each signature, the shortest ones; the others go where most of these went
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
    parser.add_argument("--promote", metavar="SIGNATURE[#CAUSE]",
                        help="instead: make the finding a test, corpus/regress/NAME.rsq")
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
    cause: str = ""
    shown_as: str = ""  # signature of the sequence that shows the cause
    shown_by: str = ""  # that sequence

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


# ---- causes ----


def kept_findings(directory):
    """(meta, path of the sequence) of what was found before, the first found first."""
    kept = [(storage.read_json(path), path.with_name("sequence.rsq")) for path in directory.glob("*/meta.json")]
    kept = [(meta, path) for meta, path in kept if meta and "cause" in meta and path.exists()]
    return sorted(kept, key=lambda entry: (entry[0].get("first_seen", ""), str(entry[1])))


def note_causes(rescind, cases, kept):
    """Asks for the causes of all at once: what belongs together is found by comparing them. What belongs to a finding that
    is kept gets its name, and is shown by its sequence. A case that did not fail then is a cause of its own, as it is."""
    paths = [path for _, path in kept] + [case.sequence for case in cases]
    done = subprocess.run([rescind, "cause", *paths], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise RuntimeError(f"rescind cause failed: {done.stderr.decode(errors='replace').strip()}")
    outcomes = [json.loads(line) for line in done.stdout.decode().splitlines()]
    names = {}
    for (meta, _), outcome in zip(kept, outcomes):
        if outcome["signature"] == meta["signature"]:
            names.setdefault(outcome["cause"], (meta["cause"], meta["signature"], outcome["shrunk"]))
    for case, outcome in zip(cases, outcomes[len(kept):], strict=True):
        fresh = (outcome.get("cause", hashlib.sha1(case.signature().encode()).hexdigest()[:8]),
                 outcome.get("shown_as", case.signature()), outcome.get("sequence", case.sequence.read_text()))
        case.cause, case.shown_as, case.shown_by = names.get(fresh[0], fresh)


def sort_cases(cases, directory, progress):
    """[cases of one cause], by the signature that it is shown with and its name."""
    alike = defaultdict(list)
    for case in sorted(cases, key=lambda case: (case.operations, str(case.origin.path))):
        alike[(case.rescind, case.signature())].append(case)
    for rescind in sorted({case.rescind for case in cases}):
        chosen = [case for key, members in sorted(alike.items()) if key[0] == rescind for case in members[:SORTED_OF_SIGNATURE]]
        progress.show(f"sorting {len(chosen)} inputs by cause")
        note_causes(rescind, chosen, kept_findings(directory))
    for members in alike.values():
        first = members[:SORTED_OF_SIGNATURE]
        causes = [case.cause for case in first]
        like = max(first, key=lambda case: causes.count(case.cause))
        for case in members[SORTED_OF_SIGNATURE:]:
            case.cause, case.shown_as, case.shown_by = like.cause, like.shown_as, like.shown_by
    groups = defaultdict(list)
    for case in cases:
        groups[(case.shown_as, case.cause)].append(case)
    return [members for _, members in sorted(groups.items())]


# ---- known findings ----


def read_known(directory):
    """name -> (title, status, link), of known.tsv. A name is a signature, or, of one cause alone, SIGNATURE#CAUSE."""
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
    cause: str
    cases: list
    folder: Path
    known: list  # title, status, link; None: new
    operations: int = 0
    verdicts: dict = field(default_factory=dict)  # target -> words

    def name(self):
        return f"{self.signature}#{self.cause}"


def folder_of(directory, signature, cause):
    """The signature's folder, or, if that shows another cause already, one with the cause in its name."""
    folder = directory / findings.name_of(signature)
    meta = storage.read_json(folder / "meta.json") or {}
    return folder if meta.get("cause", cause) == cause else directory / findings.name_of(f"{signature}#{cause}")


def finding_of(cases, arguments, known):
    signature, cause = cases[0].shown_as, cases[0].cause
    return Finding(signature, cause, cases, folder_of(arguments.findings, signature, cause),
                   known.get(f"{signature}#{cause}") or known.get(signature))


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
    sequence = folder / "sequence.rsq"
    sequence.write_text(finding.cases[0].shown_by)
    trace = traces.of(rescind, sequence)
    sequence.write_text(annotate(sequence, trace))
    finding.operations = count_operations(sequence)
    (folder / "report.txt").write_text((trace.head["report"] or "") + "\n")
    script = folder / "replay.sh"
    script.write_text(replay_script(finding, ways, version))
    script.chmod(0o755)
    commands = [f"{os.path.relpath(folder / 'replay.sh')}", f"{os.path.relpath(rescind)} run {os.path.relpath(folder)}/sequence.rsq"]
    (folder / "index.html").write_text(page.finding(trace, version, commands))
    return trace


def settle(finding, arguments, version):
    """Explains and replays one finding."""
    finding.folder.mkdir(parents=True, exist_ok=True)
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
    meta["cause"] = finding.cause
    meta["met_as"] = sorted({case.signature() for case in finding.cases} | set(meta.get("met_as", ())))
    meta.setdefault("build", version)
    meta.setdefault("first_seen", findings.stamp())
    meta.setdefault("last_seen", meta["first_seen"])
    meta.update({"operations": finding.operations, "inputs": sorted(seen), "count": max(meta.get("count", 0), len(seen)), "verdicts": finding.verdicts})
    storage.write_whole(path, json.dumps(meta, indent=1) + "\n")


# ---- the table ----


def print_finding(finding, trace):
    flaky = sum(case.is_flaky() for case in finding.cases)
    state = f"known: {', '.join(filter(None, finding.known))}" if finding.known else "new"
    first_seen = json.loads((finding.folder / "meta.json").read_text())["first_seen"]
    print(f"\n{finding.signature}\n    {state}; {len(finding.cases)} inputs" +
          (f", {flaky} of them flaky" if flaky else "") + f"; {finding.operations} operations; cause {finding.cause}, first seen {first_seen}")
    others = Counter(case.signature() for case in finding.cases if case.signature() != finding.signature)
    for signature, count in sorted(others.items()):
        print(f"    met {count} times as {signature}")
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
    failing, agreeing = [case for case in cases if case.signature()], [case for case in cases if not case.signature()]
    groups = sort_cases(failing, arguments.findings, progress)
    found = []
    for number, members in enumerate(groups):
        finding = finding_of(members, arguments, known)
        progress.show(f"finding {number + 1} of {len(groups)}: {finding.signature}")
        trace = settle(finding, arguments, version)
        progress.hide()
        print_finding(finding, trace)
        found.append(finding)
    new = sum(not finding.known for finding in found)
    print(f"\n{len(cases)} inputs, {len(skipped)} skipped: {len(found)} findings, {new} of them new; "
          f"{len(agreeing)} inputs agree")
    if arguments.junit:
        junit.write(arguments.junit, "triage", [
            (finding.name(), None if finding.known else finding.folder.joinpath("report.txt").read_text())
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
    folder = folder_of(arguments.findings, *arguments.promote.rsplit("#", 1)) if "#" in arguments.promote else \
        arguments.findings / findings.name_of(arguments.promote)
    sequence = folder / "sequence.rsq"
    if not sequence.exists():
        print(f"{folder} has no sequence.rsq: run scripts/triage on the inputs first", file=sys.stderr)
        return 2
    rescind = arguments.build / "rescind"
    meta = json.loads((folder / "meta.json").read_text())
    signature = meta["signature"]
    now = engine.signature_of(rescind, sequence)
    if now and not arguments.expected_fail:
        print(f"{sequence} still fails: {now}\nfix it first, or mark it with --expected-fail", file=sys.stderr)
        return 1
    if not now and arguments.expected_fail:
        print(f"{sequence} agrees: --expected-fail would be wrong", file=sys.stderr)
        return 2
    name = arguments.name or re.sub(r"[^a-z0-9]+", "-", signature.lower()).strip("-")[:60]
    output = arguments.into / f"{name}.rsq"
    if output.exists():
        print(f"{output} exists already: choose another --name", file=sys.stderr)
        return 2
    date = subprocess.run(["git", "-C", builds.ROOT, "log", "-1", "--format=%cs"], stdout=subprocess.PIPE,
                          check=True).stdout.decode().strip()
    text = header(sequence, {
        "title": arguments.title or f"once failed with {signature}"[:190], "origin": f"fuzzing, {meta['build']}",
        "date": date, "check": now or signature,
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
