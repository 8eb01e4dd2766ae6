"""Seeded faults: faults/*.patch, each against src/kernel, with a header of `# key: value` lines.

Each chosen fault is searched for from an empty corpus, on one core, until the first finding, which is then shrunk.
With --replay nothing is searched for: the sequence stored beside each fault must fail on the faulty kernel with the
signature it names, at the same operation whether the log or everything is compared, agree on the real one, and be such
that no operation can be left out and no argument be simpler.
With --replay --on=qemu --booted those beside are run that were found, and shrunk, on the booted kernel (faults/booted): each
must show there as it says, and the real kernel agree.
With --replay --compare=probe they are judged by accesses and lookups alone, as a kernel is that tells nothing of its
inside; with --replay --on=qemu on the booted kernel, where the sequence of faults/booted is tried if that does not show, and the
kernel stressed if there is none (--store: what that finds is shrunk on the machine and kept there); and with --replay
--on=unicorn on its image under Unicorn, where a sequence with a schedule (or that of faults/unicorn) is swept if that does
not show: run on four CPUs with its operations stopped before each of their first stores; then scenarios and generated
sequences are run. Which of them still do is printed, and that the real kernel agrees is checked.

Exit status: 0 all killed (--control: all silent), 1 not so, 2 usage error or a failed build.
"""

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import builds
import engine

FAULTS = builds.ROOT / "faults"
BOOTED = FAULTS / "booted"  # sequences for faults that those beside the patches do not show on a machine
SWEPT = FAULTS / "unicorn"  # likewise under Unicorn, whatever store they are stopped before
KERNEL = Path("src/kernel")
SHRINK_SECONDS = 120
SINGLE_CHANGES = 500  # candidates: more than there are single changes of a stored sequence, which are tried first
KILLS = builds.ROOT / "work" / "faults" / "kills.jsonl"
GENERATED = 400  # sequences, for each number of CPUs
SCHEDULED = 2000  # likewise, with schedules
LAST_STORE = 255  # that preempt= and points= can name
SWEEP = 1000  # schedules of a sequence of which more than one operation stops
# CPUs, operations, and operations of a sequence: short ones first, which take less time to shrink.
STRESS = ((1, 12000, 48), (2, 6000, 48), (1, 12000, 256), (2, 6000, 256))
BOOTED_SECONDS = 40  # for shrinking: under Unicorn, then on the machine, where each candidate takes a boot


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/faults", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, metavar="N", help="search for each so long (default: 60)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="start of the random numbers (default: 1)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N",
                        help="faults at a time (default: one a core)")
    parser.add_argument("--build", choices=["fuzz", "fuzz-plain"], default="fuzz",
                        help="with ASan and UBSan, or without (default: fuzz)")
    parser.add_argument("--pick", type=int, metavar="N",
                        help="only N of the faults that have a stored sequence, others with each commit")
    parser.add_argument("--control", action="store_true", help="fuzz the real kernel likewise; it must stay silent")
    parser.add_argument("--store", action="store_true", help="keep each shrunk sequence as faults/<id>.rsq")
    parser.add_argument("--replay", action="store_true", help="run the stored sequences instead of searching")
    parser.add_argument("--compare", choices=["probe"], help="with --replay: judge by accesses and lookups alone")
    parser.add_argument("--on", choices=["qemu", "unicorn"],
                        help="with --replay: on the booted kernel, by accesses and lookups")
    parser.add_argument("--booted", action="store_true", help="with --replay --on=qemu: only the sequences of faults/booted")
    parser.add_argument("id", nargs="*", metavar="ID", help="fault (default: all)")
    arguments = parser.parse_args()
    if arguments.seconds < 1 or arguments.jobs < 1 or (arguments.pick or 1) < 1:
        parser.error("numbers must be at least 1")
    if arguments.replay and (arguments.control or (arguments.store and arguments.on != "qemu")):
        parser.error("--replay goes with neither --control nor, but for --on=qemu, --store")
    if (arguments.compare or arguments.on) and not arguments.replay:
        parser.error("--compare and --on go with --replay only")
    if arguments.booted and arguments.on != "qemu":
        parser.error("--booted goes with --on=qemu only")
    arguments.faults = choose(arguments, parser)
    return arguments


# ---- faults ----


@dataclass
class Fault:
    """A patch, or, without one, the real kernel."""

    id: str
    target: str  # that is to find it
    expected: tuple = ()  # checks, one of which must fire
    patch: Path = None
    stored: Path = None
    booted: Path = None  # may be missing
    swept: Path = None  # the stored one, if it has none of its own for that


def read_fault(path):
    text = path.read_text()
    header = dict(re.findall(r"^# *([\w-]+): *(.*?) *$", text.split("\n--- ")[0], re.MULTILINE))
    if header.get("id", path.stem) != path.stem:
        sys.exit(f"{path}: the id is not the file's name")
    target = header.get("target", f"memory_{header.get('geometry', 'small')}")
    if target not in engine.TARGETS:
        sys.exit(f"{path}: unknown fuzz target {target}")
    stored, swept = path.with_suffix(".rsq"), SWEPT / f"{path.stem}.rsq"
    return Fault(path.stem, target, tuple(re.findall(r"O\d+", header.get("expected-check", ""))), path, stored,
                 BOOTED / stored.name, swept if swept.exists() else stored)


def geometry_of(sequence):
    geometry = re.search(r"^# geometry: (\w+)$", sequence.read_text(), re.MULTILINE)
    return geometry[1] if geometry else "small"


def commit_number():
    """A number that another commit changes."""
    commit = subprocess.run(["git", "-C", builds.ROOT, "rev-parse", "HEAD"], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL).stdout
    return int(hashlib.sha1(commit).hexdigest()[:8], 16)


def choose(arguments, parser):
    if arguments.control:
        return [Fault(f"control-{target}", target) for target, kind in engine.TARGETS.items()
                if kind.geometry and not kind.optional]
    faults = [read_fault(path) for path in sorted(FAULTS.glob("*.patch"))]
    if unknown := set(arguments.id) - {fault.id for fault in faults}:
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    if arguments.id:
        faults = [fault for fault in faults if fault.id in arguments.id]
    if arguments.booted:
        faults = [fault for fault in faults if fault.booted.exists()]
    if arguments.pick:
        arguments.seed = 1 + commit_number() % 2**30
        faults = [fault for fault in faults if fault.stored.exists()]
        faults.sort(key=lambda fault: hashlib.sha1(f"{arguments.seed} {fault.id}".encode()).digest())
        faults = sorted(faults[: arguments.pick], key=lambda fault: fault.id)
    return faults


# ---- trees: a build directory with a kernel of its own, in which only what a fault changes is built anew ----


class Tree:
    """A build of one preset from a copy of the kernel, which takes one fault after another."""

    def __init__(self, preset, number):
        self.preset = preset
        self.directory = builds.ROOT / "work" / "faults" / f"{preset}-{number}"
        self.kernel = self.directory / KERNEL
        self.build = self.directory / "build"
        self.rescind = self.build / "rescind"

    def lay(self, fault):
        """Makes the kernel that of a fault; files that stay equal keep their time. False: the patch does not apply."""
        with tempfile.TemporaryDirectory() as name:
            fresh = Path(name)
            shutil.copytree(builds.ROOT / KERNEL, fresh / KERNEL)
            if fault.patch:
                done = subprocess.run(["patch", "-p1", "-s", "-F0", "-d", fresh, "-i", fault.patch],
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                if done.returncode != 0:
                    return False
            copy_changes(fresh / KERNEL, self.kernel)
        return True

    def make(self, *targets, jobs=1):
        builds.make(self.preset, *targets, kernel=self.kernel, into=self.build, jobs=jobs)

    def make_library(self, sequence):
        """The kernel alone, of the geometry that a sequence is for: what makes `rescind` of the preset run on it."""
        name = f"rescind_kernel_{geometry_of(sequence)}"
        self.make(name)
        return f"--target={self.build / name}.so"


def copy_changes(source, destination):
    wanted = {path.relative_to(source): path.read_bytes() for path in source.rglob("*") if path.is_file()}
    for path in destination.rglob("*"):
        if path.is_file() and path.relative_to(destination) not in wanted:
            path.unlink()
    for name, content in wanted.items():
        path = destination / name
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def side_by_side(jobs, make_tree, chosen, work):
    """What `work` makes of each of the chosen faults, in their order; each job has a tree of its own."""
    local = threading.local()
    numbers = iter(range(jobs))

    def take_tree():
        local.tree = make_tree(next(numbers))

    with ThreadPoolExecutor(jobs, initializer=take_tree) as pool:
        yield from pool.map(lambda fault: work(local.tree, fault), chosen)


# ---- searching ----


@dataclass
class Search:
    """What the search for one fault came to."""

    fault: Fault
    result: str = "survived"
    signature: str = ""
    executions: int = 0
    seconds: float = 0.0
    operations: int = 0  # of the shrunk sequence

    def killed(self):
        return self.result == "killed"

    def expected(self):
        if not self.killed() or not self.fault.expected:
            return "-"
        return "yes" if self.signature.split(".")[0] in self.fault.expected else "no"


def count_operations(sequence):
    return sum(1 for line in sequence.read_text().splitlines() if line and not line.startswith("#"))


def shrink(tree, finding, output):
    done = subprocess.run([tree.rescind, "shrink", finding.path, "-o", output], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SHRINK_SECONDS)
    if done.returncode != 0:
        shutil.copy(finding.path, output)


def search(tree, fault, arguments, work):
    """Builds, fuzzes until the first finding, shrinks it, stores it if asked to."""
    found = Search(fault)
    target = fault.target
    if not tree.lay(fault):
        found.result = "patch fails"
        return found
    try:
        tree.make("rescind", f"fuzz_{target}")
    except builds.BuildFailed as failure:
        sys.stderr.write(str(failure))
        found.result = "build fails"
        return found
    corpus = work / fault.id / "corpus"
    corpus.mkdir(parents=True)
    process = engine.LibFuzzer(tree.build / "fuzz" / target, tree.rescind, work / fault.id / "process",
                               seconds=arguments.seconds, seed=arguments.seed, corpora=[corpus])
    try:
        while process.poll() is None and time.monotonic() < process.started + arguments.seconds + 2:
            time.sleep(0.02)
        found.seconds = time.monotonic() - process.started
    finally:
        process.stop()
    found.executions = process.counts()[0]
    finding = process.finding()
    if finding:
        found.result, found.signature = "killed", finding.signature
        shrunk = work / fault.id / "shrunk.rsq"
        shrink(tree, finding, shrunk)
        found.operations = count_operations(shrunk)
        if arguments.store and fault.stored:
            shutil.copy(shrunk, fault.stored)
    elif found.executions == 0:
        sys.stderr.write(process.log.read_text(errors="replace"))
        found.result = "does not run"
    return found


def print_search(found):
    seconds = f"{found.seconds:.1f}"
    print(f"{found.fault.id:33} {found.result:11} {found.expected():8} {found.executions:>11,} {seconds:>7} "
          f"{found.operations or '-':>4}  {found.signature}", flush=True)


def note_search(found, arguments):
    """For scripts/report: one JSON object a line; of several for a fault the last counts."""
    kill = {"fault": found.fault.id, "result": found.result, "signature": found.signature, "executions": found.executions,
            "seconds": round(found.seconds, 1), "operations": found.operations, "seed": arguments.seed}
    with KILLS.open("a") as file:
        file.write(json.dumps(kill) + "\n")


def search_all(arguments):
    print(f"seed {arguments.seed}, at most {arguments.seconds} s each, {arguments.build}")
    print(f"{'fault':33} {'result':11} {'expected':8} {'executions':>11} {'seconds':>7} {'ops':>4}  signature")
    with tempfile.TemporaryDirectory(dir=builds.ROOT / "work", prefix="faults-") as work:
        searches = []
        for found in side_by_side(arguments.jobs, lambda number: Tree(arguments.build, number), arguments.faults,
                                  lambda tree, fault: search(tree, fault, arguments, Path(work))):
            print_search(found)
            if found.fault.patch:
                note_search(found, arguments)
            searches.append(found)
    killed = sum(found.killed() for found in searches)
    if arguments.control:
        silent = sum(found.result == "survived" for found in searches)
        print(f"{silent} of {len(searches)} silent")
        return 0 if silent == len(searches) else 1
    print(f"{killed} of {len(searches)} killed")
    return 0 if killed == len(searches) else 1


# ---- replaying ----


def stored_check(sequence):
    match = re.search(r"^# check: (.*)$", sequence.read_text(), re.MULTILINE)
    return match[1] if match else None


def operations_of(sequence):
    return [line for line in sequence.read_text().splitlines() if line and not line.startswith("#")]


def is_minimal(rescind, fault, kernel):
    """Whether no operation can be left out and no argument be simpler."""
    with tempfile.TemporaryDirectory() as work:
        again = Path(work) / "again.rsq"
        subprocess.run([rescind, "shrink", kernel, f"--budget={SINGLE_CHANGES}", fault.stored, "-o", again], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        return operations_of(again) == operations_of(fault.stored)


def is_sanitizer_finding(fault):
    return "sanitizer" in (stored_check(fault.stored) or "")


def replay(tree, fault):
    """None, or what is wrong."""
    check = stored_check(fault.stored)
    if not check:
        return f"{fault.stored.name} has no `# check:`"
    if not tree.lay(fault):
        return "the patch does not apply"
    try:
        kernel, rescind = tree.make_library(fault.stored), builds.directory(tree.preset) / "rescind"
    except builds.BuildFailed as failure:
        return f"the kernel does not build\n{failure}"
    signature, failed_at = engine.failure_of(rescind, fault.stored, options=[kernel])
    if not signature or not signature.startswith(check):
        return f"expected {check}, got {signature or 'agreement'}"
    full = engine.failure_of(rescind, fault.stored, "full", options=[kernel])
    if full != (signature, failed_at):
        return f"--compare=full finds {full[0]} at operation {full[1]}, --compare=log {signature} at {failed_at}"
    if not is_minimal(rescind, fault, kernel):
        return "the stored sequence can be simpler: shrink it again"
    return None


def replay_all(arguments):
    """What only a sanitizer sees is replayed with sanitizers."""
    faults = [fault for fault in arguments.faults if fault.stored.exists()]
    for fault in arguments.faults:
        if fault not in faults:
            print(f"skipped  {fault.id}: no sequence is stored")
    bad = 0
    for preset, sanitized in (("release", False), ("gcc-asan", True)):
        chosen = [fault for fault in faults if is_sanitizer_finding(fault) == sanitized]
        if not chosen:
            continue
        builds.make(preset, "rescind")
        outcomes = side_by_side(arguments.jobs, lambda number: Tree(preset, f"replay-{number}"), chosen, replay)
        for fault, wrong in zip(chosen, outcomes):
            print(f"{'FAILED' if wrong else 'ok    '}  {fault.id}: {wrong or stored_check(fault.stored)}", flush=True)
            bad += wrong is not None
        for fault in chosen:
            signature = engine.signature_of(builds.directory(preset) / "rescind", fault.stored)
            if signature:
                print(f"FAILED  {fault.id}: the real kernel fails too: {signature}")
                bad += 1
    print(f"{len(faults) - bad} passed, {bad} failed, {len(arguments.faults) - len(faults)} skipped")
    return 1 if bad else 0


# ---- replaying with less to see ----


def judge_by_probes(tree, sequence):
    """On the host, by accesses and lookups alone."""
    tree.make("rescind", jobs=os.cpu_count())
    return engine.failure_of(tree.rescind, sequence, "probe")[0]


def machine_kernel(tree):
    tree.make("kernel.elf", jobs=os.cpu_count())
    return f"--kernel={tree.build / 'emu' / 'kernel.elf'}"


def judge_on_machine(tree, sequence):
    """The same kernel booted under QEMU, with the root task of the release build."""
    return engine.failure_of(builds.directory("release") / "rescind", sequence, "probe", timeout=60,
                             options=["--on=qemu", machine_kernel(tree)])[0]


def run_release(*arguments):
    """The text that `rescind` of the release build prints; RuntimeError if it could not do it."""
    done = subprocess.run([builds.directory("release") / "rescind", *arguments], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr.strip())
    return done.stdout


def stress_on_machine(tree, keep=None):
    """The first finding of a booted kernel under generated operations, with one CPU and then with several. One that shows
    again alone is shrunk into the file `keep`."""
    kernel = machine_kernel(tree)
    for cpus, operations, length in STRESS:
        with tempfile.TemporaryDirectory() as work:
            said = run_release("stress", "--on=qemu", kernel, "--seed=1", f"--length={length}", f"--smp={cpus}",
                               f"--ops={operations}", "-o", f"{work}/found.rsq")
            found = re.search(r"^FINDING (.*)$", said, re.MULTILINE)
            replayed = re.search(r"^replayed: (.*)$", said, re.MULTILINE)
            if replayed and keep:
                keep.parent.mkdir(exist_ok=True)
                subprocess.run([builds.directory("release") / "rescind", "shrink", "--on=qemu", kernel, "--seed=1",
                                f"--seconds={BOOTED_SECONDS}", "--timeout=60", f"{work}/found.rsq", "-o", keep],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                # Kept if it shows with the seed that runs have by themselves, and as what was found.
                if keep.exists() and not replayed[1] == stored_check(keep) == judge_on_machine(tree, keep):
                    keep.unlink()
        if found:
            return replayed[1] if replayed else found[1]
    return None


def judge_under_unicorn(tree, sequence):
    """The same kernel on CPUs that Unicorn emulates."""
    return engine.failure_of(builds.directory("release") / "rescind", sequence, "probe", timeout=60,
                             options=["--on=unicorn", machine_kernel(tree)])[0]


def try_under_unicorn(tree, paths):
    """The first finding."""
    done = subprocess.run([builds.directory("release") / "rescind", "run", "--on=unicorn", machine_kernel(tree), "--timeout=60",
                           *paths], stdout=subprocess.PIPE, text=True, errors="replace")
    found = re.search(r"^FINDING \S+ (.*)$", done.stdout, re.MULTILINE)
    return found[1] if found else None


def schedules_of(text):
    """The texts of a sequence on four CPUs whose operations stop before other stores than they do. Where only one does, that is
    each of the first ones and, by a further resume in its block, as many after them."""
    text = re.sub(r"^# cpus:.*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"^# geometry:.*\n", r"\g<0># cpus: 4\n", text, flags=re.MULTILINE)
    stores = re.compile(r"\b(preempt|points)=\d+")
    count, lot = len(stores.findall(text)), random.Random(1)
    if count == 1:
        schedules = [(store,) for store in range(1, LAST_STORE + 1)]
    else:
        schedules = [[lot.randint(1, LAST_STORE) for _ in range(count)] for _ in range(SWEEP if count else 0)]
    for schedule in schedules:
        left = iter(schedule)
        yield stores.sub(lambda found: f"{found[1]}={next(left)}", text)
    block = re.compile(r"preempt=\d+ run=(\d+)\n")
    if count == 1 and block.search(text):
        for store in range(1, LAST_STORE + 1):
            yield block.sub(lambda found: f"preempt={LAST_STORE} run={int(found[1]) + 1}\n  resume of=1 points={store}\n", text)


def sweep_under_unicorn(tree, sequence):
    """The first finding of a sequence under its schedules."""
    with tempfile.TemporaryDirectory() as work:
        for at, text in enumerate(schedules_of(sequence.read_text())):
            (Path(work) / f"{at:04}.rsq").write_text(text)
        return try_under_unicorn(tree, [work]) if any(Path(work).iterdir()) else None


def search_under_unicorn(tree):
    """The first finding of the scenarios that need the machine's own tables and leaves, or else among generated sequences, with one
    CPU, with several, and with revokes and destroys that stop before some store while others run."""
    found = try_under_unicorn(tree, [*sorted(Path("corpus/scenarios").glob("real-*.rsq")), "tests/emu/largest_leaf.rsq"])
    if found:
        return found
    rescind = builds.directory("release") / "rescind"
    for count, profile in ((GENERATED, ["--cpus=1"]), (GENERATED, ["--cpus=2"]), (GENERATED, ["--cpus=1", "--geometry=real"]),
                           (SCHEDULED, ["--cpus=4", "--preempt=200", "--points=255"])):
        with tempfile.TemporaryDirectory() as work:
            subprocess.run([rescind, "gen", "--seed=1", f"--count={count}", "--ops=40", *profile, "-o", work], check=True,
                           stdout=subprocess.DEVNULL)
            found = try_under_unicorn(tree, [work])
        if found:
            return found
    return None


# How the stored sequences are judged elsewhere, and what is tried where they show nothing.
ELSEWHERE = {"qemu": (judge_on_machine, stress_on_machine), "unicorn": (judge_under_unicorn, search_under_unicorn),
             None: (judge_by_probes, None)}


def replay_booted(arguments):
    """The sequences of faults/booted on the kernels that they are about, and on the real one."""
    builds.make("release", "rescind", "roottask")
    tree, bad = Tree("release", "elsewhere"), 0
    for fault in arguments.faults:
        if not tree.lay(fault):
            raise builds.BuildFailed(f"{fault.id}: the patch does not apply\n")
        signature, check = judge_on_machine(tree, fault.booted), stored_check(fault.booted)
        good = check and signature == check
        print(f"{'ok    ' if good else 'FAILED'}  {fault.id}: {signature or 'agreement'}{'' if good else f', not {check}'}", flush=True)
        bad += not good
    tree.lay(Fault("the real kernel", "small"))
    for fault in arguments.faults:
        if signature := judge_on_machine(tree, fault.booted):
            print(f"FAILED  {fault.id}: the real kernel fails too: {signature}")
            bad += 1
    print(f"{len(arguments.faults)} sequences, {bad} failed")
    return 1 if bad or not arguments.faults else 0


def replay_elsewhere(arguments):
    """How much of what the stored sequences show is left when a target tells nothing of its inside."""
    judge, stress = ELSEWHERE[arguments.on]
    if arguments.on:
        builds.make("release", *(["rescind", "roottask"] if arguments.on == "qemu" else ["rescind", "unicorn_plugin"]))
    tree = Tree("release", "elsewhere")
    ways = {"replay": 0, "booted": 0, "sweep": 0, "stress": 0, "-": 0}
    swept, missed = [], []
    print(f"{'fault':34} {'by':7} signature")
    for fault in arguments.faults:
        if not fault.stored.exists() or not tree.lay(fault):
            raise builds.BuildFailed(f"{fault.id}: no stored sequence, or the patch does not apply\n")
        way, signature = "replay", judge(tree, fault.stored)
        if not signature and arguments.on == "qemu" and fault.booted.exists():
            way, signature = "booted", judge(tree, fault.booted)
        if not signature and arguments.on == "unicorn":
            way, signature = "sweep", sweep_under_unicorn(tree, fault.swept)
            swept += [fault] if signature else []
            missed += [fault.id] if not signature and fault.swept != fault.stored else []
        if not signature and stress:
            way, signature = "stress", stress(tree, *([fault.booted] if arguments.store else []))
        way = way if signature else "-"
        ways[way] += 1
        print(f"{fault.id:34} {way:7} {signature or ''}".rstrip(), flush=True)
    tree.lay(Fault("the real kernel", "small"))
    wrong = [fault.id for fault in arguments.faults if judge(tree, fault.stored) or
             (ways["booted"] and fault.booted.exists() and judge(tree, fault.booted)) or
             (fault in swept and sweep_under_unicorn(tree, fault.swept))]
    print(f"of {len(arguments.faults)}: {ways['replay']} by their sequences"
          + (f", {ways['booted']} by those of faults/booted" if arguments.on == "qemu" else "")
          + (f", {ways['sweep']} swept" if arguments.on == "unicorn" else "")
          + (f", {ways['stress']} more by stress" if stress else "") + f", {ways['-']} not at all")
    if wrong:
        print(f"FAILED  the real kernel fails too: {' '.join(wrong)}")
    if missed:
        print(f"FAILED  the sequences of faults/unicorn show nothing: {' '.join(missed)}")
    return 1 if wrong or missed else 0


def main():
    arguments = parse_arguments()
    KILLS.parent.mkdir(parents=True, exist_ok=True)
    try:
        if arguments.booted:
            return replay_booted(arguments)
        if arguments.compare or arguments.on:
            return replay_elsewhere(arguments)
        return replay_all(arguments) if arguments.replay else search_all(arguments)
    except builds.BuildFailed as failure:
        sys.stderr.write(str(failure))
        return 2


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
