#!/usr/bin/env python3
"""Tests of rescind laws, diff and soak: what they print, their exit statuses, what they write.

usage: test_modes.py RESCIND [unittest arguments]
"""
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

RESCIND = ""
AGREE, FINDING, BAD = 0, 1, 2

# Ends with two operations that commute: what a sequence ends with is tried first.
STORY = """# rescind: 1
# geometry: small

p1 = create_pd root payer=root sel=1
delegate root mem from=phys base=0x10 order=4 to=p1 at=0x40 mask=rwx
revoke p1 mem base=0x40 order=3 mask=w scope=self place=own filter=none
delegate p1 mem from=own base=0x48 order=2 to=self at=0x88 mask=rx
"""

# What the kernel with the fault F48 gets wrong: the second of two children keeps a right.
LOWERED = """# rescind: 1
# geometry: small

delegate root mem from=phys base=0x10 order=0 to=self at=0x40 mask=rwx
delegate root mem from=own base=0x40 order=0 to=self at=0x80 mask=rwx
delegate root mem from=own base=0x40 order=0 to=self at=0x90 mask=r
revoke root mem base=0x40 order=0 mask=w scope=self place=own filter=none
"""


class Modes(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="rescind-laws-")
        self.dir = Path(temporary.name)
        self.addCleanup(temporary.cleanup)

    def write(self, name, text):
        path = self.dir / name
        path.write_text(text)
        return path

    def expect(self, status, *arguments):
        done = subprocess.run([RESCIND, *map(str, arguments)], capture_output=True, text=True, timeout=250,
                              cwd=self.dir, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, status, f"{arguments}\n{done.stdout}\n{done.stderr}")
        self.assertNotIn("runtime error", done.stderr)
        return done.stdout


class Laws(Modes):
    def test_generated(self):
        out = self.expect(AGREE, "laws", "--seed=3", "--count=40")
        for law in range(1, 6):
            tries = re.search(rf"law {law}: (\d+) tries, \d+ more whose premises did not hold", out)
            self.assertGreater(int(tries.group(1)), 50, out)
        self.assertEqual(out, self.expect(AGREE, "laws", "--seed=3", "--count=40"))
        self.assertNotEqual(out, self.expect(AGREE, "laws", "--seed=4", "--count=40"))

    def test_file(self):
        path = self.write("story.rsq", STORY)
        out = self.expect(AGREE, "laws", "--law=5", "--tries=0", path)
        self.assertIn("law 5: 1 tries, 0 more", out)
        self.assertNotIn("law 4", out)

    def test_usage(self):
        for wrong in (["--law=0"], ["--law=6"], ["--count=0"], ["no-such-file.rsq"]):
            self.expect(BAD, "laws", *wrong)


class Diff(Modes):
    def test_the_same_kernel(self):
        out = self.expect(AGREE, "diff", "--with=rescind_kernel_small", "--count=150", "--seed=1")
        self.assertIn("150 equal, 0 different, 0 not judged", out)
        self.expect(AGREE, "diff", f"--with={Path(RESCIND).parent}/rescind_kernel_small.so", self.write("a.rsq", STORY))

    def test_a_faulty_kernel(self):
        out = self.expect(FINDING, "diff", "--with=kernel_with_fault", self.write("lowered.rsq", LOWERED))
        self.assertIn("diff/revoke.self.own/state", out)
        self.assertIn("root, nodes, mem 0x80", out)
        self.assertIn("this: resource 0x10, rights 0x5", out)
        self.assertIn("the other: resource 0x10, rights 0x7", out)
        self.expect(FINDING, "diff", "--with=kernel_with_fault", "--count=500", "--seed=1")

    def test_another_geometry_is_passed_over(self):
        path = self.write("real.rsq", "# rescind: 1\n# geometry: real\n\n")
        self.assertIn("1 of another geometry", self.expect(AGREE, "diff", "--with=rescind_kernel_small", path))

    def test_usage(self):
        for wrong in ([], ["--with=nothing-there"], ["--with=" + RESCIND]):
            self.expect(BAD, "diff", *wrong)


class Library(Modes):
    """`run` and `shrink` on a kernel that is not built in."""

    def setUp(self):
        super().setUp()
        self.faulty = f"--target={Path(RESCIND).parent}/kernel_with_fault.so"

    def test_run(self):
        path = self.write("lowered.rsq", LOWERED)
        out = self.expect(FINDING, "run", self.faulty, path)
        self.assertIn("O3.rights/revoke.self.own/mem/wider", out)
        self.assertIn(f"run again: rescind run --compare=log {self.faulty} --seed=0 {path}", out)
        self.expect(AGREE, "run", path)
        self.expect(AGREE, "run", f"--target={Path(RESCIND).parent}/rescind_kernel_small.so", path)

    def test_shrink(self):
        path = self.write("lowered.rsq", LOWERED)
        self.expect(AGREE, "shrink", self.faulty, path, "-o", f"{path}.shrunk")
        self.expect(FINDING, "run", self.faulty, f"{path}.shrunk")

    def test_usage(self):
        for wrong in ("--target=./nothing-there.so", f"--target={RESCIND}"):
            self.expect(BAD, "run", wrong, self.write("a.rsq", STORY))


class Soak(Modes):
    def test_a_life(self):
        out = self.expect(AGREE, "soak", "--ops=100000", "--seed=1")
        found = re.search(r"kernel memory: (\d+) bytes after boot, (\d+) at the last of (\d+) low points", out)
        self.assertEqual(found.group(1), found.group(2))
        self.assertGreater(int(found.group(3)), 50)
        self.assertRegex(out, r"identifiers: \d+ PDs made on \d+, \d+ objects on \d+; used again [1-9]\d{2,} times")
        changed = re.search(r"(\d+) operations in .*, (\d+) changed something", out)
        self.assertGreater(int(changed.group(2)) * 3, int(changed.group(1)))

    def test_real_geometry(self):
        self.expect(AGREE, "soak", "--ops=3000", "--seed=1", "--geometry=real")

    def test_usage(self):
        for wrong in (["--ops=0"], ["file.rsq"], ["--geometry=large"]):
            self.expect(BAD, "soak", *wrong)


if __name__ == "__main__":
    RESCIND = sys.argv.pop(1)
    unittest.main()
