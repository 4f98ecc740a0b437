"""Axes of a study: named overrides of a configuration, their product, and references."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from workbench import documents
from workbench.documents import Node
from workbench.errors import Problem, shown, unknown_name

JOINT = " · "
"""Separator between the values of several axes in the name of a condition."""
ASCII_JOINT = " x "
"""Separator in a reference to a condition: `gcn x simulations=25`."""

MOST_COMBINATIONS = 10_000
"""Number of combinations of the axes' values, before `exclude`."""
MOST_NAME = 100
"""Length of the name of an axis or of a value."""


@dataclass(frozen=True)
class Axis:
    """One varied setting: each value has a name and an override with expanded dotted keys."""

    name: str
    values: Mapping[str, Node]
    prefix: str = ""
    """Prefix of a value in a condition's name: `simulations=` if values are numbers."""


Combination = dict[str, str]
"""For each axis, the name of one value."""


def read_axes(node: Node | None, problems: list[Problem]) -> list[Axis]:
    """Read the axes in the order of the file; append what is wrong to `problems`."""
    if node is None or node.value is None:
        return []
    if not isinstance(node.value, dict):
        problems.append(Problem("expected a mapping of axes", "axes", node.location))
        return []
    axes = []
    ends = Counter(map(_end, node.value))
    for name, child in node.value.items():
        key = f"axes.{name}"
        if not re.fullmatch(rf"[\w.][\w.\-]{{0,{MOST_NAME - 1}}}", name):
            text = "an axis is named with letters, digits, `_`, `.` and, inside, `-`"
            problems.append(Problem(text, key, child.location))
        numbers = isinstance(child.value, list) and not all(
            isinstance(item.value, str) for item in child.value
        )
        called = _end(name) if ends[_end(name)] == 1 else name
        prefix = f"{called}=" if numbers else ""
        values = _values(name, key, child, prefix, problems)
        if values:
            axes.append(Axis(name, values, prefix))
    return axes


def _end(name: str) -> str:
    """Return `simulations` for `planner.simulations`."""
    return name.rpartition(".")[2]


def _values(
    name: str, key: str, node: Node, prefix: str, problems: list[Problem]
) -> dict[str, Node]:
    if not node.value and not isinstance(node.value, bool | int | float):
        problems.append(Problem("the axis has no values", key, node.location))
        return {}
    if isinstance(node.value, list):
        return _plain_values(name, key, node.value, prefix, problems)
    if isinstance(node.value, dict):
        return _named_values(key, node.value, problems)
    text = f"expected named overrides, or a list of plain values, found {shown(node.plain())}"
    problems.append(Problem(text, key, node.location))
    return {}


def _plain_values(
    name: str, key: str, items: Sequence[Node], prefix: str, problems: list[Problem]
) -> dict[str, Node]:
    values: dict[str, Node] = {}
    for item in items:
        label = item.name()
        if isinstance(item.value, dict | list) or item.value is None:
            found = shown(item.plain())
            text = f"expected a plain value, found {found}; name overrides in a mapping"
            problems.append(Problem(text, key, item.location))
            continue
        if label in values:
            problems.append(Problem(f"the value {shown(label)} is there twice", key, item.location))
        elif (wrong := _wrong_name(prefix + label)) is not None:
            problems.append(Problem(wrong, key, item.location))
        values[label] = documents.expand(Node({name: item}, item.location))
    return values


def _named_values(key: str, items: Mapping[str, Node], problems: list[Problem]) -> dict[str, Node]:
    """Read named overrides; one that is invalid stays, empty, for references to its name."""
    values: dict[str, Node] = {}
    for label, item in items.items():
        override = Node({}, item.location) if item.value is None else item
        place = f"{key}.{label}"
        if (wrong := _wrong_name(label)) is not None:
            problems.append(Problem(wrong, place, item.location))
        if not isinstance(override.value, dict):
            text = f"expected an override of the trial (a mapping), found {shown(item.plain())}"
            problems.append(Problem(text, place, item.location))
            override = Node({}, item.location)
        values[label] = documents.expand(override, problems)
    return values


def _wrong_name(label: str) -> str | None:
    """Return why a value cannot have this name; None if it can."""
    if not label.strip() or JOINT.strip() in label:
        return f"a value's name cannot be empty or hold '{JOINT.strip()}'"
    if label.startswith("-"):
        return "a value's name cannot begin with `-`, as an option of a command does"
    if not label.isprintable():
        return "a value's name cannot hold line breaks or tabs"
    if len(label) > MOST_NAME:
        return f"a value's name has at most {MOST_NAME} characters, found {len(label)}"
    return None


def condition_name(axes: Sequence[Axis], combination: Combination) -> str:
    """Join the values of all axes: `gcn · simulations=25`."""
    return JOINT.join(axis.prefix + combination[axis.name] for axis in axes) or "base"


def ascii_name(name: str) -> str:
    """Return a condition's name as it can be typed: `gcn x simulations=25`."""
    return name.replace(JOINT, ASCII_JOINT)


def combinations(axes: Sequence[Axis], excluded: Sequence[Combination]) -> list[Combination]:
    """Return the product of the axes, without combinations that match an excluded pattern."""
    names = [axis.name for axis in axes]
    every = [dict(zip(names, values, strict=True)) for values in product(*(a.values for a in axes))]
    return [c for c in every if not any(pattern.items() <= c.items() for pattern in excluded)]


def too_many(axes: Sequence[Axis]) -> str | None:
    """Return the message for axes with too many combinations; None if there are few enough."""
    count = prod(len(axis.values) for axis in axes)
    if count <= MOST_COMBINATIONS:
        return None
    sizes = " x ".join(str(len(axis.values)) for axis in axes)
    return f"{count:,} combinations ({sizes}); the maximum is {MOST_COMBINATIONS:,}"


def read_excluded(
    node: Node | None, axes: Sequence[Axis], problems: list[Problem]
) -> list[Combination]:
    """Return the valid patterns of `exclude`: mappings `{axis: value}`, or names of conditions."""
    if node is None or node.value is None:
        return []
    if not isinstance(node.value, list):
        problems.append(Problem("expected a list of {axis: value}", "exclude", node.location))
        return []
    patterns = (_excluded(item, axes, problems) for item in node.value)
    return [pattern for pattern in patterns if pattern is not None]


def _excluded(node: Node, axes: Sequence[Axis], problems: list[Problem]) -> Combination | None:
    if isinstance(node.value, str):
        named = named_combination(node.value, axes)
        if named is not None:
            return named
    return read_pattern(node, "exclude", axes, problems)


def named_combination(name: str, axes: Sequence[Axis]) -> Combination | None:
    """Return the combination that a condition's name refers to; None if there is none.

    The name is the displayed one, or its form with ` x `; prefixes such as `simulations=` can be
    omitted.
    """
    return _rest_of_name(name.replace(JOINT, ASCII_JOINT), axes)


def _rest_of_name(name: str, axes: Sequence[Axis]) -> Combination | None:
    if not axes:
        return None
    axis, rest = axes[0], axes[1:]
    for value in axis.values:
        for label in (axis.prefix + value, value):
            if not rest and name == label:
                return {axis.name: value}
            if rest and name.startswith(label + ASCII_JOINT):
                found = _rest_of_name(name[len(label + ASCII_JOINT) :], rest)
                if found is not None:
                    return {axis.name: value} | found
    return None


def read_pattern(
    node: Node, key: str, axes: Sequence[Axis], problems: list[Problem]
) -> Combination | None:
    """Return `{axis: value}` with known names, or None and append a problem."""
    if not isinstance(node.value, dict) or not node.value:
        text = f"expected a mapping {{axis: value}}, found {shown(node.plain())}"
        problems.append(Problem(text, key, node.location))
        return None
    known = {axis.name: axis for axis in axes}
    before = len(problems)
    pattern: Combination = {}
    for name, value in node.value.items():
        label = value.name()
        pattern[name] = label
        if name not in known:
            problems.append(Problem(unknown_name("axis", name, known), key, value.location))
        elif label not in known[name].values:
            text = unknown_name(f"value of axis '{name}'", label, known[name].values)
            problems.append(Problem(text, f"{key}.{name}", value.location))
    return pattern if len(problems) == before else None
