"""Runs libFuzzer processes and turns what they leave behind into findings."""

import configparser
import json
import mmap
import os
import re
import shutil
import struct
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[2] / "fuzz"
COUNTERS = struct.Struct("=QQ")  # struct session_counters of fuzz/session.h
SANITIZER_OPTIONS = {"ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}
LOG_KEPT_BYTES = 16384


@dataclass
class Target:
    """A fuzz target: a program of fuzz/."""

    share: int  # of the time, beside the others
    geometry: str = None  # that its inputs are packed in; None: they are no sequences
    cpus: int = 1
    explores: str = "kernel"


TARGETS = {
    "memory_small": Target(4, "small"),
    "memory_real": Target(3, "real"),
    "mixed": Target(4, "small", cpus=2),
    "tlb": Target(3, "small", cpus=4),
    "lifecycle": Target(2, "small"),
    "quota": Target(2, "small"),
    "ports": Target(1, "small"),
    "objects": Target(1, "small"),
    "registers": Target(1),
    "page_tables": Target(1),
    "text": Target(1, explores="sequences"),
}


def options_of(target):
    """libFuzzer's options of a target, from its options file, as ClusterFuzz reads it."""
    file = configparser.ConfigParser()
    file.read(SOURCES / f"{target}.options")
    return [f"-{name}={SOURCES / value if name == 'dict' else value}" for name, value in file["libfuzzer"].items()]


@dataclass
class Finding:
    """One distinct signature and a sequence (or, of targets without sequences, an input) that shows it."""

    signature: str
    target: str
    path: Path
    log: str  # the end of what the process printed


def pack(rescind, source, output):
    subprocess.run([rescind, "pack", "--raw", source, "-o", output], check=True, stdout=subprocess.DEVNULL)


def failure_of(rescind, sequence, compare="log", options=()):
    """The signature that a sequence fails with and the index of the operation; (None, ...) if all agrees. Anything but
    these two raises."""
    done = subprocess.run([rescind, "run", "--json", f"--compare={compare}", *options, sequence],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr.decode(errors="replace").strip() or f"rescind run {sequence} failed")
    outcome = json.loads(done.stdout)
    return outcome["signature"], outcome["failed_at"]


def signature_of(rescind, sequence):
    return failure_of(rescind, sequence)[0]


class Process:
    """One libFuzzer process, with a directory of its own for its log, its counters and what it finds."""

    def __init__(self, binary, rescind, directory, *, seconds, seed, corpora=(), known=()):
        self.target = binary.name
        self._kind = TARGETS[self.target]
        self.rescind, self.directory = rescind, directory
        self.artifacts, self.sequences = directory / "artifacts", directory / "sequences"
        self.log = directory / "log"
        for folder in (self.artifacts, self.sequences):
            folder.mkdir(parents=True)
        (directory / "known").write_text("".join(f"{signature}\n" for signature in known))
        counters = directory / "counters"
        counters.write_bytes(bytes(COUNTERS.size))
        with counters.open("r+b") as file:
            self._counters = mmap.mmap(file.fileno(), COUNTERS.size)
        environment = os.environ | SANITIZER_OPTIONS | {
            "RESCIND_COUNTERS": str(counters),
            "RESCIND_FINDINGS": str(self.sequences),
            "RESCIND_KNOWN": str(directory / "known"),
        }
        self.started = time.monotonic()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [binary, *self._options(seconds, seed), *corpora],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd=directory, start_new_session=True,
            )

    def _options(self, seconds, seed):
        return [
            *options_of(self.target), f"-max_total_time={max(1, round(seconds))}", f"-seed={seed}", f"-artifact_prefix={self.artifacts}/",
            "-timeout=10", "-rss_limit_mb=4096", "-reload=1", "-print_final_stats=0",
        ]

    def poll(self):
        """The exit status, or None while it runs."""
        return self._process.poll()

    def counts(self):
        """Executions and operations so far."""
        return COUNTERS.unpack(self._counters[:])

    def stop(self):
        if self.poll() is None:
            self._process.kill()
        self._process.wait()

    def finding(self):
        """What the ended process found, or None. Its own .rsq goes before what libFuzzer kept."""
        for sequence in self.sequences.iterdir():
            match = re.search(r"^rescind: finding (.*)$", self.log.read_text(errors="replace"), re.MULTILINE)
            return self._finding(match[1], sequence)
        for artifact in self.artifacts.iterdir():
            return self._from_artifact(artifact)
        return None

    def _finding(self, signature, path):
        return Finding(signature, self.target, path, self.log.read_text(errors="replace")[-LOG_KEPT_BYTES:])

    def _from_artifact(self, artifact):
        if not self._kind.geometry:
            return self._finding(f"{self.target}.{self._summary()}", artifact)
        sequence = self.directory / "sequence.rsq"
        with sequence.open("wb") as output:
            subprocess.run([self.rescind, "show", "--raw", "--geometry", self._kind.geometry, "--cpus", str(self._kind.cpus),
                            artifact], check=True, stdout=output)
        signature = signature_of(self.rescind, sequence)
        return self._finding(signature or f"unreproduced.{self._summary()}", sequence)

    def _summary(self):
        """The kind of error from the process's log, without addresses."""
        match = re.search(r"^SUMMARY: (\S+): (\S+)", self.log.read_text(errors="replace"), re.MULTILINE)
        return f"{match[1]}/{match[2]}" if match else "crash"

    def forget_input(self, corpora):
        """Removes the input that ended the process from the corpora, lest each further process end on it too."""
        for artifact in self.artifacts.iterdir():
            for corpus in corpora:
                for entry in corpus.iterdir():
                    if entry.stat().st_size == artifact.stat().st_size and entry.read_bytes() == artifact.read_bytes():
                        entry.unlink()

    def discard(self):
        self._counters.close()
        shutil.rmtree(self.directory)
