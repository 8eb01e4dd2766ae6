#!/usr/bin/env python3
"""Builds the fuzz targets by .clusterfuzzlite/build.sh as OSS-Fuzz's base image does, from a copy of the sources alone, and
checks of what lands in $OUT what its bad_build_check demands: it starts, is instrumented, survives its seeds, and carries the
sanitizer of its job and no other. Then shows that these checks can fail.

usage: oss_fuzz.py [--all]      --all: all targets and jobs, otherwise two targets of one job, as building takes a minute
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EVERYDAY = ["memory_small", "text"]
EDGES_MIN = 100
ASAN_CALLS_MIN, UBSAN_CALLS_MIN, UBSAN_CALLS_STRAY = 1000, 168, 200  # calls in a binary, the engine's own included
CFLAGS = "-O1 -fno-omit-frame-pointer -gline-tables-only -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION"
UNDEFINED = ("bool,array-bounds,float-divide-by-zero,function,integer-divide-by-zero,return,shift,signed-integer-overflow,"
             "vla-bound,vptr")
SANITIZER_FLAGS = {
    "address": "-fsanitize=address -fsanitize-address-use-after-scope",
    "undefined": f"-fsanitize={UNDEFINED},unsigned-integer-overflow -fno-sanitize-recover={UNDEFINED}",
    "coverage": "",
}
COVERAGE_FLAGS = {
    "libfuzzer": "-fsanitize=fuzzer-no-link",
    "coverage": "-fprofile-instr-generate -fcoverage-mapping -pthread -Wl,--no-as-needed -Wl,-ldl -Wl,-lm "
                "-Wno-unused-command-line-argument",
}
# The others differ in flags alone.
EVERYDAY_JOBS = [("libfuzzer", "address")]
JOBS = [("libfuzzer", "address"), ("libfuzzer", "undefined"), ("libfuzzer", "coverage"), ("afl", "address")]

failures = []


def check(wrong, what):
    """`wrong` is empty, or says what is wrong."""
    print(f"{'FAILED' if wrong else 'ok    '}  {what}{f': {wrong}' if wrong else ''}", flush=True)
    if wrong:
        failures.append(what)


def run(command, **options):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          errors="replace", **options)


def run_environment():
    return os.environ | {"UBSAN_OPTIONS": "silence_unsigned_overflow=1:halt_on_error=1", "AFL_NO_UI": "1", "AFL_QUIET": "1",
                         "AFL_SKIP_CPUFREQ": "1", "AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES": "1", "AFL_NO_AFFINITY": "1",
                         "AFL_FORKSRV_INIT_TMOUT": "30000"}


# ---- building ----


def copy_sources(into):
    files = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], check=True,
                           stdout=subprocess.PIPE).stdout.decode().split("\0")
    for name in filter(None, files):
        if (ROOT / name).is_file():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, into / name)


def build_environment(work, engine, sanitizer, targets):
    """What `compile` of base-builder exports, but for libc++, which Debian's clang does without."""
    coverage = COVERAGE_FLAGS.get(sanitizer, COVERAGE_FLAGS["libfuzzer"]) if engine == "libfuzzer" else ""
    compiler, library = {"libfuzzer": ("clang", "-fsanitize=fuzzer"),
                         "afl": ("afl-clang-fast", "/usr/lib/afl/libAFLDriver.a")}[engine]
    flags = f"{CFLAGS} {SANITIZER_FLAGS[sanitizer]} {coverage}"
    environment = os.environ | {
        "SRC": str(work / "src"), "WORK": str(work / "work"), "OUT": str(work / f"out-{engine}-{sanitizer}"),
        "CC": compiler, "CXX": f"{compiler}++", "CFLAGS": flags, "CXXFLAGS": flags,
        "LIB_FUZZING_ENGINE": library, "SANITIZER": sanitizer, "FUZZING_ENGINE": engine, "ARCHITECTURE": "x86_64",
        "FUZZING_LANGUAGE": "c", "AFL_QUIET": "1", "CMAKE_BUILD_PARALLEL_LEVEL": "2",
    }
    return environment | ({"RESCIND_TARGETS": " ".join(targets)} if targets else {})


def build(work, engine, sanitizer, targets):
    """Returns $OUT, or None if it does not build. The tools that pack seeds are left for the next job."""
    environment = build_environment(work, engine, sanitizer, targets)
    shutil.rmtree(work / "work" / "fuzz", ignore_errors=True)
    for name in ("WORK", "OUT"):
        Path(environment[name]).mkdir(exist_ok=True)
    done = run(["sh", "-eu", work / "src" / "rescind" / ".clusterfuzzlite" / "build.sh"], env=environment, cwd="/")
    check("" if done.returncode == 0 else done.stdout[-3000:], f"{engine}/{sanitizer} builds")
    return Path(environment["OUT"]) if done.returncode == 0 else None


# ---- checking; each returns what is wrong, or nothing ----


def wrong_sanitizer(binary, sanitizer):
    code = run(["objdump", "-d", binary]).stdout
    asan, ubsan = (len(re.findall(rf"callq?\s+[0-9a-f]+ <{name}", code)) for name in ("__asan", "__ubsan"))
    if sanitizer == "address":
        if asan < ASAN_CALLS_MIN:
            return f"only {asan} calls of ASan"
        return f"{ubsan} calls of UBSan in the address job" if ubsan > UBSAN_CALLS_STRAY else ""
    if asan > 0:
        return f"{asan} calls of ASan in the {sanitizer} job"
    if sanitizer == "undefined":
        return f"only {ubsan} calls of UBSan" if ubsan < UBSAN_CALLS_MIN else ""
    return f"{ubsan} calls of UBSan in the {sanitizer} job" if ubsan > UBSAN_CALLS_STRAY else ""


def wrong_start_of_libfuzzer(binary, directory):
    output = run([binary, "-seed=1337", "-runs=4"], env=run_environment(), cwd=directory).stdout
    if "no interesting inputs were found" in output:
        return "no coverage instrumentation"
    if "Done 4 runs" not in output:
        return output[-2000:]
    edges = re.search(r"INFO: Loaded \d+ modules? .*\((?:inline 8-bit counters|guards|counters)\): (\d+)|"
                      r"\((\d+) (?:inline 8-bit counters|guards)\)", output)
    if not edges or int(edges[1] or edges[2]) < EDGES_MIN:
        return f"only {edges and (edges[1] or edges[2])} edges are instrumented"
    return ""


def wrong_start_of_afl(binary, directory):
    (directory / "in").mkdir()
    (directory / "in" / "seed").write_bytes(bytes(16))
    done = run(["afl-fuzz", "-V", "3", "-t", "2000", "-i", "in", "-o", "out", "--", binary], env=run_environment(),
               cwd=directory)
    return "" if "All set and ready to roll" in done.stdout else done.stdout[-2000:]


def unpack_seeds(binary, into):
    archive = binary.with_name(f"{binary.name}_seed_corpus.zip")
    into.mkdir()
    if not archive.is_file():
        return []
    with zipfile.ZipFile(archive) as file:
        file.extractall(into)
    return sorted(into.iterdir())


def wrong_seeds(binary, directory):
    seeds = unpack_seeds(binary, directory / "seeds")
    if not seeds and (binary.name in EVERYDAY or (ROOT / "corpus" / "seeds" / binary.name).is_dir()):
        return "there are none"
    done = run([binary, "-runs=0", directory / "seeds"] if seeds else ["true"], env=run_environment(), cwd=directory)
    return "" if done.returncode == 0 else done.stdout[-2000:]


def wrong_options(binary):
    text = binary.with_name(f"{binary.name}.options").read_text()
    dictionary = re.search(r"^dict = (.*)$", text, re.MULTILINE)
    if dictionary and not binary.with_name(dictionary[1]).is_file():
        return f"{dictionary[1]} is missing"
    return "" if re.search(r"^max_len = \d+$", text, re.MULTILINE) else "no max_len"


def wrong_coverage(binary, directory):
    """Nothing, if the seeds cover lines of what is explored and of nothing else."""
    unpack_seeds(binary, directory / "seeds")
    profile = directory / "profile"
    run([binary, "-runs=0", "seeds"], env=run_environment() | {"LLVM_PROFILE_FILE": "raw"}, cwd=directory)
    run(["llvm-profdata", "merge", "raw", "-o", profile], cwd=directory)
    report = run(["llvm-cov", "report", f"-instr-profile={profile}", binary]).stdout
    total = re.search(r"^TOTAL(?:\s+\d+\s+\d+\s+\S+%)+", report, re.MULTILINE)
    if not total:
        return report[-1000:]
    return "the harness is covered too" if "harness.c" in report else "" if " 0.00%" not in total[0] else "nothing is covered"


def check_binary(binary, engine, sanitizer):
    name = f"{engine}/{sanitizer} {binary.name}"
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        if sanitizer != "coverage":  # which has no feedback for an engine
            check(wrong_start_of_afl(binary, directory) if engine == "afl" else wrong_start_of_libfuzzer(binary, directory),
                  f"{name}: starts and is instrumented")
        check(wrong_sanitizer(binary, sanitizer), f"{name}: has the sanitizer of its job alone")
        check(wrong_seeds(binary, directory), f"{name}: survives its seeds")
        check(wrong_options(binary), f"{name}: has its options")
    if sanitizer == "coverage":
        with tempfile.TemporaryDirectory() as directory:
            check(wrong_coverage(binary, Path(directory)), f"{name}: reports the coverage of what it explores")


# ---- the checks can fail ----


def compile_by_hand(work, name, flags):
    sources = [*sorted((ROOT / "src" / "seq").glob("*.c")), ROOT / "fuzz" / "text.c", ROOT / "fuzz" / "session.c"]
    includes = [f"-I{ROOT / 'src'}", f"-I{ROOT / 'src' / 'kernel'}", "-D_GNU_SOURCE"]
    objects = []
    for source in sources:
        objects.append(work / f"{name}-{source.stem}.o")
        subprocess.run(["clang", "-O1", *flags, *includes, "-c", source, "-o", objects[-1]], check=True)
    subprocess.run(["clang", *flags, "-fsanitize=fuzzer", *objects, "-o", work / name], check=True)
    return work / name


def check_checks(work):
    with tempfile.TemporaryDirectory() as directory:
        bare = compile_by_hand(work, "bare", [])
        wrong = wrong_start_of_libfuzzer(bare, Path(directory))
        check("" if "no coverage" in wrong else f"not seen ({wrong})", "a binary without instrumentation is refused")
    check("" if "calls of ASan" in wrong_sanitizer(bare, "address") else "not seen", "one without ASan is refused as well")
    mixed = compile_by_hand(work, "mixed", ["-fsanitize=address,undefined", "-fsanitize=fuzzer-no-link"])
    wrong = wrong_sanitizer(mixed, "address")
    check("" if "UBSan in the address" in wrong else f"not seen ({wrong})", "UBSan in the address job is refused")
    check("" if "ASan in the undefined" in wrong_sanitizer(mixed, "undefined") else "not seen",
          "ASan in the undefined job is refused")


def main():
    targets = None if "--all" in sys.argv else EVERYDAY
    expected = sorted(targets or [path.stem for path in (ROOT / "fuzz").glob("*.options") if path.stem != "unicorn"])
    with tempfile.TemporaryDirectory(prefix="rescind-oss-fuzz-") as name:
        work = Path(name)
        (work / "src" / "rescind").mkdir(parents=True)
        copy_sources(work / "src" / "rescind")
        for engine, sanitizer in JOBS if targets is None else EVERYDAY_JOBS:
            out = build(work, engine, sanitizer, targets)
            if out:
                binaries = [path for path in sorted(out.iterdir()) if not path.suffix]
                check("" if [path.name for path in binaries] == expected else str(binaries), "all targets are there")
                for binary in binaries:
                    check_binary(binary, engine, sanitizer)
        check_checks(work)
    print(f"{len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
