# SPDX-License-Identifier: GPL-2.0-only
"""The rule of scripts/source-rules that calls go one way, down the diagram of the driver's layers."""
import re

ROOT = "rust/io_ring_main.rs"
# The diagram there, and a row of it: names of modules, and what they are.
DIAGRAM = re.compile(r"^//! # Layers\n.*?^//! ```text\n(.*?)^//! ```$", re.S | re.M)
ROW = re.compile(r"^//! (\w+(?:, \w+)*)(?:  .*)?$", re.M)

# What a module must not reach although it lies lower.
APART = {"op": {"ring"}}

# Comments and strings, blanked so that only code is judged and lines stay put.
NOT_CODE = re.compile(
    r'//[^\n]*|/\*.*?\*/|b?r(#*)".*?"\1|b?"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])\'', re.S)


def code_of(text):
    """The text with everything that is not code replaced by blanks."""
    return NOT_CODE.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def top_module(name):
    return name.removeprefix("rust/").removesuffix(".rs").split("/")[0]


def crate_paths(name, code):
    """Yield (offset, first module) of every path that starts at the crate root.

    Modules are lower case; what else lies there (LocalModule) comes from the kernel's macros.
    """
    for match in re.finditer(r"\bcrate::(\{|[a-z]\w*)", code):
        if match.group(1) != "{":
            yield match.start(), match.group(1)
            continue
        depth, start = 1, match.end()
        for token in re.finditer(r"[{},]|\w+", code[start:]):
            if depth == 1 and token.group().isidentifier():
                before = code[:start + token.start()].rstrip()
                if before[-1] in "{,":
                    yield start + token.start(), token.group()
            depth += {"{": 1, "}": -1}.get(token.group(), 0)
            if depth == 0:
                break
    # `super` that climbs to the root names its modules the same way.
    climbs = name.count("/")
    for match in re.finditer(r"\b((?:super::)+)([a-z]\w*)", code):
        if match.group(1).count("super") >= climbs and name != ROOT:
            yield match.start(), match.group(2)


def rows(text):
    """Yield (module, number of its row, line) of the diagram, from the top."""
    diagram = DIAGRAM.search(text)
    if not diagram:
        return
    for number, row in enumerate(ROW.finditer(diagram.group(1))):
        for module in row.group(1).split(", "):
            yield module, number, line_of(text, diagram.start(1) + row.start())


def layering(tree):
    """Modules use only what lies below them in the diagram, which has all of them."""
    text = tree.texts.get(ROOT, "")
    first = {top_module(name): name for name, _ in reversed(tree.driver()) if name != ROOT}
    row_of = {}
    for module, number, line in rows(text):
        if module in row_of:
            yield ROOT, line, f"the diagram has {module} twice"
        if module not in first:
            yield ROOT, line, f"the diagram has {module}, which is no module"
        row_of[module] = number
    for module in sorted(first.keys() - row_of.keys()):
        yield first[module], 1, f"the diagram of {ROOT} does not have {module}"
    for name, source in tree.driver():
        code, module = code_of(source), top_module(name)
        if name == ROOT:
            continue
        for offset, target in crate_paths(name, code):
            if target == module or target not in row_of or module not in row_of:
                continue
            where = name, line_of(source, offset)
            if row_of[target] <= row_of[module] or target in APART.get(module, ()):
                yield *where, f"{module} must not use crate::{target}"
