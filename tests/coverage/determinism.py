#!/usr/bin/env python3
"""A run depends on its file alone: the corpus, run in two orders, gives the same verdicts and the same coverage.

usage: determinism.py BUILD [REPOSITORY]

BUILD is a build with source coverage (preset `coverage`). Verdicts come from `rescind run --json`; coverage is which
regions of the kernel ran when the fuzz target replayed all files in one process. Exit status: 0 equal, 1 different,
2 could not be run.
"""
import os
import subprocess
import sys
import tempfile
from pathlib import Path


def run(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    if done.returncode != 0:
        sys.stderr.write(done.stderr.decode(errors="replace"))
        sys.exit(f"determinism: {command[0]} failed with status {done.returncode}")
    return done.stdout


def verdicts(rescind, files):
    return sorted(run([rescind, "run", "--json", *files]).splitlines())


def coverage(target, files, directory):
    """Which regions of each function ran. (How often depends on the order: a boot cleans up after the run before it.)"""
    raw = directory / "profile"
    run([target, *files], env={**os.environ, "LLVM_PROFILE_FILE": str(raw)}, cwd=directory)
    profile = run(["llvm-profdata", "merge", "-text", raw, "-o", "-"]).decode()
    covered = {}
    for function in profile.strip().split("\n\n"):
        name, hashed, _, *counts = [line for line in function.splitlines() if not line.startswith("#")]
        covered[name, hashed] = [count != "0" for count in counts]
    return covered


def geometry_of(file):
    lines = file.read_text().splitlines()
    return next(line.split(":")[1].strip() for line in lines if line.startswith("# geometry:"))


def main():
    if len(sys.argv) not in (2, 3):
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    build = Path(sys.argv[1]).resolve()
    root = Path(sys.argv[2] if len(sys.argv) == 3 else Path(__file__).parents[2]).resolve()
    rescind = build / "rescind"
    files = sorted([*root.glob("corpus/**/*.rsq"), *root.glob("faults/*.rsq")])
    if not files:
        sys.exit("determinism: no corpus")
    bad = 0
    if verdicts(rescind, files) != verdicts(rescind, files[::-1]):
        print("FAILED  verdicts differ between two orders")
        bad += 1
    for geometry in ("small", "real"):
        with tempfile.TemporaryDirectory(prefix="rescind-order-") as directory:
            directory = Path(directory)
            packed = []
            for number, file in enumerate(files):
                if geometry_of(file) == geometry:
                    packed.append(directory / f"{number}.bin")
                    run([rescind, "pack", "--raw", file, "-o", packed[-1]])
            target = build / "fuzz" / f"memory_{geometry}"
            if coverage(target, packed, directory) != coverage(target, packed[::-1], directory):
                print(f"FAILED  {geometry}: coverage of {len(packed)} files differs between two orders")
                bad += 1
            else:
                print(f"ok  {geometry}: {len(packed)} files, the same coverage in two orders")
    print(f"{3 - bad} passed, {bad} failed")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
