#!/usr/bin/env python3
"""Tests of the rescind command as a user meets it: arguments, exit statuses, messages, files.

usage: test_cli.py RESCIND [REPOSITORY [unittest arguments]]
"""
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

RESCIND = ""
ROOT = Path(__file__).resolve().parents[2]

COMMANDS = ("run", "gen", "show", "pack", "shrink", "cause", "bench", "laws", "diff", "soak", "explore", "worst")
AGREE, FINDING, BAD = 0, 1, 2

STORY = """# rescind: 1
# geometry: small
# title: a PD gets two pages and loses one

p1 = create_pd root payer=root sel=1
delegate root mem from=phys base=0x10 order=1 to=p1 at=0x20 mask=rwx
lookup p1 mem unit=0x20
revoke root mem base=0x20 order=0 mask=rwx scope=self place=p1 filter=none
lookup p7 mem unit=0x20
"""


def rescind(*arguments, **options):
    """Runs the command; a run that ends by a signal or takes for ever is a failure of its own."""
    options.setdefault("timeout", 120)
    done = subprocess.run([RESCIND, *map(str, arguments)], capture_output=True, stdin=subprocess.DEVNULL, **options)
    done.out, done.err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    return done


class CommandLine(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="rescind-cli-")
        self.dir = Path(self.temporary.name)
        self.addCleanup(self.temporary.cleanup)

    def write(self, name, content):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content)
        return path

    def expect(self, status, *arguments, **options):
        done = rescind(*arguments, **options)
        self.assertEqual(done.returncode, status, f"{arguments}\n{done.out}\n{done.err}")
        self.assertNotIn("Sanitizer", done.err)
        self.assertNotIn("runtime error", done.err)
        if status == BAD:
            self.assertTrue(done.err.strip(), f"{arguments}: no message")
        return done

    def generate(self, seed, count=1, ops=24, *more):
        self.expect(AGREE, "gen", f"--seed={seed}", f"--count={count}", f"--ops={ops}", "-o", self.dir / "gen", *more)
        return sorted((self.dir / "gen").glob(f"gen-{seed}-*.rsq"))


class Usage(CommandLine):
    def test_what_agrees_has_no_cause(self):
        paths = self.generate(41, 2)
        lines = [json.loads(line) for line in self.expect(AGREE, "cause", *paths).out.splitlines()]
        self.assertEqual([(line["path"], line["signature"]) for line in lines], [(str(path), None) for path in paths])
        self.expect(BAD, "cause", self.write("bad.rsq", "rubbish"))

    def test_only_failing_ones_are_generated(self):
        done = self.expect(AGREE, "gen", "--failing=50", "--count=2", "--seed=1", "--kinds=obj,pio", "-o", self.dir / "failing")
        self.assertEqual(done.out, "0 of 50 sequences failed; seed 1\n")
        self.assertEqual(list((self.dir / "failing").iterdir()), [])

    def test_help_and_version_everywhere(self):
        for command in ((),) + tuple((name,) for name in COMMANDS):
            done = self.expect(AGREE, *command, "--help")
            self.assertIn("Usage: " + " ".join(("rescind",) + command), done.out)
            done = self.expect(AGREE, *command, "--version")
            self.assertRegex(done.out, r"\Arescind \d+\.\d+")
            self.assertIn("geometry small: MEM 2^8 pages, PIO 2^8 ports, OBJ 2^6 selectors, PHYS 2^8 frames", done.out)
            self.assertIn("geometry real: MEM 2^35 pages", done.out)

    def test_usage_errors(self):
        story = self.write("a.rsq", STORY)
        for arguments in ((), ("nonsense",), ("--nonsense",), ("run",), ("run", "--nonsense", story),
                          ("run", "--compare=some", story), ("run", "--target=tiny", story),
                          ("run", "--seed=-1", story), ("run", "--seed=1x", story), ("run", "--seed=", story),
                          ("run", "--seed=99999999999999999999999", story), ("run", "--timeout=0", story),
                          ("gen", "--count=2"), ("gen", "--kinds=mem,"), ("gen", "--failing=0"),
                          ("cause",), ("cause", "--tries=-1", story), ("gen", "--count=0"), ("gen", "--ops=0"), ("gen", "--ops=4097"),
                          ("gen", "--geometry=huge"), ("gen", "surplus"), ("show",), ("show", story, story),
                          ("pack", story), ("shrink", story), ("bench",), ("bench", "kernel"),
                          ("bench", "harness", "--seconds=0"), ("bench", "harness", "surplus"),
                          ("bench", "rom", "surplus"), ("bench", "rom", "--nonsense"), ("bench", "rom", "--programs=1"),
                          ("bench", "rom", "--programs=4097"), ("bench", "rom", "--programs=2,"),
                          ("bench", "rom", "--programs="), ("bench", "rom", "--pages=0"), ("bench", "rom", "--pages=3"),
                          ("bench", "rom", "--pages=131072"), ("bench", "rom", "--pages=1,x"),
                          ("bench", "rom", "--pages=" + ",".join(17 * ["1"])), ("bench", "rom", "--leaves=2"),
                          ("bench", "nested", "--leaves=3"), ("bench", "nested", "--pages=8", "--leaves=16"),
                          ("bench", "direct", "--seed=1"), ("bench", "destroy", "--json=yes"),
                          ("bench", "stretch", "--nonsense"), ("bench", "stretch", "nowhere.rsq"), ("worst", "surplus"),
                          ("worst", "--measure=time"), ("worst", "--runs=0"), ("worst", "--cpus=5")):
            with self.subTest(arguments=arguments):
                self.expect(BAD, *arguments)


class Run(CommandLine):
    def test_agreement(self):
        path = self.write("a.rsq", STORY)
        for compare in ("log", "full"):
            done = self.expect(AGREE, "run", f"--compare={compare}", path)
            self.assertEqual(done.out, f"ok  {path} (5 operations)\n")

    def test_verbose_names_seed_and_changes(self):
        done = self.expect(AGREE, "run", "-v", "--seed=77", self.write("a.rsq", STORY))
        self.assertIn("seed 77", done.out)
        self.assertRegex(done.out, r"3 changed something")

    def test_expected_failure_that_agrees_is_a_finding(self):
        path = self.write("a.rsq", STORY.replace("# title", "# expected: fail\n# check: O1.reach\n# title"))
        done = self.expect(FINDING, "run", path)
        self.assertIn(f"FINDING {path} agrees, but is expected to fail: O1.reach", done.out)
        self.assertEqual(json.loads(self.expect(FINDING, "run", "--json", path).out)["verdict"], "unexpected-agreement")

    def test_directory_is_searched_and_sorted(self):
        for name in ("d/b.rsq", "d/a/z.rsq", "d/c/x.rsq", "d/a/notes.txt"):
            self.write(name, STORY)
        self.expect(AGREE, "pack", self.dir / "d/b.rsq", "-o", self.dir / "d/a/p.bin")
        done = self.expect(AGREE, "run", self.dir / "d")
        names = [line.split()[1] for line in done.out.splitlines() if line.startswith("ok")]
        self.assertEqual([os.path.relpath(n, self.dir / "d") for n in names], ["a/p.bin", "a/z.rsq", "b.rsq", "c/x.rsq"])
        self.assertIn("4 files: 4 ok, 0 findings, 0 not judged; seed 0", done.out)

    def test_bad_files_do_not_stop_the_good_ones(self):
        good = self.write("good.rsq", STORY)
        bad = self.write("bad.rsq", STORY + "frobnicate root\n")
        os.mkfifo(self.dir / "pipe.rsq")
        os.symlink(self.dir / "nowhere", self.dir / "dangling.rsq")
        done = self.expect(BAD, "run", bad, self.dir / "missing.rsq", self.dir / "pipe.rsq", "/dev/zero",
                           self.dir / "dangling.rsq", good)
        self.assertIn(f"ok  {good}", done.out)
        for text in (f"{bad}:10:1: expected an operation", "missing.rsq: No such file", "pipe.rsq: not a regular file",
                     "/dev/zero: not a regular file"):
            self.assertIn(text, done.err)
        done = self.expect(BAD, "run", self.dir)
        self.assertIn(f"ok  {good}", done.out)
        self.assertIn("dangling.rsq: symbolic link to nothing", done.err)

    def test_empty_directory(self):
        (self.dir / "empty").mkdir()
        self.assertIn("no .rsq or .bin file", self.expect(BAD, "run", self.dir / "empty").err)

    def test_directory_loop(self):
        self.write("loop/a.rsq", STORY)
        os.symlink(self.dir / "loop", self.dir / "loop/again")
        os.symlink("self.rsq", self.dir / "loop/self.rsq")
        done = self.expect(BAD, "run", self.dir / "loop")
        self.assertIn("again: directory loop", done.err)
        self.assertIn("self.rsq", done.err)
        self.assertEqual(done.out.count("ok  "), 1)

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_unreadable(self):
        path = self.write("a.rsq", STORY)
        path.chmod(0)
        self.assertIn("Permission denied", self.expect(BAD, "run", path).err)

    def test_target_can_be_chosen(self):
        path = self.write("a.rsq", STORY)
        for target in ("small", "real"):
            line = json.loads(self.expect(AGREE, "run", "--json", f"--target={target}", path).out)
            self.assertEqual(line["geometry"], target)
        path = self.write("b.rsq", STORY.replace("small", "real"))
        self.assertEqual(json.loads(self.expect(AGREE, "run", "--json", path).out)["geometry"], "real")

    def test_order_does_not_matter(self):
        paths = self.generate(11, 40)
        def verdicts(order):
            return {json.loads(line)["path"]: line for line in self.expect(AGREE, "run", "--json", *order).out.splitlines()}
        shuffled = paths[:]
        random.Random(5).shuffle(shuffled)
        self.assertEqual(verdicts(paths), verdicts(shuffled))
        self.assertEqual(verdicts(paths), verdicts([self.dir / "gen"]))

    def test_log_and_full_agree(self):
        self.generate(12, 40)
        log = self.expect(AGREE, "run", "--json", "--compare=log", self.dir / "gen").out
        full = self.expect(AGREE, "run", "--json", "--compare=full", self.dir / "gen").out
        self.assertEqual(log, full)


    def test_more_than_the_model_can_hold(self):
        text = "# rescind: 1\n# geometry: real\n" + "".join(
            f"delegate root mem from=phys base=0x0 order=19 to=self at={hex(i << 19)} mask=r\n" for i in range(3))
        path = self.write("large.rsq", text)
        done = rescind("run", path)
        self.assertEqual(done.returncode, BAD)
        self.assertIn(f"too large  {path}", done.out)
        line = json.loads(rescind("run", "--json", path).stdout)
        self.assertEqual(line["verdict"], "too-large")
        self.assertEqual(line["signature"], None)

    def test_names_that_are_not_text(self):
        path = os.path.join(os.fsencode(self.dir), b"\xff\xfe.rsq")
        with open(path, "w") as file:
            file.write(STORY)
        done = self.expect(AGREE, "run", "--json", self.dir)
        self.assertTrue(json.loads(done.out)["path"].endswith("/??.rsq"))
        self.expect(AGREE, "run", self.dir)


class Json(CommandLine):
    def test_operations_results_and_state(self):
        path = self.write("a.rsq", STORY)
        line = json.loads(self.expect(AGREE, "run", "--json", path).out)
        self.assertEqual(line["path"], str(path))
        self.assertEqual((line["verdict"], line["signature"], line["failed_at"]), ("agree", None, None))
        self.assertEqual(line["ops"], [
            ["create_pd", "root", 0, 1, 7, "r0"],
            ["delegate", "root", "MEM", "PHYS", 16, 1, 1, 32, 7],
            ["lookup", "r0", "MEM", 32],
            ["revoke", "root", "MEM", 32, 0, 7, "self", 1, None],
            ["lookup", "void"]])
        self.assertEqual(line["results"], [["OK", None], ["OK", 2], ["OK", [7, 1]], ["OK", None], ["VOID", None]])
        self.assertEqual(line["state"], {
            "root/MEM": {}, "root/PIO": {}, "root/OBJ": {"0": ["root", 23, None], "1": ["r0", 31, None]},
            "r0/MEM": {"33": [17, 7, "PHYS/MEM/17"]}, "r0/PIO": {}, "r0/OBJ": {}})

    def test_one_line_for_every_file_also_bad_ones(self):
        self.generate(13, 20)
        self.write("gen/bad.rsq", "rubbish")
        lines = [json.loads(line) for line in self.expect(BAD, "run", "--json", self.dir / "gen").out.splitlines()]
        self.assertEqual(len(lines), 21)
        self.assertEqual([l["verdict"] for l in lines], ["bad-input"] + 20 * ["agree"])
        for line in lines[1:]:
            self.assertEqual(len(line["ops"]), line["operations"])
            self.assertEqual(len(line["results"]), line["operations"])


class Hostile(CommandLine):
    HEADER = "# rescind: 1\n# geometry: small\n"

    def test_text(self):
        cases = {
            "empty": b"", "header only": b"# rescind: 1\n", "wrong version": b"# rescind: 2\n# geometry: small\n",
            "nul": b"# rescind: 1\n# geometry: small\n\0lookup root mem unit=0\n", "nuls": bytes(4096),
            "no geometry": b"# rescind: 1\nlookup root mem unit=0\n",
            "huge number": (self.HEADER + f"lookup root mem unit=0x{'f' * 400}\n").encode(),
            "huge decimal": (self.HEADER + f"lookup root obj unit={'9' * 400}\n").encode(),
            "negative": (self.HEADER + "lookup root mem unit=-1\n").encode(),
            "long line": (self.HEADER + "lookup " + "root " * 100000).encode(),
            "high bytes": bytes(range(128, 256)) * 16,
            "crlf": STORY.replace("\n", "\r\n").encode(),
            "truncated": STORY.encode()[:-12],
            "too many": (self.HEADER + "lookup root mem unit=0\n" * 4097).encode(),
            "too large": b"#" * (5 << 20),
        }
        for name, content in cases.items():
            with self.subTest(name=name):
                path = self.write("hostile.rsq", content)
                for command in (("run", path), ("show", path), ("pack", path, "-o", self.dir / "out.bin"),
                                ("shrink", path, "-o", self.dir / "out.rsq")):
                    done = self.expect(BAD, *command)
                    if name != "too large":
                        self.assertRegex(done.err, r"hostile\.rsq:\d+:\d+: ")
                    self.assertLess(len(done.err), 2000)
                    self.assertNotIn("\0", done.err)
                self.assertEqual(sorted(p.name for p in self.dir.iterdir()), ["hostile.rsq"])

    def test_most_operations_that_are_allowed(self):
        self.expect(AGREE, "run", self.write("most.rsq", self.HEADER + "lookup root mem unit=0\n" * 4096))

    def test_message_says_what_was_expected(self):
        path = self.write("a.rsq", STORY.replace("order=1", "order=64"))
        self.assertRegex(self.expect(BAD, "run", path).err, r"a\.rsq:6:\d+: expected .*0 to 63.*, found .*64")

    def test_damaged_text_never_crashes(self):
        chance = random.Random(21)
        for turn in range(60):
            text = bytearray(STORY.encode())
            for _ in range(chance.randint(1, 4)):
                at = chance.randrange(len(text))
                text[at:at + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
            with self.subTest(turn=turn):
                done = rescind("run", self.write("damaged.rsq", bytes(text)))
                self.assertIn(done.returncode, (AGREE, BAD), done.err)

    def test_packed(self):
        story = self.write("a.rsq", STORY)
        packed = self.dir / "a.bin"
        self.expect(AGREE, "pack", story, "-o", packed)
        good = packed.read_bytes()
        self.expect(AGREE, "run", packed)
        for content in (good[:-1], good[:15], good[:8], good + b"x", good + bytes(16 * 4096)):
            self.expect(BAD, "run", self.write("bad.bin", content))
        header_only = self.write("header.bin", good[:16])
        self.assertIn("(0 operations)", self.expect(AGREE, "run", header_only).out)

    def test_raw_bytes_are_always_a_sequence(self):
        chance = random.Random(22)
        for length in (0, 1, 15, 16, 17, 64, 1000, 4096):
            for geometry in ("small", "real"):
                path = self.write("raw", chance.randbytes(length))
                with self.subTest(length=length, geometry=geometry):
                    shown = self.expect(AGREE, "show", "--raw", f"--geometry={geometry}", path)
                    again = self.write("again.rsq", shown.out)
                    self.assertEqual(self.expect(AGREE, "show", again).out, shown.out)
            done = self.expect(AGREE, "run", "--raw", self.write("raw", chance.randbytes(length)))
            self.assertIn(f"({(length + 15) // 16} operations)", done.out)
        self.expect(BAD, "run", "--raw", self.write("raw", bytes(16 * 4096 + 1)))


class Files(CommandLine):
    def test_full_device(self):
        story = self.write("a.rsq", STORY)
        for command in (("pack", story, "-o", "/dev/full"), ("show", story), ("gen",), ("run", story), ("--help",),
                        ("run", "--json", story), ("--version",), ("show", "--help")):
            with self.subTest(command=command), open("/dev/full", "w") as full:
                done = subprocess.run([RESCIND, *map(str, command)], stdout=full, stderr=subprocess.PIPE, check=False)
                self.assertEqual(done.returncode, BAD)
                self.assertIn(b"No space left on device", done.stderr)
        self.assertTrue(Path("/dev/full").is_char_device())

    def test_closed_pipe(self):
        story = self.write("a.rsq", STORY)
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run([RESCIND, "show", story], stdout=write, stderr=subprocess.PIPE, check=False)
        os.close(write)
        self.assertEqual(done.returncode, BAD)
        self.assertIn(b"Broken pipe", done.stderr)

    def test_old_file_survives_a_failed_write(self):
        story = self.write("a.rsq", STORY)
        old = self.write("out.bin", b"old content")
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (40, 40))
        done = self.expect(BAD, "pack", story, "-o", old, preexec_fn=limit)
        self.assertIn("out.bin: File too large", done.err)
        self.assertEqual(old.read_bytes(), b"old content")
        self.expect(BAD, "gen", "-o", self.dir / "many", "--count=3", "--seed=1", preexec_fn=limit)
        self.assertEqual(list((self.dir / "many").iterdir()), [])
        self.assertEqual(sorted(p.name for p in self.dir.iterdir()), ["a.rsq", "many", "out.bin"])

    def test_output_directory_that_is_none(self):
        story = self.write("a.rsq", STORY)
        self.expect(BAD, "gen", "-o", story / "below")
        self.expect(BAD, "gen", "-o", story)
        self.expect(BAD, "pack", story, "-o", self.dir / "missing/out.bin")
        self.expect(BAD, "pack", story, "-o", self.dir)
        self.assertEqual(story.read_text(), STORY)

    def test_replaced_file_keeps_mode_and_link(self):
        story = self.write("a.rsq", STORY)
        out = self.write("out.bin", b"old")
        out.chmod(0o640)
        os.symlink("out.bin", self.dir / "link.bin")
        self.expect(AGREE, "pack", story, "-o", self.dir / "link.bin")
        self.assertTrue((self.dir / "link.bin").is_symlink())
        self.assertEqual(out.stat().st_mode & 0o777, 0o640)
        self.assertEqual(out.stat().st_size, 16 + 5 * 16)

    def test_round_trips(self):
        for geometry in ("small", "real"):
            for index, path in enumerate(self.generate(31, 20, 40, f"--geometry={geometry}")):
                packed, raw = self.dir / "p.bin", self.dir / "raw"
                self.expect(AGREE, "pack", path, "-o", packed)
                self.expect(AGREE, "pack", "--raw", path, "-o", raw)
                self.assertEqual(packed.read_bytes()[16:], raw.read_bytes())
                text = self.expect(AGREE, "show", path).out
                self.assertEqual(text, path.read_text(), index)
                operations = [line for line in text.splitlines() if not line.startswith("#")]
                for again in (self.expect(AGREE, "show", packed),
                              self.expect(AGREE, "show", "--raw", f"--geometry={geometry}", raw)):
                    self.assertEqual([l for l in again.out.splitlines() if not l.startswith("#")], operations)
                path.unlink()


class Generate(CommandLine):
    def test_same_seed_same_sequences(self):
        one = self.expect(AGREE, "gen", "--seed=5").out
        self.assertEqual(one, self.expect(AGREE, "gen", "--seed=5").out)
        self.assertNotEqual(one, self.expect(AGREE, "gen", "--seed=6").out)
        first = {p.name: p.read_text() for p in self.generate(5, 3, 32)}
        self.assertEqual(first["gen-5-0.rsq"], one)
        second = {p.name: p.read_text() for p in self.generate(5, 6, 32)}
        self.assertEqual(len(set(second.values())), 6)
        self.assertEqual(first, {name: second[name] for name in first})

    def test_output_names_its_seed(self):
        done = self.expect(AGREE, "gen", "--ops=3")
        seed = done.out.split("--seed=")[1].split()[0]
        self.assertEqual(self.expect(AGREE, "gen", f"--seed={seed}", "--ops=3").out, done.out)

    def test_schedules_are_asked_for(self):
        self.assertNotIn("preempt", self.expect(AGREE, "gen", "--seed=5", "--ops=200").out)
        command = ("gen", "--seed=5", "--ops=200", "--preempt=128")
        done = self.expect(AGREE, *command)
        self.assertRegex(done.out, r" preempt=[1-9][0-9]* run=[1-9]")
        self.assertRegex(done.out, r"\n  [a-z]")
        self.assertIn(" --preempt=128, sequence 0", done.out)
        self.assertEqual(done.out, self.expect(AGREE, *command).out)
        shown = self.expect(AGREE, "show", self.write("scheduled.rsq", done.out))
        self.assertEqual(shown.out, done.out)

    def test_runs(self):
        self.generate(41, 50, 60)
        self.generate(42, 5, 30, "--geometry=real", "--unit-budget=4096")
        self.expect(AGREE, "run", self.dir / "gen")


class Shrink(CommandLine):
    def test_what_does_not_fail_cannot_be_shrunk(self):
        done = self.expect(BAD, "shrink", self.write("a.rsq", STORY), "-o", self.dir / "out.rsq")
        self.assertIn("does not fail", done.err)
        self.assertFalse((self.dir / "out.rsq").exists())


class Explore(CommandLine):
    SCHEDULED = STORY.replace("filter=none\n", "filter=none preempt=1 run=1\n  ", 1)

    def test_all_schedules(self):
        story = self.write("story.rsq", STORY)
        schedules = []
        for preemptions in (0, 1, 2):
            found = json.loads(self.expect(AGREE, "explore", story, f"--preemptions={preemptions}", "--json").out)
            self.assertEqual((found["verdict"], found["complete"]), ("agree", True))
            self.assertEqual(found["run"], found["schedules"])
            schedules.append(found["schedules"])
        self.assertEqual(schedules[0], 1)
        self.assertEqual(schedules, sorted(schedules))

    def test_schedules_of_the_file_do_not_count(self):
        plain, scheduled = self.write("plain.rsq", STORY), self.write("scheduled.rsq", self.SCHEDULED)
        self.assertIn("preempt=1 run=1\n  lookup", self.expect(AGREE, "show", scheduled).out)
        self.expect(AGREE, "run", scheduled)
        of_plain, of_scheduled = (json.loads(self.expect(AGREE, "explore", path, "--json").out)
                                  for path in (plain, scheduled))
        self.assertEqual(of_plain["run"], of_scheduled["run"])

    def test_every_operation_is_recorded_once(self):
        text = self.SCHEDULED.replace("run=1\n", "run=2\n  resume of=1\n") + "resume of=1\n"
        story = self.write("story.rsq", text)
        done = json.loads(self.expect(AGREE, "run", story, "--json").out)
        self.assertEqual((done["operations"], done["executed"]), (7, 7))
        self.assertEqual((len(done["ops"]), len(done["results"])), (7, 7))
        self.assertEqual([op[0] for op in done["ops"][3:]], ["revoke", "resume", "lookup", "resume"])
        head, *steps = map(json.loads, self.expect(AGREE, "trace", story).out.splitlines())
        self.assertEqual(head["operations"], 7)
        begun = [step["index"] for step in steps if not step["operation"].startswith("(goes on)")]
        self.assertEqual((begun[0], begun[1:]), (None, sorted(begun[1:])))
        self.assertTrue({0, 1, 2, 3, 5} <= set(begun[1:]))

    def test_random_schedules_depend_on_the_seed_alone(self):
        story = self.write("story.rsq", STORY)
        command = ("explore", story, "--pct=3", "--count=50", "--seed=5", "--json")
        first, again = self.expect(AGREE, *command).out, self.expect(AGREE, *command).out
        self.assertEqual(first, again)
        found = json.loads(first)
        self.assertEqual((found["run"], found["depth"], found["threads"]), (50, 3, 5))
        self.assertAlmostEqual(found["bound"] * found["threads"] * found["steps"] ** 2, 1)

    def test_bad_input(self):
        empty = self.write("empty.rsq", "# rescind: 1\n# geometry: small\n")
        self.assertIn("no operations", self.expect(BAD, "explore", empty).err)
        self.expect(BAD, "explore", self.dir / "missing.rsq")
        for wrong in ((), ("--preemptions=9",), ("--pct=0",), ("--count=0",)):
            self.expect(BAD, "explore", *wrong, *(() if not wrong else (empty,)))

    def test_ctrl_c_is_no_finding(self):
        story = self.write("story.rsq", STORY)
        process = subprocess.Popen([RESCIND, "explore", story, "--pct=3", "--count=4000000000"], start_new_session=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while not children.read_text():
            time.sleep(0.01)
        time.sleep(0.2)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=30)
        self.assertEqual((process.returncode, err), (BAD, ""))
        self.assertTrue(out.startswith("interrupted\n"), out)
        self.assertRegex(out, r"[1-9][0-9]* of 4000000000 random schedules run")


class Worst(CommandLine):
    def search(self, *options):
        """{shape: (value, operations)}, and all that was printed."""
        done = self.expect(AGREE, "worst", "--seed=1", *options)
        rows = [line.split() for line in done.out.splitlines()[2:]]
        return {row[4]: (int(row[0]), int(row[3])) for row in rows}, done.out

    def test_same_seed_finds_the_same(self):
        for measure in ("stretch", "revoke"):
            first, again = (self.search(f"--measure={measure}", "--runs=300") for _ in range(2))
            self.assertEqual(first, again)
            self.assertIn("revoke.children.own", first[0])
            self.assertIn("destroy_pd", first[0])

    def test_more_runs_find_no_less(self):
        few, many = (self.search("--ops=12", f"--runs={runs}")[0] for runs in (20, 1000))
        for shape, (value, _) in few.items():
            self.assertGreaterEqual(many[shape][0], value)
        self.assertGreater(sum(value for value, _ in many.values()), sum(value for value, _ in few.values()))

    def test_what_is_written_shows_it(self):
        for measure in ("stretch", "revoke"):
            found = self.search(f"--measure={measure}", "--ops=8", "--runs=200", "-o", self.dir / measure)[0]
            files = sorted((self.dir / measure).iterdir())
            self.assertEqual(len(files), len(found))
            self.expect(AGREE, "run", "--compare=full", *files)
            rows = json.loads(self.expect(AGREE, "bench", "stretch", "--json", *files).out)[5:]
            self.assertEqual(len(rows), len(found))
            for row in rows:
                shape = row["sequence"].removeprefix(measure + "-").removesuffix(".rsq").replace("-", ".")
                value = row["longest"] if measure == "stretch" else row["steps"] * 1000 // max(row["nodes"], 1)
                self.assertGreaterEqual(value, found[shape][0], row)


class Bench(CommandLine):
    def test_reports_what_it_measures(self):
        done = json.loads(self.expect(AGREE, "bench", "harness", "--json", "--seconds=1", "--seed=3").out)
        self.assertEqual((done["geometry"], done["seed"]), ("small", 3))
        for key in ("checked_ops_per_second", "full_ops_per_second", "kernel_ops_per_second", "changed_units_per_op",
                    "changing_share", "reset_ns"):
            self.assertGreater(done[key], 0, key)
        self.assertGreater(done["kernel_ops_per_second"], done["checked_ops_per_second"])
        self.assertLess(done["changing_share"], 1)
        base, unit = (1200, 45) if done["address_sanitizer"] else (400, 15)
        self.assertAlmostEqual(done["limit_ns_per_op"], base + unit * done["changed_units_per_op"], delta=0.1)
        self.assertEqual(done["limit_met"], done["check_ns_per_op"] <= done["limit_ns_per_op"])

    def test_schedules_a_second(self):
        done = json.loads(self.expect(AGREE, "bench", "explore", "--json", "--seconds=1").out)
        self.assertEqual((done["operations"], done["preemptions"]), (9, 3))
        self.assertGreaterEqual(done["runs"], done["schedules"])
        for key in ("schedules", "runs_per_second", "runs_per_cpu_second", "operations_per_run"):
            self.assertGreater(done[key], 0, key)
        story = self.write("story.rsq", STORY)
        self.assertEqual(json.loads(self.expect(AGREE, "bench", "explore", story, "--json").out)["operations"], 5)
        self.expect(BAD, "bench", "explore", self.dir / "missing.rsq")


class BenchRevocation(CommandLine):
    COLUMNS = ["programs", "pages", "leaves", "lost_programs", "faults", "calls", "steps", "naming_steps", "ns", "nodes",
               "memory_bytes", "manager_pages", "give_steps", "give_ns"]

    def rows(self, bench, *options):
        """{(alternative, programs, pages, leaves): row}"""
        rows = json.loads(self.expect(AGREE, "bench", bench, "--json", *options).out)
        for row in rows:
            self.assertEqual(list(row), ["bench", "alternative"] + self.COLUMNS)
            self.assertEqual(row["bench"], bench)
        keyed = {(row["alternative"], row["programs"], row["pages"], row["leaves"]): row for row in rows}
        self.assertEqual(len(keyed), len(rows))
        return keyed

    def test_help_lists_all(self):
        done = self.expect(AGREE, "bench", "--help")
        for bench in ("harness", "rom", "nested", "direct", "destroy", "stretch"):
            self.assertRegex(done.out, rf"\n  {bench}  ")
            self.assertIn(f"Usage: rescind bench {bench}", self.expect(AGREE, "bench", bench, "--help").out)

    def test_remote_revoke_costs_the_same_however_many_programs(self):
        rows = self.rows("rom", "--programs=2,4096", "--pages=1,512")
        for pages in (1, 512):
            few, many = (rows["remote-by-pager", programs, pages, 1] for programs in (2, 4096))
            self.assertEqual(few["steps"], many["steps"])
            # The manager holds a capability to every program; only finding the one it names takes longer.
            few, many = (rows["remote", programs, pages, 1] for programs in (2, 4096))
            self.assertEqual(few["steps"] - few["naming_steps"], many["steps"] - many["naming_steps"])
            self.assertLessEqual(many["naming_steps"], 20)
            for row in (few, many):
                self.assertEqual((row["lost_programs"], row["faults"], row["calls"]), (1, 0, 1))

    def test_who_loses_the_module(self):
        for (alternative, programs, pages, _), row in self.rows("rom", "--programs=2,3,100", "--pages=1,64").items():
            recursive = alternative == "recursive"
            self.assertEqual(row["lost_programs"], programs if recursive else 1, row)
            self.assertEqual(row["faults"], programs - 1 if recursive else 0, row)
            self.assertEqual(row["calls"], programs if recursive else 1, row)
            copies = alternative == "copies"
            self.assertEqual(row["manager_pages"], programs * pages if copies else pages, row)
            self.assertEqual(row["nodes"], 2 * programs if copies else programs + 1, row)

    def test_manager_can_be_the_last_program(self):
        rows = self.rows("rom", "--programs=4095,4096", "--pages=1")
        for alternative in ("recursive", "copies", "remote", "remote-by-pager", "directed"):
            one, other = rows[alternative, 4095, 1, 1], rows[alternative, 4096, 1, 1]
            self.assertEqual(other["nodes"] - one["nodes"], 2 if alternative == "copies" else 1)
            self.assertEqual(other["lost_programs"], 4096 if alternative == "recursive" else 1)

    def test_nested(self):
        rows = self.rows("nested", "--programs=2,9", "--pages=64", "--leaves=1,16")
        for (alternative, programs, _, leaves), row in rows.items():
            recursive = alternative == "leaves-recursive"
            faults = (programs - 1) * leaves if recursive else 0
            calls = leaves if alternative.startswith("leaves-") else 1
            self.assertEqual((row["lost_programs"], row["faults"]), (programs if recursive else 1, faults), row)
            self.assertEqual(row["calls"], calls + faults, row)
        for leaves in (1, 16):
            few, many = (rows["remote-by-pager", programs, 64, leaves] for programs in (2, 9))
            self.assertEqual(few["steps"], many["steps"])
        self.assertLess(rows["remote", 9, 64, 16]["steps"], rows["leaves-directed", 9, 64, 16]["steps"])
        # Without --leaves, no more leaves than the module has pages.
        self.assertEqual({leaves for *_, leaves in self.rows("nested", "--programs=2", "--pages=64")}, {1, 16})

    def test_direct(self):
        rows = self.rows("direct", "--programs=5", "--pages=8")
        self.assertEqual({row["lost_programs"] for row in rows.values()}, {1})
        self.assertEqual({row["faults"] for row in rows.values()}, {0})
        through = rows.pop(("through-manager", 5, 8, 1))
        self.assertEqual((through["manager_pages"], through["nodes"]), (40, 10))
        self.assertEqual(len(rows), 3)
        for row in rows.values():
            self.assertEqual((row["manager_pages"], row["nodes"]), (0, 5))
            self.assertLess(row["memory_bytes"], through["memory_bytes"])
            self.assertLess(row["give_steps"], through["give_steps"])

    def test_destroy(self):
        rows = self.rows("destroy", "--programs=2,70", "--pages=4")
        for (alternative, programs, *_), row in rows.items():
            all_lose = alternative == "client-recursive" or alternative.startswith("server-")
            self.assertEqual(row["lost_programs"], programs if all_lose else 1, row)
            self.assertEqual(row["faults"], programs - 1 if alternative == "client-recursive" else 0, row)
        few, many = (rows["client-destroy", programs, 4, 1] for programs in (2, 70))
        self.assertEqual(few["steps"] - few["naming_steps"], many["steps"] - many["naming_steps"])

    def test_longest_stretch_does_not_grow(self):
        rows = json.loads(self.expect(AGREE, "bench", "stretch", "--json").out)
        longest = {(row["made_of"], row["pages"]): row["longest"] for row in rows}
        self.assertEqual(len(longest), 5)
        for row in rows:
            self.assertLessEqual(row["longest"], row["limit"])
        # What grows is one way through the index: at most 28 nodes, whatever fits into kernel memory (test_preempt.c).
        self.assertLessEqual(longest["pages", 2**18], longest["pages", 1] + 28)
        self.assertLessEqual(longest["ranges", 2**18], 256 + longest["pages", 1] + 28)

    def test_stretch_of_stored_sequences(self):
        worst = ROOT / "corpus" / "worst"
        rows = json.loads(self.expect(AGREE, "bench", "stretch", "--json", worst).out)[5:]
        self.assertEqual({row["sequence"] for row in rows}, {path.name for path in worst.glob("*.rsq")})
        for row in rows:
            self.assertLessEqual(row["longest"], row["limit"])
            if row["sequence"].startswith("stretch-"):
                said = re.search(r"found: stretch (\d+)", (worst / row["sequence"]).read_text())
                self.assertEqual(row["longest"], int(said[1]), row)
            else:
                self.assertGreater(row["steps"], 0)

    def test_table_and_json_have_the_same_figures(self):
        for bench in ("rom", "nested", "direct", "destroy"):
            options = ("--programs=2,33", "--pages=16,512")
            table = [line.split() for line in self.expect(AGREE, "bench", bench, *options).out.splitlines()]
            self.assertEqual(table[0], ["alternative"] + self.COLUMNS)
            in_json = list(self.rows(bench, *options).values())
            self.assertEqual(len(table) - 1, len(in_json))
            for line, row in zip(table[1:], in_json):
                self.assertEqual(line[0], row["alternative"])
                for name, text in zip(self.COLUMNS, line[1:]):
                    if name in ("ns", "give_ns"):
                        self.assertGreater(int(text), 0)
                        self.assertGreater(row[name], 0)
                    else:
                        self.assertEqual(int(text), row[name], (bench, line[0], name))

    def test_table_is_aligned(self):
        lines = self.expect(AGREE, "bench", "rom", "--programs=2,200", "--pages=1").out.splitlines()
        self.assertEqual(len({len(line) for line in lines}), 1)

    def test_more_than_fits(self):
        done = self.expect(BAD, "bench", "nested", "--programs=4096", "--pages=65536", "--leaves=4096")
        self.assertIn("more than the kernel's memory can hold", done.err)
        self.assertEqual(done.out, "")


if __name__ == "__main__":
    RESCIND = os.path.abspath(sys.argv[1])
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
