"""Which functions and lines of a kernel image ran on a machine: blocks noted by emu/blocks, mapped by the image's own debug
information. The image needs no instrumentation."""

import bisect
import collections
import re
import subprocess

INSTRUCTION = re.compile(r"^ *([0-9a-f]{8,16}):\t")


class Image:
    """A kernel image, instruction by instruction."""

    def __init__(self, path):
        self.path = path
        text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", path], check=True, stdout=subprocess.PIPE).stdout.decode()
        self.addresses = [int(match[1], 16) for match in map(INSTRUCTION.match, text.splitlines()) if match]
        self.ran = [False] * len(self.addresses)

    def note(self, blocks):
        """Lines "ADDRESS BYTES", hexadecimal; what lies elsewhere, as boot code before paging does, is passed over."""
        for line in blocks.read_text().splitlines():
            address, size = (int(word, 16) for word in line.split())
            at = bisect.bisect_left(self.addresses, address)
            while at < len(self.addresses) and self.addresses[at] < address + size:
                self.ran[at] = True
                at += 1

    def places(self):
        """(function, file, line, ran) of each instruction: where it was written, inlined code where it comes from."""
        question = "".join(f"{address:#x}\n" for address in self.addresses)
        answer = subprocess.run(["addr2line", "-f", "-e", self.path], input=question.encode(), check=True,
                                stdout=subprocess.PIPE).stdout.decode().splitlines()
        for ran, function, place in zip(self.ran, answer[::2], answer[1::2]):
            name, _, line = place.partition(" ")[0].rpartition(":")
            yield function, name, int(line) if line.isdigit() else 0, ran


def table(image, root):
    """A line for each source file, then a line for each function of which nothing ran."""
    lines, functions = collections.defaultdict(dict), {}
    for function, name, line, ran in image.places():
        if line and name.startswith(f"{root}/"):
            name = name.removeprefix(f"{root}/")
            lines[name][line] = lines[name].get(line, False) or ran
            functions[name, function] = functions.get((name, function), False) or ran
    yield f"{'file':40}{'lines':>20}{'functions':>20}"
    for name in sorted(lines):
        own = [ran for (file, _), ran in functions.items() if file == name]
        yield (f"{name:40}{sum(lines[name].values()):>8} of {len(lines[name]):>4} {sum(lines[name].values()) / len(lines[name]):6.1%}"
               f"{sum(own):>8} of {len(own):>4}")
    ran = sum(sum(of.values()) for of in lines.values())
    every = sum(map(len, lines.values()))
    yield f"{'all':40}{ran:>8} of {every:>4} {ran / max(every, 1):6.1%}{sum(functions.values()):>8} of {len(functions):>4}"
    # What a header has is inlined: addr2line names the function around it.
    for name, function in sorted(key for key, ran in functions.items() if not ran and not key[0].endswith(".h")):
        yield f"{name}: never ran: {function}"
