"""The kernel's linked image under Unicorn: `rescind run --on=unicorn` gives the verdicts of the host, the same whatever was run
before, and finds what is wrong with kernels that have a fault; without an `invlpg`, a load of user mode returns what the old frame
holds.

The arguments are the path of the `rescind` command and the directory with the programs. With --no-faults there are no kernels with
faults.
"""

import json
import re
import sys
import tempfile
from pathlib import Path

from judging import AGREE, BAD, FINDING, SEVERAL_CPUS, SKIPPED, check, run, status, verdicts

FAULTS = Path("faults/machine")
SCENARIOS, SEMANTICS = "corpus/scenarios", "corpus/semantics"


def signatures(rescind, kernel, *files):
    return [row["signature"] for row in verdicts(rescind, "--on=unicorn", f"--kernel={kernel}", *files).values()
            if row.get("signature")]


def try_corpus(rescind):
    host = verdicts(rescind, "corpus")
    rows = verdicts(rescind, "--on=unicorn", "corpus")
    differing = [f"{path}: {host[path]['verdict']}, under Unicorn {rows.get(path)}" for path in host
                 if path not in rows or rows[path]["verdict"] != host[path]["verdict"]]
    check(f"corpus, {len(host)} files: as on the host", len(host) > 1000 and not differing, "\n".join(differing[:20]))


def try_largest_leaf(rescind):
    """More pages than QEMU's root task can hold in its model, so not in the corpus."""
    largest = run(rescind, "run", "--on=unicorn", "tests/emu/largest_leaf.rsq")
    check("a leaf of 1 GiB", largest.returncode == AGREE and largest.stdout.startswith("ok "), largest.stdout)


def try_any_order(rescind):
    """What one sequence leaves behind changes nothing for the next: results, probes and mappings are the same."""
    files = sorted(map(str, Path("corpus/scenarios").glob("*.rsq"))) + sorted(map(str, Path("corpus/regress").glob("*.rsq")))
    forth = verdicts(rescind, "--on=unicorn", *files)
    back = verdicts(rescind, "--on=unicorn", *reversed(files))
    check(f"{len(files)} files, forth and back: the same to the last result", len(forth) == len(files) and forth == back)


def invlpg_places(image):
    """Of each `invlpg (%reg)` in an image: 0f 01 /7 without displacement."""
    return [match.start() for match in re.finditer(rb"\x0f\x01[\x38-\x3b\x3e\x3f]", image)]


def try_without_invlpg(rescind, programs, work):
    image = (programs / "kernel.elf").read_bytes()
    places = invlpg_places(image)
    reports = []
    for place in places:
        patched = work / "patched.elf"
        patched.write_bytes(image[:place] + b"\x90\x90\x90" + image[place + 3:])
        rows = verdicts(rescind, "--on=unicorn", f"--kernel={patched}", SCENARIOS, SEMANTICS)
        reports += [row["report"] for row in rows.values() if (row.get("signature") or "").endswith("/mem/stale")]
    reached = [re.search(r"expected: +not mapped\n +probed: +reached with R.., frame (0x[0-9a-f]+)", report) for report in reports]
    frames = sorted({match[1] for match in reached if match})
    check(f"without an invlpg ({len(places)} in the image) a load returns what the old frame holds: {' '.join(frames[:4])} ...",
          places and frames, "\n".join(reports[:2]))


def header_of(patch):
    return dict(re.findall(r"^# *([\w-]+): *(.*?) *$", patch.read_text().split("\n--- ")[0], re.MULTILINE))


def try_faults(rescind, programs):
    for patch in sorted(FAULTS.glob("*.patch")):
        header = header_of(patch)
        if "under-unicorn" not in header:
            continue
        files = [header["sequence"]] if "sequence" in header else [SCENARIOS, SEMANTICS]
        found = signatures(rescind, programs / f"{patch.stem}.elf", *files)
        fitting = [name for name in found if name.startswith(header["under-unicorn"])]
        check(f"{patch.stem}: {fitting[0] if fitting else 'nothing'}", bool(fitting), str(found))


def try_commands(rescind, programs, work):
    kernel = f"--kernel={programs / 'M1-other-cpus-not-asked.elf'}"
    shrunk = run(rescind, "shrink", "--on=unicorn", kernel, SEVERAL_CPUS, "-o", work / "shrunk.rsq")
    check("shrink", shrunk.returncode == AGREE and "\nO6.tlb/" in shrunk.stdout, shrunk.stdout)
    again = run(rescind, "run", "--on=unicorn", kernel, work / "shrunk.rsq")
    check("what was shrunk fails again", again.returncode == FINDING and "/mem/stale" in again.stdout, again.stdout)
    trace = run(rescind, "trace", "--on=unicorn", SEVERAL_CPUS)
    check("trace", trace.returncode == AGREE and json.loads(trace.stdout.splitlines()[0])["target"] == "unicorn", trace.stdout[:2000])


def try_preemption(rescind, programs):
    """Each store of a system call: the other CPU's waits, and what comes of both is what one of the orders comes to."""
    sequence = "tests/emu/two_calls.rsq"
    sound = run(rescind, "explore", "--on=unicorn", "--call=1", sequence)
    counts = re.search(r"^calls 1 and 2: (\d+) stores, (\d+) times done in between, (\d+) times blocked; the order matters$",
                       sound.stdout, re.MULTILINE)
    check("preempted at each store: " + sound.stdout.strip(), sound.returncode == AGREE and counts and
          int(counts[1]) == int(counts[2]) + int(counts[3]) > 50 and int(counts[3]) > 0, sound.stdout)
    for patch in sorted(FAULTS.glob("*.patch")):
        header = header_of(patch)
        if "preempted" in header:
            found = run(rescind, "explore", "--on=unicorn", f"--kernel={programs / patch.stem}.elf", header["preempted"])
            check(f"{patch.stem}: {found.stdout.strip()}", found.returncode == FINDING, found.stdout)


def try_schedules(rescind, programs, work):
    """Revokes and destroys that stop before some store while others run: sound with the kernel, not with one without a lock."""
    sequences = work / "schedules"
    run(rescind, "gen", "--seed=3", "--count=60", "--ops=40", "--cpus=4", "--preempt=200", "--points=255", "-o", sequences)
    sound = run(rescind, "run", "--on=unicorn", sequences)
    check("60 sequences with schedules", sound.returncode == AGREE, sound.stdout[-3000:])
    again = [verdicts(rescind, "--on=unicorn", sequences) for _ in range(2)]
    check("the same twice", again[0] == again[1] and len(again[0]) == 60)
    lost = run(rescind, "run", "--on=unicorn", f"--kernel={programs / 'M12-lock-never-taken.elf'}", sequences)
    stopped = lost.stdout.count("-> stopped at in-flight")
    check(f"without a lock: {lost.stdout.count('FINDING')} findings", lost.returncode == FINDING and stopped > 0, lost.stdout[-3000:])


def try_refusals(rescind, programs, work):
    schedules = run(rescind, "explore", "--on=unicorn", "--pct=2", "tests/emu/two_calls.rsq")
    check("explore: schedules are not for Unicorn", schedules.returncode == BAD and "no schedules" in schedules.stdout, schedules.stdout)
    nothing = run(rescind, "run", "--on=unicorn", f"--kernel={work / 'nothing'}", SEVERAL_CPUS)
    check("a kernel that is not there", nothing.returncode == BAD and "cannot be read" in nothing.stdout, nothing.stdout)
    other = run(rescind, "run", "--on=unicorn", f"--kernel={programs / 'roottask.elf'}", SEVERAL_CPUS)
    check("a program that is no kernel", other.returncode == BAD and "symbols" in other.stdout, other.stdout)


def main():
    rescind, programs = sys.argv[1], Path(sys.argv[2])
    if not (programs / "unicorn.so").exists():
        print("skipped: built without Unicorn 2.1 (packages libunicorn-dev, libunicorn2t64; scripts/install-packages)")
        return SKIPPED
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        try_corpus(rescind)
        try_largest_leaf(rescind)
        try_any_order(rescind)
        try_without_invlpg(rescind, programs, work)
        if "--no-faults" not in sys.argv[3:]:
            try_faults(rescind, programs)
            try_commands(rescind, programs, work)
            try_preemption(rescind, programs)
            try_schedules(rescind, programs, work)
        try_refusals(rescind, programs, work)
    return status()


if __name__ == "__main__":
    sys.exit(main())
