"""Configures and builds the presets of CMakePresets.json."""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class BuildFailed(Exception):
    """Carries what the build printed."""


def directory(preset):
    return ROOT / "build" if preset == "release" else ROOT / "build" / preset


def _run(command):
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise BuildFailed(done.stdout.decode(errors="replace"))


def _is_configured(into):
    """CMake looks by itself after its own files, but not after the presets."""
    ninja = into / "build.ninja"
    return ninja.exists() and ninja.stat().st_mtime > (ROOT / "CMakePresets.json").stat().st_mtime


def make(preset, *targets, kernel=None, into=None, jobs=None):
    """Builds `targets` (default: all) of a preset, with another kernel or into another directory if asked for."""
    into = into or directory(preset)
    configure = ["cmake", "--preset", preset, "-B", str(into)]
    if kernel:
        # Such a build is linked many times, and each time is short.
        configure.append(f"-DRESCIND_KERNEL_DIR={kernel}")
    if not _is_configured(into):
        _run(configure)
    command = ["cmake", "--build", str(into)]
    if jobs:
        command += ["-j", str(jobs)]
    if targets:
        command += ["--target", *targets]
    _run([*command, "--", "--quiet"])


def make_or_exit(preset, *targets):
    """Builds, says how long it took; a failed build ends the program."""
    started = time.monotonic()
    print(f"building {preset} in {os.path.relpath(directory(preset))} ...", end=" ", flush=True)
    try:
        make(preset, *targets)
    except BuildFailed as failure:
        print("failed")
        sys.stderr.write(str(failure))
        sys.exit(2)
    print(f"{time.monotonic() - started:.0f} s", flush=True)
