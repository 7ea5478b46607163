#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Draw the figures of scripts/bench.

usage: scripts/lib/bench_plot.py JSON SVG

A panel for each workload, in it a group of bars for each depth, in it a bar for
each engine; its height is the instructions a request.
"""
import json
import sys

COLOURS = {
    "sync": "#9e9e9e",
    "libaio": "#c8a165",
    "io_uring": "#9ec3e6",
    "io_uring-best": "#2f6db3",
    "io_ring": "#e59aa3",
    "io_ring-best": "#d1495b",
}
COLUMNS = 2
PANEL_WIDTH, PANEL_HEIGHT, PANEL_GAP = 520, 200, 60
MARGIN, HEAD = 60, 70
BAR, GROUP_GAP = 18, 26


def text(x, y, what, size=11, anchor="middle"):
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}">{what}</text>'


def round_up(value):
    """The next number of one digit and zeros."""
    digit = 10 ** (len(str(int(value))) - 1)
    return -(-value // digit) * digit


def scale(left, bottom, top_value):
    for step in range(5):
        value = top_value * step / 4
        y = bottom - PANEL_HEIGHT * step / 4
        yield f'<path d="M{left} {y:.1f}h{PANEL_WIDTH}" stroke="#ddd"/>'
        yield text(left - 6, y + 4, f"{value:.0f}", 10, "end")


def panel(left, top, workload, results):
    bottom = top + PANEL_HEIGHT
    top_value = round_up(max(max(r["cost"].values()) for r in results))
    yield text(left, top - 12, workload, 14, "start")
    yield from scale(left, bottom, top_value)
    x = left + GROUP_GAP / 2
    for result in results:
        begin = x
        for engine, colour in COLOURS.items():
            if engine not in result["cost"]:
                continue
            cost = result["cost"][engine]
            height = PANEL_HEIGHT * cost / top_value
            yield (f'<rect x="{x:.1f}" y="{bottom - height:.1f}" width="{BAR - 2}" height="{height:.1f}" fill="{colour}">'
                   f"<title>{engine}: {cost:.0f}</title></rect>")
            x += BAR
        yield text(x - BAR / 2, bottom - height - 4, f"{result['ratio']['io_uring-best']:.2f}", 10)
        yield text((begin + x) / 2, bottom + 15, f"depth {result['depth']}")
        x += GROUP_GAP


def legend():
    x = MARGIN
    for engine, colour in COLOURS.items():
        yield f'<rect x="{x}" y="36" width="12" height="12" fill="{colour}"/>'
        yield text(x + 18, 46, engine, 12, "start")
        x += 120


def drawing(results):
    workloads = {}
    for result in results:
        workloads.setdefault(result["workload"], []).append(result)
    rows = -(-len(workloads) // COLUMNS)
    width = MARGIN + COLUMNS * (PANEL_WIDTH + PANEL_GAP)
    height = HEAD + rows * (PANEL_HEIGHT + PANEL_GAP)
    yield f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif">'
    yield f'<rect width="{width}" height="{height}" fill="white"/>'
    yield text(MARGIN, 22, "Instructions a request; above io_ring: ratio to io_uring-best", 15, "start")
    yield from legend()
    for index, (workload, its_results) in enumerate(workloads.items()):
        left = MARGIN + index % COLUMNS * (PANEL_WIDTH + PANEL_GAP)
        top = HEAD + 30 + index // COLUMNS * (PANEL_HEIGHT + PANEL_GAP)
        yield from panel(left, top, workload, its_results)
    yield "</svg>"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="ascii") as source:
        results = json.load(source)["results"]
    with open(sys.argv[2], "w", encoding="ascii") as out:
        print(*drawing(results), sep="\n", file=out)


if __name__ == "__main__":
    main()
