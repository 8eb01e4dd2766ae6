"""Makes corpus/seeds/<target> anew of what it holds and of what fuzzing has kept: few and short inputs that reach as much.

Inputs are taken in the order of their length, each if it reaches something that neither corpus/scenarios and
corpus/regress nor a shorter one does; then those go that others make needless. What comes of it depends on the inputs
and the sources alone. Sequences become text that the parser prints back as it is; a name is the hash of what the fuzz
target reads. For each seed is printed what it adds: its operations (or bytes), edges that it is the first to reach, and
features (edges, and
edges taken repeatedly).

Exit status: 0, 2 usage error, a failed build, or inputs that a fuzz target does not survive.
"""

import argparse
import collections
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import builds
import engine
import features
import inputs
import seeds

BUILD = "fuzz-plain"
NAMED_MAX = 4  # functions in a title
TRIMMED_OPERATIONS = (32, 16, 8, 4, 2, 1)


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/corpus", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", nargs="*", type=Path, metavar="DIRECTORY",
                        help="with inputs, each below a directory called like its target, such as a libFuzzer corpus or an "
                             "AFL++ output directory (default: work/corpus and work/campaign, if there)")
    parser.add_argument("--target", action="append", choices=list(engine.TARGETS), help="this one only; may be repeated")
    parser.add_argument("--fresh", action="store_true", help="do not take what is in corpus/seeds now")
    parser.add_argument("-o", "--output", type=Path, default=seeds.CORPUS / "seeds", metavar="DIRECTORY", help="default: corpus/seeds")
    arguments = parser.parse_args()
    if missing := [str(directory) for directory in arguments.directory if not directory.is_dir()]:
        parser.error(f"no such directory: {', '.join(missing)}")
    arguments.directory = arguments.directory or [directory for directory in inputs.KEPT if directory.is_dir()]
    arguments.target = [target for target in engine.TARGETS if target in (arguments.target or engine.TARGETS)
                        and not engine.TARGETS[target].optional]
    return arguments


@dataclass
class Input:
    """What a fuzz target reads, and what it reaches."""

    content: bytes
    reaches: frozenset

    def order(self):
        """The shortest first, and always the same."""
        return len(self.content), self.name()

    def name(self):
        return hashlib.sha1(self.content).hexdigest()[:12]


def choose(candidates, reached):
    """Few and short inputs that with what is reached already reach what all do, in their order."""
    chosen, covered = [], set(reached)
    for candidate in sorted(candidates, key=Input.order):
        if not candidate.reaches <= covered:
            chosen.append(candidate)
            covered |= candidate.reaches
    times = collections.Counter(feature for one in chosen for feature in one.reaches)
    for candidate in reversed(chosen[:]):
        if all(feature in reached or times[feature] > 1 for feature in candidate.reaches):
            chosen.remove(candidate)
            times.subtract(candidate.reaches)
    return chosen


def owed(chosen, reached):
    """What each input is kept for: a part of what they reach together that is not another's."""
    covered, parts = set(reached), []
    for one in chosen:
        parts.append(one.reaches - covered)
        covered |= one.reaches
    return parts


class Maker:
    """Makes the seeds of one target."""

    def __init__(self, target, work):
        self.target, self.kind, self.work = target, engine.TARGETS[target], work
        self.binaries = builds.directory(BUILD)
        self.rescind = self.binaries / "rescind"
        self.program = features.Program(self.binaries / "fuzz" / target, work)

    def measure(self, contents):
        return [Input(content, reaches) for content, reaches in zip(contents, self.program.reached(contents))]

    def pack(self, path):
        packed = self.work / "packed"
        engine.pack(self.rescind, path, packed)
        return packed.read_bytes()[: inputs.longest(self.target)]

    def show(self, content):
        """The text of a packed sequence, as the lines of its header and its operations."""
        (self.work / "raw").write_bytes(content)
        text = subprocess.run([self.rescind, "show", "--raw", f"--geometry={self.kind.geometry}", f"--cpus={self.kind.cpus}",
                               self.work / "raw"], check=True, stdout=subprocess.PIPE).stdout.decode()
        header, operations = text.split("\n\n", 1)
        return header, operations

    def inputs_of(self, paths):
        """Files of corpus/ as the target reads them."""
        contents = (seeds.input_of(self.rescind, self.kind, path) for path in paths)
        return [content[: inputs.longest(self.target)] for content in contents if content is not None]

    def canonical(self, content):
        """The same after a way through text."""
        path = self.work / "canonical.rsq"
        path.write_text("\n\n".join(self.show(content)))
        return self.pack(path)

    def make(self, directories, fresh):
        """The seeds, in their order, and what the rest of corpus/ reaches."""
        reached = frozenset().union(*(one.reaches for one in self.measure(self.inputs_of(seeds.shared()))))
        contents = {*inputs.kept(directories, self.target), *([] if fresh else self.inputs_of(seeds.own(self.target)))}
        chosen = choose(self.measure(sorted(contents)), reached)
        if self.kind.geometry:
            chosen = choose(self.judged(self.measure(sorted({self.canonical(one.content) for one in chosen}))), reached)
            chosen = choose(self.judged([*self.trim(chosen, reached), *chosen]), reached)
        return chosen, len(contents), reached

    def judged(self, candidates):
        """Without those with more mappings than `rescind run` has room for, which fuzz targets cut short. All must agree."""
        folder = self.work / "judged"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for one in candidates:
            (folder / f"{one.name()}.rsq").write_text("\n\n".join(self.show(one.content)))
        done = subprocess.run([self.rescind, "run", "--json", folder], stdout=subprocess.PIPE)
        verdicts = {Path(run["path"]).stem: run["verdict"] for run in map(json.loads, done.stdout.splitlines())}
        if findings := sorted(name for name, verdict in verdicts.items() if verdict not in ("agree", "too-large")):
            raise features.Crashed(f"{self.target}: inputs are findings: {', '.join(findings)}\n")
        return [one for one in candidates if verdicts[one.name()] == "agree"]

    def trim(self, chosen, reached):
        """Without operations that are not needed for what each is kept for: runs of them from the end, and shorter ones."""
        kept, needed = list(chosen), owed(chosen, reached)
        for size in TRIMMED_OPERATIONS:
            length = size * inputs.OPERATION_BYTES
            at = {number: len(one.content) for number, one in enumerate(kept)}
            while at := {number: max(0, place - length) for number, place in at.items() if place > 0}:
                shorter = [kept[number].content[:place] + kept[number].content[place + length :] for number, place in at.items()]
                for number, one in zip(at, self.measure(shorter)):
                    if one.content and needed[number] <= one.reaches:
                        kept[number] = one
        return kept

    # ---- writing ----

    def title(self, new_edges, new_features):
        edges = new_edges or sorted(set(map(features.edge_of, new_features)))
        names = list(dict.fromkeys(self.places[edge][0] for edge in edges))
        more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
        return ("edges of " if new_edges else "repeated: ") + ", ".join(names[:NAMED_MAX]) + more

    def text(self, seed, title):
        header, operations = self.show(seed.content)
        return f"{header}\n# title: {title}\n# origin: scripts/corpus, fuzz target {self.target}\n\n{operations}"

    def write(self, chosen, reached, directory):
        """A line is printed for each seed."""
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        self.places = self.program.places()
        edges = set(map(features.edge_of, reached))
        for seed, adds in zip(chosen, owed(chosen, reached)):
            new_edges = sorted(set(map(features.edge_of, adds)) - edges)
            edges.update(new_edges)
            title = self.title(new_edges, adds)
            path = directory / f"{seed.name()}{'.rsq' if self.kind.geometry else '.raw'}"
            if self.kind.geometry:
                path.write_text(self.text(seed, title))
                self.check(path, seed)
            else:
                path.write_bytes(seed.content)
            size = f"{len(seed.content) // inputs.OPERATION_BYTES} operations" if self.kind.geometry else f"{len(seed.content)} bytes"
            print(f"  {path.name}  {size}, {len(new_edges)} edges, {len(adds)} features: {title}")
            for function, place in (self.places[edge] for edge in new_edges):
                print(f"      {place} {function}")

    def check(self, path, seed):
        shown = subprocess.run([self.rescind, "show", path], check=True, stdout=subprocess.PIPE).stdout
        if shown != path.read_bytes() or self.pack(path) != seed.content:
            sys.exit(f"{path} does not stay what it is")


def make_target(target, arguments):
    with tempfile.TemporaryDirectory(dir=builds.ROOT / "work", prefix="corpus-") as work:
        maker = Maker(target, Path(work))
        chosen, candidates, reached = maker.make(arguments.directory, arguments.fresh)
        print(f"{target}: {len(chosen)} of {candidates} inputs", flush=True)
        maker.write(chosen, reached, arguments.output / target)


def main():
    arguments = parse_arguments()
    builds.make_or_exit(BUILD)
    (builds.ROOT / "work").mkdir(exist_ok=True)
    try:
        for target in arguments.target:
            make_target(target, arguments)
    except features.Crashed as crash:
        sys.stderr.write(str(crash))
        return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
