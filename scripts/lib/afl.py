"""AFL++ processes. Nothing of AFL's own outlives a process: each starts from the common corpus and gives back what it
found, so nothing of it can be left half-written, and what the engines find is exchanged with every slice."""

import os
import re
import shutil
import subprocess
import time

import engine

SEEDS_MAX = 4096  # files of the common corpus that a process starts from, the latest
STOP_SECONDS = 2
RUN_TIMEOUT_MS = 2000


class AflRemains(engine.Remains):
    """What an AFL process was told and left behind."""

    ENGINE = "afl"

    def __init__(self, directory):
        super().__init__(directory)
        self.output = directory / "afl" / "default"
        self._taken = set()

    def _queue(self):
        """Names of inputs that it found by itself."""
        try:
            names = os.listdir(self.output / "queue")
        except FileNotFoundError:
            return []
        return sorted(name for name in names if name.startswith("id:") and ",orig:" not in name)

    def progress(self):
        gained = len(self._queue())
        if gained > self._progress.gained:
            self._progress.gained, self._progress.last_new = gained, round(time.time(), 1)
        stats = self.output / "fuzzer_stats"  # appears when all seeds have been tried
        if stats.exists():
            self._progress.startup = self._progress.startup or time.time() - self.about["started"]
            if match := re.search(r"^edges_found\s*: (\d+)", stats.read_text(), re.MULTILINE):
                self._progress.edges = int(match[1])
        return self._progress

    def new_inputs(self):
        """Those found since it was last asked."""
        new = [name for name in self._queue() if name not in self._taken]
        self._taken.update(new)
        return [self.output / "queue" / name for name in new]

    def put_aside(self):
        folders = [self.output / "crashes", self.output / "hangs"]
        return [path for folder in folders if folder.is_dir() for path in sorted(folder.glob("id:*"))]


class Afl(engine.Running, AflRemains):
    """An AFL process. It reads the corpora and writes to none of them."""

    DEATH_SIGNAL = "TERM"  # lest it leave its shared memory behind

    def command(self, directory, corpora):
        self._gather_seeds(directory / "seeds", corpora)
        options = dict(option[1:].split("=", 1) for option in engine.options_of(self.binary.name))
        command = ["afl-fuzz", "-i", directory / "seeds", "-o", directory / "afl", "-V", max(1, round(self.seconds)),
                   "-s", self.seed, "-m", "none", "-t", RUN_TIMEOUT_MS]
        if "dict" in options:
            command += ["-x", options["dict"]]
        return [*command, "--", self.binary]

    def _gather_seeds(self, seeds, corpora):
        """AFL wants one directory, and at least one file in it."""
        seeds.mkdir()
        entries = [entry for corpus in corpora for entry in os.scandir(corpus) if entry.is_file()]
        entries.sort(key=lambda entry: (entry.stat().st_mtime_ns, entry.name))
        for entry in entries[-SEEDS_MAX:]:
            if entry.stat().st_size > 0 and not (seeds / entry.name).exists():
                try:
                    os.link(entry.path, seeds / entry.name)
                except OSError:
                    shutil.copy(entry.path, seeds / entry.name)
        if not os.listdir(seeds):
            (seeds / "zero").write_bytes(bytes(16))

    def variables(self):
        mutator = self.binary.with_name(f"{self.binary.name}.mutator.so")
        custom = {"AFL_CUSTOM_MUTATOR_LIBRARY": str(mutator), "AFL_CUSTOM_MUTATOR_ONLY": "1"} if mutator.exists() else {}
        return custom | {
            "AFL_NO_UI": "1", "AFL_SKIP_CPUFREQ": "1", "AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES": "1", "AFL_TRY_AFFINITY": "1",
            "AFL_FAST_CAL": "1", "AFL_HANG_TMOUT": str(self.timeout * 1000), "AFL_FORKSRV_INIT_TMOUT": "30000",
            "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1:symbolize=0",
        }

    def end(self):
        if self.poll() is None:
            self._process.terminate()

    def stop(self):
        self.end()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
