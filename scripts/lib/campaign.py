"""A campaign on disk, which any number of runs continue: corpora, what was counted, and what stopped processes left.

work/campaign/
    lock               held by the run that uses the campaign
    journal.jsonl      what ended slices counted; the first line sums up all before
    status.jsonl       see status.py
    corpus/<target>/   the common corpus of all engines
    processes/<id>/    one directory for each process that is not settled yet
    scratch/           worth nothing after a run

A process is settled when its slice stands in the journal: its findings are filed before, its directory goes after. So what
a killed run has not settled, the next one settles, and nothing counts twice.
"""

import fcntl
import hashlib
import os
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import afl
import engine
import storage
from schedule import Arm, Record

JOURNAL_LINES_MAX = 5000
ENGINES = {"libfuzzer": engine.Remains, "afl": afl.AflRemains}


@dataclass
class Tally:
    """What an arm did in all runs of the campaign."""

    slices: int = 0
    seconds: float = 0.0
    executions: int = 0
    operations: int = 0
    gained: int = 0
    edges: int = 0
    features: int = 0
    last_new: float = None  # seconds since 1970

    def add(self, entry):
        self.slices += 1
        for name in ("seconds", "executions", "operations", "gained"):
            setattr(self, name, getattr(self, name) + entry[name])
        if entry["executions"] > 0:
            self.edges, self.features = entry["edges"], entry["features"]
        self.last_new = entry["last_new"] or self.last_new


class Campaign:
    """Holds the lock as long as the program runs."""

    def __init__(self, directory):
        self.directory = Path(directory).resolve()
        self.processes, self.scratch = self.directory / "processes", self.directory / "scratch"
        self.journal = storage.Lines(self.directory / "journal.jsonl")
        self.tallies, self.records = {}, {}
        self._lines = 0
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lock = (self.directory / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            print(f"{self.directory} is in use by another run", file=sys.stderr)
            sys.exit(2)

    def open(self, fresh, schedule_of):
        """Reads the journal, or with `fresh` forgets everything; ends what a killed run left running. `schedule_of`
        makes the schedule from the records."""
        self._end_orphans()
        if fresh:
            for name in ("corpus", "processes"):
                storage.remove(self.directory / name)
            for name in ("journal.jsonl", "status.jsonl", "status.old.jsonl"):
                (self.directory / name).unlink(missing_ok=True)
        storage.remove(self.scratch)
        for path in (self.processes, self.scratch):
            path.mkdir(exist_ok=True)
        entries = list(self.journal.read())
        for entry in entries:
            self._restore(entry)
        self.schedule = schedule_of(self.records)
        for entry in entries:
            if entry.get("kind") == "slice":
                self._add(entry)
        for process in {entry.get("process") for entry in entries} - {None}:
            storage.remove(self.processes / process)
        self.compact()

    def _restore(self, entry):
        if entry.get("kind") == "state":
            for saved in entry["arms"]:
                arm = Arm(saved["engine"], saved["target"])
                self.tallies[arm], self.records[arm] = Tally(**saved["tally"]), Record(**saved["lately"])

    def _end_orphans(self):
        """Ends processes of a killed run, told by what their environment says they count in."""
        mark = f"RESCIND_COUNTERS={self.processes}/".encode()
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if any(entry.startswith(mark) for entry in (path / "environ").read_bytes().split(b"\0")):
                    os.kill(int(path.name), signal.SIGKILL)
            except OSError:
                pass

    def corpus(self, target):
        path = self.directory / "corpus" / target
        path.mkdir(parents=True, exist_ok=True)
        return path

    def new_process(self):
        """A directory for one, which does not exist yet."""
        return self.processes / f"{time.time_ns():x}"

    def leftovers(self):
        """What processes of a killed run left; what is not even that is removed."""
        for directory in sorted(self.processes.iterdir()):
            about = storage.read_json(directory / "about.json") or {}
            if about.get("engine") in ENGINES and about.get("target") in engine.TARGETS:
                yield ENGINES[about["engine"]](directory)
            else:
                storage.remove(directory)

    def take_inputs(self, remains):
        """Copies what an engine found into the common corpus, named as libFuzzer names."""
        corpus = self.corpus(remains.target)
        for path in remains.new_inputs():
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                continue
            name = corpus / hashlib.sha1(content).hexdigest()
            if content and not name.exists():
                name.write_bytes(content)

    def settle(self, remains, seconds, ended):
        """Counts what a process did and removes its directory; its findings are filed already."""
        executions, operations = remains.counts()
        progress = remains.progress()
        entry = {"kind": "slice", "time": round(time.time(), 1), "process": remains.directory.name, "engine": remains.ENGINE,
                 "target": remains.target, "seconds": round(seconds, 2), "executions": executions, "operations": operations,
                 "gained": progress.gained, "edges": progress.edges, "features": progress.features, "last_new": progress.last_new,
                 "ended": ended}
        self.journal.append(entry)
        self._add(entry)
        remains.discard()
        self._lines += 1
        if self._lines > JOURNAL_LINES_MAX:
            self.compact()

    def _add(self, entry):
        arm = Arm(entry["engine"], entry["target"])
        self.tallies.setdefault(arm, Tally()).add(entry)
        if arm in self.schedule.records:
            self.schedule.observe(arm, entry["seconds"], entry["gained"])
        else:
            self.records.setdefault(arm, Record()).learn(entry["seconds"], entry["gained"])

    def close(self):
        storage.remove(self.scratch)
        self._lock.close()

    def compact(self):
        arms = [{"engine": arm.engine, "target": arm.target, "tally": asdict(tally),
                 "lately": asdict(self.records.setdefault(arm, Record()))} for arm, tally in self.tallies.items()]
        self.journal.replace([{"kind": "state", "time": round(time.time(), 1), "arms": arms}])
        self._lines = 0
