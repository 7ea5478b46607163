#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Print which part of each file's lines was reached, from an lcov report, and judge it."""

import argparse
import os
import sys


def read(path):
    """File -> line -> whether it was reached."""
    files, lines = {}, {}
    with open(path, encoding="utf-8") as report:
        for row in report:
            key, _, value = row.strip().partition(":")
            if key == "SF":
                lines = files.setdefault(os.path.realpath(value), {})
            elif key == "DA":
                number, count = value.split(",")[:2]
                lines[int(number)] = lines.get(int(number), False) or int(count) > 0
    return files


def spans(numbers):
    """Line numbers as text, neighbours together."""
    out = []
    for number in sorted(numbers):
        if out and out[-1][1] == number - 1:
            out[-1][1] = number
        else:
            out.append([number, number])
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in out)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--least", type=float, required=True, help="percent of all lines")
    parser.add_argument("--top", required=True, help="the checkout")
    parser.add_argument("report")
    arguments = parser.parse_args()
    reached = total = 0
    for path, lines in sorted(read(arguments.report).items()):
        name = os.path.relpath(path, os.path.realpath(arguments.top))
        missed = [number for number, was_reached in lines.items() if not was_reached]
        percent = 100 * (len(lines) - len(missed)) / len(lines)
        print(f"  {name:34} {percent:6.1f} % of {len(lines):4} lines", end="")
        print(f", not {spans(missed)}" if missed else "")
        reached, total = reached + len(lines) - len(missed), total + len(lines)
    if not total:
        sys.exit("no lines at all")
    print(f"  {'all':34} {100 * reached / total:6.1f} % of {total:4} lines")
    sys.exit(100 * reached < arguments.least * total)


if __name__ == "__main__":
    main()
