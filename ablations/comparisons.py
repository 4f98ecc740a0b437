"""Design of a study: its seeds, its comparisons and its metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablations.axes import (
    Axis,
    Combination,
    ascii_name,
    condition_name,
    named_combination,
    read_pattern,
)
from workbench.documents import Node
from workbench.errors import Problem, shown, unknown_name
from workbench.metrics import METRICS, parse, spec


@dataclass(frozen=True)
class Comparison:
    """A paired comparison of two conditions."""

    baseline: str
    against: str


class ConditionIndex:
    """Resolves references to conditions in a study file."""

    def __init__(self, axes: Sequence[Axis], combinations: Sequence[Combination]) -> None:
        self._axes, self.combinations = axes, combinations
        self.names = [condition_name(axes, combination) for combination in combinations]
        """Names of the conditions."""
        self._known = frozenset(self.names)

    def read(self, node: Node, key: str, problems: list[Problem]) -> str | None:
        """Return the one condition that a name, or a pattern `{axis: value}`, refers to."""
        if isinstance(node.value, dict):
            return self._read_pattern(node, key, problems)
        name = "" if isinstance(node.value, list) else node.name()
        if name in self._known:
            return name
        named = named_combination(name, self._axes)
        if named is not None and condition_name(self._axes, named) in self._known:
            return condition_name(self._axes, named)
        text = unknown_name("condition", name, map(ascii_name, self.names))
        if isinstance(node.value, list):
            text = f"expected the name of a condition, found {shown(node.plain())}"
        elif named is not None:
            text = f"condition '{name}' is excluded"
        problems.append(Problem(text, key, node.location))
        return None

    def _read_pattern(self, node: Node, key: str, problems: list[Problem]) -> str | None:
        pattern = read_pattern(node, key, self._axes, problems)
        if pattern is None:
            return None
        matching = [c for c in self.combinations if pattern.items() <= c.items()]
        found = [condition_name(self._axes, c) for c in matching]
        if len(found) == 1:
            return found[0]
        listed = ", ".join(map(ascii_name, found[:5])) or "excluded"
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        text = f"stands for {len(found)} conditions, not for one: {listed}{more}"
        problems.append(Problem(text, key, node.location))
        return None


MOST_SEEDS = 10_000
"""Maximum number of seeds; a larger number is taken for a typing error."""


LARGEST_SEED = 2**63 - 1


def read_seeds(node: Node | None, problems: list[Problem]) -> tuple[int, ...]:
    """Read the seeds: `3` means 0, 1 and 2; a list is used as it is."""
    if node is None:
        return (0, 1, 2)
    if isinstance(node.value, list) and node.value:
        return _listed_seeds(node.value, problems)
    if not isinstance(node.value, int) or isinstance(node.value, bool) or node.value < 1:
        text = f"expected how many seeds, or a list of them, found {shown(node.plain())}"
        problems.append(Problem(text, "seeds", node.location))
        return ()
    if node.value > MOST_SEEDS:
        text = f"expected at most {MOST_SEEDS} seeds, found {shown(node.value)}"
        problems.append(Problem(text, "seeds", node.location))
        return ()
    return tuple(range(node.value))


def _listed_seeds(items: Sequence[Node], problems: list[Problem]) -> tuple[int, ...]:
    seeds: list[int] = []
    for item in items:
        seed: Any = item.value
        whole = isinstance(seed, int) and not isinstance(seed, bool)
        if not whole or not 0 <= seed <= LARGEST_SEED:
            text = f"expected a whole number from 0 to {LARGEST_SEED}, found {shown(item.plain())}"
            problems.append(Problem(text, "seeds", item.location))
        elif seed in seeds:
            problems.append(Problem(f"seed {seed} is there twice", "seeds", item.location))
        else:
            seeds.append(seed)
    return tuple(seeds)


def read_baseline(node: Node | None, known: ConditionIndex, problems: list[Problem]) -> str:
    """Read the baseline condition; the first condition by default."""
    first = next(iter(known.names), "")
    if node is None or node.value is None:
        return first
    return known.read(node, "baseline", problems) or first


def read_comparisons(
    node: Node | None, baseline: str, known: ConditionIndex, problems: list[Problem]
) -> tuple[Comparison, ...]:
    """Read the comparisons; by default the baseline against every other condition."""
    if node is None or node.value is None:
        return tuple(Comparison(baseline, name) for name in known.names if name != baseline)
    if not isinstance(node.value, list):
        text = "expected a list of {baseline: condition, against: condition}"
        problems.append(Problem(text, "comparisons", node.location))
        return ()
    pairs: list[Comparison] = []
    for item in node.value:
        pair = _comparison(item, baseline, known, problems)
        if pair in pairs:
            problems.append(Problem("is declared twice", "comparisons", item.location))
        elif pair is not None:
            pairs.append(pair)
    return tuple(pairs)


def _comparison(
    node: Node, baseline: str, known: ConditionIndex, problems: list[Problem]
) -> Comparison | None:
    key = "comparisons"
    if not isinstance(node.value, dict) or "against" not in node.value:
        text = f"expected {{baseline: condition, against: condition}}, found {shown(node.plain())}"
        problems.append(Problem(text, key, node.location))
        return None
    sides: dict[str, str | None] = {"baseline": baseline}
    for side, child in node.value.items():
        if side in ("baseline", "against"):
            sides[side] = known.read(child, f"{key}.{side}", problems)
        else:
            text = unknown_name("key", side, ("baseline", "against"))
            problems.append(Problem(text, key, child.location))
    first, second = sides["baseline"], sides.get("against")
    if first is None or second is None:
        return None
    if first == second:
        text = f"compares '{first}' with itself"
        problems.append(Problem(text, key, node.location))
    return Comparison(first, second)


def check_metric(key: str, family: str, file: Mapping[str, Node], problems: list[Problem]) -> None:
    """Check the metric under `key`: known, of its family, with a depth only if it has depths."""
    node = file.get(key)
    if node is None or not isinstance(node.value, str):
        return
    found = spec(node.value)
    try:
        parse(node.value)
    except ValueError as error:
        problems.append(Problem(str(error), key, node.location))
        return
    if found is None:
        names = [metric.name for metric in METRICS.values() if metric.family == family]
        text = unknown_name(f"{family} metric", node.value, names)
    elif found.family != family:
        text = f"'{node.value}' is a {found.family} metric; a {family} metric belongs here"
    elif node.value != found.name and not found.by_depth:
        text = f"'{found.name}' is not given by depth"
    else:
        return
    problems.append(Problem(text, key, node.location))
