"""The shelf of findings: findings/<signature>-<hash>/, one directory for each distinct signature.

meta.json says what is known of it. A finding is filed at once and complete but for the shrunk sequence, which follows.
"""

import hashlib
import json
import re
import time

import children
import storage

SHRINK_SECONDS = 60
HANGING = ["--timeout=1", "--budget=50"]  # for what hangs with each candidate that fails
PENDING = "pending"


def stamp(seconds=None):
    """Seconds since 1970 (default: now) as text."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def name_of(signature):
    """The name of a finding's directory."""
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", signature)[:80].strip("-.")
    return f"{slug or 'finding'}-{hashlib.sha1(signature.encode()).hexdigest()[:8]}"


class Shelf:
    """All findings of a directory. `met` is what this run met, signatures with counts; `new`, what was not known
    before."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.metas = {}
        self.met, self.new = {}, []
        for unfinished in directory.glob(".*.unfinished"):
            storage.remove(unfinished)
        for path in sorted(directory.glob("*/meta.json")):
            meta = storage.read_json(path)
            if meta and "signature" in meta:
                self.metas[meta["signature"]] = meta

    def known(self):
        return list(self.metas)

    def path(self, signature):
        return self.directory / name_of(signature)

    def file(self, finding, about):
        """Keeps a finding, or counts a known one up; True if it is new. `about`: what the process was told, the build, its
        id. A finding of a process that was counted before, by a run that was killed then, does not count again."""
        if finding.signature in self.metas:
            return self.count_up(finding.signature, 1, about)
        meta = {
            "signature": finding.signature, "target": finding.target, "engine": about["engine"], "build": about["build"],
            "seed": about["seed"], "command": about["command"], "process": about["process"], "first_seen": stamp(),
            "last_seen": stamp(), "last_build": about["build"], "count": 1,
            "shrunk": PENDING if finding.is_sequence else "not a sequence",
        }
        unfinished = self.directory / f".{name_of(finding.signature)}.unfinished"
        storage.remove(unfinished)
        unfinished.mkdir()
        if finding.input:
            storage.copy_whole(finding.input, unfinished / "input.bin")
        if finding.path and finding.path != finding.input:
            storage.copy_whole(finding.path, unfinished / ("found.rsq" if finding.is_sequence else "found.txt"))
        storage.write_whole(unfinished / "report.txt", finding.report)
        storage.write_whole(unfinished / "meta.json", json.dumps(meta, indent=1) + "\n")
        storage.remove(self.path(finding.signature))  # with a meta.json that could not be read
        unfinished.rename(self.path(finding.signature))
        storage.sync_directory(self.directory)
        self.metas[finding.signature] = meta
        self.met[finding.signature] = 1
        self.new.append(finding.signature)
        return True

    def count_up(self, signature, times, about):
        """A known finding was met again."""
        meta = self.metas[signature]
        self.met[signature] = self.met.get(signature, 0) + times
        if meta.get("last_process", meta["process"]) != about["process"]:
            meta |= {"count": meta["count"] + times, "last_seen": stamp(), "last_build": about["build"],
                     "last_process": about["process"]}
            self._write(signature)
        return False

    def _write(self, signature):
        if self.path(signature).is_dir():  # else somebody put it away
            storage.write_whole(self.path(signature) / "meta.json", json.dumps(self.metas[signature], indent=1) + "\n")

    def to_shrink(self):
        """The signature of a finding that has not been shrunk yet, or None."""
        for signature, meta in self.metas.items():
            if meta.get("shrunk") == PENDING and (self.path(signature) / "found.rsq").exists():
                return signature
        return None

    def shrunk(self, signature, outcome):
        self.metas[signature]["shrunk"] = outcome
        self._write(signature)

    def replay_command(self, signature, rescind):
        """What shows a finding once more."""
        path = self.path(signature)
        for name in ("shrunk.rsq", "found.rsq"):
            if (path / name).exists():
                return f"{storage.shown(rescind)} run {storage.shown(path / name)}"
        if (path / "input.bin").exists():
            return f"{storage.shown(self._program(signature))} {storage.shown(path / 'input.bin')}"
        return f"see {storage.shown(path / 'report.txt')}"

    def _program(self, signature):
        """The fuzz target; AFL's command ends with it."""
        command = self.metas[signature]["command"]
        return command[-1 if "--" in command else 0]


class Shrinker:
    """Shrinks one finding after another, beside the fuzzing."""

    def __init__(self, shelf, rescind, log):
        self.shelf, self.rescind, self.log = shelf, rescind, log
        self._process = self._signature = None
        self._started = 0.0

    def busy(self):
        return self._process is not None or self.shelf.to_shrink() is not None

    def tend(self):
        """To be called now and then."""
        if self._process is not None and self._process.poll() is None:
            if time.monotonic() - self._started > SHRINK_SECONDS:
                self._process.kill()
                self._process.wait()
                self._end(f"not within {SHRINK_SECONDS} s")
        elif self._process is not None:
            self._end(None)
        elif signature := self.shelf.to_shrink():
            self._start(signature)

    def _output(self):
        return self.shelf.path(self._signature) / ".shrunk.rsq.unfinished"

    def _start(self, signature):
        self._signature, self._started = signature, time.monotonic()
        self.log.unlink(missing_ok=True)
        options = HANGING if "watchdog" in signature else []
        found = self.shelf.path(signature) / "found.rsq"
        self._process = children.start([self.rescind, "shrink", *options, found, "-o", self._output()], self.log)

    def _end(self, why_not):
        process, self._process = self._process, None
        if why_not is None and process.returncode == 0:
            self._output().rename(self.shelf.path(self._signature) / "shrunk.rsq")
            self.shelf.shrunk(self._signature, "done")
            return
        last = self.log.read_text(errors="replace").strip().split("\n")[-1]
        self._output().unlink(missing_ok=True)
        self.shelf.shrunk(self._signature, why_not or f"failed with status {process.returncode}: {last[:200]}")

    def stop(self):
        """What is not shrunk stays pending; the next run shrinks it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
