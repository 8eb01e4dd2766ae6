"""Files that are whole or not there, whenever the program or the machine is stopped; and what directories take."""

import json
import os
import shutil
from pathlib import Path


def sync_directory(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path, content):
    """Replaces a file at one stroke."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    with unfinished.open("wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    sync_directory(path.parent)


def read_json(path):
    """None if the file is not there or damaged."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None


class Lines:
    """A file of JSON objects, one a line. A line that a power cut tore is passed over; the next is not harmed by it."""

    def __init__(self, path):
        self.path = path

    def read(self):
        if self.path.exists():
            for line in self.path.read_bytes().split(b"\n"):
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue
                if isinstance(entry, dict):
                    yield entry

    def append(self, entry, sync=True):
        with self.path.open("ab+") as file:
            if file.tell() > 0:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")
            file.write(json.dumps(entry).encode() + b"\n")
            file.flush()
            if sync:
                os.fsync(file.fileno())

    def replace(self, entries):
        write_whole(self.path, "".join(json.dumps(entry) + "\n" for entry in entries))


def shown(path):
    """A path as short as may be."""
    short = os.path.relpath(path)
    return str(path) if short.startswith("..") else short


def bytes_below(path):
    """What files take on disk; those that vanish meanwhile count or not."""
    total = 0
    for directory, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(directory, name)).st_blocks * 512
            except FileNotFoundError:
                pass
    return total


def copy_whole(source, destination):
    write_whole(Path(destination), Path(source).read_bytes())


def remove(path):
    shutil.rmtree(path, ignore_errors=True)
