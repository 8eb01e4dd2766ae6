"""Fuzzes: keeps as many engine processes running as there are jobs, slice after slice, and settles what ended."""

import os
import random
import signal
import time

import engine
import findings
import pruning
import status
import storage
from afl import Afl
from schedule import Arm, Schedule

AFL_TARGETS = ("memory_small", "mixed", "lifecycle")  # where another kind of search pays most; see docs/fuzzing.md
AFL_SHARE = 0.5  # of what libFuzzer has on the same target
SLICE_SECONDS = (2, 30)  # at least and at most, before reading the corpus is considered
AFL_SLICES = 2  # so many times as long, as AFL first tries every seed several times
AFL_WORTH_SECONDS = 4  # with less time left, libFuzzer does more
STARTUP_MAX = 0.1  # of a slice
SLICE_MAX_SECONDS = 300
OVERRUN_SECONDS = 3
IDLE_SECONDS = 1
FAILED_STARTS_MAX = 3
TAKE_SECONDS = 2  # between looks at what AFL found
SHRINK_AT_END_SECONDS = 20
OUTSIDE_SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
DEATHS = ("died", "stalled")  # how processes end that leave no finding and are one
CLASSES = {"libfuzzer": engine.LibFuzzer, "afl": Afl}


class CannotStart(Exception):
    """A target that does not run at all; carries what it printed."""


def base_shares(targets, engines):
    """Base shares of all arms. With libFuzzer beside it, AFL takes part on a few targets only."""
    shares = {}
    for name in targets:
        if "libfuzzer" in engines:
            shares[Arm("libfuzzer", name)] = engine.TARGETS[name].share
        if "afl" in engines and ("libfuzzer" not in engines or name in AFL_TARGETS):
            shares[Arm("afl", name)] = engine.TARGETS[name].share * (AFL_SHARE if "libfuzzer" in engines else 1)
    return shares


class Runner:
    """One run of a campaign. `binaries` maps engines to build directories; `build` names what is built."""

    def __init__(self, arguments, campaign, shelf, shown, binaries, rescind, build):
        self.arguments, self.campaign, self.shelf, self.status = arguments, campaign, shelf, shown
        self.binaries, self.rescind, self.build = binaries, rescind, build
        self.work = campaign.scratch
        self.random = random.Random(arguments.seed)
        self.executions = self.operations = 0
        self.seconds = 0.0
        self.interrupted = None  # when
        self.running = []  # triples of process, arm, planned seconds
        self.shrinker = findings.Shrinker(shelf, self.rescind, self.work / "shrink.log")
        self.shares = base_shares(arguments.target, list(binaries))
        campaign.open(arguments.fresh, lambda records: Schedule(self.shares, records))
        pruned_with = binaries.get("libfuzzer")
        self.pruner = pruning.Pruner(campaign, pruned_with, arguments.target if pruned_with else [], arguments.disk_mb << 20)
        self._startup, self._failed_starts, self._speed = {}, {}, status.Speed()
        self._taken = 0.0
        self._began = self._end = time.monotonic()

    def corpora(self, target):
        """The corpus that grows and the seeds, which engines leave alone."""
        return [self.campaign.corpus(target), self.work / "seeds" / target]

    def interrupt(self):
        self.interrupted = time.monotonic()

    # ---- slices ----

    def slice_seconds(self, arm):
        """Short enough that every arm has its turn in a short run; long beside reading the corpus."""
        if self.arguments.slice:
            return self.arguments.slice
        seconds = SLICE_SECONDS[1]
        if self.arguments.seconds:
            fair = self.arguments.seconds * self.arguments.jobs / sum(self.shares.values())
            seconds = max(SLICE_SECONDS[0], min(SLICE_SECONDS[1], fair / 2))
        seconds *= (AFL_SLICES if arm.engine == "afl" else 1)
        return min(SLICE_MAX_SECONDS, max(seconds, self._startup.get(arm, 0) / STARTUP_MAX))

    def left(self):
        return self._end - time.monotonic() if self.arguments.seconds else float("inf")

    def start(self):
        """Fills one free slot; False if no time is left that would be worth it."""
        left = self.left()
        if left <= 1:
            return False
        allowed = [arm for arm in self.shares if arm.engine != "afl" or left >= AFL_WORTH_SECONDS or len(self.binaries) == 1]
        arm = self.campaign.schedule.choose([(arm, planned) for _, arm, planned in self.running], allowed)
        if arm is None:
            return False
        planned = min(self.slice_seconds(arm), left)
        process = CLASSES[arm.engine](
            self.binaries[arm.engine] / "fuzz" / arm.target, self.rescind, self.campaign.new_process(), seconds=planned,
            seed=self.random.randrange(1, 2**31), corpora=self.corpora(arm.target), known=self.shelf.known(),
            timeout=self.arguments.timeout, build=self.build)
        self.running.append((process, arm, planned))
        return True

    def run(self):
        self._began = time.monotonic()
        self._end = self._began + self.arguments.seconds
        try:
            self.settle_leftovers()
            while not self.interrupted and self.left() > 0:
                while len(self.running) < self.arguments.jobs and self.start():
                    pass
                if not self.running:
                    break
                time.sleep(0.05)
                self.tend()
            self.finish()
        finally:
            for process, _, _ in self.running:
                process.end()
            for process, _, _ in self.running:
                process.stop()
            self.shrinker.stop()
            self.pruner.stop()

    def tend(self):
        for slot in list(self.running):
            self.tend_process(*slot)
        if time.monotonic() - self._taken > TAKE_SECONDS:
            self._taken = time.monotonic()
            for process, _, _ in self.running:
                self.campaign.take_inputs(process)
        self.shrinker.tend()
        self.pruner.tend()
        self.status.tend(time.monotonic() - self._began, self.snapshot)

    def tend_process(self, process, arm, planned):
        over = time.monotonic() - process.started - planned
        if process.poll() is not None:
            self.settle(process, arm, process.poll())
            return
        process.tend()
        process.progress()
        if over > OVERRUN_SECONDS and process.idle_seconds() < IDLE_SECONDS:  # else it hangs; the engine will see to that
            process.stop()
            self.settle(process, arm, 0)
        elif arm.engine == "afl" and process.has_findings():
            process.stop()  # it would find the same again and again
            self.settle(process, arm, 0)

    def finish(self):
        """Ends all processes and settles them; shrinks for a while yet."""
        self.await_ends()
        for process, _, _ in self.running:
            process.end()
        for process, arm, _ in list(self.running):
            process.stop()
            self.settle(process, arm, 0)
        self.seconds = time.monotonic() - self._began
        self.pruner.hold()
        self.campaign.compact()
        until = time.monotonic() + SHRINK_AT_END_SECONDS
        while self.shrinker.busy() and time.monotonic() < (until if not self.interrupted else min(until, self.interrupted + 3)):
            self.shrinker.tend()
            time.sleep(0.02)
        self.status.write(self.snapshot())
        self.status.end()

    def await_ends(self):
        """Engines end by themselves, a little late; one that hangs is given the time to say so."""
        ended = time.monotonic()
        until = ended + self.arguments.timeout + 3 * engine.STALL_SECONDS
        while self.running and not self.interrupted and time.monotonic() < until:
            time.sleep(0.05)
            for process, arm, planned in list(self.running):
                self.tend_process(process, arm, planned)
            late = time.monotonic() > ended + OVERRUN_SECONDS
            if late and all(process.idle_seconds() < IDLE_SECONDS for process, _, _ in self.running):
                break

    # ---- what ended ----

    def settle(self, process, arm, exit_status):
        """Files what an ended process found, counts what it did."""
        self.running = [slot for slot in self.running if slot[0] is not process]
        seconds = time.monotonic() - process.started
        if process.progress().startup is not None:
            self._startup[arm] = process.progress().startup
        found = process.has_findings()
        ended = self.judge(process, exit_status, found)
        if ended == "no start":
            self.note_failed_start(process, arm)
        elif process.counts()[0] > 0:
            self._failed_starts[arm] = 0
        executions, operations = process.counts()
        self.executions += executions
        self.operations += operations
        self.settle_remains(process, seconds, ended, process.death(ended) if ended.startswith(DEATHS) else None)

    def judge(self, process, exit_status, found):
        """How it ended, in a word or two."""
        if found:
            return "finding"
        if exit_status == 0 and process.counts()[0] > 0 and not process.stalled:
            return "time"
        if process.counts()[0] == 0 and (exit_status != 0 or time.monotonic() - process.started < process.seconds - 1):
            return "no start"
        if process.stalled:
            return "stalled"
        if exit_status < 0 and -exit_status in OUTSIDE_SIGNALS:
            self.status.say(f"{process.target}: {process.ENGINE} was ended from outside, by signal {-exit_status}")
            return "killed"
        if exit_status == 0:
            return "time"
        return f"died-{process.ENGINE}-{'signal' if exit_status < 0 else 'status'}-{abs(exit_status)}"

    def note_failed_start(self, process, arm):
        self._failed_starts[arm] = self._failed_starts.get(arm, 0) + 1
        if self._failed_starts[arm] > FAILED_STARTS_MAX:
            raise CannotStart(f"{arm.target} does not run ({' '.join(process.about['command'])}):\n{engine.tail_of(process.log)}")

    def settle_remains(self, remains, seconds, ended, death=None):
        about = {"build": self.build} | remains.about | {"engine": remains.ENGINE, "process": remains.directory.name}
        for signature, times in remains.met().items():
            if signature in self.shelf.metas:
                self.shelf.count_up(signature, times, about)
        for finding in ([death] if death else remains.findings(self.rescind)):
            if self.shelf.file(finding, about):
                self.status.say(f"finding: {finding.signature}\n         {storage.shown(self.shelf.path(finding.signature))}")
        self.campaign.take_inputs(remains)
        remains.forget_inputs(self.corpora(remains.target))
        self.campaign.settle(remains, seconds, ended)

    def settle_leftovers(self):
        """What a killed run left."""
        for remains in self.campaign.leftovers():
            try:
                seconds = remains.log.stat().st_mtime - remains.about["started"]
                self.settle_remains(remains, max(0.0, min(seconds, remains.about["seconds"])), "left")
            except (OSError, ValueError, KeyError) as failure:  # torn by a power cut
                self.status.say(f"{remains.directory}: not whole ({failure}), passed over")
                remains.discard()

    # ---- what is shown ----

    def snapshot(self):
        """See status.py for the fields; those with an underscore are for the page only."""
        targets = {name: self.snapshot_of(name) for name in self.arguments.target}
        tallies = self.campaign.tallies.values()
        live = [process.counts() for process, _, _ in self.running]
        return {
            "time": round(time.time(), 1), "run_seconds": round(time.monotonic() - self._began, 1), "build": self.build,
            "jobs": self.arguments.jobs, "disk_bytes": self.pruner.used,
            "executions": sum(tally.executions for tally in tallies) + sum(counts[0] for counts in live),
            "operations": sum(tally.operations for tally in tallies) + sum(counts[1] for counts in live),
            "findings": {"unique": len(self.shelf.metas), "met": sum(meta["count"] for meta in self.shelf.metas.values()),
                         "new": len(self.shelf.new)},
            "targets": targets, "_limit_seconds": self.arguments.seconds,
        }

    def snapshot_of(self, name):
        running = [(process, process.counts(), process.progress()) for process, arm, _ in self.running if arm.target == name]
        tallies = {arm.engine: tally for arm, tally in self.campaign.tallies.items() if arm.target == name}
        executions = sum(tally.executions for tally in tallies.values()) + sum(counts[0] for _, counts, _ in running)
        seconds = sum(tally.seconds for tally in tallies.values())
        seconds += sum(time.monotonic() - process.started for process, _, _ in running)
        engines = [process.ENGINE for process, _, _ in running]
        seen = [(tally.edges, tally.features) for _, tally in sorted(tallies.items(), key=lambda item: item[0] != "libfuzzer")]
        seen = [(progress.edges, progress.features) for process, _, progress in running if process.ENGINE == "libfuzzer"] + seen
        edges, features = next((pair for pair in seen if pair[0]), (0, 0))
        times = [tally.last_new for tally in tallies.values()] + [progress.last_new for _, _, progress in running]
        last_new = max((moment for moment in times if moment), default=None)
        metas = [meta for meta in self.shelf.metas.values() if meta["target"] == name]
        return {
            "running": {name: engines.count(name) for name in sorted(set(engines))},
            "share": {arm.engine: round(share, 4) for arm, share in self.campaign.schedule.shares().items() if arm.target == name},
            "seconds": round(seconds, 1), "executions": executions,
            "operations": sum(tally.operations for tally in tallies.values()) + sum(counts[1] for _, counts, _ in running),
            "executions_per_second": round(self._speed.of(name, executions, seconds), 1), "edges": edges, "features": features,
            "corpus": len(os.listdir(self.campaign.corpus(name))), "last_new": last_new,
            "findings": {"unique": len(metas), "met": sum(meta["count"] for meta in metas)},
        }
