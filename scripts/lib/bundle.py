"""Lays fuzz targets out as ClusterFuzz expects them: <target>, <target>.options, <target>.dict, <target>_seed_corpus.zip.

Zips hold packed sequences under names of their content, always the same bytes for the same seeds.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import engine
import inputs


def seeds(target, rescind):
    """The different inputs that a target starts from."""
    with tempfile.TemporaryDirectory() as work:
        inputs.collect(rescind, target, Path(work))
        return sorted({path.read_bytes()[: inputs.longest(target)] for path in Path(work).iterdir()})


def write_zip(path, contents):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for content in contents:
            bundle.writestr(zipfile.ZipInfo(hashlib.sha1(content).hexdigest()), content)


def lay_out(target, arguments):
    shutil.copy(arguments.binaries / target, arguments.output / target)
    options = (engine.SOURCES / f"{target}.options").read_text()
    dictionary = engine.SOURCES / f"{target}.dict"
    if dictionary.exists():
        shutil.copy(dictionary, arguments.output)
    (arguments.output / f"{target}.options").write_text(options)
    found = seeds(target, arguments.rescind)
    if found:
        write_zip(arguments.output / f"{target}_seed_corpus.zip", found)
    print(f"{target}: {len(found)} seeds")


def main():
    parser = argparse.ArgumentParser(prog="bundle.py", description=__doc__)
    parser.add_argument("--binaries", type=Path, required=True, help="directory of the built fuzz targets")
    parser.add_argument("--rescind", type=Path, required=True, help="the rescind command, which packs seeds")
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    for target in engine.TARGETS:
        lay_out(target, arguments)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as failure:
        sys.exit(f"bundle.py: {failure}")
