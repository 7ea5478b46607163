#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Judge what the boots of scripts/bench measured.

usage: scripts/lib/bench_report.py --limits FILE --json FILE [--no-limits | --margin PERCENT] BOOT...

Each BOOT holds lines of workload, depth, engine, requests and instructions, one
for each slice. Prints a table. Ends with status 1 if a ratio is above its limit
or a figure differs from boot to boot by more than SPREAD_MAX. With a margin it may
be so much above, and each limit is a test case.
"""
import argparse
import json
import statistics
import sys

OURS = "io_ring"
OUR_BEST = "io_ring-best"
BEST = "io_uring-best"
SPREAD_MAX = 1.0  # percent
ENGINES = ("sync", "libaio", "io_uring", BEST, OURS, OUR_BEST)
# What has to be known to read a row.
NOTES = {
    "tmpfs": "io_uring has a worker do every request: tmpfs does not say that it can go without waiting.",
    "ext4-write": "both rings have workers do the requests: ext4 does not write without waiting.",
    "null-unfixed": "io_uring-best without registered buffers.",
    "null-timer": "only depths at which the processor never waits for the timer.",
}


def read_boot(path):
    """Figures of one boot: instructions a request by (workload, depth, engine)."""
    slices = {}
    with open(path, encoding="ascii") as lines:
        for line in lines:
            workload, depth, engine, requests, instructions = line.split()
            key = workload, int(depth), engine
            slices.setdefault(key, []).append(int(instructions) / int(requests))
    return {key: statistics.median(values) for key, values in slices.items()}


def combine(boots):
    """Rows in the order measured; each has the median of the boots and their spread by engine."""
    if not boots[0] or any(boot.keys() != boots[0].keys() for boot in boots):
        sys.exit("bench: the boots did not all measure the same")
    rows = {}
    for workload, depth, engine in boots[0]:
        figures = [boot[workload, depth, engine] for boot in boots]
        middle = statistics.median(figures)
        row = rows.setdefault((workload, depth), {"cost": {}, "spread": {}})
        row["cost"][engine] = middle
        row["spread"][engine] = 100 * (max(figures) - min(figures)) / middle
    return rows


def read_limits(path, margin):
    limits = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            fields = line.split("#")[0].split()
            if fields:
                workload, depth, engine, limit = fields
                limits.append((workload, depth, engine, float(limit) * (1 + margin / 100)))
    return limits


def limit_of(limits, workload, depth, engine):
    for its_workload, its_depth, its_engine, limit in limits:
        if its_engine == engine and its_workload in (workload, "*") and its_depth in (str(depth), "*"):
            return limit
    return None


def compare(rows, limits):
    """Add to each row the ratios to the other engines, and the limits that there are."""
    sync = {}
    for (workload, depth), row in rows.items():
        costs = dict(row["cost"])
        if "sync" in costs:
            sync[workload] = costs["sync"]
        elif workload in sync:
            costs["sync"] = sync[workload]
        # Like with like: the form that registers nothing is held against those that cannot.
        best = costs.get(OUR_BEST, costs[OURS])
        row["ratio"] = {
            e: (best if e == BEST else costs[OURS]) / cost
            for e, cost in costs.items() if e not in (OURS, OUR_BEST)}
        found = {e: limit_of(limits, workload, depth, e) for e in row["ratio"]}
        row["limit"] = {e: limit for e, limit in found.items() if limit is not None}


def table(rows):
    line = "{:<13} {:>5} " + " {:>13}" * len(ENGINES) + "  {:>8} {:>7} {:>9}"
    yield line.format("workload", "depth", *ENGINES, "to best", "limit", "spread")
    for (workload, depth), row in rows.items():
        cells = [f"{row['cost'][e]:.0f}" if e in row["cost"] else "-" for e in ENGINES]
        limit = row["limit"].get(BEST)
        spread = max(row["spread"].values())
        yield line.format(
            workload, depth, *cells, f"{row['ratio'][BEST]:.3f}",
            f"{limit:.2f}" if limit is not None else "-", f"{spread:.2f} %")


def missed_limits(rows):
    for (workload, depth), row in rows.items():
        for engine, limit in row["limit"].items():
            ratio = row["ratio"][engine]
            if ratio > limit:
                yield f"{workload}, depth {depth}: {ratio:.3f} of {engine}, limit {limit:.2f}"


def unsteady(rows):
    for (workload, depth), row in rows.items():
        for engine, spread in row["spread"].items():
            if spread > SPREAD_MAX:
                yield f"{workload}, depth {depth}, {engine}: {spread:.2f} % from boot to boot, limit {SPREAD_MAX:.0f} %"


def write_json(path, rows, boots):
    results = [{"workload": w, "depth": d, **row} for (w, d), row in rows.items()]
    with open(path, "w", encoding="ascii") as out:
        json.dump({"unit": "instructions per request", "boots": boots, "results": results}, out, indent=1)
        out.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--limits", required=True)
    parser.add_argument("--json", required=True)
    parser.add_argument("--no-limits", action="store_true")
    parser.add_argument("--margin", type=float)
    parser.add_argument("boot", nargs="+")
    options = parser.parse_args()
    rows = combine([read_boot(path) for path in options.boot])
    limits = read_limits(options.limits, options.margin or 0)
    compare(rows, limits)
    write_json(options.json, rows, len(options.boot))
    print(f"instructions a request, median of {len(options.boot)} boot(s); {OUR_BEST} as a ratio to {BEST}")
    print(*table(rows), sep="\n")
    for workload, note in NOTES.items():
        if any(workload == name for name, _ in rows):
            print(f"{workload}: {note}")
    checked = sum(len(row["limit"]) for row in rows.values())
    missed, shaky = list(missed_limits(rows)), list(unsteady(rows))
    for line in missed:
        print("missed:", line)
    for line in shaky:
        print("unsteady:", line)
    if options.margin is not None:
        print(f"{checked - len(missed)} passed, {len(missed) + len(shaky)} failed")
    else:
        print(f"{checked - len(missed)} limits met, {len(missed)} missed, {len(shaky)} figures unsteady")
    return 1 if shaky or (missed and not options.no_limits) else 0


if __name__ == "__main__":
    sys.exit(main())
