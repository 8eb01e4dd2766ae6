#!/usr/bin/env python3
"""The choice of seeds (scripts/lib/corpus.py) and where inputs are looked for (scripts/lib/inputs.py)."""
import random
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts" / "lib"))
import corpus  # noqa: E402
import engine  # noqa: E402
import inputs  # noqa: E402
import seeds  # noqa: E402


def reaching(size, *features, mark=0):
    return corpus.Input(bytes([mark]) * size, frozenset(features))


def reached(chosen):
    return frozenset().union(*(one.reaches for one in chosen))


class Choice(unittest.TestCase):
    def test_the_shorter_is_taken(self):
        short, long = reaching(16, 1, 2), reaching(32, 1, 2)
        self.assertEqual([short], corpus.choose([long, short], frozenset()))

    def test_what_is_reached_already_is_left_out(self):
        self.assertEqual([], corpus.choose([reaching(16, 1)], frozenset({1})))

    def test_what_later_ones_make_needless_goes(self):
        first, second, both = reaching(16, 1, mark=1), reaching(16, 2, mark=2), reaching(32, 1, 2, 3)
        self.assertEqual([both], corpus.choose([first, second, both], frozenset()))

    def test_nothing_is_lost_whatever_the_order(self):
        dice = random.Random(1)
        some = [reaching(16 * dice.randrange(1, 9), *dice.sample(range(60), 8), mark=mark) for mark in range(100)]
        chosen = corpus.choose(some, frozenset())
        self.assertEqual(reached(some), reached(chosen))
        self.assertLess(len(chosen), 60)
        for _ in range(5):
            dice.shuffle(some)
            self.assertEqual(chosen, corpus.choose(some, frozenset()))

    def test_each_is_kept_for_a_part_of_its_own(self):
        chosen = [reaching(16, 1, 2), reaching(32, 2, 3), reaching(48, 9)]
        self.assertEqual([{2}, {3}, set()], corpus.owed(chosen, {1, 9}))


class Places(unittest.TestCase):
    def kept(self, files, target="quota", below=""):
        with tempfile.TemporaryDirectory() as name:
            for path, content in files.items():
                (Path(name) / path).parent.mkdir(parents=True, exist_ok=True)
                (Path(name) / path).write_bytes(content)
            return inputs.kept([Path(name) / below], target)

    def test_directories_of_the_target(self):
        self.assertEqual([b"a", b"b"], self.kept({"x/quota/1": b"b", "quota/2": b"a", "quota/3": b"a", "tlb/4": b"c"}))

    def test_the_directory_of_the_target_itself(self):
        self.assertEqual([b"a"], self.kept({"quota/1": b"a", "tlb/2": b"b"}, below="quota"))

    def test_a_queue_of_afl(self):
        self.assertEqual([b"kept"], self.kept({
            "quota/main/queue/id:0": b"kept", "quota/main/queue/.state/x": b"state", "quota/main/crashes/id:0": b"finding",
            "quota/main/hangs/id:0": b"hang", "quota/main/fuzzer_stats": b"stats", "quota/main/plot_data": b"plot"}))

    def test_no_longer_than_the_target_reads(self):
        longest = inputs.longest("quota")
        self.assertEqual([bytes(longest)], self.kept({"quota/1": bytes(longest + 16)}))

    def test_every_target_has_seeds(self):
        for target, kind in engine.TARGETS.items():
            if kind.optional:
                continue
            paths = list((seeds.CORPUS / "seeds" / target).iterdir())
            self.assertGreater(len(paths), 5, target)
            self.assertEqual({".rsq" if kind.geometry else ".raw"}, {path.suffix for path in paths}, target)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
