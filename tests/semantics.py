#!/usr/bin/env python3
"""Tests that docs/semantics.md is shown by sequences that run, and that these say what comes of each operation.

usage: semantics.py RESCIND [REPOSITORY]

Each row of a table with a column "shown by" links a file in corpus/semantics; each file there is linked. In each of them every
operation ends with a comment `# -> RESULT` or `# -> RESULT: why`; so does it in those scenarios that have such comments at all.
What RESULT is: VOID, FAULT (access), an error code, or OK, followed by the units (delegate, grant), by rights and order of the
uniform range such as `rw 2^2`, or `nothing` (lookup), or by frame or port (access). Exit status: 0 all true, 1 not, 2 could not be run.
"""
import json
import re
import subprocess
import sys
from pathlib import Path

# Tables that state numbers, and rows that no sequence can show today.
TABLES_WITHOUT = {"| | MEM | PIO | OBJ | PHYS | kernel frames | PDs | objects | leaves |", "| | account | bytes |"}
ROWS_WITHOUT = {"O11 panic", "register bits that an operation does not use",
                "the extent of what a grant moves out of an extent (dialects only)"}
LETTERS = {"MEM": "rwx", "PIO": "a", "OBJ": "cmrdq"}
LINK = re.compile(r"\[([\w-]+)\]\(\.\./corpus/semantics/([\w-]+)\.rsq\)")
TEST_FILE = re.compile(r"`((?:tests|corpus)/[\w/.-]+)`")
RESULT = re.compile(r"# -> ([^:]+?)(?:: .+)?$")
HEADER_LINES = ("title", "dialect", "origin")


def tables(page):
    """(line number, header line, rows) of each table; a row is the list of its cells."""
    lines = page.split("\n")
    found, at = [], 0
    while at < len(lines):
        if not lines[at].startswith("|"):
            at += 1
            continue
        end = at
        while end < len(lines) and lines[end].startswith("|"):
            end += 1
        rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[at + 2:end]]
        found.append((at + 1, lines[at], rows))
        at = end
    return found


def check_page(repository, complain):
    linked, allowed = set(), set()
    for number, header, rows in tables((repository / "docs/semantics.md").read_text()):
        columns = [cell.strip() for cell in header.split("|")[1:-1]]
        if "shown by" not in columns:
            if header not in TABLES_WITHOUT:
                complain(f"docs/semantics.md:{number}: a table without a column `shown by`")
            continue
        for offset, row in enumerate(rows, number + 2):
            place = f"docs/semantics.md:{offset}"
            if len(row) != len(columns):
                complain(f"{place}: {len(row)} cells under {len(columns)} columns")
                continue
            links = LINK.findall(row[columns.index("shown by")])
            if not links and row[0] not in ROWS_WITHOUT:
                complain(f"{place}: no sequence shows {row[0]}")
            if row[0] in ROWS_WITHOUT:
                allowed.add(row[0])
            for name, file in links:
                linked.add(file)
                if name != file or not (repository / f"corpus/semantics/{file}.rsq").exists():
                    complain(f"{place}: there is no corpus/semantics/{name}.rsq")
            for path in TEST_FILE.findall(" ".join(row)):
                if not (repository / path).exists():
                    complain(f"{place}: there is no {path}")
    for row in ROWS_WITHOUT - allowed:
        complain(f"tests/semantics.py: docs/semantics.md has no row {row}")
    for path in sorted((repository / "corpus/semantics").iterdir()):
        if path.suffix != ".rsq" or path.stem not in linked:
            complain(f"{path}: not linked from a table of docs/semantics.md")


def operations(path):
    """(line number, line) of each operation, in order."""
    return [(number, line) for number, line in enumerate(path.read_text().split("\n"), 1)
            if line.strip() and not line.lstrip().startswith("#")]


def shown(op, result):
    """A result of `rescind run --json`, in the words of a comment."""
    code, value = result
    if code != "OK" or op[0] not in ("lookup", "access", "delegate", "grant"):
        return code
    if op[0] == "access":
        return f"OK {value:#x}"
    if op[0] != "lookup":
        return f"OK {value}"
    if value is None:
        return "OK nothing"
    rights, order = value
    return "OK " + "".join(letter for bit, letter in enumerate(LETTERS[op[2]]) if rights >> bit & 1) + f" 2^{order}"


def check_run(path, run, complain):
    text = path.read_text()
    for key in HEADER_LINES:
        if f"\n# {key}: " not in text:
            complain(f"{path}: no `{key}` in the header")
    if run["verdict"] != "agree":
        complain(f"{path}: {run['verdict']} {run.get('signature')}\n{run.get('report')}")
        return
    lines = operations(path)
    if len(lines) != len(run["results"]):
        complain(f"{path}: {len(lines)} lines with an operation, {len(run['results'])} results")
        return
    for (number, line), op, result in zip(lines, run["ops"], run["results"]):
        comment = RESULT.search(line)
        if not comment:
            complain(f"{path}:{number}: does not say what comes of it: {shown(op, result)}")
        elif comment[1] != shown(op, result):
            complain(f"{path}:{number}: says {comment[1]}, but it is {shown(op, result)}")


def check_sequences(rescind, repository, complain):
    paths = sorted((repository / "corpus/semantics").glob("*.rsq"))
    paths += [path for path in sorted((repository / "corpus/scenarios").glob("*.rsq")) if "# -> " in path.read_text()]
    ran = subprocess.run([rescind, "run", "--json", "--compare=full", *paths], stdout=subprocess.PIPE, check=False)
    runs = {line["path"]: line for line in map(json.loads, ran.stdout.splitlines())}
    for path in paths:
        if str(path) not in runs:
            complain(f"{path}: was not run")
        else:
            check_run(path, runs[str(path)], complain)
    return len(paths)


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    repository = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).resolve().parents[1]
    complaints = []
    check_page(repository, complaints.append)
    count = check_sequences(sys.argv[1], repository, complaints.append)
    for complaint in complaints:
        print(complaint)
    print(f"semantics: {count} sequences, {len(complaints)} complaints")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
