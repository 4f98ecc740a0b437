"""Design of a study: its seeds, its comparisons and its metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablations.axes import Axis, Combination, condition_name, read_pattern, yaml_text
from workbench.documents import Node
from workbench.errors import Problem, unknown_name
from workbench.metrics import METRICS, parse, spec


@dataclass(frozen=True)
class Comparison:
    """A paired comparison of two conditions."""

    baseline: str
    against: str


@dataclass(frozen=True)
class ConditionIndex:
    """Resolves references to conditions in a study file."""

    axes: Sequence[Axis]
    combinations: Sequence[Combination]

    @property
    def names(self) -> list[str]:
        """Names of the conditions."""
        return [condition_name(self.axes, combination) for combination in self.combinations]

    def read(self, node: Node, key: str, problems: list[Problem]) -> str | None:
        """Return the one condition that a name, or a pattern `{axis: value}`, refers to."""
        if not isinstance(node.value, dict):
            name = yaml_text(node.value)
            if len(self.axes) == 1 and name in self.axes[0].values:
                name = condition_name(self.axes, {self.axes[0].name: name})
            if name not in self.names:
                problems.append(
                    Problem(unknown_name("condition", name, self.names), key, node.location)
                )
                return None
            return name
        pattern = read_pattern(node, key, self.axes, problems)
        if pattern is None:
            return None
        matching = [c for c in self.combinations if pattern.items() <= c.items()]
        found = [condition_name(self.axes, c) for c in matching]
        if len(found) == 1:
            return found[0]
        text = f"stands for {len(found)} conditions, not for one: {', '.join(found) or 'excluded'}"
        problems.append(Problem(text, key, node.location))
        return None


MOST_SEEDS = 10_000
"""Maximum number of seeds; a larger number is taken for a typing error."""


def read_seeds(node: Node | None, problems: list[Problem]) -> tuple[int, ...]:
    """Read the seeds: `3` means 0, 1 and 2; a list is used as it is."""
    if node is None:
        return (0, 1, 2)
    if isinstance(node.value, list) and node.value:
        return _listed_seeds(node.value, problems)
    if not isinstance(node.value, int) or isinstance(node.value, bool) or node.value < 1:
        text = f"expected how many seeds, or a list of them, found {node.plain()!r}"
        problems.append(Problem(text, "seeds", node.location))
        return ()
    if node.value > MOST_SEEDS:
        text = f"expected at most {MOST_SEEDS} seeds, found {node.value}"
        problems.append(Problem(text, "seeds", node.location))
        return ()
    return tuple(range(node.value))


def _listed_seeds(items: Sequence[Node], problems: list[Problem]) -> tuple[int, ...]:
    seeds: list[int] = []
    for item in items:
        seed: Any = item.value
        if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
            text = f"expected a whole number of at least 0, found {item.plain()!r}"
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
        text = f"expected {{baseline: condition, against: condition}}, found {node.plain()!r}"
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
