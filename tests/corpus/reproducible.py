#!/usr/bin/env python3
"""scripts/corpus makes the same seeds of the same inputs, whatever these are called and wherever they lie, and they
reach as much.

usage: reproducible.py (makes the preset `fuzz-plain`)
"""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "lib"))
import builds  # noqa: E402
import corpus  # noqa: E402
import engine  # noqa: E402
import inputs  # noqa: E402
import seeds  # noqa: E402

TARGET, SEEDS = "ports", 20


def tree(directory):
    return {path.relative_to(directory): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def make(directory, output):
    done = subprocess.run([sys.executable, ROOT / "scripts" / "lib" / "corpus.py", "--fresh", "--target", TARGET, "-o", output,
                           directory], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        sys.exit(done.stdout.decode(errors="replace"))


class Reproducible(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        work = cls.work = Path(cls.temporary.name)
        for place in ("a/ports", "b/ports/main/queue", "b/ports/other"):
            (work / place).mkdir(parents=True)
        for number, path in enumerate(seeds.own("quota")[:SEEDS]):
            engine.pack(builds.directory("fuzz-plain") / "rescind", path, work / "a/ports" / str(number))
            content = (work / "a/ports" / str(number)).read_bytes()
            (work / "b/ports" / ("main/queue" if number % 2 else "other") / f"id:{SEEDS - number}").write_bytes(content)
            # Seeds are short already: something to be left out.
            (work / "a/ports" / f"twice-{number}").write_bytes(content * 2)
            (work / "b/ports/other" / f"twice-{number}").write_bytes(content * 2)
        make(work / "a", work / "from-a")
        make(work / "b", work / "from-b")

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def test_the_same_seeds(self):
        self.assertEqual(tree(self.work / "from-a"), tree(self.work / "from-b"))

    def test_fewer_and_shorter_ones_that_reach_as_much(self):
        with tempfile.TemporaryDirectory() as name:
            maker = corpus.Maker(TARGET, Path(name))
            before = maker.measure(inputs.kept([self.work / "a"], TARGET))
            after = maker.measure([maker.pack(path) for path in (self.work / "from-a").rglob("*.rsq")])
            shared = frozenset().union(*(one.reaches for one in maker.measure(maker.inputs_of(seeds.shared()))))
        self.assertLess(sum(len(one.content) for one in after), sum(len(one.content) for one in before))
        self.assertLess(frozenset(), frozenset().union(*(one.reaches for one in after)) - shared)
        self.assertLessEqual(frozenset().union(*(one.reaches for one in before)), frozenset().union(shared, *(one.reaches for one in after)))


if __name__ == "__main__":
    builds.make("fuzz-plain")
    unittest.main(argv=sys.argv[:1])
