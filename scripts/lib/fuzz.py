"""Fuzzes and says what came of it: executions, speed, coverage of src/kernel, findings.

Each run continues the campaign of work/campaign: its corpora, its counts, what a killed run left. Findings are filed in
findings/, one directory for each signature. Ctrl-C ends the fuzzing early, not the summary; once more ends at once.

Exit status: 0 no finding in this run, 1 findings, 2 usage error, a failed build, or a target that does not run.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import builds
import campaign
import coverage
import engine
import findings
import runner
import seeds
import status

COVERAGE_SECONDS = 300
NO_AFL = "there is no afl-fuzz; install it by scripts/install-packages, or: apt-get install afl++"
COVERAGE_INTERRUPTED_SECONDS = 4


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, metavar="N", help="fuzz for so long; 0: until Ctrl-C (default: 60)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N",
                        help="processes at a time (default: one a core)")
    parser.add_argument("--target", action="append", choices=list(engine.TARGETS), help="fuzz this one only; may be repeated")
    parser.add_argument("--engine", choices=["libfuzzer", "afl", "both"],
                        help="default: both if afl-fuzz is installed and there are two jobs, else libfuzzer")
    parser.add_argument("--build", choices=["fuzz", "fuzz-plain"], default="fuzz",
                        help="libFuzzer's, with ASan and UBSan, or without and faster (default: fuzz)")
    parser.add_argument("--seed", type=int, help="start of the random numbers (default: a fresh one)")
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--resume", action="store_true", help="continue the campaign (the default)")
    start.add_argument("--fresh", action="store_true", help="start the campaign over; findings stay")
    parser.add_argument("--disk-mb", type=int, default=2000, metavar="N", help="what the campaign may take (default: 2000)")
    parser.add_argument("--timeout", type=int, default=engine.TIMEOUT_SECONDS, metavar="N",
                        help=f"seconds after which an input counts as hanging (default: {engine.TIMEOUT_SECONDS})")
    parser.add_argument("--slice", type=float, metavar="N", help="seconds that a process runs at a stretch (default: by itself)")
    parser.add_argument("--campaign", type=Path, default=builds.ROOT / "work" / "campaign", metavar="DIR",
                        help="where its state is kept (default: work/campaign)")
    parser.add_argument("--findings", type=Path, default=builds.ROOT / "findings", metavar="DIR",
                        help="where findings go (default: findings)")
    parser.add_argument("--binaries", type=Path, metavar="DIR",
                        help="a build of the targets and `rescind` to use as it is; nothing is built, no coverage is measured")
    parser.add_argument("--on", choices=["host", "nova"], default="host",
                        help="what is fuzzed: this kernel's code here, or an image of NOVA r10 under QEMU (default: host)")
    parser.add_argument("--image", type=Path, metavar="FILE",
                        help="with --on nova: its hypervisor (default: what RESCIND_NOVA_IMAGE says)")
    parser.add_argument("--known", type=Path, metavar="FILE", help="with --on nova: findings that are no news (docs/backends.md)")
    parser.add_argument("--smp", type=int, default=1, metavar="N", help="with --on nova: CPUs of the machine (default: 1)")
    parser.add_argument("--empty", action="store_true",
                        help="with --on nova: take everything from a PD before it is destroyed")
    arguments = parser.parse_args()
    image = arguments.image or os.environ.get("RESCIND_NOVA_IMAGE")
    if arguments.on == "nova" and not image:
        parser.error("there is no image of NOVA: name one with --image FILE or in RESCIND_NOVA_IMAGE")
    if arguments.on == "host" and (arguments.image or arguments.known or arguments.empty or arguments.smp != 1):
        parser.error("--image, --known, --smp and --empty go with --on nova")
    arguments.image = image
    if arguments.seconds < 0 or min(arguments.jobs, arguments.disk_mb, arguments.timeout) < 1 or (arguments.slice or 1) < 1:
        parser.error("--jobs, --disk-mb, --timeout and --slice must be at least 1, --seconds at least 0")
    if arguments.binaries and arguments.engine == "both":
        parser.error("--binaries goes with one engine")
    arguments.target = [target for target in engine.TARGETS if target in (arguments.target or engine.TARGETS)]
    arguments.seed = arguments.seed if arguments.seed is not None else random.randrange(1, 2**31)
    return arguments


def choose_engines(arguments):
    """By default both, if that is possible and worth it; says why not."""
    if arguments.binaries:
        return [arguments.engine or "libfuzzer"]
    has_afl = shutil.which("afl-fuzz") and shutil.which("afl-clang-fast")
    if arguments.engine in ("afl", "both") and not has_afl:
        sys.stderr.write(f"--engine {arguments.engine}: {NO_AFL}\n")
        sys.exit(2)
    if arguments.engine == "afl":
        return ["afl"]
    if arguments.engine == "both" or (arguments.engine is None and has_afl and arguments.jobs >= 2):
        return ["libfuzzer", "afl"]
    if arguments.engine is None:
        print("libFuzzer only: " + ("AFL++ wants two jobs; --engine both insists" if has_afl else
NO_AFL))
    return ["libfuzzer"]


def make_binaries(arguments, engines):
    """The build directory of each engine."""
    if arguments.binaries:
        return {engines[0]: arguments.binaries.resolve()}
    presets = {"libfuzzer": arguments.build, "afl": "afl"}
    builds.make_or_exit("release", "rescind")
    for name in engines:
        builds.make_or_exit(presets[name])
    builds.make_or_exit("coverage")
    return {name: builds.directory(presets[name]) for name in engines}


def drop_missing(arguments, binaries):
    """Leaves out targets that were not built, if they need not be; if nothing is left, ends."""
    there = binaries.get("libfuzzer")
    missing = [target for target in arguments.target if engine.TARGETS[target].optional
               and not (there and (there / "fuzz" / target).exists())]
    if missing:
        print(f"left out: {', '.join(missing)}, which libFuzzer runs where there is Unicorn 2.1 (scripts/install-packages)")
    arguments.target = [target for target in arguments.target if target not in missing]
    if not arguments.target:
        sys.exit(2)


def build_id(rescind):
    done = subprocess.run([rescind, "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True)
    return done.stdout.decode(errors="replace").split("\n")[0].removeprefix("rescind ")


def collect_seeds(session, target):
    _, into = session.corpora(target)
    into.mkdir(parents=True)
    seeds.collect(session.rescind, target, into)


def measure_coverage(session):
    """Lines and branches of src/kernel that the corpora reach; None if no target is meant to reach any, or they crash."""
    targets = [target for target in session.arguments.target if engine.TARGETS[target].explores == "kernel"]
    if not targets:
        return None
    measurement = coverage.Measurement(session.work)
    try:
        for target in targets:
            measurement.replay(target, *session.corpora(target))
    except coverage.Crashed as crash:
        session.status.say(f"no coverage: {crash}")
        return None
    return measurement.totals()


class OutOfTime(Exception):
    """Raised by a timer."""


def coverage_in_time(session):
    """None if it takes too long, which after Ctrl-C is soon."""

    def give_up(_number, _frame):
        raise OutOfTime

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(COVERAGE_INTERRUPTED_SECONDS if session.interrupted else COVERAGE_SECONDS)
    try:
        return measure_coverage(session)
    except OutOfTime:
        session.status.say("no coverage, as replaying the corpora takes too long")
        return None
    finally:
        signal.alarm(0)


def print_summary(session, covered):
    def row(name, text):
        print(f"{name:12}{text}")

    arguments, totals = session.arguments, session.snapshot()
    row("targets", f"{', '.join(arguments.target)} ({arguments.binaries or arguments.build}, {arguments.jobs} jobs, "
                   f"{' and '.join(session.binaries)}, seed {arguments.seed})")
    row("executions", f"{session.executions:,} in {session.seconds:.0f} s")
    row("operations", f"{session.operations:,}, {session.operations / max(session.seconds, 0.1):,.0f} a second")
    seconds, corpus = (sum(target[name] for target in totals["targets"].values()) for name in ("seconds", "corpus"))
    row("campaign", f"{totals['executions']:,} executions in {status.duration(seconds)} of processes, corpus {corpus:,}, "
                    f"{totals['disk_bytes'] / 2**20:.0f} of {arguments.disk_mb} MB")
    if covered:
        row("coverage", f"src/kernel: {coverage.describe(covered)}")
    known = len(session.shelf.met) - len(session.shelf.new)
    row("findings", str(len(session.shelf.met)) + (f", {known} of them known before" if known else ""))
    for signature, times in sorted(session.shelf.met.items()):
        print(f"  {signature}" + (f" (met {times:,} times)" if times > 1 else ""))
        print(f"      {session.shelf.replay_command(signature, session.rescind)}")


def take_signals(session):
    """The first ends the fuzzing, the second the program; what is not settled then, the next run settles."""

    def interrupt(number, _frame):
        if session.interrupted:
            sys.exit(128 + number)
        session.interrupt()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


def stress_nova(arguments):
    """`rescind stress` makes sequences up by what ran, watches over the machine, and shrinks what it finds; never returns."""
    builds.make_or_exit("release")
    seconds = arguments.seconds or 2**32 - 1
    options = ["--on=nova", f"--image={arguments.image}", f"--seconds={seconds}", f"--seed={arguments.seed}", f"--smp={arguments.smp}",
               f"--findings={arguments.findings.resolve() / 'nova'}"]
    options += [f"--corpus={arguments.campaign.resolve() / 'nova'}"]
    options += [f"--known={arguments.known}"] if arguments.known else []
    options += ["--empty"] if arguments.empty else []
    arguments.findings.mkdir(parents=True, exist_ok=True)
    arguments.campaign.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    os.execv(builds.directory("release") / "rescind", ["rescind", "stress", *options])


def main():
    arguments = parse_arguments()
    if arguments.on == "nova":
        stress_nova(arguments)
    state = campaign.Campaign(arguments.campaign)
    binaries = make_binaries(arguments, choose_engines(arguments))
    drop_missing(arguments, binaries)
    rescind = (arguments.binaries or binaries.get("libfuzzer", builds.directory("release"))).resolve() / "rescind"
    shown = status.Status(state.directory)
    session = runner.Runner(arguments, state, findings.Shelf(arguments.findings.resolve()), shown, binaries, rescind,
                            build_id(rescind))
    take_signals(session)
    try:
        for target in arguments.target:
            collect_seeds(session, target)
        session.run()
        print_summary(session, None if arguments.binaries else coverage_in_time(session))
    except runner.CannotStart as failure:
        shown.end()
        sys.stderr.write(f"{failure}\n")
        return 2
    finally:
        state.close()
    return 1 if session.shelf.met else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
