"""What the tests that judge kernels on machines share: running `rescind`, and saying what holds."""

import json
import subprocess

SKIPPED = 77  # status for ctest
AGREE, FINDING, BAD = 0, 1, 2  # statuses of rescind
SEVERAL_CPUS = "corpus/scenarios/tlb-two-cpus.rsq"
_failed = []


def check(name, holds, output=""):
    print(f"{'ok    ' if holds else 'FAILED'}  {name}", flush=True)
    if not holds:
        _failed.append(name)
        print(output)


def status():
    """Of the test: 0, or 1 if a check failed."""
    return 1 if _failed else 0


def run(rescind, *arguments, **options):
    return subprocess.run([rescind, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", **options)


def verdicts(rescind, *arguments):
    """By path. A line that is no verdict is none."""
    done = run(rescind, "run", "--json", "--timeout=60", *arguments)
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {row["path"]: row for row in rows}
