"""What single inputs of a fuzz target reach: edges of the code that it explores, and whether more than once.

A feature is twice the number of an edge, and one more if the edge was taken repeatedly. It depends on the input and the
program alone: the empty input runs before each, because a boot cleans up after the run before it.
"""

import os
import re
import subprocess

import engine

MAGNITUDES = 8  # of counts, that libFuzzer tells apart: 1, 2, 3, 4 and up ...


class Crashed(Exception):
    """An input that ends the fuzz target: says which."""


def edge_of(feature):
    return feature // 2


def _feature(number):
    """Of what libFuzzer calls one."""
    return number // MAGNITUDES * 2 + (number % MAGNITUDES > 0)


class Program:
    """A fuzz target of a build with coverage feedback."""

    def __init__(self, binary, work):
        self.binary, self.work = binary, work
        self._addresses = self._table()
        (work / "empty").write_bytes(b"")
        (work / "known").write_text("*\n")

    def reached(self, contents):
        """A set of features for each input."""
        control, paths = self.work / "control", [self.work / f"{number}.input" for number in range(len(contents))]
        for path, content in zip(paths, contents):
            path.write_bytes(content)
        files = [self.work / "empty"]
        for path in paths:
            files += [files[0], path]
        control.write_text("".join(f"{line}\n" for line in [len(files), 0, *files]))
        # libFuzzer's merge calls itself like this; its own file names the inputs in the directory's order.
        done = subprocess.run([self.binary, "-merge_inner=2", f"-merge_control_file={control}", "-timeout=100",
                               *engine.options_of(self.binary.name)], cwd=self.work, stdin=subprocess.DEVNULL,
                              env=os.environ | {"RESCIND_KNOWN": str(self.work / "known")}, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        runs = self._runs(control)
        if done.returncode != 0 or len(runs) != len(files):
            raise Crashed(f"{self.binary.name} does not survive {files[len(runs)]}:\n{done.stdout.decode(errors='replace')}")
        return runs[2::2]

    def _runs(self, control):
        """The features of each run, in the order of the files."""
        limit, runs = len(self._addresses) * MAGNITUDES, []
        for line in control.read_text().splitlines():
            if line.startswith("FT "):
                numbers = map(int, line.split(" ")[2:])
                runs.append(frozenset(_feature(number) for number in numbers if number < limit))
        return runs

    def _table(self):
        """Addresses of edges, from what the instrumentation leaves: pairs of an address, filled in by the loader, and flags."""
        def readelf(option):
            return subprocess.run(["readelf", "--wide", option, self.binary], check=True, stdout=subprocess.PIPE).stdout.decode()

        start, size = (int(number, 16) for number in
                       re.search(r" __sancov_pcs +PROGBITS +(\w+) \w+ (\w+) ", readelf("--sections")).groups())
        filled = re.findall(r"^(\w+) +\w+ R_X86_64_RELATIVE +(\w+)$", readelf("--relocs"), re.MULTILINE)
        addresses = {int(where, 16): address for where, address in filled}
        return [addresses[where] for where in range(start, start + size, 16)]

    def places(self):
        """For each edge its function, and file:line."""
        done = subprocess.run(["llvm-symbolizer", f"--obj={self.binary}"], check=True, stdout=subprocess.PIPE,
                              input="".join(f"0x{address}\n" for address in self._addresses).encode())
        frames = [frame.splitlines()[:2] for frame in done.stdout.decode().strip().split("\n\n")]
        return [(function, ":".join(place.split("/")[-1].split(":")[:2])) for function, place in frames]
