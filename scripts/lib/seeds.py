"""Which files of corpus/ a fuzz target starts from, in the form of its inputs.

usage: seeds.py RESCIND TARGET FILE.zip     writes them as a zip archive, as OSS-Fuzz wants them
"""

import hashlib
import re
import sys
import tempfile
import zipfile
from pathlib import Path

import engine

CORPUS = Path(__file__).resolve().parents[2] / "corpus"
ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # equal seeds make equal archives


def _packed(rescind, path):
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory) / "packed"
        engine.pack(rescind, path, output)
        return output.read_bytes()


def input_of(rescind, kind, path):
    """A corpus file as an input; None: it is none for this target."""
    if path.suffix != ".rsq" or kind.explores == "sequences":
        return path.read_bytes()
    if re.search(rf"^# geometry: {kind.geometry}$", path.read_text(), re.MULTILINE):
        return _packed(rescind, path)
    return None


def own(target):
    return [path for path in sorted((CORPUS / "seeds" / target).rglob("*")) if path.is_file()]


def shared():
    """Sequences that every target with a use for them starts from."""
    return [path for folder in ("scenarios", "regress") for path in sorted((CORPUS / folder).rglob("*.rsq"))]


def collect(rescind, target, into):
    """Writes the seeds of a target into a directory: its own (corpus/seeds/<target>, of any sort), and the scenarios and
    regressions of its geometry."""
    kind = engine.TARGETS[target]
    for path in own(target) + shared():
        content = input_of(rescind, kind, path)
        if content is not None:
            (into / hashlib.sha1(content).hexdigest()).write_bytes(content)


def write_zip(rescind, target, archive):
    """No seeds, no archive: unzip takes an empty one for an error."""
    with tempfile.TemporaryDirectory() as name:
        collect(rescind, target, Path(name))
        files = sorted(Path(name).iterdir())
        if not files:
            return
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as output:
            for path in files:
                output.writestr(zipfile.ZipInfo(path.name, ZIP_DATE), path.read_bytes())


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    write_zip(Path(sys.argv[1]).resolve(), sys.argv[2], sys.argv[3])
