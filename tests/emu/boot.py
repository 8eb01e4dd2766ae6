#!/usr/bin/env python3
"""The kernel on a machine: boots kernel.elf under QEMU with the root task of this directory, which must pass everywhere; what
cannot boot must say so; and each fault of faults/machine must be found.

The argument is the directory with the programs. Without --all only some machines are tried; which were not is printed. With
--no-faults there are no kernels with faults.
"""

import itertools
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FAULTS = Path(__file__).resolve().parents[2] / "faults" / "machine"
SKIPPED = 77
PASSED, FAILED, PANIC = (status << 1 | 1 for status in (0x10, 0x11, 0x7B))
MACHINES = list(itertools.product(("pc", "q35"), ("max", "qemu64"), (1, 2, 4)))
EVERY_DAY = [("pc", "max", 1), ("q35", "qemu64", 2), ("q35", "max", 4)]
HANG_SECONDS = 120

bad = 0


def check(name, holds, output):
    global bad
    print(f"{'ok    ' if holds else 'FAILED'}  {name}", flush=True)
    if not holds:
        bad += 1
        print(output)


def boot(directory, kernel="kernel", machine="pc", cpu="max", cpus=1, memory="2G", modules=(), more=()):
    """Exit status (None: hangs), what was printed, seconds until the root task's first word."""
    command = ["qemu-system-x86_64", "-M", machine, "-cpu", cpu, "-smp", str(cpus), "-m", memory, "-nodefaults",
               "-vga", "none", "-display", "none", "-no-reboot", "-serial", "stdio",
               "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04", "-kernel", directory / f"{kernel}.elf", *more]
    if modules:
        command += ["-initrd", ",".join(map(str, modules))]
    started = time.monotonic()
    with subprocess.Popen(["timeout", "-k", "1", str(HANG_SECONDS), *command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace") as process:
        first = process.stdout.readline()
        seconds = time.monotonic() - started
        output = first + process.stdout.read()
    return None if process.returncode == 124 else process.returncode, output, seconds


def try_machines(directory, chosen):
    task = directory / "test_task.elf"
    for machine, cpu, cpus in chosen:
        status, output, seconds = boot(directory, machine=machine, cpu=cpu, cpus=cpus, modules=[task])
        level = 2 if cpu == "max" else 1
        told = f"cpus {cpus}\n" in output and f"leaf_level {level}\n" in output
        check(f"{machine} {cpu} {cpus} CPUs, root task after {seconds * 1000:.0f} ms", status == PASSED and told,
              f"status {status}\n{output}")


def try_turns(directory):
    """Other orders of events than when each CPU is a thread of the host."""
    for name, more in (("CPUs take turns", ("-accel", "tcg,thread=single")),
                       ("the clock counts instructions", ("-icount", "shift=3"))):
        status, output, _ = boot(directory, cpus=2, modules=[directory / "test_task.elf"], more=more)
        check(f"2 CPUs, {name}", status == PASSED, f"status {status}\n{output}")


def try_modules(directory):
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("what the module says\n")
        file.flush()
        status, output, _ = boot(directory, modules=[directory / "test_task.elf", f"{file.name} as told"])
        check("a module", status == PASSED and f"module {file.name} as told: what the module says\n" in output, output)


def try_refusals(directory):
    task = directory / "test_task.elf"
    for name, expected, options in (
        ("a fault of the root task", "panic: exception root: #PF\n", {"modules": [f"{task} fault-in-root"]}),
        ("no root task", "panic: assert boot_start: there_is_a_root_task\n", {}),
        ("a root task that is no program", "panic: assert boot_load_root_task: ", {"modules": [__file__]}),
        ("too little memory", "panic: assert boot_check_memory: memory_is_2_gib\n",
         {"modules": [task], "memory": "1984M"}),
        ("a CPU without no-execute pages", "panic: assert boot_entry: the CPU has no-execute pages\n",
         {"modules": [task], "cpu": "qemu64,-nx"}),
    ):
        status, output, _ = boot(directory, **options)
        check(name, status == PANIC and expected in output, f"status {status}\n{output}")


def try_faults(directory):
    task = directory / "test_task.elf"
    for path in sorted(FAULTS.glob("*.patch")):
        header = dict(re.findall(r"^# *([\w-]+): *(.*?) *$", path.read_text().split("\n--- ")[0], re.MULTILINE))
        if "finding" not in header: # this task does not see it: tests/emu/unicorn.py
            continue
        status, output, _ = boot(directory, kernel=path.stem, cpus=int(header["cpus"]), modules=[task])
        last = [line for line in output.splitlines() if line.startswith(("trying ", "panic: "))][-1:]
        found = status in (FAILED, PANIC) and last and last[0].startswith(header["finding"])
        check(f"fault {path.stem}: {last[0] if last else 'nothing'}", found, f"status {status}\n{output}")


def main():
    directory = Path(sys.argv[1])
    if not shutil.which("qemu-system-x86_64"):
        print("skipped: qemu-system-x86_64 is not there (Debian package qemu-system-x86)")
        return SKIPPED
    chosen = MACHINES if "--all" in sys.argv[2:] else EVERY_DAY
    try_machines(directory, chosen)
    for machine in MACHINES:
        if machine not in chosen:
            print("not run:", *machine, "CPUs: only with --all, which scripts/test --long gives")
    try_turns(directory)
    try_modules(directory)
    try_refusals(directory)
    if "--no-faults" not in sys.argv[2:]:
        try_faults(directory)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
