"""The booted kernel judged by the root task: `rescind run --on=qemu` gives the verdicts of the host, twice the same to the last
byte, and finds what is wrong with kernels that have a fault; `rescind stress` likewise.

The arguments are the path of the `rescind` command and the directory with the programs. With --all the whole corpus is run, seeds
too, on every kind of machine; with --no-faults there are no kernels with faults.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from judging import AGREE, BAD, FINDING, SEVERAL_CPUS, SKIPPED, check, run, status, verdicts

WRITTEN_BY_HAND = ["corpus/scenarios", "corpus/semantics", "corpus/regress"]


def operations(path):
    return [line for line in path.read_text().splitlines() if line and not line.startswith("#")]


def signatures(rescind, kernel, *files):
    rows = verdicts(rescind, "--on=qemu", f"--kernel={kernel}", *files)
    return [row["signature"] for row in rows.values()]


def try_corpus(rescind, everywhere):
    folders = ["corpus"] if everywhere else WRITTEN_BY_HAND
    host = {path: row["verdict"] for path, row in verdicts(rescind, *folders).items()}
    machines = [("q35", "max", None)]
    if everywhere:
        machines = [(machine, cpu, cpus) for machine in ("pc", "q35") for cpu in ("max", "qemu64") for cpus in (None, 1, 4)]
    for machine, cpu, cpus in machines:
        rows = verdicts(rescind, "--on=qemu", f"--machine={machine}", f"--cpu={cpu}",
                        *([f"--smp={cpus}"] if cpus else []), *folders)
        differing = [f"{path}: {host[path]}, on the machine {rows.get(path)}" for path in host
                     if path not in rows or rows[path]["verdict"] != host[path]]
        check(f"corpus, {len(host)} files, {machine} {cpu} {cpus or 'as many as files say'} CPUs: as on the host",
              len(host) > 100 and not differing, "\n".join(differing))
    several = [path for path in host if "# cpus:" in Path(path).read_text()]
    rows = verdicts(rescind, "--on=qemu", "--smp=1", *several)
    check(f"{len(several)} files about several CPUs, with one: as on the host",
          several and all(rows[path]["verdict"] == host[path] for path in several), json.dumps(rows))


def try_repeatable(rescind, work):
    for cpus, files in ((1, ["corpus/scenarios"]), (2, [SEVERAL_CPUS])):
        logs = []
        for name in ("one", "other"):
            log = work / f"{name}-{cpus}"
            run(rescind, "run", "--on=qemu", "--timeout=60", f"--smp={cpus}", f"--log={log}", *files)
            logs.append(log.read_bytes())
        check(f"two runs with {cpus} CPUs say the same, byte by byte", logs[0] == logs[1] and b"done " in logs[0],
              f"{logs[0]!r}\n{logs[1]!r}")


def function_ran(programs, noted, function):
    """Whether the first instruction of a function lies in a block that was noted."""
    symbols = subprocess.run(["nm", programs / "kernel.elf"], check=True, stdout=subprocess.PIPE, text=True).stdout
    address = next(int(line.split()[0], 16) for line in symbols.splitlines() if line.split()[-1] == function)
    blocks = [[int(word, 16) for word in line.split()] for line in noted.read_text().splitlines()]
    return any(start <= address < start + size for start, size in blocks)


def try_blocks(rescind, programs, work):
    noted = work / "blocks"
    one = "corpus/semantics/silent-phys-range.rsq"
    run(rescind, "run", "--on=qemu", f"--blocks={noted}", one)
    check("blocks of the kernel that ran are noted, and no others",
          function_ran(programs, noted, "syscall_enter") and not function_ran(programs, noted, "arch_stop"))
    before = noted.read_text().splitlines()
    run(rescind, "run", "--on=qemu", f"--blocks={noted}", "corpus/scenarios/rom-remote.rsq")
    after = noted.read_text().splitlines()
    check("what is noted once stays, and is not noted again", after[:len(before)] == before and len(after) > len(before) and
          len(set(after)) == len(after))


def try_faults(rescind, programs):
    for fault, files, expected in (
        ("M1-other-cpus-not-asked", [SEVERAL_CPUS], "O6.tlb/"),
        ("M5-ports-of-the-last-pd", ["corpus/scenarios/ports-driver.rsq"], "O2.over-revoke/delegate.phys.cap/pio/missing"),
        ("M6-dead-pd-runs-on", ["corpus/scenarios/tlb-destroy-running.rsq"], "O11.assert/"),
    ):
        found = signatures(rescind, programs / f"{fault}.elf", *files)
        check(f"{fault}: {found[0] if found else 'nothing'}", all(name and name.startswith(expected) for name in found)
              and found, str(found))
    files = sorted(map(str, Path("corpus/scenarios").glob("p*.rsq"))) + sorted(map(str, Path("corpus/scenarios").glob("q*.rsq")))
    rows = verdicts(rescind, "--on=qemu", f"--kernel={programs / 'M5-ports-of-the-last-pd.elf'}", *files)
    agreed = [row["verdict"] == "agree" for row in rows.values()]
    check("after a finding, the rest goes on", len(agreed) == len(files) and any(agreed) and not all(agreed), json.dumps(rows))


def try_interrupt(rescind, work):
    log, kept = work / "interrupted.log", work / "interrupted"
    kept.mkdir()
    with subprocess.Popen([rescind, "stress", "--on=qemu", "--seconds=100", "--seed=1", f"--log={log}"],
                          env={**os.environ, "TMPDIR": str(kept)}, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as stress:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (log.exists() and b"agree " in log.read_bytes()):
            time.sleep(0.1)
        there = list(kept.iterdir())
        stress.send_signal(signal.SIGINT)
        said, complaint = stress.communicate(timeout=60)
    check("stress, interrupted: it says what was done, and leaves nothing", stress.returncode == 128 + signal.SIGINT and
          " operations in " in said and "interrupted" in complaint and there and not list(kept.iterdir()),
          f"{stress.returncode} {there} {list(kept.iterdir())}\n{said}{complaint}")


def try_stress(rescind):
    sound = run(rescind, "stress", "--on=qemu", "--ops=2000", "--seed=1", "--smp=2", "--victims")
    check("stress: the kernel agrees", sound.returncode == AGREE and " operations in " in sound.stdout, sound.stdout)
    life = run(rescind, "stress", "--on=qemu", "--mode=soak", "--ops=2000", "--seed=1", "--smp=2")
    check("stress: one long life", life.returncode == AGREE and "; 1 boots" in life.stdout, life.stdout)
    registers = run(rescind, "stress", "--on=qemu", "--mode=registers", "--ops=5000", "--seed=1")
    check("stress: any registers", registers.returncode == AGREE and "5000 calls" in registers.stdout, registers.stdout)


def try_corpus_by_what_ran(rescind, work):
    stress = ["stress", "--on=qemu", "--ops=600", "--length=48", f"--findings={work / 'guided'}"]
    first = run(rescind, *stress, "--seed=1", f"--corpus={work / 'kept'}")
    kept = list((work / "kept").glob("*.rsq"))
    check("stress --corpus: what reaches new code is kept", first.returncode == AGREE and 0 < len(kept) < 32 and
          f" {len(kept)} sequences kept, beside 0 " in first.stdout, first.stdout)
    again = run(rescind, *stress, "--seed=2", f"--corpus={work / 'kept'}")
    ran = [int(re.search(r"^(\d+) bytes of the kernel's code ran", done.stdout, re.MULTILINE)[1]) for done in (first, again)]
    check("stress --corpus: taken up by the next run", again.returncode == AGREE and ran[1] >= ran[0] > 0 and
          f" sequences kept, beside {len(kept)} that were there" in again.stdout, again.stdout)
    agree = run(rescind, "run", *map(str, kept))
    check("stress --corpus: what was kept agrees on the host too", agree.returncode == AGREE, agree.stdout)


def try_stress_of_faults(rescind, programs, work):
    found = run(rescind, "stress", "--on=qemu", "--ops=20000", "--seed=1", "--smp=2", "-o", work / "found.rsq",
                f"--kernel={programs / 'M3-flush-without-reload.elf'}")
    check("stress: a finding, which shows again", found.returncode == FINDING and "\nreplayed: O6.tlb/" in found.stdout,
          found.stdout)
    privileged = run(rescind, "stress", "--on=qemu", "--mode=registers", "--ops=50000", "--seed=1",
                     "-o", work / "privileged.rsq", f"--kernel={programs / 'M7-privileged-by-any.elf'}")
    check("stress: what is for the root task alone", privileged.returncode == FINDING, privileged.stdout)


def try_registers_again(rescind, programs, work):
    """A fault of decoding that no operation shows: what finds it goes into a file, which shows it again."""
    kernel, found = f"--kernel={programs / 'unknown-bits.elf'}", work / "registers.rsq"
    done = run(rescind, "stress", "--on=qemu", "--mode=registers", "--ops=50000", "--seed=1", "-o", found, kernel)
    signature = re.search(r"^FINDING (O12\.result/\S+-for-E_ARG)$", done.stdout, re.MULTILINE)
    text = found.read_text() if found.exists() else ""
    check("registers: a fault of decoding is found, and kept", done.returncode == FINDING and signature and
          "\n# registers: seed=1 first=" in text, done.stdout + text)
    if not signature:
        return
    check("registers: the file shows it again", [signatures(rescind, programs / "unknown-bits.elf", found) for _ in range(2)] ==
          [[signature[1]]] * 2)
    check("registers: not on the real kernel", [row["verdict"] for row in verdicts(rescind, "--on=qemu", found).values()] ==
          ["agree"])
    fewer = work / "fewer.rsq"
    fewer.write_text(re.sub(r"(# registers: .* ops=)\d+", r"\g<1>1", text))
    check("registers: nor without its calls", signatures(rescind, programs / "unknown-bits.elf", fewer) == [None])
    here = run(rescind, "run", found)
    check("registers: not judged on the host", here.returncode == BAD and "--on=qemu" in here.stdout, here.stdout)


def try_bench(rescind):
    """What is counted, not timed, is as on the host; a remote revoke takes as much whatever the number of programs."""
    rows = []
    for on in ("host", "qemu"):
        done = run(rescind, "bench", "rom", f"--on={on}", "--json", "--programs=2,12", "--pages=4")
        rows.append(json.loads(done.stdout) if done.returncode == AGREE else [])
    counts = ("alternative", "programs", "pages", "lost_programs", "faults", "calls", "nodes", "memory_bytes")
    host, machine = ([[row[key] for key in counts] for row in side] for side in rows)
    check("bench rom: counts as on the host", len(host) == 10 and host == machine, f"{host}\n{machine}")
    took = {(row["alternative"], row["programs"]): row["instructions"] for row in rows[1]}
    check("bench rom: by the pager's remote revoke, the same for 2 programs and for 12; by the recursive one, more than 4 times",
          took and took["remote-by-pager", 2] == took["remote-by-pager", 12] and
          took["recursive", 12] > 4 * took["recursive", 2], str(took))


def try_visits(rescind):
    """A visit of another PD takes time, which a call of root's own does not."""
    done = run(rescind, "bench", "visits", "--json", "--rounds=3000")
    took = json.loads(done.stdout) if done.returncode == AGREE else {}
    check("bench visits: a PD's call takes more than root's", took and took["pd_call_us"] > took["root_call_us"], done.stdout)


def try_shrink(rescind, programs, work):
    kernel, small = f"--kernel={programs / 'M1-other-cpus-not-asked.elf'}", work / "small.rsq"
    done = run(rescind, "shrink", "--on=qemu", kernel, "--seconds=5", SEVERAL_CPUS, "-o", small)
    check("shrink: keeps what the machine shows", done.returncode == AGREE and len(operations(small)) <
          len(operations(Path(SEVERAL_CPUS))) and signatures(rescind, programs / "M1-other-cpus-not-asked.elf", small) ==
          [done.stdout.splitlines()[-1]], done.stdout)
    run_and_booted = re.search(r"(\d+) candidates run, (\d+) boots", done.stdout)
    if (programs / "unicorn.so").exists():
        check("shrink: most that fails nowhere is not booted", run_and_booted and
              int(run_and_booted[1]) > 2 * int(run_and_booted[2]), done.stdout)


def try_deaths(rescind, work):
    """Machines that end as they should not: a stand-in for QEMU says what such a machine would."""
    for name, script, expected in (
        ("silence", "sleep 60", "O10.progress/boot/watchdog"),
        ("a hang", "echo begin 0; echo op 3 lookup; exec sleep 60", "O10.progress/lookup/watchdog"),
        ("a triple fault", "echo begin 0; echo op 3 lookup; exit 0", "O11.machine/lookup/triple-fault"),
        ("a panic", "echo begin 0; echo op 3 lookup; echo 'panic: steps index_in: too many'; exit 247",
         "O10.progress/lookup/index_in: too many"),
        ("QEMU killed", "echo begin 0; echo op 3 lookup; kill -9 $$", "O11.machine/lookup/qemu ended by SIGKILL"),
    ):
        program = work / "qemu-system-x86_64"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        done = run(rescind, "run", "--on=qemu", "--json", "--timeout=1", SEVERAL_CPUS,
                   env={**os.environ, "PATH": f"{work}:{os.environ['PATH']}"})
        program.unlink()
        check(f"{name} is a finding", done.returncode == FINDING and expected in done.stdout, done.stdout)


def try_refusals(rescind, programs, work):
    missing = run(rescind, "run", "--on=qemu", SEVERAL_CPUS, env={**os.environ, "PATH": str(work)})
    check("without QEMU, its package is named", missing.returncode == BAD and "qemu-system-x86" in missing.stdout,
          missing.stdout)
    strange = run(rescind, "run", "--on=qemu", "--machine=none-such", SEVERAL_CPUS)
    check("a machine that QEMU does not know", strange.returncode == BAD and "unsupported machine" in strange.stdout, strange.stdout)
    nothing = run(rescind, "run", "--on=qemu", f"--kernel={work / 'nothing'}", SEVERAL_CPUS)
    check("a kernel that is not there", nothing.returncode == BAD and "nothing" in nothing.stdout, nothing.stdout)
    dead = verdicts(rescind, "--on=qemu", "--cpu=qemu64,-nx", SEVERAL_CPUS)
    check("a kernel that does not boot", [row["signature"] for row in dead.values()] ==
          ["O11.assert/boot/boot_entry: the CPU has no-execute pages"], json.dumps(dead))


def main():
    rescind, programs = sys.argv[1], Path(sys.argv[2])
    everywhere = "--all" in sys.argv[3:]
    if subprocess.run(["which", "qemu-system-x86_64"], stdout=subprocess.DEVNULL).returncode != 0:
        print("skipped: qemu-system-x86_64 is not installed (package qemu-system-x86)")
        return SKIPPED
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        try_corpus(rescind, everywhere)
        try_repeatable(rescind, work)
        try_blocks(rescind, programs, work)
        try_stress(rescind)
        try_interrupt(rescind, work)
        try_corpus_by_what_ran(rescind, work)
        try_bench(rescind)
        try_visits(rescind)
        if "--no-faults" not in sys.argv[3:]:
            try_faults(rescind, programs)
            try_stress_of_faults(rescind, programs, work)
            try_registers_again(rescind, programs, work)
            try_shrink(rescind, programs, work)
        try_deaths(rescind, work)
        try_refusals(rescind, programs, work)
    return status()


if __name__ == "__main__":
    sys.exit(main())
