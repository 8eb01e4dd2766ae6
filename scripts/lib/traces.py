"""What `rescind trace` prints, and what an operation changed, in words."""

import json
import subprocess
from dataclasses import dataclass


@dataclass
class Trace:
    """One run: what came of it, and the state after boot (the first step) and after each operation that returned."""

    head: dict
    steps: list

    def failing(self):
        """The index of the step that a finding is about; one past the last if the kernel stopped in it. None: none."""
        at = self.head["failed_at"]
        return None if at is None else max((i for i, step in enumerate(self.steps) if step["index"] == at), default=len(self.steps))


def of(rescind, sequence, *options):
    """Runs a sequence; bad input raises RuntimeError with what rescind said."""
    done = subprocess.run([rescind, "trace", *options, sequence], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lines = done.stdout.decode().splitlines()
    if done.returncode not in (0, 1) or not lines:
        raise RuntimeError(done.stderr.decode(errors="replace").strip() or f"rescind trace {sequence} failed")
    return Trace(json.loads(lines[0]), [json.loads(line) for line in lines[1:]])


def pd_words(name):
    """p1@3 (made by operation 3) as people call it."""
    return name.split("@")[0]


def place_words(kind, first, count):
    if kind == "obj":
        return f"sel {first}"
    return f"{first:#x}" if count == 1 else f"{first:#x}..{first + count - 1:#x}"


def _cut(ranges, points):
    """Ranges of one space, cut at points."""
    for r in ranges:
        edges = [r["first"]] + sorted(p for p in points if r["first"] < p < r["first"] + r["count"])
        for start, end in zip(edges, edges[1:] + [r["first"] + r["count"]]):
            offset = start - r["first"]
            resource = r["resource"] + offset if r["kind"] != "obj" else r["resource"]
            yield (r["pd"], r["kind"], start, end - start), (resource, r["rights"], r["parent"])


def _pieces(model, points):
    return dict(piece for r in model for piece in _cut([r], points.get((r["pd"], r["kind"]), ())))


def _edges(*models):
    points = {}
    for model in models:
        for r in model:
            points.setdefault((r["pd"], r["kind"]), set()).update((r["first"], r["first"] + r["count"]))
    return points


def changes(before, after):
    """What one step did to the model's mappings: a list of words, one for each range that came, went or lost rights."""
    points = _edges(before, after)
    old, new = _pieces(before, points), _pieces(after, points)
    words = []
    for key in sorted(old.keys() | new.keys()):
        pd, kind, first, count = key
        place = f"{pd_words(pd)} {kind} {place_words(kind, first, count)}"
        if key not in old:
            words.append(f"+ {place}")
        elif key not in new:
            words.append(f"- {place}")
        elif old[key][1] != new[key][1]:
            words.append(f"{place} {old[key][1]}>{new[key][1]}")
    return words


def comment(before, after, result, limit=4):
    """One step in a few words, for the end of a line."""
    code, value = result
    if code != "OK":
        return code
    words = changes(before["state"]["model"], after["state"]["model"])
    if not words:
        return "changes nothing" if not value else f"gives {value:#x}"
    more = f", {len(words) - limit} more" if len(words) > limit else ""
    return ", ".join(words[:limit]) + more
