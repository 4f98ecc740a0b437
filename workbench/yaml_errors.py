"""Explanations of YAML syntax errors: the place of the mistake and the right form."""

from __future__ import annotations

import re

import yaml

from workbench.errors import shortened

MISSING_SPACE = re.compile(r"^\s*(?:- +)*(?P<key>[\w.\-]+):(?P<value>[^\s:/].*)$")
"""A line such as `seeds:3`."""
_BREAKS = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


def explain(error: yaml.YAMLError, text: str) -> tuple[str, int, int]:
    """Return what is wrong with a YAML text and what to write, with line and column from 1."""
    if isinstance(error, yaml.reader.ReaderError):
        return _character(error, text)
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return "it cannot be read", 0, 0
    mark, problem = error.problem_mark, error.problem or "it cannot be read"
    lines = _BREAKS.split(text)
    line = lines[mark.line] if mark.line < len(lines) else ""
    place = (mark.line + 1, mark.column + 1)
    if "cannot start any token" in problem:
        return _first_character(line, mark.column), *place
    start = error.context_mark
    if start and "quoted scalar" in str(error.context) and "end of stream" in problem:
        return (
            "the text in quotes does not end; add the closing quote",
            start.line + 1,
            (start.column + 1),
        )
    unclosed = _unclosed(text)
    if unclosed is not None and "while parsing a flow" in str(error.context):
        bracket, at, column = unclosed
        if at < mark.line + 1 or "end" in problem or "got '}'" in problem or "got ']'" in problem:
            return f"`{bracket}` is not closed; add `{'}' if bracket == '{' else ']'}`", at, column
    if "mapping values" in problem or "could not find expected ':'" in problem:
        return _colon(lines, error)
    return _structure(problem, line, mark.column), *place


def missing_space(found: re.Match[str]) -> str:
    """Return the message for a match of `MISSING_SPACE`, with the right form."""
    form = f"{found['key']}: {found['value'].strip()}"
    return f"a space is missing after the colon: `{shortened(form)}`"


def _character(error: yaml.reader.ReaderError, text: str) -> tuple[str, int, int]:
    before = text[: error.position]
    code = f"U+{ord(text[error.position]):04X}" if error.position < len(text) else "unknown"
    line = before.count("\n") + 1
    return f"the character {code} is not allowed; remove it", line, len(before.split("\n")[-1]) + 1


def _first_character(line: str, column: int) -> str:
    """Explain a tab, or a character that text without quotes cannot begin with."""
    if line[column : column + 1] == "\t":
        return "a tab; indent with spaces"
    form = f"{line[:column].strip()} '{line[column:].strip()}'".strip()
    return f"text that begins with `{line[column]}` needs quotes: `{shortened(form)}`"


def _colon(lines: list[str], error: yaml.MarkedYAMLError) -> tuple[str, int, int]:
    """Explain a colon in the wrong place, or a line without one."""
    assert error.problem_mark is not None
    at, column = error.problem_mark.line, error.problem_mark.column
    marks = [error.context_mark.line] if error.context_mark is not None else []
    previous = next((i for i in range(at - 1, -1, -1) if lines[i].strip()), at)
    for number in (*marks, at, previous):
        found = MISSING_SPACE.match(lines[number]) if number < len(lines) else None
        if found is not None:
            return missing_space(found), number + 1, found.start("value") + 1
    if marks:
        start = marks[0]
        return f"expected `key: value`, found `{shortened(lines[start].strip())}`", start + 1, 1
    before = lines[at][:column]
    if (key := re.match(r"^\s*(?:- +)*([\w.\-]+):\s+(.*)$", before)) is not None:
        form = f"{key[1]}: '{(key[2] + lines[at][column:]).strip()}'"
        return f"text that contains `: ` needs quotes: `{shortened(form)}`", at + 1, column + 1
    above = lines[previous].strip()
    if previous != at and ":" not in above:
        return f"expected `key: value`, found `{shortened(above)}`", previous + 1, 1
    return (
        f"this line is indented below `{shortened(above)}`, which has a value already; indent it "
        "less",
        at + 1,
        1,
    )


def _structure(problem: str, line: str, column: int) -> str:
    """Explain an error in the structure of blocks and brackets."""
    found = line[column : column + 1]
    if found in ("}", "]") and ("block" in problem or "node content" in problem):
        opening = "{" if found == "}" else "["
        return f"`{found}` closes nothing; remove it, or add `{opening}` before it"
    if "expected ',' or" in problem:
        return (
            f"a comma is missing before `{line[column:].strip()[:20]}`; text that contains `: ` "
            "or one of `,[]{}` needs quotes"
        )
    if "<block mapping start>" in problem or "<block sequence start>" in problem:
        return "the indentation is that of no line above; align it with the keys of its mapping"
    if "<block end>" in problem and "'?'" in problem:
        return "a key among the items of a list; indent it, or begin the line with `- `"
    if "<block end>" in problem and found == "-":
        return "a list item among the keys of a mapping; indent it below the key that it belongs to"
    if "<block end>" in problem:
        return f"expected `key: value`, found `{shortened(line.strip())}`"
    if "node content" in problem:
        return f"expected a value, found `{shortened(line[column:].strip())}`"
    if "sequence entries" in problem:
        return "a list of `- ...` begins on a line of its own; or write `[a, b]`"
    if "escape character" in problem:
        return f"{problem}; use single quotes for text with a backslash"
    return problem


def _unclosed(text: str) -> tuple[str, int, int] | None:
    """Return the innermost bracket that is open at the end, or at the first error."""
    opened: list[tuple[str, int, int]] = []
    try:
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            if isinstance(token, yaml.FlowMappingStartToken | yaml.FlowSequenceStartToken):
                bracket = "{" if isinstance(token, yaml.FlowMappingStartToken) else "["
                opened.append((bracket, token.start_mark.line + 1, token.start_mark.column + 1))
            elif isinstance(token, yaml.FlowMappingEndToken | yaml.FlowSequenceEndToken) and opened:
                bracket = "{" if isinstance(token, yaml.FlowMappingEndToken) else "["
                if opened[-1][0] != bracket:
                    break
                opened.pop()
    except yaml.YAMLError:
        pass
    return opened[-1] if opened else None
