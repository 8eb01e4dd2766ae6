#!/usr/bin/env python3
"""What scripts/mutants makes of lines of the kernel."""
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts" / "lib"))
import faults  # noqa: E402
import mutants  # noqa: E402


class Changes(unittest.TestCase):
    def expect(self, line, *changes):
        self.assertEqual(sorted(changes), sorted(mutants.changes_of(line)))

    def test_statements(self):
        self.expect("    touch(node);", ("left out", "    ;"))
        self.expect("    work->count -= 1;", ("left out", "    ;"))
        self.expect("    uint32_t tag = 0;")
        self.expect("    return node;")

    def test_conditions(self):
        self.expect("    if (a && b) {", ("turned round", "    if (!(a && b)) {"), ("never", "    if (false && (a && b)) {"),
                    ("connective", "    if (a || b) {"))

    def test_relations_and_bounds(self):
        self.expect("    for (i = 0; i < last - 1; i++) {", ("relation", "    for (i = 0; i <= last - 1; i++) {"),
                    ("bound", "    for (i = 0; i < last; i++) {"))
        self.expect("    return a == b;", ("relation", "    return a != b;"))
        self.expect("    return true;", ("answer", "    return false;"))

    def test_what_only_counts_is_passed_over(self):
        with tempfile.TemporaryDirectory() as directory:
            source = Path(directory) / "some.c"
            source.write_text("/* a = b; */\nstatic void f(void) {\n    KSTEP();\n    KASSERT(a == b);\n    f();\n}\n")
            self.assertEqual([(4, "left out")], [(mutant.line, mutant.change) for mutant in mutants.mutants_of(source)])

    def test_a_patch_applies(self):
        source = next(iter(sorted((faults.builds.ROOT / faults.KERNEL).glob("*.c"))))
        mutant = next(mutants.mutants_of(source))
        patch = mutant.patch()
        self.assertIn(f"--- a/src/kernel/{source.name}\n+++ b/src/kernel/{source.name}\n", patch)
        self.assertIn(f"+{mutant.code}\n", patch)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
