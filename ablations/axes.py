"""Axes of a study: named overrides of a configuration, their product, and references."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from workbench import documents
from workbench.documents import Node
from workbench.errors import Problem, unknown_name

JOINT = " · "
"""Separator between the values of several axes in the name of a condition."""


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
        if not re.fullmatch(r"[\w.\-]+", name):
            text = "an axis is named with letters, digits, `_`, `-` and `.`"
            problems.append(Problem(text, key, child.location))
        values = _values(name, key, child, problems)
        if values:
            numbers = isinstance(child.value, list) and not all(
                isinstance(item.value, str) for item in child.value
            )
            called = _end(name) if ends[_end(name)] == 1 else name
            axes.append(Axis(name, values, f"{called}=" if numbers else ""))
    return axes


def _end(name: str) -> str:
    """Return `simulations` for `planner.simulations`."""
    return name.rpartition(".")[2]


def _values(name: str, key: str, node: Node, problems: list[Problem]) -> dict[str, Node]:
    if not node.value and not isinstance(node.value, bool | int | float):
        problems.append(Problem("the axis has no values", key, node.location))
        return {}
    if isinstance(node.value, list):
        return _plain_values(name, key, node.value, problems)
    if isinstance(node.value, dict):
        return _named_values(key, node.value, problems)
    text = f"expected named overlays, or a list of plain values, found {node.plain()!r}"
    problems.append(Problem(text, key, node.location))
    return {}


def _plain_values(
    name: str, key: str, items: Sequence[Node], problems: list[Problem]
) -> dict[str, Node]:
    values: dict[str, Node] = {}
    for item in items:
        label = yaml_text(item.value)
        if isinstance(item.value, dict | list) or item.value is None:
            text = f"expected a plain value, found {item.plain()!r}; name overlays in a mapping"
            problems.append(Problem(text, key, item.location))
        elif label in values:
            problems.append(Problem(f"the value '{label}' is there twice", key, item.location))
        else:
            values[label] = documents.expand(Node({name: item}, item.location))
    return values


def _named_values(key: str, items: Mapping[str, Node], problems: list[Problem]) -> dict[str, Node]:
    values: dict[str, Node] = {}
    for label, item in items.items():
        overlay = Node({}, item.location) if item.value is None else item
        if not isinstance(overlay.value, dict):
            text = f"expected an overlay on the trial (a mapping), found {item.plain()!r}"
            problems.append(Problem(text, f"{key}.{label}", item.location))
        elif not label or JOINT.strip() in label:
            text = f"a value's name cannot be empty or hold '{JOINT.strip()}'"
            problems.append(Problem(text, f"{key}.{label}", item.location))
        else:
            values[label] = documents.expand(overlay)
    return values


def yaml_text(value: Any) -> str:
    """Return a plain value as YAML text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def condition_name(axes: Sequence[Axis], combination: Combination) -> str:
    """Join the values of all axes: `gcn · simulations=25`."""
    return JOINT.join(axis.prefix + combination[axis.name] for axis in axes) or "base"


def combinations(axes: Sequence[Axis], excluded: Sequence[Combination]) -> list[Combination]:
    """Return the product of the axes, without combinations that match an excluded pattern."""
    names = [axis.name for axis in axes]
    every = [dict(zip(names, values, strict=True)) for values in product(*(a.values for a in axes))]
    return [c for c in every if not any(pattern.items() <= c.items() for pattern in excluded)]


def read_excluded(
    node: Node | None, axes: Sequence[Axis], problems: list[Problem]
) -> list[Combination]:
    """Return the valid patterns of `exclude`."""
    if node is None or node.value is None:
        return []
    if not isinstance(node.value, list):
        problems.append(Problem("expected a list of {axis: value}", "exclude", node.location))
        return []
    patterns = (read_pattern(item, "exclude", axes, problems) for item in node.value)
    return [pattern for pattern in patterns if pattern is not None]


def read_pattern(
    node: Node, key: str, axes: Sequence[Axis], problems: list[Problem]
) -> Combination | None:
    """Return `{axis: value}` with known names, or None and append a problem."""
    if not isinstance(node.value, dict) or not node.value:
        text = f"expected a mapping {{axis: value}}, found {node.plain()!r}"
        problems.append(Problem(text, key, node.location))
        return None
    known = {axis.name: axis for axis in axes}
    before = len(problems)
    pattern: Combination = {}
    for name, value in node.value.items():
        label = yaml_text(value.value)
        pattern[name] = label
        if name not in known:
            problems.append(Problem(unknown_name("axis", name, known), key, value.location))
        elif label not in known[name].values:
            text = unknown_name(f"value of axis '{name}'", label, known[name].values)
            problems.append(Problem(text, f"{key}.{name}", value.location))
    return pattern if len(problems) == before else None
