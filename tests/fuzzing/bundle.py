#!/usr/bin/env python3
"""Builds the fuzz targets by .clusterfuzzlite/build.sh the way a builder of OSS-Fuzz does, in a clean directory, and checks the
result as theirs is checked: each target starts, is instrumented, survives its seeds, and no sanitizer is in the wrong job.

Usage: bundle.py ROOT JOB...   where a JOB is one of those of JOBS below, or `all`.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

ROOT = Path(sys.argv[1]).resolve()
sys.path.insert(0, str(ROOT / "scripts" / "lib"))

import engine  # noqa: E402

COMMON = "-O1 -fno-omit-frame-pointer -gline-tables-only -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION"
UNDEFINED = ("array-bounds,bool,builtin,enum,float-divide-by-zero,function,integer-divide-by-zero,null,object-size,return,"
             "returns-nonnull-attribute,shift,signed-integer-overflow,unreachable,vla-bound,vptr")
# engine, sanitizer, flags of the sanitizer, flags of coverage feedback
JOBS = {
    "libfuzzer-address": ("libfuzzer", "address", "-fsanitize=address -fsanitize-address-use-after-scope",
                          "-fsanitize=fuzzer-no-link"),
    "libfuzzer-undefined": ("libfuzzer", "undefined", f"-fsanitize={UNDEFINED} -fno-sanitize-recover={UNDEFINED}",
                            "-fsanitize=fuzzer-no-link"),
    "libfuzzer-coverage": ("libfuzzer", "coverage", "",
                           "-fprofile-instr-generate -fcoverage-mapping -pthread -Wno-unused-command-line-argument"),
    "afl-address": ("afl", "address", "-fsanitize=address -fsanitize-address-use-after-scope", ""),
}
ASAN_CALLS_MIN = 6  # of an address job
UBSAN_CALLS_MIN = 1  # of an undefined job
UBSAN_CALLS_MAX = 200  # of another
EDGES_MIN = 100
LEAST_RUNS = 4


def environment_of(job, work):
    """The builder's environment."""
    kind, sanitizer, flags, feedback = JOBS[job]
    compilers = ("afl-clang-fast", "afl-clang-fast++") if kind == "afl" else ("clang", "clang++")
    flags = " ".join(filter(None, (COMMON, flags, feedback)))
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return kept | {
        "CC": compilers[0], "CXX": compilers[1], "CFLAGS": flags, "CXXFLAGS": flags, "SANITIZER": sanitizer,
        "FUZZING_ENGINE": kind, "LIB_FUZZING_ENGINE": "/usr/lib/afl/libAFLDriver.a" if kind == "afl" else "-fsanitize=fuzzer",
        "SRC": str(work / "src"), "WORK": str(work / "work"), "OUT": str(work / "out"), "AFL_QUIET": "1",
    }


def copy_source(to):
    """What git would ship, as it is now."""
    names = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], check=True,
                           stdout=subprocess.PIPE).stdout.decode().split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)


def calls(binary, prefix):
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", binary], check=True, stdout=subprocess.PIPE).stdout.decode()
    return len(re.findall(rf"\bcallq? .*<{prefix}", text))


def wrong_sanitizer(binary, sanitizer):
    """None, or what speaks against a binary being of that job."""
    address, undefined = calls(binary, "__asan"), calls(binary, "__ubsan")
    if sanitizer == "address" and address < ASAN_CALLS_MIN:
        return f"seems not to be compiled with ASan ({address} calls)"
    if sanitizer != "address" and address:
        return f"is compiled with ASan ({address} calls)"
    if sanitizer == "undefined" and undefined < UBSAN_CALLS_MIN:
        return "seems not to be compiled with UBSan"
    if sanitizer != "undefined" and undefined > UBSAN_CALLS_MAX:
        return f"seems to be compiled with UBSan ({undefined} calls)"
    return None


def run(binary, *arguments, environment=None):
    return subprocess.run([binary, *arguments], cwd=tempfile.gettempdir(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=120, env=os.environ | (environment or {}))


def edges(binary, job, work):
    """Instrumented edges, as the engine counts them."""
    if JOBS[job][0] == "afl":
        return len(set(re.findall(r"^(\d+):", run(shutil.which("afl-showmap"), "-q", "-m", "none", "-o", "-", "--", binary, ROOT / "LICENSE",
                                                   environment={"AFL_MAP_SIZE": "262144"}).stdout.decode(errors="replace"), re.M)))
    if JOBS[job][1] == "coverage":
        profile = work / "profile"
        run(binary, f"-runs={LEAST_RUNS}", environment={"LLVM_PROFILE_FILE": str(profile)})
        return EDGES_MIN if profile.exists() and profile.stat().st_size > 1000 else 0
    said = run(binary, f"-runs={LEAST_RUNS}").stdout.decode(errors="replace")
    match = re.search(r"INFO: Loaded \d+ modules +\((\d+) inline 8-bit counters\)", said)
    return int(match[1]) if match else 0


class Job(unittest.TestCase):
    """One way to build; see JOBS."""

    def __init__(self, job):
        super().__init__("check")
        self.job = job

    def __str__(self):
        return self.job

    def setUp(self):
        (ROOT / "work").mkdir(exist_ok=True)
        self.work = Path(tempfile.mkdtemp(dir=ROOT / "work"))
        self.addCleanup(shutil.rmtree, self.work)
        for name in ("src/rescind", "work", "out"):
            (self.work / name).mkdir(parents=True)
        copy_source(self.work / "src" / "rescind")
        shutil.copy(ROOT / ".clusterfuzzlite" / "build.sh", self.work / "src" / "build.sh")
        done = subprocess.run([self.work / "src" / "build.sh"], cwd=self.work / "src" / "rescind",
                              env=environment_of(self.job, self.work), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout.decode(errors="replace")[-4000:])
        self.out = self.work / "out"

    def check(self):
        for target in engine.TARGETS:
            with self.subTest(target=target):
                self.check_target(target)
        names = {path.name.split("_seed_corpus")[0].split(".")[0] for path in self.out.iterdir()}
        self.assertEqual(names, set(engine.TARGETS))

    def check_target(self, target):
        binary, sanitizer = self.out / target, JOBS[self.job][1]
        self.assertRegex(target, r"^[A-Za-z0-9_-]+$")
        self.assertTrue((self.out / f"{target}.options").exists())
        if "dict" in (self.out / f"{target}.options").read_text():
            self.assertTrue((self.out / f"{target}.dict").exists())
        self.assertIsNone(wrong_sanitizer(binary, sanitizer))
        self.assertGreaterEqual(edges(binary, self.job, self.work), 1 if self.job == "afl-address" else EDGES_MIN)
        self.survives_seeds(target, binary)

    def survives_seeds(self, target, binary):
        seeds, bundle = self.work / "seeds" / target, self.out / f"{target}_seed_corpus.zip"
        if bundle.exists():
            zipfile.ZipFile(bundle).extractall(seeds)
            self.assertGreater(len(list(seeds.iterdir())), 0)
        else:
            self.assertFalse(list((ROOT / "corpus" / "seeds" / target).glob("*")), "seeds were left out")
            seeds.mkdir(parents=True)
        arguments = sorted(seeds.iterdir()) if JOBS[self.job][0] == "afl" else ["-runs=0", seeds]
        done = run(binary, *arguments, environment={"ASAN_OPTIONS": "detect_leaks=0"})
        self.assertEqual(done.returncode, 0, done.stdout.decode(errors="replace")[-2000:])


class Check(unittest.TestCase):
    """The checks themselves can fail."""

    def build(self, *options):
        directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, directory)
        source, binary = directory / "target.c", directory / "target"
        lines = "\n".join(f"int f{i}(int *p, int n) {{ return p[n] + n * {i}; }}" for i in range(300))
        source.write_text(f"#include <stddef.h>\n#include <stdint.h>\n{lines}\n"
                          "int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return size > 9000 ? f1((int *)data, 3) : 0; }\n"
                          "#ifdef MAIN\nint main(void) { return LLVMFuzzerTestOneInput(0, 0); }\n#endif\n")
        subprocess.run(["clang", "-O1", *options, source, "-o", binary], check=True)
        return binary

    def test_no_instrumentation(self):
        self.assertEqual(edges(self.build("-DMAIN"), "libfuzzer-address", Path(tempfile.gettempdir())), 0)

    def test_undefined_in_the_address_job(self):
        binary = self.build("-fsanitize=address,undefined,fuzzer")
        self.assertIn("compiled with UBSan", wrong_sanitizer(binary, "address"))

    def test_no_address_sanitizer(self):
        self.assertIn("not to be compiled with ASan", wrong_sanitizer(self.build("-DMAIN"), "address"))
        self.assertIsNone(wrong_sanitizer(self.build("-fsanitize=address,fuzzer"), "address"))


def main():
    jobs = list(JOBS) if sys.argv[2:] == ["all"] else sys.argv[2:]
    if not jobs or set(jobs) - set(JOBS):
        sys.exit(__doc__)
    suite = unittest.TestSuite([Job(job) for job in jobs])
    suite.addTests(unittest.defaultTestLoader.loadTestsFromTestCase(Check))
    return 0 if unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
