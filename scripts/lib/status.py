"""What a run shows while it fuzzes: a page in a terminal, else a line now and then; and status.jsonl for programs.

docs/fuzzing.md tells its fields.
"""

import os
import shutil
import sys
import time

import storage

PAGE_SECONDS = 0.5
LINE_SECONDS = (5, 60)  # between lines, at first and later
SPEED_SECONDS = 5  # over which speed is measured
STATUS_MAX_BYTES = 1 << 24


def duration(seconds):
    seconds = int(seconds)
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"


def ago(then, now):
    return "-" if then is None else f"{duration(max(0, now - then))} ago"


class Speed:
    """Executions a second of each target, over the last seconds that it ran."""

    def __init__(self):
        self._marks, self._speeds = {}, {}

    def of(self, target, executions, seconds):
        mark = self._marks.setdefault(target, (executions, seconds))
        if seconds - mark[1] >= SPEED_SECONDS or (target not in self._speeds and seconds - mark[1] >= 1):
            self._speeds[target] = (executions - mark[0]) / (seconds - mark[1])
            self._marks[target] = (executions, seconds)
        return self._speeds.get(target, 0.0)


class Status:
    """Shows what `snapshot` functions tell; see Runner.snapshot."""

    def __init__(self, directory, out=sys.stdout):
        self.out, self.live = out, out.isatty()
        self._file = storage.Lines(directory / "status.jsonl") if directory else None
        self._old = directory / "status.old.jsonl" if directory else None
        self._shown = self._written = 0.0
        self._lines = 0

    def say(self, text):
        """A message above the page."""
        self._clear()
        print(text, file=self.out, flush=True)
        self._shown = 0.0

    def _clear(self):
        if self._lines:
            print(f"\x1b[{self._lines}F\x1b[J", end="", file=self.out)
            self._lines = 0

    def due(self, run_seconds):
        """What is due: the page, the lines."""
        now = time.monotonic()
        return self.live and now - self._shown >= PAGE_SECONDS, now - self._written >= min(
            LINE_SECONDS[1], max(LINE_SECONDS[0], run_seconds / 20))

    def tend(self, run_seconds, snapshot):
        page, line = self.due(run_seconds)
        if not page and not line:
            return
        now = snapshot()
        if page:
            self._shown = time.monotonic()
            self._draw(page_of(now, *shutil.get_terminal_size()))
        if line:
            self._written = time.monotonic()
            self.write(now)
            if not self.live:
                print(line_of(now), file=self.out, flush=True)

    def _draw(self, lines):
        self._clear()
        print("\n".join(lines), file=self.out, flush=True)
        self._lines = len(lines)

    def end(self):
        self._clear()

    def write(self, now):
        if self._file is None:
            return
        public = {key: value for key, value in now.items() if not key.startswith("_")}
        self._file.append(public, sync=False)
        if self._file.path.stat().st_size > STATUS_MAX_BYTES:
            os.replace(self._file.path, self._old)


def page_of(now, columns, rows):
    """The lines of the page, cut to the terminal."""
    of = f" of {duration(now['_limit_seconds'])}" if now["_limit_seconds"] else ""
    lines = [
        f"{now['build']}   {duration(now['run_seconds'])}{of}   {now['executions']:,} runs   {now['operations']:,} operations   "
        f"findings {now['findings']['unique']} (met {now['findings']['met']:,})   disk {now['disk_bytes'] >> 20} MB",
        f"{'target':13} {'now':14} {'share':>6} {'runs/s':>8} {'edges':>6} {'features':>8} {'corpus':>7} {'last new':>13} "
        f"{'findings':>9} {'met':>8}",
    ]
    for name, target in now["targets"].items():
        running = ", ".join(engine if count == 1 else f"{count} {engine}" for engine, count in target["running"].items())
        share, speed, found = sum(target["share"].values()), target["executions_per_second"], target["findings"]
        lines.append(
            f"{name:13} {running:14} {share:6.1%} {speed:8,.0f} {target['edges']:6,} {target['features']:8,} {target['corpus']:7,} "
            f"{ago(target['last_new'], now['time']):>13} {found['unique']:9,} {found['met']:8,}")
    return [line[: columns - 1] for line in lines[: rows - 1]]


def line_of(now):
    running = ", ".join(f"{name} ({'+'.join(target['running'])})" for name, target in now["targets"].items() if target["running"])
    corpus = sum(target["corpus"] for target in now["targets"].values())
    return (f"{duration(now['run_seconds'])}  {now['executions']:,} runs  {now['operations']:,} operations  corpus {corpus:,}  "
            f"findings {now['findings']['unique']}  now {running}")
