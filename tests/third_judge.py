#!/usr/bin/env python3
"""Lets a third, independent judge look at what kernel and oracle agree about: the executable model of the semantics.

usage: third_judge.py RESCIND [REPOSITORY] [--count N] [--ops N] [--seed N]

Generates sequences, runs them with `rescind run --json`, gives the resolved operations to REPOSITORY/../shared/model/model.py
and compares every result and the final mappings. The model knows no limits: operations refused for lack of memory (E_MEM), which
change nothing, are not given to it, and neither is what the harness does itself (access, switch, oom, resume). Exit status: 0 equal, 1 a difference, 2 could not be run, 77 there is no model.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

SHOWN_DIFFERENCES = 5
HARNESS_OPERATIONS = ("access", "switch", "oom", "resume")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rescind")
    parser.add_argument("repository", type=Path, nargs="?", default=Path(__file__).resolve().parents[1])
    parser.add_argument("--count", type=int, default=2000, help="sequences (default: 2000)")
    parser.add_argument("--ops", type=int, default=32, help="operations in each (default: 32)")
    parser.add_argument("--seed", type=int, default=None, help="of the generator (default: a fresh one, printed)")
    return parser.parse_args()


def fail(message):
    print(f"third_judge: {message}", file=sys.stderr)
    sys.exit(2)


def run_rescind(rescind, count, ops, seed):
    """The JSON lines of all sequences, by number."""
    with tempfile.TemporaryDirectory(prefix="rescind-judge-") as directory:
        made = subprocess.run([rescind, "gen", f"--seed={seed}", f"--count={count}", f"--ops={ops}", f"--cpus={1 + seed % 2}", "--oom", "-o",
                               directory],
                              stdout=subprocess.DEVNULL, check=False)
        if made.returncode != 0:
            fail(f"rescind gen ended with {made.returncode}")
        ran = subprocess.run([rescind, "run", "--json", directory], stdout=subprocess.PIPE, check=False)
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    if ran.returncode != 0 or len(lines) != count:
        for line in lines:
            if line["verdict"] != "agree":
                print(f"{line['path']}: {line['verdict']} {line.get('signature')}\n{line.get('report')}")
        fail(f"rescind run ended with {ran.returncode} and judged {len(lines)} of {count} sequences")
    for line in lines:
        known = [(op, result) for op, result in zip(line["ops"], line["results"], strict=True)
                 if op[0] not in HARNESS_OPERATIONS and result != ["E_MEM", None]]
        line["refused"] = line["results"].count(["E_MEM", None])
        line["ops"] = [op for op, _ in known]
        line["results"] = [result for _, result in known]
    return sorted(lines, key=lambda line: int(Path(line["path"]).stem.split("-")[-1]))


def ask_model(model, runs):
    """The model's answers, from as many processes as there are CPUs."""
    parts = os.cpu_count() or 1
    shares = [runs[i::parts] for i in range(parts)]
    judges = []
    for share in shares:
        jobs = tempfile.TemporaryFile("w+")
        for run in share:
            print(json.dumps({"ops": run["ops"]}), file=jobs)
        jobs.seek(0)
        output = tempfile.TemporaryFile("w+")
        judges.append((subprocess.Popen([sys.executable, model], stdin=jobs, stdout=output), output))
    answers = [None] * len(runs)
    for i, (judge, output) in enumerate(judges):
        if judge.wait() != 0:
            fail(f"the model ended with {judge.returncode}")
        output.seek(0)
        answers[i::parts] = [json.loads(line) for line in output]
    return answers


def first_difference(run, answer):
    for i, (ours, theirs) in enumerate(zip(run["results"], answer["results"], strict=True)):
        if ours != theirs:
            return f"operation {i} {run['ops'][i]}: rescind {ours}, model {theirs}"
    ours, theirs = run["state"], answer["state"]
    for space in sorted(set(ours) | set(theirs)):
        if ours.get(space) == theirs.get(space):
            continue
        if space not in ours or space not in theirs:
            return f"final state: {space} is only in {'rescind' if space in ours else 'the model'}"
        for unit in sorted(set(ours[space]) | set(theirs[space]), key=int):
            if ours[space].get(unit) != theirs[space].get(unit):
                return f"final state: {space}/{unit}: rescind {ours[space].get(unit)}, model {theirs[space].get(unit)}"
    return None


def main():
    given = arguments()
    model = given.repository / ".." / "shared" / "model" / "model.py"
    if not model.exists():
        print(f"third_judge: skipped, there is no model at {model}")
        sys.exit(77)
    seed = random.SystemRandom().getrandbits(32) if given.seed is None else given.seed
    print(f"third_judge: seed {seed}, {given.count} sequences of {given.ops} operations", flush=True)
    runs = run_rescind(given.rescind, given.count, given.ops, seed)
    answers = ask_model(model, runs)
    different = refused = results = mappings = 0
    for number, (run, answer) in enumerate(zip(runs, answers, strict=True)):
        refused += run["refused"]
        results += len(run["results"])
        mappings += sum(len(space) for space in run["state"].values())
        difference = first_difference(run, answer)
        if difference:
            different += 1
            if different <= SHOWN_DIFFERENCES:
                print(f"sequence {number}: {difference}\n    get it: rescind gen --seed={seed} --ops={given.ops} "
                      f"--cpus={1 + seed % 2} --oom --count={number + 1} -o DIR")
    print(f"third_judge: {given.count - different} sequences equal ({results} results, {mappings} final mappings), "
          f"{different} different, {refused} operations left out as refused for lack of memory")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
