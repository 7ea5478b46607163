# SPDX-License-Identifier: GPL-2.0-only
"""What README.md shows: a program that is compiled, and output that was printed.

A block of output is indented, between two comments, and filled by scripts/readme.
"""
import re

README = "README.md"
# What a block has between its comments, and the name it is called by.
BLOCK = re.compile(r"^<!-- output: (\w+) -->\n\n(.*?)\n\n<!-- end of output -->$", re.S | re.M)

COPY = (r"(?:ext4|tmpfs) (?:buffered|direct) +\d+ +\d+\.\d+ +\d+\.\d  same +"
        r"\d+ +\d+ +\d+ +\d+ +\d+\n")
STAGE = r"[\w-]+ +(\d+) passed +0 failed +\d+ s\n"
# For each block: the log of build/results that it comes from, and what it looks like there.
FORMS = {
    "demo": ("demo.log", re.compile(
        rf"^copy +bytes +seconds .*\n(?:{COPY}){{4}}\nAll copies are the same as the source\.$", re.M)),
    "hello": ("demo.log", re.compile(r"^request 42 read 80 bytes: Linux version .*$", re.M)),
    "test": ("test.log", re.compile(rf"^(?:{STAGE})+\d+ passed, 0 failed$", re.M)),
}


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def output_in(name, text):
    """The output of that name in a text, or None if there is nothing that looks like it."""
    found = FORMS[name][1].search(text)
    if not found:
        return None
    lines = found.group().split("\n")
    stages = [int(count) for line in lines for count in re.findall(f"^{STAGE}", line + "\n")]
    is_sum = name != "test" or lines[-1] == f"{sum(stages)} passed, 0 failed"
    return "\n".join(line.rstrip() for line in lines) if is_sum else None


def indented(text):
    return re.sub(r"^(?=.)", "    ", text, flags=re.M)


def filled(text, logs):
    """The text with its blocks filled from the logs, a text each; what has no output stays."""
    def block(match):
        name = match.group(1)
        output = output_in(name, logs.get(FORMS[name][0], ""))
        if output is None:
            return match.group()
        return match.group().replace(match.group(2), indented(output))
    return BLOCK.sub(block, text)


def readme(tree):
    """The program in the README is the one that is compiled, and its output looks like output."""
    text = tree.texts.get(README, "")
    shown = re.search(r"^```c\n(.*?)^```$", text, re.S | re.M)
    built = tree.texts.get("samples/io_ring/hello.c", "").partition("\n")[2]
    if not shown or shown.group(1) != built:
        yield README, 1, "the C program differs from samples/io_ring/hello.c"
    missing = set(FORMS)
    for match in BLOCK.finditer(text):
        name, printed = match.group(1), re.sub(r"^    ", "", match.group(2), flags=re.M)
        missing.discard(name)
        if name not in FORMS or output_in(name, printed) != printed:
            yield README, line_of(text, match.start()), f"this is not what scripts/readme makes of '{name}'"
    for name in sorted(missing):
        yield README, 1, f"there is no output '{name}'"
