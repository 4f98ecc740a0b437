"""The study file; all of its mistakes are reported at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field

from ablations.axes import combinations, read_axes, read_excluded
from ablations.comparisons import (
    Comparison,
    ConditionIndex,
    check_metric,
    read_baseline,
    read_comparisons,
    read_seeds,
)
from ablations.conditions import Condition, read_conditions
from workbench import documents
from workbench.components import Config, Positive
from workbench.config import read
from workbench.documents import Node, wrap
from workbench.errors import ConfigError, Problem, SourceLocation

PRIMARY, PREDICTIVE = "decision/search_regret_decisive", "predictive/value_error"


class Match(Config):
    """A declared match: the conditions agree in the size of a part of the model."""

    part: Literal["representation", "dynamics", "prediction", "total"] = "total"
    tolerance: Annotated[float, Field(ge=0, le=1)] = 0.05
    on: Literal["parameters"] = "parameters"


class Budget(Config):
    """Budget of a study: environment steps per trial, minutes per launch."""

    steps: Positive | None = None
    minutes: Annotated[float, Field(gt=0)] | None = None


class Header(Config):
    """Keys of a study file; keys of type Any are read separately, with their locations."""

    study: Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")]
    question: str = ""
    preset: str | None = None
    base: Any = None
    axes: Any = None
    exclude: Any = None
    seeds: Any = None
    baseline: Any = None
    comparisons: Any = None
    primary: str = PRIMARY
    predictive: str = PREDICTIVE
    match: Any = None
    budget: Any = None


@dataclass(frozen=True)
class Study:
    """A valid study."""

    name: str
    question: str
    file: Path
    axes: Mapping[str, tuple[str, ...]]
    conditions: tuple[Condition, ...]
    seeds: tuple[int, ...]
    baseline: str
    comparisons: tuple[Comparison, ...]
    primary: str
    predictive: str
    match: Match | None
    budget: Budget

    def condition(self, name: str) -> Condition:
        """Return the condition of that name."""
        return next(condition for condition in self.conditions if condition.name == name)


def read_study(path: Path, seeds: int | None = None) -> Study:
    """Read a study file; `seeds` replaces its number of seeds.

    Raises:
        ConfigError: the file or one of its trials is invalid; the error lists all problems.
    """
    root = documents.load(path)
    problems: list[Problem] = []
    header = read(Header, root, problems)
    if not isinstance(root.value, dict) or not root.value:
        raise ConfigError(problems)
    file = root.value
    if seeds is not None:
        file = file | {"seeds": wrap(seeds, SourceLocation(f"--seeds {seeds}"))}
    study = _read(file, path, header, problems)
    if study is None or problems:
        raise ConfigError(_in_order(problems, path))
    return study


def _read(
    file: Mapping[str, Node], path: Path, header: Header | None, problems: list[Problem]
) -> Study | None:
    """Return the study; None if the header is invalid. The rest is read for its problems anyway."""
    axes = read_axes(file.get("axes"), problems)
    sound = len(axes) == len(_entries(file.get("axes")))
    chosen = combinations(axes, read_excluded(file.get("exclude"), axes, problems))
    if not chosen:
        problems.append(Problem("leaves no condition", "exclude", file["exclude"].location))
    known = ConditionIndex(axes, chosen)
    baseline = read_baseline(file.get("baseline"), known, problems)
    comparisons = read_comparisons(file.get("comparisons"), baseline, known, problems)
    budget = _part(Budget, file, "budget", problems) or Budget()
    match = _part(Match, file, "match", problems)
    seeds = read_seeds(file.get("seeds"), problems)
    if sound and chosen:
        conditions = read_conditions(file, axes, chosen, budget.steps, problems)
    else:  # then only the base is read, to report its problems
        conditions = []
        read_conditions(file, (), ({},), budget.steps, problems)
    check_metric("primary", "decision", file, problems)
    check_metric("predictive", "predictive", file, problems)
    if header is None:
        return None
    return Study(
        name=header.study,
        question=header.question,
        file=path,
        axes={axis.name: tuple(axis.values) for axis in axes},
        conditions=tuple(conditions),
        seeds=seeds,
        baseline=baseline,
        comparisons=comparisons,
        primary=header.primary,
        predictive=header.predictive,
        match=match,
        budget=budget,
    )


def _entries(node: Node | None) -> Mapping[str, Node]:
    return node.value if node is not None and isinstance(node.value, dict) else {}


P = TypeVar("P", bound=Config)


def _part(schema: type[P], file: Mapping[str, Node], key: str, problems: list[Problem]) -> P | None:
    node = file.get(key)
    return None if node is None or node.value is None else read(schema, node, problems, (key,))


def _in_order(problems: Sequence[Problem], path: Path) -> list[Problem]:
    """Return each problem once, those of the study file first and by line."""

    def order(problem: Problem) -> tuple[bool, str, int]:
        place = problem.location or SourceLocation("")
        return place.file != str(path), place.file, place.line

    return sorted(dict.fromkeys(problems), key=order)
