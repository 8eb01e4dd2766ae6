"""The page of one finding: steps through its sequence, with the forest, the page tables and the TLBs of each step.

One file that needs nothing else: scripts/page/page.css and finding.js go into it.
"""

import html
import json
from pathlib import Path

import forest
import traces

PARTS = Path(__file__).resolve().parents[1] / "page"


def _cell(text):
    return html.escape(str(text))


def _table(head, rows):
    if not rows:
        return "<p class=none>none</p>"
    line = "".join(f"<th>{_cell(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{_cell(value)}</td>" for value in row) + "</tr>" for row in rows)
    return f"<table><tr>{line}</tr>{body}</table>"


def _size(level, bits):
    return 1 << level * bits


def _page_tables(trace, pd):
    bits = trace.head["level_bits"]
    rows = []
    for entry in pd["tables"]:
        leaf = entry["what"] == "leaf"
        below = entry["level"] if leaf else entry["level"] + 1
        rows.append(("  " * (trace.head["levels"] - 1 - entry["level"]) + entry["what"], entry["level"],
                     traces.place_words("mem", entry["unit"], _size(below, bits)), f"{entry['frame']:#x}",
                     entry["rights"] or ""))
    return _table(("entry", "level", "units", "frame", "rights"), rows)


def _pds(trace, state):
    parts = []
    for pd in state["pds"]:
        ports = ", ".join(traces.place_words("pio", first, count) for first, count in pd["ports"]) or "none"
        parts.append(f"<section class=pd><h3>{_cell(pd['name'])}</h3><p>account {pd['used']:,} of {pd['quota']:,} bytes, "
                     f"{pd['references']} capabilities to it, open ports: {_cell(ports)}</p>"
                     f"{_page_tables(trace, pd)}</section>")
    return "".join(parts)


def _cpus(state):
    parts = []
    for number, cpu in enumerate(state["cpus"]):
        rows = [(entry["what"], entry["pd"] or "nobody", f"{entry['unit']:#x}", entry["level"], f"{entry['frame']:#x}",
                 entry["rights"] or "") for entry in cpu["cached"]]
        parts.append(f"<section class=cpu><h3>CPU {number} runs {_cell(cpu['runs'] or 'nobody')}</h3>"
                     f"{_table(('remembers', 'of', 'unit', 'level', 'frame', 'rights'), rows)}</section>")
    return "".join(parts)


def _model(state):
    rows = [(r["pd"], r["kind"], traces.place_words(r["kind"], r["first"], r["count"]),
             r["resource"] if r["kind"] == "obj" else f"{r['resource']:#x}", r["rights"],
             f"{r['parent'][0]} {r['parent'][1]:#x}" if r["parent"] else "") for r in state["model"]]
    return _table(("PD", "kind", "units", "resource", "rights", "derived from"), rows)


def _operations(trace):
    """The steps as a list: boot first; the one that a finding is about is marked."""
    failing = trace.failing()
    items = []
    for index, step in enumerate(trace.steps):
        before = trace.steps[index - 1] if index else None
        words = traces.comment(before, step, step["result"]) if before else ""
        items.append((step["operation"], words, index == failing))
    if failing == len(trace.steps):
        items.append(("(the kernel stopped)" if failing <= trace.head["operations"] else "(tear-down)", "", True))
    return "".join(f'<li{" class=failing" if wrong else ""}><button type=button><code>{_cell(text)}</code> '
                   f"<span>{_cell(words)}</span></button></li>" for text, words, wrong in items)


def finding(trace, title, commands):
    """The page, as text. `commands` reproduce the finding."""
    drawing = forest.draw(trace)
    steps = [{"shown": elements, "pds": _pds(trace, step["state"]), "cpus": _cpus(step["state"]),
              "model": _model(step["state"])} for step, elements in zip(trace.steps, drawing.steps)]
    values = {
        "TITLE": _cell(title),
        "SIGNATURE": _cell(trace.head["signature"] or "all agree"),
        "REPORT": _cell(trace.head["report"] or ""),
        "COMMANDS": _cell("\n".join(commands)),
        "OPERATIONS": _operations(trace),
        "FOREST": drawing.svg,
        "CSS": (PARTS / "page.css").read_text(),
        "JS": (PARTS / "finding.js").read_text(),
        "STEPS": json.dumps(steps).replace("</", "<\\/"),
    }
    text = (PARTS / "finding.html").read_text()
    # From left to right, once: what is put in is not looked at again.
    parts = text.split("{{")
    return parts[0] + "".join(values[part.partition("}}")[0]] + part.partition("}}")[2] for part in parts[1:])
