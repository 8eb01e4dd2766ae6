"""The inputs of fuzz targets: what corpus/ ships, and what engines have kept in directories."""

import hashlib
import re
import shutil

import builds
import engine

OPERATION_BYTES = 16  # SEQ_OP_BYTES of src/seq/seq.h
SEEDS = builds.ROOT / "corpus" / "seeds"
KEPT = [builds.ROOT / "work" / name for name in ("corpus", "campaign")]  # where scripts/fuzz leaves what it keeps


def is_input(path, below):
    """AFL++ keeps more than inputs: findings, hidden directories, and files of its own beside fuzzer_stats."""
    parts = path.relative_to(below).parts
    return not ({"crashes", "hangs"} & set(parts) or any(part.startswith(".") for part in parts) or
                (path.parent / "fuzzer_stats").exists())


def kept(directories, target):
    """The different inputs, in an order of their own, below whatever is called like the target in the directories."""
    found = set()
    for directory in directories:
        for path in directory.rglob("*"):
            if path.is_file() and target in path.relative_to(directory.parent).parts[:-1] and is_input(path, directory):
                try:
                    found.add(path.read_bytes()[: longest(target)])
                except FileNotFoundError:
                    pass  # an engine that runs has replaced it
    return sorted(found)


def shared():
    """Sequences that every target with a use for them starts from."""
    return [path for source in ("scenarios", "regress") for path in sorted((builds.ROOT / "corpus" / source).rglob("*.rsq"))]


def is_for(target, path):
    """Whether a target can read a sequence: packed, in its geometry, or as text."""
    kind = engine.TARGETS[target]
    return kind.explores == "sequences" or bool(re.search(rf"^# geometry: {kind.geometry}$", path.read_text(), re.MULTILINE))


def collect(rescind, target, into):
    """Fills a directory with what a target starts from, as it reads it: its own seeds and the shared sequences."""
    own = sorted((SEEDS / target).glob("*"))
    for path in [*own, *(path for path in shared() if is_for(target, path))]:
        written = into / "written"
        if engine.TARGETS[target].geometry:
            engine.pack(rescind, path, written)
        else:
            shutil.copy(path, written)
        written.rename(into / hashlib.sha1(written.read_bytes()).hexdigest())


def raw_seeds(target):
    """Shipped inputs that are no sequences."""
    return [path.read_bytes() for path in sorted((SEEDS / target).glob("*")) if path.suffix != ".rsq"]


def longest(target):
    """Bytes of an input that the target looks at."""
    return int(next(option.split("=")[1] for option in engine.options_of(target) if option.startswith("-max_len=")))
