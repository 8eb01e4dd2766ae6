"""Calls of several CPUs in flight at once on the booted kernel: sequences with schedules get the verdicts of the host, calls really
overlap by the clocks of the programs that make them, and a fault that only this can show is found.

The arguments are the path of the `rescind` command and the directory with the programs. With --all every stored interleaving is run,
on 4 CPUs and on threads too; with --no-faults there are no kernels with faults.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from judging import AGREE, FINDING, SKIPPED, check, run, status, verdicts

SEEDS_EACH_DAY = 16


def try_corpus(rescind, everywhere):
    seeds = sorted(map(str, Path("corpus/seeds/interleavings").glob("*.rsq")))
    files = sorted(map(str, Path("corpus/regress").glob("preempt-*.rsq"))) + seeds[:None if everywhere else SEEDS_EACH_DAY]
    host = {path: row["verdict"] for path, row in verdicts(rescind, *files).items()}
    for options in [["--smp=2"], ["--smp=4"], ["--smp=2", "--threads"]][:None if everywhere else 1]:
        rows = verdicts(rescind, "--on=qemu", *options, *files)
        differing = [f"{path}: {host[path]}, on the machine {rows.get(path)}" for path in host
                     if path not in rows or rows[path]["verdict"] != host[path]]
        check(f"{len(host)} sequences with schedules, {' '.join(options)}: as on the host",
              len(host) >= SEEDS_EACH_DAY and not differing, "\n".join(differing))


def overlap(done):
    """What the summary says of calls in flight: all counts must be there for calls to have overlapped."""
    line = re.search(r"^in flight: (\d+) revokes.*: (\d+) met in time, (\d+) wholly inside; (\d+) preemption", done.stdout, re.MULTILINE)
    return [int(number) for number in line.groups()] if line else [0]


def overlaps(counts):
    return len(counts) == 4 and all(counts)


def try_overlap(rescind, everywhere):
    stress = ["stress", "--on=qemu", "--blocks=none", "--seed=1", "--ops=2000"]
    together = None  # of the first
    for options in [["--smp=2"], ["--smp=4", "--victims"], ["--smp=2", "--threads"]][:None if everywhere else 2]:
        done = run(rescind, *stress, *options)
        counts = overlap(done)
        together = together or counts
        check(f"stress {' '.join(options)}: the kernel agrees, and calls overlap: {counts}",
              done.returncode == AGREE and overlaps(counts), done.stdout)
    apart = run(rescind, *stress, "--smp=2", "--apart")
    counts = overlap(apart)
    check(f"one after another they do not, and it is seen: {counts}",
          apart.returncode == AGREE and counts[0] > 0 and not overlaps(counts) and counts[1:] == [0, 0, 0], apart.stdout)
    revokes = run(rescind, *stress, "--smp=2", "--apart=revokes")
    fewer = overlap(revokes)
    check(f"with revokes apart from each other fewer do: {fewer}", revokes.returncode == AGREE and overlaps(fewer) and
          fewer[1] < together[1], revokes.stdout)
    alone = run(rescind, *stress, "--smp=1")
    check("with one CPU nothing is in flight", alone.returncode == AGREE and "in flight" not in alone.stdout, alone.stdout)


def try_faults(rescind, programs, work):
    for patch in sorted(Path("faults/machine").glob("*.patch")):
        header = dict(re.findall(r"^# *([\w-]+): *(.*?) *$", patch.read_text().split("\n--- ")[0], re.MULTILINE))
        if "in-flight" not in header:
            continue
        stress = ["stress", "--on=qemu", "--blocks=none", "--seed=1", "--ops=5000", f"--smp={header['cpus']}",
                  f"--kernel={programs / patch.stem}.elf"]
        found = run(rescind, *stress, "-o", work / "found.rsq")
        check(f"{patch.stem} is found, and shows again", found.returncode == FINDING and
              f"FINDING {header['in-flight']}" in found.stdout and f"\nreplayed: {header['in-flight']}" in found.stdout, found.stdout)
        stored = (work / "found.rsq").read_text()
        check(f"{patch.stem}: what shows it has a schedule, and says where it comes from",
              "preempt=" in stored and " of seed 1, 2 CPUs; replayed alone it shows" in stored, stored)
        apart = run(rescind, *stress, "--apart")
        check(f"{patch.stem} does not show when nothing overlaps", apart.returncode == AGREE, apart.stdout)


def main():
    rescind, programs = sys.argv[1], Path(sys.argv[2])
    everywhere = "--all" in sys.argv[3:]
    if subprocess.run(["which", "qemu-system-x86_64"], stdout=subprocess.DEVNULL).returncode != 0:
        print("skipped: qemu-system-x86_64 is not installed (package qemu-system-x86)")
        return SKIPPED
    with tempfile.TemporaryDirectory() as name:
        try_corpus(rescind, everywhere)
        try_overlap(rescind, everywhere)
        if "--no-faults" not in sys.argv[3:]:
            try_faults(rescind, programs, Path(name))
    return status()


if __name__ == "__main__":
    sys.exit(main())
