"""Runs engine processes. Each has a directory of its own, which outlives it: what it was told, its log, its counters and
what it found; `Remains` reads it, whether or not the process still runs."""

import array
import configparser
import hashlib
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import children

SOURCES = Path(__file__).resolve().parents[2] / "fuzz"
COUNTERS = struct.Struct("=QQ")  # struct session_counters of fuzz/session.h
SANITIZER_OPTIONS = {"ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}
LOG_KEPT_BYTES = 16384
LOG_MAX_BYTES = 1 << 24
TIMEOUT_SECONDS = 10  # for one input
MEMORY_MAX_MB = 4096
REPLAY_MAX_SECONDS = 90
REPLAY_HANG_SECONDS = 3  # without progress
REPLAYED_MAX = 5  # inputs that one process put aside
STALL_SECONDS = 5  # beyond the timeout for one input, without any execution


@dataclass
class Target:
    """A fuzz target: a program of fuzz/."""

    share: int  # of the time, beside the others
    geometry: str = None  # that its inputs are packed in; None: they are no sequences
    cpus: int = 1
    explores: str = "kernel"
    optional: bool = False  # built only with libFuzzer, and where what it needs is installed


TARGETS = {
    "memory_small": Target(4, "small"),
    "memory_real": Target(3, "real", cpus=2),
    "mixed": Target(4, "small", cpus=2),
    "interleavings": Target(4, "small", cpus=4),
    "tlb": Target(3, "small", cpus=4),
    "lifecycle": Target(2, "small"),
    "quota": Target(2, "small"),
    "ports": Target(1, "small"),
    "objects": Target(1, "small"),
    "registers": Target(1),
    "page_tables": Target(1),
    "text": Target(1, explores="sequences"),
    "unicorn": Target(2, "small", cpus=2, explores="image", optional=True),
}


def options_of(target):
    """libFuzzer's options of a target, from its options file, as ClusterFuzz reads it."""
    file = configparser.ConfigParser()
    file.read(SOURCES / f"{target}.options")
    return [f"-{name}={SOURCES / value if name == 'dict' else value}" for name, value in file["libfuzzer"].items()]


@dataclass
class Finding:
    """One distinct signature, and what shows it."""

    signature: str
    target: str
    path: Path  # None: nothing is known but that it happened
    input: Path  # as the engine made it; None: not known
    report: str
    is_sequence: bool  # what `path` is


def pack(rescind, source, output):
    subprocess.run([rescind, "pack", "--raw", source, "-o", output], check=True, stdout=subprocess.DEVNULL)


def failure_of(rescind, sequence, compare="log", timeout=TIMEOUT_SECONDS, options=()):
    """The signature that a sequence fails with and the index of the operation; (None, ...) if all agrees. Anything but
    these two raises."""
    done = subprocess.run([rescind, "run", "--json", f"--compare={compare}", f"--timeout={timeout}", *options, sequence],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=REPLAY_MAX_SECONDS)
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr.decode(errors="replace").strip() or f"rescind run {sequence} failed")
    outcome = json.loads(done.stdout)
    return outcome["signature"], outcome["failed_at"]


def signature_of(rescind, sequence, timeout=TIMEOUT_SECONDS):
    return failure_of(rescind, sequence, timeout=timeout)[0]


def tail_of(path):
    """The end of a log that may not be there."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_KEPT_BYTES))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""


@dataclass
class Progress:
    """How far a process got. `gained`: inputs that reached something new, without those of others."""

    gained: int = 0
    edges: int = 0
    features: int = 0
    startup: float = None  # seconds until all inputs were read; None: not yet, or not known
    last_new: float = None  # seconds since 1970


def begins_with(path, content):
    """False also for a file that another engine has replaced by a shorter one meanwhile."""
    try:
        with path.open("rb") as file:
            return file.read(len(content)) == content
    except FileNotFoundError:
        return False


class Remains:
    """What a libFuzzer process was told and left behind; subclasses are of other engines."""

    ENGINE = "libfuzzer"
    _STATUS = re.compile(rb"^#\d+\s+(\w+)\s+cov: (\d+) ft: (\d+)", re.MULTILINE)

    def __init__(self, directory):
        self.directory = directory
        self.artifacts, self.reports = directory / "artifacts", directory / "reports"
        self.log, self.known = directory / "log", directory / "known"
        self.about = json.loads((directory / "about.json").read_text())
        self.target = self.about["target"]
        self._kind = TARGETS[self.target]
        self._progress, self._read = Progress(), 0

    @staticmethod
    def prepare(directory, about, known):
        """Makes the directory of a process that is to be started; about.json comes last."""
        for folder in ("artifacts", "reports"):
            (directory / folder).mkdir(parents=True)
        (directory / "known").write_text("".join(f"{signature}\n" for signature in known))
        (directory / "counters").write_bytes(bytes(COUNTERS.size))
        (directory / "about.json").write_text(json.dumps(about))

    def counts(self):
        """Executions and operations so far."""
        return COUNTERS.unpack((self.directory / "counters").read_bytes()[: COUNTERS.size].ljust(COUNTERS.size, b"\0"))

    def met(self):
        """How often each known signature was met, without those that were not."""
        path = self.directory / "met"
        data = path.read_bytes() if path.exists() else b""
        counts = array.array("Q", data[: len(data) // 8 * 8])
        return {signature: count for signature, count in zip(self.known.read_text().splitlines(), counts) if count}

    def progress(self):
        """Reads on in the log; to be called now and then."""
        with self.log.open("rb") as log:
            if log.seek(0, os.SEEK_END) < self._read:
                self._read = 0
            log.seek(self._read)
            text = log.read()
        text = text[: text.rfind(b"\n") + 1]
        self._read += len(text)
        for event, edges, features in self._STATUS.findall(text):
            if event == b"NEW":
                self._progress.gained += 1
                self._progress.last_new = round(time.time(), 1)
            self._progress.edges, self._progress.features = int(edges), int(features)
            if event == b"INITED":
                self._progress.startup = time.time() - self.about["started"]
        return self._progress

    def new_inputs(self):
        """Inputs for the common corpus that the engine has not put there by itself."""
        return []

    def put_aside(self):
        """Inputs on which the target crashed, hung or took too much memory."""
        return [path for path in sorted(self.artifacts.iterdir()) if not path.name.startswith("slow-unit-")]

    def has_findings(self):
        return any(self.reports.glob("*.txt")) or bool(self.put_aside())

    def findings(self, rescind):
        """Each distinct finding once. What the target reported by itself goes before what the engine put aside."""
        found, aside = {}, self.put_aside()
        for report in sorted(self.reports.glob("*.txt")):
            text = report.read_text(errors="replace")
            if not text.strip():  # a power cut
                continue
            source = aside[0] if len(aside) == 1 else self._packed(rescind, report.with_suffix(".rsq"))
            finding = self._finding(text.split("\n")[0], report.with_suffix(".rsq"), text, source)
            found.setdefault(finding.signature, finding)
        if not found:
            for path in aside[:REPLAYED_MAX]:
                finding = self._from_input(rescind, path)
                found.setdefault(finding.signature, finding)
        return list(found.values())

    def _finding(self, signature, path, report, source):
        return Finding(signature, self.target, path, source, report, bool(path and self._kind.geometry))

    def death(self, how):
        """The finding of a process that died without leaving one."""
        return self._finding(f"{how}/{self.target}", None, tail_of(self.log), None)

    def _packed(self, rescind, sequence):
        """The input of a sequence, where the engine did not say which it was."""
        if not self._kind.geometry:
            return None
        try:
            pack(rescind, sequence, sequence.with_suffix(".bin"))
        except (OSError, subprocess.SubprocessError):
            return None
        return sequence.with_suffix(".bin")

    def _from_input(self, rescind, path):
        summary, log = self._summary(path), tail_of(self.log)
        if not self._kind.geometry:
            return self._finding(f"{self.target}.{summary}", path, log, path)
        sequence = self.directory / f"{hashlib.sha1(bytes(path)).hexdigest()}.rsq"
        try:
            with sequence.open("wb") as output:
                subprocess.run([rescind, "show", "--raw", "--geometry", self._kind.geometry, "--cpus", str(self._kind.cpus),
                                path], check=True, stdout=output)
            signature = signature_of(rescind, sequence, REPLAY_HANG_SECONDS)
        except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as failure:
            return self._finding(f"unreplayable.{self.target}/{summary}", sequence, f"{failure}\n{log}", path)
        return self._finding(signature or f"unreproduced.{self.target}/{summary}", sequence, log, path)

    def _summary(self, path):
        """The kind of error from the log, without addresses; without a log, what the engine says of the input."""
        match = re.search(r"^SUMMARY: (\S+): (\S+)", tail_of(self.log), re.MULTILINE)
        if match:
            return f"{match[1]}/{match[2]}"
        return "hang" if path.parent.name == "hangs" or path.name.startswith("timeout-") else "crash"

    def forget_inputs(self, corpora):
        """Removes what the engine put aside from the corpora, lest each further process end on it too. Of long entries
        engines read only the beginning."""
        for content in [path.read_bytes() for path in self.put_aside()]:
            for entry in [entry for corpus in corpora for entry in corpus.iterdir()]:
                if content and begins_with(entry, content):
                    entry.unlink(missing_ok=True)

    def discard(self):
        shutil.rmtree(self.directory, ignore_errors=True)


class Running:
    """The part of an engine process that is there while it runs; goes before a class of remains."""

    DEATH_SIGNAL = "KILL"  # when whoever started it dies

    def __init__(self, binary, rescind, directory, *, seconds, seed, corpora=(), known=(), timeout=TIMEOUT_SECONDS,
                 build=""):
        self.binary, self.rescind, self.seconds, self.seed, self.timeout = binary, rescind, seconds, seed, timeout
        directory.mkdir(parents=True)
        command = [str(word) for word in self.command(directory, corpora)]
        self.prepare(directory, {"engine": self.ENGINE, "target": binary.name, "seed": seed, "seconds": seconds,
                                 "command": command, "build": build, "started": time.time()}, known)
        super().__init__(directory)
        self.started = self._moved = time.monotonic()
        self._executions, self.stalled = 0, False
        environment = os.environ | SANITIZER_OPTIONS | {
            "RESCIND_COUNTERS": str(directory / "counters"),
            "RESCIND_FINDINGS": str(self.reports),
            "RESCIND_KNOWN": str(self.known),
            "RESCIND_MET": str(directory / "met"),
        } | self.variables()
        self._process = children.start(command, self.log, self.DEATH_SIGNAL, env=environment, cwd=directory)

    def variables(self):
        """Of the environment, beside those of every engine."""
        return {}

    def poll(self):
        """The exit status, or None while it runs."""
        return self._process.poll()

    def idle_seconds(self):
        """Since the last execution that was seen to end."""
        return time.monotonic() - self._moved

    def end(self):
        """Makes it end, without waiting."""
        if self.poll() is None:
            self._process.kill()

    def stop(self):
        self.end()
        self._process.wait()

    def tend(self):
        """To be called now and then. Keeps the log within bounds; a process that stalls is made to end: so that
        libFuzzer keeps the input, at first not by force."""
        if self.log.stat().st_size > LOG_MAX_BYTES:
            os.truncate(self.log, 0)
        executions, now = self.counts()[0], time.monotonic()
        if executions != self._executions:
            self._executions, self._moved = executions, now
        stalled = now - self._moved - self.timeout - STALL_SECONDS
        if stalled > STALL_SECONDS:
            self._process.kill()
        elif stalled > 0:
            self._process.send_signal(signal.SIGABRT)
        self.stalled = stalled > 0

    def finding(self):
        """What the ended process found first, or None."""
        return next(iter(self.findings(self.rescind)), None)


class LibFuzzer(Running, Remains):
    """A libFuzzer process. What it finds goes into the first of the corpora; it reads all."""

    def command(self, directory, corpora):
        return [
            self.binary, *options_of(self.binary.name), f"-max_total_time={max(1, round(self.seconds))}", f"-seed={self.seed}",
            f"-artifact_prefix={directory}/artifacts/", f"-timeout={self.timeout}", f"-rss_limit_mb={MEMORY_MAX_MB}",
            "-reload=1", "-print_final_stats=0", *corpora,
        ]
