#!/usr/bin/env python3
"""The kernel on threads that are CPUs: nothing must be found in it, and each fault of faults/threads must be.

The argument is the directory with the programs. Kernels with faults are there in the build with TSan alone.
"""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FAULTS = Path(__file__).resolve().parents[2] / "faults" / "threads"
# Threads, seed and rounds. Two threads are apart from each other with an even seed.
SILENT = [(2, 1, 20), (2, 2, 20), (3, 3, 15), (4, 4, 15), (4, 5, 15)]
TRIES = [(threads, seed) for seed in range(1, 6) for threads in (4, 2)]
FAULT_ROUNDS = 20


def run(program, threads, seed, rounds):
    done = subprocess.run([program, f"--threads={threads}", f"--seed={seed}", f"--rounds={rounds}", "--seconds=120"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace")
    found = re.search(r"^FINDING (.*)$", done.stdout, re.MULTILINE)
    return done.returncode, found[1] if found else None, done.stdout


def try_silent(directory, job):
    status, found, output = run(directory / "threads", *job)
    holds = status == 0 and not found
    return holds, output.splitlines()[0] if holds else "the kernel: " + output


def counted(lines):
    """How often CPUs were asked for something, and let others in at a preemption point, in all runs."""
    numbers = re.findall(r"(\d+) shootdowns, (\d+) times let others in", "\n".join(lines))
    return [sum(int(number) for number in column) for column in zip(*numbers)]


def try_fault(directory, path):
    wanted = re.findall(r"^# finding: (.*)$", path.read_text(), re.MULTILINE)
    for threads, seed in TRIES:
        status, found, output = run(directory / path.stem, threads, seed, FAULT_ROUNDS)
        if found or status != 0:
            holds = status == 1 and found and found.startswith(tuple(wanted))
            return holds, f"{path.stem}: {found if found else output}"
    return False, f"{path.stem}: nothing found"


def main():
    directory = Path(sys.argv[1])
    faults = sorted(path for path in FAULTS.glob("*.patch") if (directory / path.stem).exists())
    if sys.argv[2:]:
        faults = [path for path in faults if path.stem in sys.argv[2:]]
    bad, lines = 0, []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(try_silent, directory, job) for job in SILENT]
        jobs += [pool.submit(try_fault, directory, path) for path in faults]
        for job in jobs:
            holds, words = job.result()
            print(f"{'ok    ' if holds else 'FAILED'}  {words}", flush=True)
            bad += not holds
            lines.append(words)
    if not all(counted(lines)):
        print("FAILED  CPUs had nothing to do with each other")
        bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
