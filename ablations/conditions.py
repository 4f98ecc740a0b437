"""Configurations of all conditions: preset, base, budget and overrides, merged in this order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from ablations.axes import Axis, Combination, condition_name
from workbench import documents
from workbench.config import TrialConfig, load_named_preset, read_trial
from workbench.documents import Node
from workbench.errors import ConfigError, Problem, shown


@dataclass(frozen=True)
class Condition:
    """One combination of the axes' values; its trials differ in the seed only."""

    name: str
    values: Mapping[str, str]
    config: TrialConfig


def read_conditions(
    file: Mapping[str, Node],
    axes: Sequence[Axis],
    chosen: Sequence[Combination],
    steps: int | None,
    problems: list[Problem],
) -> list[Condition]:
    """Read the conditions of a study file; a problem shared by several is reported once."""
    base = documents.expand(_base(file, problems), problems)
    if steps is not None:
        base = documents.merge(base, _budget(file["budget"], base, steps, problems))
    conditions: list[Condition] = []
    found: dict[str, Sequence[Problem]] = {}
    for combination in chosen:
        name = condition_name(axes, combination)
        overlays = [axis.values[combination[axis.name]] for axis in axes]
        own: list[Problem] = []
        try:
            config = read_trial(_document(file, base, overlays, own))
        except ConfigError as error:
            own = list(dict.fromkeys([*own, *error.problems]))
        else:
            conditions.append(Condition(name, combination, config))
        if own:
            found[name] = own
    problems.extend(_shared(found, len(chosen)))
    return conditions


def _base(file: Mapping[str, Node], problems: list[Problem]) -> Node:
    node = file.get("base")
    if node is None or node.value is None:
        return Node(
            {}, file["study"].location if "study" in file else next(iter(file.values())).location
        )
    if not isinstance(node.value, dict):
        text = f"expected an overlay on the preset (a mapping), found {shown(node.plain())}"
        problems.append(Problem(text, "base", node.location))
        return Node({}, node.location)
    return node


def _budget(budget: Node, base: Node, steps: int, problems: list[Problem]) -> Node:
    """Return the override that a budget of environment steps implies."""
    stated = base.at(("procedure", "steps"))
    if isinstance(stated.value, int) and stated.value != steps:
        text = f"budget.steps is {steps}, so the two disagree; say it once"
        problems.append(
            Problem(f"is {stated.value} and {text}", "base.procedure.steps", stated.location)
        )
    place = budget.at(("steps",)).location
    return Node({"procedure": Node({"steps": Node(steps, place)}, place)}, place)


def _document(
    file: Mapping[str, Node], base: Node, overlays: Sequence[Node], problems: list[Problem]
) -> Node:
    """Return a trial's whole document; if several axes vary the preset, the last one counts.

    The layers are merged into the preset one by one, so that an option in `base` of one component
    is dropped if an override selects another component.
    """
    named = file.get("preset")
    layers = []
    for layer in (base, *overlays):
        entries = dict(layer.value) if isinstance(layer.value, dict) else {}
        named = entries.pop("preset", named)
        if "seed" in entries:
            text = "seeds stand under `seeds`; every condition gets the same ones"
            problems.append(Problem(text, "seed", entries.pop("seed").location))
        layers.append(Node(entries, layer.location))
    start = load_named_preset(named, problems) if named else Node({}, base.location)
    return reduce(documents.merge, layers, start)


def _shared(found: Mapping[str, Sequence[Problem]], conditions: int) -> list[Problem]:
    """Return each problem once; one of some conditions only names them."""
    names: dict[Problem, list[str]] = {}
    for name, problems in found.items():
        for problem in problems:
            names.setdefault(problem, []).append(name)
    return [
        problem
        if len(where) == conditions
        else replace(problem, message=f"{problem.message} (condition {_listed(where)})")
        for problem, where in names.items()
    ]


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
