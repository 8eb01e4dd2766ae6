"""The inputs of fuzz targets: what engines have kept in directories, and what corpus/seeds/<target> ships."""

import builds
import engine

SEEDS = builds.ROOT / "corpus" / "seeds"
KEPT = [builds.ROOT / "work" / name for name in ("corpus", "campaign")]  # where scripts/fuzz leaves what it keeps


def is_input(path, below):
    """AFL++ keeps more than inputs: findings, hidden directories, and files of its own beside fuzzer_stats."""
    parts = path.relative_to(below).parts
    return not ({"crashes", "hangs"} & set(parts) or any(part.startswith(".") for part in parts) or
                (path.parent / "fuzzer_stats").exists())


def kept(directories, target):
    """Paths of what is below a directory called like the target in any of the directories, or is one of them."""
    for directory in directories:
        for path in sorted(directory.rglob("*")):
            if path.is_file() and target in path.relative_to(directory.parent).parts[:-1] and is_input(path, directory):
                yield path


def raw_seeds(target):
    """Shipped inputs that are no sequences."""
    return [path for path in sorted((SEEDS / target).glob("*")) if path.suffix != ".rsq"]


def longest(target):
    """Bytes of an input that the target looks at."""
    return int(next(option.split("=")[1] for option in engine.options_of(target) if option.startswith("-max_len=")))
