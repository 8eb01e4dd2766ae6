"""The inputs of fuzz targets that engines have kept in directories."""

import builds
import engine

OPERATION_BYTES = 16  # SEQ_OP_BYTES of src/seq/seq.h
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


def longest(target):
    """Bytes of an input that the target looks at."""
    return int(next(option.split("=")[1] for option in engine.options_of(target) if option.startswith("-max_len=")))
