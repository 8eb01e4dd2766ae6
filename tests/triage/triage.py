#!/usr/bin/env python3
"""scripts/triage and scripts/bisect on a kernel with a seeded fault: triage.py ROOT. Builds that kernel first."""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml
from pathlib import Path

ROOT = Path(sys.argv.pop(1)).resolve()
sys.path.insert(0, str(ROOT / "scripts" / "lib"))

import builds  # noqa: E402
import faults  # noqa: E402

FAULT = "F8-grant-leaves-descendants-rights"
CHECK = "O3.rights"
MET_AS = "O3.rights/grant.own.cap/mem/wider"  # by the stored sequence; the simplest one may be another of the same check
BROKEN = 200


def run(*command, status=None):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if status is not None and done.returncode != status:
        raise AssertionError(f"{command}: status {done.returncode}, not {status}\n{done.stdout}{done.stderr}")
    return done


def break_one(number, good, directory):
    """One broken file, of one of several sorts."""
    path, dice = directory / f"broken-{number}.rsq", random.Random(number)
    sort = number % 8
    if sort == 0:
        path.write_bytes(good[: dice.randrange(len(good) // 2)].rstrip(b"x") + b" =")
    elif sort == 1:
        with path.open("wb") as file:
            file.truncate(64 << 20)
    elif sort == 2:
        path.write_bytes(b"# rescind: 1\n" + dice.randbytes(dice.randrange(1, 5000)))
    elif sort == 3:
        path.symlink_to(path.name)
    elif sort == 4:
        path.symlink_to("..")
    elif sort == 5:
        os.mkfifo(path)
    elif sort == 6:
        path.write_bytes(b"")
    else:
        path.mkdir()
        (path / "broken.bin").write_bytes(b"\x8frseq\r\n\x1a" + dice.randbytes(40))


class Triage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        tree = faults.Tree("release", "replay")
        if not tree.lay(faults.read_fault(ROOT / "faults" / f"{FAULT}.patch")):
            raise AssertionError("the patch does not apply")
        tree.make("rescind", "kernel.elf", "roottask", jobs=os.cpu_count())
        cls.build = tree.build
        cls.rescind = tree.rescind
        cls.stored = ROOT / "faults" / f"{FAULT}.rsq"

    def setUp(self):
        self.work = Path(tempfile.mkdtemp(dir=ROOT / "work"))
        self.addCleanup(shutil.rmtree, self.work)
        self.inputs, self.findings = self.work / "in", self.work / "findings"
        self.inputs.mkdir()
        self.findings.mkdir()

    def triage(self, *arguments, status):
        return run(sys.executable, ROOT / "scripts/lib/triage.py", "--build", self.build, "--findings", self.findings,
                   *arguments, status=status)

    def folder(self):
        (folder,) = [path for path in self.findings.iterdir() if path.is_dir()]
        return folder

    def signature(self):
        return json.loads((self.folder() / "meta.json").read_text())["signature"]

    def test_explains_and_promotes(self):
        crashes = self.inputs / "mixed" / "crashes"
        crashes.mkdir(parents=True)
        text = self.stored.read_text().replace("# cpus", "#")
        noise = "lookup root mem unit=0x3\n"
        (self.inputs / "longer.rsq").write_text(text + noise)
        run(self.rescind, "pack", "--raw", self.stored, "-o", crashes / "id:000000,sig:06", status=0)
        junit = self.work / "junit.xml"
        said = self.triage("--junit", junit, self.inputs, status=1).stdout
        signature = self.signature()
        self.assertTrue(signature.startswith(CHECK))
        self.assertRegex(said, f"{signature}\n    new; 2 inputs; [23] operations; cause [0-9a-f]{{8}}, first seen 20")
        self.assertIn(f"met 2 times as {MET_AS}", said)
        folder = self.folder()
        self.assertIn("O3.rights", (folder / "report.txt").read_text())
        self.assertIn("# - root ", (folder / "sequence.rsq").read_text())
        self.assertIn("<svg", (folder / "index.html").read_text())
        self.assertEqual(xml.parse(junit).getroot().get("failures"), "1")
        replayed = run(folder / "replay.sh", status=1).stdout
        self.assertIn(signature, replayed)
        self.assertRegex(said, rf"QEMU +{signature}")
        self.assertRegex(said, rf"Unicorn +({signature}|not built)")
        self.promotes(signature)
        (self.findings / "known.tsv").write_text(f"signature\ttitle\tstatus\tlink\n{signature}\tgrant\topen\t\n")
        self.assertIn("known: grant, open; 2 inputs", self.triage(self.inputs, status=0).stdout)

    def test_one_cause_however_met(self):
        """Inputs of another shape join the finding that is kept, under its name."""
        (self.inputs / "stored.rsq").write_bytes(self.stored.read_bytes())
        self.triage(self.inputs, status=1)
        meta = json.loads((self.folder() / "meta.json").read_text())
        others = self.work / "others"
        run(self.rescind, "gen", "--failing=2000", "--count=6", "--seed=3", "-o", others, status=0)
        self.triage(others, status=1)
        again = json.loads((self.folder() / "meta.json").read_text())
        self.assertEqual((again["signature"], again["cause"], again["count"]), (meta["signature"], meta["cause"], 7))
        self.assertGreater(len(again["met_as"]), 1)
        known = self.findings / "known.tsv"
        known.write_text(f"{meta['signature']}#{meta['cause']}\tgrant\topen\t\n")
        self.assertIn("known: grant, open; 6 inputs", self.triage(others, status=0).stdout)
        known.write_text(f"{meta['signature']}#00000000\tanother\topen\t\n")
        self.assertIn("    new; 6 inputs", self.triage(others, status=1).stdout)

    def promotes(self, signature):
        refused = self.triage("--promote", signature, "--into", self.work, "--name", "x", status=1)
        self.assertIn("still fails", refused.stderr)
        self.triage("--promote", signature, "--into", self.work, "--name", "x", "--expected-fail", status=0)
        promoted = self.work / "x.rsq"
        self.assertIn("# expected: fail", promoted.read_text())
        run(self.rescind, "run", promoted, status=0)
        done = run(ROOT / "build/rescind", "run", promoted, status=1)
        self.assertIn("is expected to fail", done.stdout)

    def test_minimal(self):
        generated = self.work / "generated"
        run(self.rescind, "gen", "--count=60", "--ops=40", "--seed=5", "-o", generated, status=0)
        self.triage(generated, status=1)
        for folder in self.findings.iterdir():
            self.is_minimal(folder / "sequence.rsq", json.loads((folder / "meta.json").read_text())["signature"])

    def is_minimal(self, sequence, signature):
        """No operation can be left out, and shrinking again simplifies nothing."""
        lines = sequence.read_text().splitlines()
        for index, line in enumerate(lines):
            if not line or line.startswith("#"):
                continue
            candidate = self.work / "candidate.rsq"
            candidate.write_text("\n".join(lines[:index] + lines[index + 1:]) + "\n")
            outcome = json.loads(run(self.rescind, "run", "--json", candidate).stdout)
            self.assertNotEqual(outcome["signature"], signature, f"{sequence}: line {index + 1} is not needed")
        again = self.work / "again.rsq"
        run(self.rescind, "shrink", sequence, "-o", again, status=0)
        shown = [run(ROOT / "build/rescind", "show", path).stdout.split("\n\n")[1] for path in (sequence, again)]
        self.assertEqual(*shown)

    def test_broken_files(self):
        good = self.stored.read_bytes()
        for number in range(BROKEN):
            break_one(number, good, self.inputs)
        (self.inputs / "good.rsq").write_bytes(good)
        said = self.triage(self.inputs, status=1).stdout
        self.assertIn(f"{self.signature()}\n    new; 1 inputs", said)
        # Cut after a whole line, a sequence is still one.
        self.assertRegex(said, r"\n1[0-9] inputs, 1[0-9]{2} skipped: 1 findings")

    def test_page(self):
        """In a browser. Needs Chromium, Node.js and npm."""
        tools = {name: shutil.which(name) for name in ("chromium", "node", "npm")}
        if missing := [name for name, path in tools.items() if not path]:
            self.skipTest(f"not installed: {', '.join(missing)}")
        tests = ROOT / "tests" / "page"
        if not (tests / "node_modules").exists():
            run(tools["npm"], "ci", "--no-audit", "--no-fund", "--prefix", tests, status=0)
        (self.inputs / "one.rsq").write_bytes(self.stored.read_bytes())
        self.triage(self.inputs, status=1)
        environment = os.environ | {"PAGE": str(self.folder() / "index.html"), "OVERVIEW": str(self.report()),
                                    "CHROMIUM": tools["chromium"]}
        done = subprocess.run([tools["node"], "--test"], cwd=tests, env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)

    def report(self):
        """The overview of a made-up campaign and what triage found."""
        campaign, kills, output = self.work / "campaign", self.work / "kills.jsonl", self.work / "report"
        campaign.mkdir(exist_ok=True)
        target = {"seconds": 5, "executions": 100, "operations": 900, "executions_per_second": 20.0, "edges": 7, "corpus": 3,
                  "findings": {"unique": 1}}
        line = {"executions": 100, "operations": 900, "build": "x", "targets": {"mixed": target}}
        later = line | {"targets": {"mixed": target | {"seconds": 9, "edges": 8}}}
        (campaign / "status.jsonl").write_text(json.dumps(line) + "\n{torn\n" + json.dumps(later) + "\n")
        kill = {"fault": "F8", "result": "killed", "signature": MET_AS, "executions": 12, "seconds": 0.1, "operations": 5}
        kills.write_text(json.dumps(kill | {"result": "survived"}) + "\n" + json.dumps(kill) + "\n")
        run(sys.executable, ROOT / "scripts/lib/report.py", "--campaign", campaign, "--findings", self.findings, "--kills", kills,
            "-o", output, status=0)
        return output / "index.html"

    def test_report(self):
        (self.inputs / "one.rsq").write_bytes(self.stored.read_bytes())
        self.triage(self.inputs, status=1)
        overview = self.report()
        text = overview.read_text()
        self.assertIn("1 of 1 killed", text)
        self.assertEqual(text.count("<svg"), 3)
        self.assertIn(f'findings/{self.folder().name}/index.html">{self.signature()}</a>', text)
        self.assertTrue((overview.parent / "findings" / self.folder().name / "index.html").exists())
        self.assertEqual(self.report(), overview)
        run(sys.executable, ROOT / "scripts/lib/report.py", "-o", self.inputs, status=2)

    def test_nothing_to_judge(self):
        (self.inputs / "empty.rsq").write_bytes(b"")
        self.assertIn("nothing that could be judged", self.triage(self.inputs, status=2).stdout)
        self.triage(self.work / "none", status=2)


class Bisect(unittest.TestCase):
    def test_finds_the_commit(self):
        (ROOT / "work").mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=ROOT / "work") as work:
            clone, stored = Path(work) / "clone", ROOT / "faults" / f"{FAULT}.rsq"
            run("git", "clone", "-q", ROOT, clone, status=0)
            git = ["git", "-C", clone, "-c", "user.name=test", "-c", "user.email=test@localhost"]
            run(*git, "commit", "-q", "--allow-empty", "-m", "before", status=0)
            run("patch", "-s", "-p1", "-d", clone, "-i", ROOT / "faults" / f"{FAULT}.patch", status=0)
            run(*git, "commit", "-q", "-a", "-m", "the fault", status=0)
            bad = run(*git, "rev-parse", "HEAD", status=0).stdout
            run(*git, "commit", "-q", "--allow-empty", "-m", "after", status=0)
            said = run(clone / "scripts/bisect", "HEAD~2", "HEAD", stored, status=0).stdout
            self.assertEqual(said.splitlines()[-1], bad.strip())
            self.assertIn("does not fail", run(clone / "scripts/bisect", "HEAD~2", "HEAD~2", stored, status=1).stderr)
            run(clone / "scripts/bisect", "none", "HEAD", stored, status=2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
