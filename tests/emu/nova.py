"""NOVA under the root task: what was written by hand and generated sequences agree with the record `nova`, a model that is wrong
on purpose does not, and the findings of docs/findings/nova-r10 show.

The argument is the path of the `rescind` command. The image is named by RESCIND_NOVA_IMAGE: the ELF file of NOVA r10 for
x86-64, as its build leaves it. Without one only what needs none is tried, and the rest is skipped.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from judging import AGREE, BAD, FINDING, SKIPPED, check, run, status

FINDINGS = Path("docs/findings/nova-r10")
CONTROL_OPERATIONS = 1000


def try_without_image(rescind, work):
    some = "corpus/scenarios/rom-remote.rsq"
    bare = {key: value for key, value in os.environ.items() if key != "RESCIND_NOVA_IMAGE"}
    none = run(rescind, "run", "--on=nova", some, env=bare)
    check("without an image it is said how to name one", none.returncode == BAD and "--image=FILE" in none.stdout, none.stdout)
    text = work / "text"
    text.write_text("no kernel")
    strange = run(rescind, "run", "--on=nova", f"--image={text}", some)
    check("what is no kernel is refused", strange.returncode == BAD and "not an ELF file" in strange.stdout, strange.stdout)
    mode = run(rescind, "stress", "--on=nova", "--mode=registers", f"--image={text}")
    check("modes that need our own kernel are refused", mode.returncode != AGREE and "--mode=sequences" in mode.stdout,
          mode.stdout)
    for said in ("Killed EC:0x1 (PT wrong CPU)", "Assertion \"x\" failed", "[ 0] IPI timeout 0->1"):
        program = work / "qemu-system-x86_64"
        program.write_text(f"#!/bin/sh\necho begin 0; echo op 3 lookup; echo '{said}'; exec sleep 60\n")
        program.chmod(0o755)
        image = work / "image"
        image.write_bytes(b"\x7fELF\x01" + bytes(200))
        done = run(rescind, "run", "--on=nova", "--json", f"--image={image}", some,
                   env={**os.environ, "PATH": f"{work}:{os.environ['PATH']}"})
        program.unlink()
        check(f"`{said}` is a finding, at once", done.returncode == FINDING and "O11.machine/lookup/" in done.stdout, done.stdout)


def try_image(rescind, image, work):
    on = ("--on=nova", f"--image={image}")
    corpus = run(rescind, "run", *on, "--empty", "--json", "corpus/scenarios", "corpus/regress")
    rows = [json.loads(line) for line in corpus.stdout.splitlines() if line.startswith("{")]
    check(f"{len(rows)} files that were written by hand", len(rows) > 20 and all(row["verdict"] == "agree" for row in rows),
          corpus.stdout)
    sound = run(rescind, "stress", *on, "--empty", "--without-drop", "--ops=1500", "--seed=5")
    check("generated sequences agree", sound.returncode == AGREE and " operations in " in sound.stdout, sound.stdout)
    flying = run(rescind, "stress", *on, "--empty", "--without-drop", "--smp=2", "--ops=1000", "--seed=5")
    met = re.search(r"^in flight: \d+ .*: (\d+) met in time, (\d+) wholly inside", flying.stdout, re.MULTILINE)
    check("hypercalls of two CPUs overlap, and agree", flying.returncode == AGREE and met and int(met[1]) and int(met[2]),
          flying.stdout)
    apart = run(rescind, "stress", *on, "--empty", "--without-drop", "--smp=2", "--ops=1000", "--seed=5", "--apart")
    check("one after another they do not", apart.returncode == AGREE and ": 0 met in time, 0 wholly inside" in apart.stdout,
          apart.stdout)
    control = run(rescind, "stress", *on, "--empty", "--without-drop", "--control", f"--ops={CONTROL_OPERATIONS}", "--seed=5",
                  "-o", work / "control.rsq")
    check(f"a model of exact revokes is found wrong within {CONTROL_OPERATIONS} operations", control.returncode == FINDING,
          control.stdout)
    for path in sorted(FINDINGS.glob("*.rsq")):
        shown = run(rescind, "run", *on, path)
        check(f"{path.name} fails as expected", shown.returncode == AGREE and "fails as expected" in shown.stdout, shown.stdout)
    for path in sorted((FINDINGS / "lost").glob("*.rsq")):
        shown = run(rescind, "run", *on, "--empty", "--repeat=24", path)
        check(f"{path.name} loses memory, as expected", shown.returncode == AGREE and "memory-lost" in shown.stdout,
              shown.stdout)
    for path in sorted((FINDINGS / "poor").glob("*.rsq")):
        shown = run(rescind, "run", *on, "--empty", "--quota=26", path)
        check(f"{path.name} fails as expected, with 26 pages", shown.returncode == AGREE and "fails as expected" in shown.stdout,
              shown.stdout)
    kept = work / "kept.rsq"
    kept.write_text("# rescind: 1\n# geometry: real\n\np1 = create_pd root payer=root sel=5 quota=10\n"
                    "delegate root mem from=phys base=0x10 order=4 to=p1 at=0x10 mask=rwx\n")
    shown = run(rescind, "run", *on, "--empty", "--repeat=24", kept)
    check("one without ports loses none", shown.returncode == AGREE and "ok " in shown.stdout, shown.stdout)


def main():
    rescind = sys.argv[1]
    if subprocess.run(["which", "qemu-system-x86_64"], stdout=subprocess.DEVNULL).returncode != 0:
        print("skipped: qemu-system-x86_64 is not installed (package qemu-system-x86)")
        return SKIPPED
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        try_without_image(rescind, work)
        image = os.environ.get("RESCIND_NOVA_IMAGE")
        if image:
            try_image(rescind, image, work)
        else:
            print("skipped: no image of NOVA; RESCIND_NOVA_IMAGE names none")
    return status() or (0 if image else SKIPPED)


if __name__ == "__main__":
    sys.exit(main())
