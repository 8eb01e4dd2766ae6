"""Writes what a campaign came to as one static directory: an overview, and a page for each finding. Needs no server and
no network.

Exit status: 0 written, 2 usage error.
"""

import argparse
import html
import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import builds
import faults
import storage

PARTS = Path(__file__).resolve().parents[1] / "page"
POINTS_MAX = 400  # of a curve

# What is drawn over time: title, and which field of a target of status.jsonl it is.
CURVES = (("Edges of the kernel covered", "edges"), ("Executions a second", "executions_per_second"),
          ("Inputs kept", "corpus"))


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/report", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--campaign", type=Path, default=builds.ROOT / "work" / "campaign", metavar="DIRECTORY",
                        help="of scripts/fuzz (default: work/campaign)")
    parser.add_argument("--findings", type=Path, default=builds.ROOT / "findings", metavar="DIRECTORY",
                        help="of scripts/fuzz and scripts/triage (default: findings)")
    parser.add_argument("--kills", type=Path, default=faults.KILLS, metavar="FILE",
                        help="what scripts/faults wrote (default: work/faults/kills.jsonl)")
    parser.add_argument("-o", "--output", type=Path, default=builds.ROOT / "build" / "report", metavar="DIRECTORY",
                        help="default: build/report; one that is there is replaced if it is a report")
    arguments = parser.parse_args()
    if arguments.output.exists() and not (arguments.output / "index.html").exists():
        parser.error(f"{arguments.output} is there and no report")
    return arguments


# ---- what there is ----


def read_lines(*paths):
    """Objects of JSON-lines files that are there; damaged lines are passed over."""
    for path in paths:
        for line in path.read_text().splitlines() if path.exists() else ():
            try:
                yield json.loads(line)
            except ValueError:
                continue


def read_findings(directory):
    """meta.json of each finding, with its folder, by signature."""
    metas = []
    for path in sorted(directory.glob("*/meta.json")):
        meta = storage.read_json(path)
        if meta and "signature" in meta:
            metas.append(meta | {"folder": path.parent})
    return sorted(metas, key=lambda meta: meta["signature"])


def curves_of(lines, field):
    """target -> points (hours of processor time of the whole campaign so far, value)."""
    curves = {}
    for line in lines:
        hours = sum(target["seconds"] for target in line["targets"].values()) / 3600
        for name, target in line["targets"].items():
            curves.setdefault(name, []).append((hours, target[field]))
    return {name: points[:: max(1, len(points) // POINTS_MAX)] + points[-1:] for name, points in curves.items()}


# ---- pictures and tables ----


def plot(title, curves):
    """An SVG of gnuplot's."""
    names = sorted(curves)
    script = ["set terminal svg size 720,320 dynamic font 'sans-serif,11' background rgb 'white'", "set key outside right",
              f"set title '{title}'", "set xlabel 'processor hours'", "set yrange [0:*]", "set grid"]
    script.append("plot " + ", ".join(f"'-' with steps lw 1.5 lc {number % 8 + 1} dt {number // 8 + 1} title '{name.replace('_', ' ')}'"
                                      for number, name in enumerate(names)))
    for name in names:
        script += [f"{x:.6f} {y}" for x, y in curves[name]] + ["e"]
    done = subprocess.run(["gnuplot"], input="\n".join(script).encode(), stdout=subprocess.PIPE, check=True)
    text = done.stdout.decode()
    return text[text.index("<svg"):]


def cell(value):
    return html.escape("" if value is None else str(value))


def table(head, rows):
    if not rows:
        return "<p class=none>none</p>"
    line = "".join(f"<th>{cell(name)}</th>" for name in head)
    return f"<table><tr>{line}</tr>" + "".join(
        "<tr>" + "".join(f"<td>{value if isinstance(value, Html) else cell(value)}</td>" for value in row) + "</tr>"
        for row in rows) + "</table>"


class Html(str):
    """Text that is HTML already."""


def finding_row(meta):
    name = cell(meta["signature"])
    if (meta["folder"] / "index.html").exists():
        name = Html(f'<a href="findings/{cell(meta["folder"].name)}/index.html">{name}</a>')
    elif (meta["folder"] / "report.txt").exists():
        name = Html(f'<a href="findings/{cell(meta["folder"].name)}/report.txt">{name}</a>')
    return (name, meta.get("target"), meta.get("count"), meta.get("operations"), meta.get("first_seen"), meta.get("last_seen"),
            meta.get("build"))


def count_table(name, counter):
    return table((name, "findings"), sorted(counter.items()))


def campaign_section(lines):
    if not lines:
        return "<p class=none>no campaign</p>"
    last = lines[-1]
    rows = [(name, f"{target['executions']:,}", f"{target['operations']:,}", f"{target['seconds'] / 3600:.2f}", target["edges"],
             target["corpus"], target["findings"]["unique"]) for name, target in sorted(last["targets"].items())]
    pictures = "".join(f"<figure>{plot(title, curves_of(lines, field))}</figure>" for title, field in CURVES)
    return (f"<p>{last['executions']:,} executions, {last['operations']:,} operations; build {cell(last['build'])}</p>" +
            table(("target", "executions", "operations", "hours", "edges", "inputs", "findings"), rows) + pictures)


def kill_section(kills):
    latest = {kill["fault"]: kill for kill in kills}
    killed = sum(kill["result"] == "killed" for kill in latest.values())
    rows = [(kill["fault"], kill["result"], f"{kill['executions']:,}", f"{kill['seconds']:.1f}", kill["operations"] or "",
             kill["signature"]) for _, kill in sorted(latest.items())]
    return (f"<p>{killed} of {len(latest)} killed</p>" if rows else "") + table(
        ("fault", "result", "executions", "seconds", "operations", "signature"), rows)


def overview(lines, metas, kills):
    values = {
        "CSS": (PARTS / "page.css").read_text(),
        "FINDINGS": table(("signature", "target", "met", "operations", "first seen", "last seen", "build"),
                          [finding_row(meta) for meta in metas]),
        "CHECKS": count_table("check", Counter(meta["signature"].split("/")[0] for meta in metas)),
        "TARGETS": count_table("target", Counter(meta.get("target") or "given by hand" for meta in metas)),
        "CAMPAIGN": campaign_section(lines),
        "KILLS": kill_section(kills),
    }
    parts = (PARTS / "overview.html").read_text().split("{{")
    return parts[0] + "".join(values[part.partition("}}")[0]] + part.partition("}}")[2] for part in parts[1:])


def copy_finding(meta, directory):
    """What can be looked at; not what only the machine at hand can use."""
    folder = directory / meta["folder"].name
    folder.mkdir()
    for name in ("index.html", "report.txt", "sequence.rsq", "shrunk.rsq", "found.rsq", "input.bin", "meta.json"):
        if (meta["folder"] / name).exists():
            shutil.copyfile(meta["folder"] / name, folder / name)


def main():
    arguments = parse_arguments()
    lines = list(read_lines(arguments.campaign / "status.old.jsonl", arguments.campaign / "status.jsonl"))
    metas = read_findings(arguments.findings)
    unfinished = arguments.output.with_name(arguments.output.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    (unfinished / "findings").mkdir(parents=True)
    for meta in metas:
        copy_finding(meta, unfinished / "findings")
    (unfinished / "index.html").write_text(overview(lines, metas, read_lines(arguments.kills)))
    shutil.rmtree(arguments.output, ignore_errors=True)
    unfinished.rename(arguments.output)
    print(f"{arguments.output}/index.html: {len(metas)} findings")
    return 0


if __name__ == "__main__":
    sys.exit(main())
