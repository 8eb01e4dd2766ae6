"""Finds what looks like an input of a fuzzer or a sequence below some paths, whatever else lies there.

Text and packed sequences say what they are; anything else is taken for bare operations, as fuzzers keep them, in the
form of the fuzz target whose name is part of the path.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

import engine
import storage

BYTES_MAX = 4 << 20  # as rescind reads
TEXT_START = b"# rescind:"
PACKED_START = b"\x8frseq\r\n\x1a"
# Of what fuzzers leave lying about, what is no input.
NOT_INPUTS = {"README.txt", "fuzzer_stats", "fuzz_bitmap", "plot_data", "cmdline", "fuzzer_setup", "target_hash", "known.tsv"}
# Of the folder of a finding, the first of these that is there: what else lies in it was made of that.
OF_FINDING = ("found.rsq", "input.bin", "sequence.rsq")
NOT_SUFFIXES = {".log", ".json", ".jsonl", ".html", ".svg", ".txt", ".sh", ".tsv", ".xml", ".md"}


@dataclass
class Input:
    path: Path
    form: str  # "sequence" (text or packed), or "raw"
    target: str  # fuzz target, of raw ones


@dataclass
class Skipped:
    path: Path
    why: str


def target_of(path, fallback):
    """What the finding's meta.json says, or the last part of the path that is a fuzz target's name."""
    meta = storage.read_json(path.parent / "meta.json") or {}
    for part in (meta.get("target"), *reversed(path.absolute().parent.parts)):
        if part in engine.TARGETS:
            return part
    return fallback


def _classify(path, fallback):
    try:
        state = path.lstat()
        if stat.S_ISLNK(state.st_mode):
            return Skipped(path, "a symbolic link")
        if not stat.S_ISREG(state.st_mode):
            return Skipped(path, "no regular file")
        if state.st_size == 0:
            return Skipped(path, "empty")
        if state.st_size > BYTES_MAX:
            return Skipped(path, f"larger than {BYTES_MAX} bytes")
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        return Skipped(path, error.strerror)
    form = "sequence" if start.startswith((TEXT_START, PACKED_START)) or path.suffix == ".rsq" else "raw"
    return Input(path, form, target_of(path, fallback))


def _files(directory):
    """Regular-looking files below, sorted; directories that cannot be read are told as Skipped."""
    broken = []
    for folder, folders, names in os.walk(directory, onerror=lambda error: broken.append(
            Skipped(Path(error.filename), error.strerror)), followlinks=False):
        folders.sort()
        if "meta.json" in names:
            names = [name for name in OF_FINDING if name in names][:1]
        for name in sorted(names):
            if name not in NOT_INPUTS and Path(name).suffix not in NOT_SUFFIXES:
                yield Path(folder) / name
    yield from broken


def collect(paths, fallback):
    """(inputs, skipped) of files as given and of everything below directories."""
    inputs, skipped = [], []
    for path in paths:
        path = Path(path)
        found = _files(path) if path.is_dir() and not path.is_symlink() else [path]
        for entry in found:
            entry = entry if isinstance(entry, Skipped) else _classify(entry, fallback)
            (inputs if isinstance(entry, Input) else skipped).append(entry)
    return inputs, skipped
