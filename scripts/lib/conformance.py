# SPDX-License-Identifier: GPL-2.0-only
"""Rules of scripts/source-rules that tie the text on the ABI to tests and to the driver."""
import errno
import re

ABI = "Documentation/abi.rst"
TABLE = "Documentation/conformance.rst"
GAPS = "Not shown by a test"

# A row of a table there: a sentence, and what follows until the next row.
ROW = re.compile(r"^   \* - (IOR-\w+-\d+)\n     - (.*(?:\n       .*)*)", re.M)

# What Linux has no name for outside the kernel.
KERNEL_ONLY = re.compile(
    r"E(RESTART\w*|NOIOCTLCMD|PROBE_DEFER|OPENSTALE|NOPARAM|BADHANDLE|NOTSYNC|BADCOOKIE|NOTSUPP"
    r"|TOOSMALL|SERVERFAULT|BADTYPE|JUKEBOX|IOCBQUEUED|RECALLCONFLICT|NOGRACE)")
# Those of them that the driver has to do with, and why no program sees them.
INTERNAL = {
    "EIOCBQUEUED": "a file completes the transfer later",
    "ERESTARTSYS": "the transfer is done again, or ends with EINTR",
    "ERESTARTNOINTR": "likewise; EINTR of a thread that could not be made",
    "ERESTARTNOHAND": "likewise",
    "ERESTART_RESTARTBLOCK": "likewise",
}
# Errors that the text names and the driver only passes on.
PASSED_ON = {
    "EFBIG": "what files answer beyond RLIMIT_FSIZE",
}


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def sentences(tree):
    """Each sentence on the ABI has its number, and tests or a place among what has none."""
    text, table = tree.texts.get(ABI, ""), tree.texts.get(TABLE, "")
    known, families = set(), {}
    for match in re.finditer(r"^\[(IOR-(\w+)-(\d+))\]", text, re.M):
        name, family, number = match.groups()
        known.add(name)
        families[family] = families.get(family, 0) + 1
        if number != f"{families[family]:02}":
            yield ABI, line_of(text, match.start()), f"{name} is number {families[family]} of its kind"
    named = {}
    gaps = re.search(rf"^{GAPS}$", table, re.M)
    for match in ROW.finditer(table):
        name, cell = match.group(1), " ".join(match.group(2).split())
        place = TABLE, line_of(table, match.start())
        is_gap = gaps is not None and match.start() > gaps.start()
        if (name, is_gap) in named:
            yield *place, f"{name} is in line {named[name, is_gap]} already"
        named[name, is_gap] = place[1]
        if is_gap and not cell:
            yield *place, f"nothing is said of {name}"
        for test in [] if is_gap else cell.split(", "):
            if not exists(tree, test):
                yield *place, f"there is no test '{test}'"
    for name in sorted(known - {name for name, _ in named}):
        offset = text.index(f"[{name}]")
        yield ABI, line_of(text, offset), f"{TABLE} does not know {name}"
    for name, source in tree.select(r"^(Documentation|man|include|rust|tests)/|^README"):
        for match in re.finditer(r"\bIOR-[A-Z]+-\d+\b", source):
            if match.group() not in known:
                yield name, line_of(source, match.start()), f"there is no sentence {match.group()}"


def exists(tree, test):
    """Whether there is such a test, and it is among those that are run."""
    kind, _, rest = test.rpartition(" ")
    if kind == "kunit":
        suite, _, case = rest.partition(".")
        return any(re.search(rf"kunit_tests\({re.escape(suite)}\)", source) and is_rust_test(source, case)
                   for _, source in tree.select(r"^tests/kunit/.*\.rs$"))
    if kind == "host":
        module, _, case = rest.partition("::")
        return is_rust_test(tree.texts.get(f"tests/host/src/{module}.rs", ""), case)
    if kind == "check":
        return f"\ncheck_{rest}() {{\n" in tree.texts.get("scripts/check", "")
    if kind == "soak":
        return is_built(tree, "soak", rest)
    program, *names = rest.split(".")
    if kind or len(names) not in (1, 2) or not is_built(tree, "selftests", program):
        return False
    macro = r"TEST(?!_F)\w*\(" if len(names) == 1 else rf"TEST_F\w*\({re.escape(names[0])}, "
    source = tree.texts.get(f"tests/selftests/{program}.c", "")
    return re.search(rf"^{macro}{re.escape(names[-1])}[,)]", source, re.M)


def is_rust_test(source, case):
    return re.search(rf"#\[test\]\n\s*fn {re.escape(case)}\b", source)


def is_built(tree, directory, program):
    makefile = tree.texts.get(f"tests/{directory}/Makefile", "")
    lists = re.findall(r"^TESTS [:+]= ((?:.*\\\n)*.*)$", makefile, re.M)
    return program in " ".join(lists).split() and f"tests/{directory}/{program}.c" in tree.texts


def errnos(tree):
    """The errors that the driver can answer are those of the text on the ABI."""
    used = {}
    for name, source in tree.select(r"^rust/.*\.(rs|c)$"):
        code = re.sub(r"//[^\n]*|/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group()), source,
                      flags=re.S)
        for match in re.finditer(r"\bE[A-Z0-9_]+\b", code):
            error = match.group()
            if error not in INTERNAL and (hasattr(errno, error) or KERNEL_ONLY.fullmatch(error)):
                used.setdefault(error, (name, line_of(code, match.start())))
    text = tree.texts.get(ABI, "")
    said = {m.group(1): (ABI, line_of(text, m.start()))
            for m in re.finditer(r"``-?(E[A-Z0-9]+)``", text) if hasattr(errno, m.group(1))}
    for error in sorted(used.keys() - said.keys()):
        yield *used[error], f"{ABI} does not name {error}"
    for error in sorted(said.keys() - used.keys() - PASSED_ON.keys()):
        yield *said[error], f"the driver has no {error}"
