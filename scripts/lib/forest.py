"""Draws the mapping forest of a traced run: PDs are columns, arrows lead from a mapping to those derived from it.

One picture holds every node that there ever was, so that nothing moves from step to step; which of them to show, and
with what words, is told apart for each step. Graphviz does the layout.
"""

import re
import subprocess
from dataclasses import dataclass, field

import traces

MISSING = "missing"  # a node that the model has and the kernel has not


@dataclass
class Drawing:
    """An SVG, and for each step the elements in it: {element id: (words, class)}."""

    svg: str
    steps: list = field(default_factory=list)


def _key(node):
    return node["pd"], node["kind"], node["base"], node["order"]


def _resource(node, ordinary):
    if node["kind"] == "obj":
        return traces.pd_words(node["resource"])
    return f"{ordinary[node['kind']]} {node['resource']:#x}"


def _label(node):
    return f"{node['kind']} {traces.place_words(node['kind'], node['base'], 1 << node['order'])}"


def _words(node):
    return f"{_resource(node, {'mem': 'frame', 'pio': 'port'})} {node['rights']}"


class _Union:
    """All nodes and all edges of all steps, numbered in the order in which they first appeared."""

    def __init__(self):
        self.nodes, self.edges, self.columns = {}, {}, {"PHYS": 0, "root": 1}

    def node(self, key):
        self.columns.setdefault(key[0], len(self.columns))
        return self.nodes.setdefault(key, f"n{len(self.nodes)}")

    def edge(self, parent, child):
        return self.edges.setdefault((parent, child), f"e{len(self.edges)}")


def _shown(nodes):
    """Roots of PHYS that nothing is derived from say nothing."""
    parents = {node["parent"] for node in nodes}
    return [node for node in nodes if node["pd"] != "PHYS" or node["node"] in parents]


def _covers(node, at):
    return ((node["pd"], node["kind"]) == (at["pd"], at["kind"]) and
            node["base"] <= at["unit"] < node["base"] + (1 << node["order"]))


def _of_step(union, step, at):
    """The elements of one step; `at`: the unit that a finding of this step is about."""
    elements = {}
    nodes = _shown(step["state"]["nodes"])
    by_number = {node["node"]: node for node in nodes}
    wrong = False
    for node in nodes:
        marked = bool(at) and _covers(node, at)
        wrong |= marked
        elements[union.node(_key(node))] = (_words(node), "wrong" if marked else "")
        parent = by_number.get(node["parent"])
        if parent:
            elements[union.edge(_key(parent), _key(node))] = ("", "")
    if at and not wrong:
        key = (at["pd"], at["kind"], at["unit"], 0)
        elements[union.node(key)] = (MISSING, "wrong")
    return elements


def _dot(union, longest):
    lines = ["digraph forest {", "rankdir=LR; nodesep=0.12; ranksep=0.9; bgcolor=transparent;",
             'node [shape=box, fontname="monospace", fontsize=11, margin="0.08,0.05"]; edge [arrowsize=0.6];']
    heads = []
    for pd, number in union.columns.items():
        heads.append(f"pd{number}")
        column = [heads[-1]] + [union.nodes[key] for key in sorted(union.nodes, key=lambda k: k[1:]) if key[0] == pd]
        lines.append(f'pd{number} [id=pd{number}, shape=plain, fontsize=13, label="{pd}"];')
        lines.append("{rank=same; " + "; ".join(column) + ";}")
        lines.extend(f"{above} -> {below} [style=invis];" for above, below in zip(column, column[1:]))
    lines.extend(f"{left} -> {right} [style=invis, weight=9];" for left, right in zip(heads, heads[1:]))
    for key, name in union.nodes.items():
        # The second line is replaced from step to step: room for the longest.
        label = _label({"kind": key[1], "base": key[2], "order": key[3]}) + "\\n" + "#" * longest[name]
        lines.append(f'{name} [id={name}, label="{label}"];')
    for (parent, child), name in union.edges.items():
        lines.append(f"{union.nodes[parent]} -> {union.nodes[child]} [id={name}, constraint=false];")
    return "\n".join([*lines, "}"])


def _plain(svg):
    """The <svg> element alone, without titles, which browsers show as tool tips, and without a fixed size."""
    svg = svg[svg.index("<svg"):]
    return re.sub(r"<title>.*?</title>\n?", "", svg, flags=re.DOTALL)


def draw(trace):
    """The drawing of a trace. Without Graphviz: FileNotFoundError."""
    union = _Union()
    failing = trace.failing()
    steps = [_of_step(union, step, trace.head["at"] if index == failing else None)
             for index, step in enumerate(trace.steps)]
    longest = {}
    for elements in steps:
        for name, (words, _) in elements.items():
            longest[name] = max(longest.get(name, 0), len(words))
    done = subprocess.run(["dot", "-Tsvg"], input=_dot(union, longest).encode(), stdout=subprocess.PIPE, check=True)
    return Drawing(_plain(done.stdout.decode()), steps)
