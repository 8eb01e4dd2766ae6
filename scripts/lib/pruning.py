"""Keeps a campaign within its share of the disk: minimizes the largest corpora by libFuzzer's merge, beside the fuzzing;
if that is not enough, drops entries."""

import os
import signal
import time

import children
import engine
import storage

LOOK_SECONDS = 5
BEGIN, AIM = 0.8, 0.7  # of the limit: where minimizing begins, and what dropping aims at
MERGE_SECONDS = 300
LENGTH_MAX = 4096  # AFL's inputs are longer than libFuzzer's


class Pruner:
    def __init__(self, campaign, binaries, targets, limit_bytes):
        self.campaign, self.binaries, self.targets, self.limit = campaign, binaries, targets, limit_bytes
        self.used = storage.bytes_below(campaign.directory)
        self._looked = 0.0
        self._process = self._target = None
        self._done = set()

    def tend(self):
        """To be called now and then."""
        if self._process is not None:
            self._follow()
        elif time.monotonic() - self._looked > LOOK_SECONDS:
            self.look()

    def look(self):
        self._looked = time.monotonic()
        self.used = storage.bytes_below(self.campaign.directory)
        if self.used < BEGIN * self.limit:
            self._done.clear()
        elif target := self._largest(set(self.targets) - self._done):
            self._start(target)
        elif self.used > 0.9 * self.limit:
            self.drop()

    def _largest(self, targets):
        """The target with most entries, or None if no corpus is worth the effort."""
        sizes = {target: len(os.listdir(self.campaign.corpus(target))) for target in sorted(targets)}
        target = max(sizes, key=sizes.get, default=None)
        return target if target and sizes[target] > 1 else None

    def _start(self, target):
        self._target, self._started = target, time.monotonic()
        corpus, self._merged = self.campaign.corpus(target), self.campaign.scratch / "merged"
        storage.remove(self._merged)
        self._merged.mkdir()
        self._before = set(os.listdir(corpus))
        known = self.campaign.scratch / "all-known"
        known.write_text("*\n")
        log = self.campaign.scratch / "merge.log"
        log.unlink(missing_ok=True)
        self._process = children.start(
            [self.binaries / "fuzz" / target, *engine.options_of(target), f"-max_len={LENGTH_MAX}", "-merge=1", self._merged,
             corpus], log, env=os.environ | engine.SANITIZER_OPTIONS | {"RESCIND_KNOWN": str(known)}, cwd=self.campaign.scratch)

    def _follow(self):
        """Entries go one by one and only once the merge is complete, so that stopping at any moment loses nothing."""
        if self._process.poll() is None:
            if time.monotonic() - self._started > MERGE_SECONDS:
                self.stop()
                self._done.add(self._target)
            return
        ended, self._process = self._process.returncode, None
        self._done.add(self._target)
        corpus = self.campaign.corpus(self._target)
        kept = set(os.listdir(self._merged))
        if ended == 0 and kept:
            for name in kept:
                if not (corpus / name).exists():
                    (self._merged / name).rename(corpus / name)
            for name in self._before - kept:
                (corpus / name).unlink(missing_ok=True)
        storage.remove(self._merged)
        self._looked = 0.0

    def drop(self):
        """The hard limit: parts of the largest corpora, chosen by name, which is as good as by lot; and old status.
        What is not theirs stays as it is: they are cut down to a share of what it leaves, not to nothing for its sake."""
        (self.campaign.directory / "status.old.jsonl").unlink(missing_ok=True)
        self.used = storage.bytes_below(self.campaign.directory)
        others = self.used - sum(storage.bytes_below(self.campaign.corpus(target)) for target in engine.TARGETS)
        while self.used > others + AIM * (self.limit - others) and (target := self._largest(engine.TARGETS)):
            corpus = self.campaign.corpus(target)
            names = sorted(os.listdir(corpus))
            for name in names[: max(1, len(names) // 10)]:
                (corpus / name).unlink(missing_ok=True)
            self.used = storage.bytes_below(self.campaign.directory)

    def hold(self):
        """The limit, once nothing grows any more; without waiting for merges."""
        self.stop()
        self.used = storage.bytes_below(self.campaign.directory)
        if self.used > self.limit:
            self.drop()

    def stop(self):
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
