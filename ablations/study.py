"""The study file; all of its mistakes are reported at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field

from ablations.axes import (
    Axis,
    Combination,
    combinations,
    read_axes,
    read_excluded,
    too_many,
)
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
from workbench.components import MOST_STEPS, Config
from workbench.config import TrialConfig, in_file, preset, presets
from workbench.documents import Node, wrap
from workbench.errors import ConfigError, Problem, SourceLocation
from workbench.validation import Reader, read, spellings

PRIMARY, PREDICTIVE = "decision/search_regret_decisive", "predictive/value_error"


MOST_CONDITIONS = 1_000
MOST_TRIALS = 20_000


class Match(Config):
    """A declared match: the conditions agree in the size of a part of the model."""

    part: Literal["representation", "dynamics", "prediction", "total"] = "total"
    tolerance: Annotated[float, Field(ge=0, le=1)] = 0.05
    on: Literal["parameters"] = "parameters"


class Budget(Config):
    """Budget of a study: environment steps per trial, minutes per launch."""

    steps: Annotated[int, Field(gt=0, le=MOST_STEPS)] | None = None
    minutes: Annotated[float, Field(ge=0.01, le=1_000_000)] | None = None


NAME = r"[a-z0-9_][a-z0-9_-]{0,99}"
"""Regular expression of the name of a study."""


def _name(name: str) -> str:
    if not re.fullmatch(NAME, name):
        raise ValueError(
            "expected a name of at most 100 lower-case letters, digits, `_` and, not in front, `-`"
        )
    return name


class Header(Config):
    """Keys of a study file; keys of type Any are read separately, with their locations."""

    study: Annotated[str, AfterValidator(_name)]
    question: str = ""
    preset: Any = None
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
    problems: list[Problem] = []
    root = _nested(documents.load(path), problems)
    if isinstance(root.value, dict) and is_trial(root.value):
        text = f"this is a trial, not a study; run `workbench train {path}`"
        raise ConfigError([Problem(text, location=SourceLocation(str(path)))])
    header = _read_header(root, problems)
    if not isinstance(root.value, dict) or not root.value:
        raise ConfigError(problems)
    file = {key: root.value[place] for key, place in spellings(Header, root.value).items()}
    if seeds is not None:
        file["seeds"] = wrap(seeds, SourceLocation(f"--seeds {seeds}"))
    study = _read(file, path, header, problems)
    if study is None or problems:
        raise ConfigError(_in_order(problems, path))
    return study


NESTED = ("base", "budget", "match")
"""Keys whose options may be written with dots, as in `budget.steps: 1000`."""


def _nested(root: Node, problems: list[Problem]) -> Node:
    """Expand dotted keys such as `budget.steps`, but no names of axes and values."""
    if not isinstance(root.value, dict) or not any("." in key for key in root.value):
        return root
    here = {key: node for key, node in root.value.items() if key.partition(".")[0] in NESTED}
    expanded = documents.expand(Node(here, root.location), problems)
    rest = {key: node for key, node in root.value.items() if key not in here}
    return Node({**rest, **_entries(expanded)}, root.location)


def is_trial(entries: Iterable[str]) -> bool:
    """Whether the keys of a file are those of a trial, and none is that of a study."""
    keys = {key.partition(".")[0] for key in entries}
    return bool(keys & set(TrialConfig.model_fields)) and not keys & (
        set(Header.model_fields) - {"preset"}
    )


def _read_header(root: Node, problems: list[Problem]) -> Header | None:
    """Read the keys of a study file; unknown keys that belong below others are recognised."""
    reader = Reader()
    header = reader.read(Header, root)
    trial = Reader()
    trial.read(TrialConfig, _preset_of(root))
    reader.paths += [f"base.{path}" for path in trial.paths]
    reader.paths += [f"budget.{field}" for field in Budget.model_fields]
    reader.paths += [f"match.{field}" for field in Match.model_fields]
    found = reader.problems()
    problems += found
    return None if found else header


def _preset_of(root: Node) -> Node:
    """Return the document of the study's preset, or of the default one if it has none."""
    named = _entries(root).get("preset")
    known = presets()
    name = named.value if named is not None and isinstance(named.value, str) else ""
    return preset(name if name in known else next(iter(known)))


def _read(
    file: Mapping[str, Node], path: Path, header: Header | None, problems: list[Problem]
) -> Study | None:
    """Return the study; None if the header is invalid. The rest is read for its problems anyway."""
    axes = read_axes(file.get("axes"), problems)
    complete = len(axes) == len(_entries(file.get("axes")))
    budget = _part(Budget, file, "budget", problems) or Budget()
    match = _part(Match, file, "match", problems)
    seeds = read_seeds(file.get("seeds"), problems)
    check_metric("primary", "decision", file, problems)
    check_metric("predictive", "predictive", file, problems)
    known = ConditionIndex((), ())
    if complete:
        known = ConditionIndex(axes, _chosen(file, axes, len(seeds), problems))
    if known.combinations:
        baseline = read_baseline(file.get("baseline"), known, problems)
        comparisons = read_comparisons(file.get("comparisons"), baseline, known, problems)
        conditions = read_conditions(file, axes, known.combinations, budget.steps, problems)
    else:  # then only the base is read, to report its problems
        baseline, comparisons, conditions = "", (), []
        read_conditions(file, (), ({},), budget.steps, problems)
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


def _chosen(
    file: Mapping[str, Node], axes: Sequence[Axis], seeds: int, problems: list[Problem]
) -> list[Combination]:
    """Return the combinations of the conditions; none if they are too many."""
    crowded = too_many(axes)
    if crowded is not None:
        problems.append(Problem(crowded, "axes", file["axes"].location))
        return []
    chosen = combinations(axes, read_excluded(file.get("exclude"), axes, problems))
    if not chosen:
        problems.append(Problem("leaves no condition", "exclude", file["exclude"].location))
    if len(chosen) > MOST_CONDITIONS:
        text = f"{len(chosen):,} conditions; the maximum is {MOST_CONDITIONS:,}"
        problems.append(Problem(text, "axes", file["axes"].location))
        return []
    if len(chosen) * seeds > MOST_TRIALS:
        text = (
            f"{len(chosen):,} conditions x {seeds:,} seeds = {len(chosen) * seeds:,} trials; the "
            f"maximum is {MOST_TRIALS:,}"
        )
        problems.append(Problem(text, "seeds", file["seeds"].location))
        return []
    return chosen


def _entries(node: Node | None) -> Mapping[str, Node]:
    return node.value if node is not None and isinstance(node.value, dict) else {}


P = TypeVar("P", bound=Config)


def _part(schema: type[P], file: Mapping[str, Node], key: str, problems: list[Problem]) -> P | None:
    node = file.get(key)
    return None if node is None or node.value is None else read(schema, node, problems, (key,))


def _in_order(problems: Sequence[Problem], path: Path) -> list[Problem]:
    """Return each problem once, by line; those of a preset name the study's file too."""
    found = in_file(problems, str(path))
    return sorted(dict.fromkeys(found), key=lambda p: p.location.line if p.location else 0)
