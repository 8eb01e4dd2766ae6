"""What a fuzz target starts from, as a zip archive, as OSS-Fuzz wants it.

usage: seeds.py RESCIND TARGET FILE.zip
"""

import sys
import tempfile
import zipfile
from pathlib import Path

import inputs

ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # equal seeds make equal archives


def write_zip(rescind, target, archive):
    with tempfile.TemporaryDirectory() as name, zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as output:
        inputs.collect(rescind, target, Path(name))
        for path in sorted(Path(name).iterdir()):
            output.writestr(zipfile.ZipInfo(path.name, ZIP_DATE), path.read_bytes())


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    write_zip(Path(sys.argv[1]).resolve(), sys.argv[2], sys.argv[3])
