#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Print which lines of the module have been executed, from what it has told (helpers_reach.c)."""

import argparse
import collections
import os
import re
import subprocess

from lines_reached import spans

GRAIN = 4
CALL = "__sanitizer_cov_trace_pc"
CALL_BYTES = 4


def tool(*command, text=None):
    done = subprocess.run(command, input=text, check=True, capture_output=True, encoding="utf-8")
    return done.stdout


def places(module):
    """Where the module tells that it has got there: return addresses, from the start of .text."""
    found = []
    section = ""
    for row in tool("llvm-readelf-19", "--relocations", "--wide", module).splitlines():
        if row.startswith("Relocation section"):
            section = row.split("'")[1]
        elif section == ".rela.text" and re.search(rf"\b{CALL}\b", row):
            found.append(int(row.split()[0], 16) + CALL_BYTES)
    return found


def lines(module, addresses, top):
    """Of each address, the line of the module's source that it belongs to, as (file, number)."""
    text = "".join(f"0x{address - 1:x}\n" for address in addresses)
    blocks = tool("llvm-symbolizer-19", f"--obj={module}", "--inlines", "--functions=none", text=text)
    root = os.path.join(os.path.realpath(top), "rust") + os.sep
    answers = []
    for block in blocks.strip("\n").split("\n\n"):
        own = None
        for frame in block.splitlines():
            path, number = frame.rsplit(":", 2)[:2]
            if os.path.realpath(path).startswith(root) and int(number):
                own = (os.path.relpath(os.path.realpath(path), os.path.realpath(top)), int(number))
                break
        answers.append(own)
    return answers


def told(output):
    """The bits that a run has printed, of all parts."""
    parts = {}
    with open(output, encoding="utf-8", errors="replace") as rows:
        for row in rows:
            match = re.match(r"# reached: (\d+) ([0-9a-f]+)$", row.strip())
            if match:
                parts[int(match[1])] = bytes.fromhex(match[2])
    return b"".join(parts[number] for number in sorted(parts))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--top", required=True, help="the checkout")
    parser.add_argument("--module", required=True, help="with debugging information")
    parser.add_argument("output", help="of the run")
    arguments = parser.parse_args()
    bits = told(arguments.output)
    addresses = places(arguments.module)
    files = collections.defaultdict(dict)
    edges = 0
    for address, line in zip(addresses, lines(arguments.module, addresses, arguments.top)):
        bit = address // GRAIN
        was_reached = bit // 8 < len(bits) and bits[bit // 8] >> bit % 8 & 1 == 1
        edges += was_reached
        if line:
            name, number = line
            files[name][number] = files[name].get(number, False) or was_reached
    total = reached = 0
    for name, known in sorted(files.items()):
        missed = [number for number, was_reached in known.items() if not was_reached]
        total, reached = total + len(known), reached + len(known) - len(missed)
        percent = 100 * (len(known) - len(missed)) / len(known)
        print(f"  {name:40} {percent:6.1f} % of {len(known):4}" + (f", not {spans(missed)}" if missed else ""))
    print(f"  {edges} of {len(addresses)} edges; lines that begin one: {100 * reached / total:.1f} % of {total}")


main()
