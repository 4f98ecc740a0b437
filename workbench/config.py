"""The configuration schema of one trial, and reading it with all problems reported at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from workbench import documents
from workbench.components import (
    ComponentConfig,
    ComponentField,
    Config,
    EnvironmentConfig,
    Incompatible,
    LossConfig,
    MeasureConfig,
    ModelConfig,
    PlannerConfig,
    Positive,
    ProcedureConfig,
    TargetConfig,
)
from workbench.documents import Node
from workbench.errors import ConfigError, Problem, SourceLocation, closest, shown, unknown_name
from workbench.result_files import config_id
from workbench.validation import MISSPELT, Reader, expand_weight

SCHEMA_VERSION = 2
"""Part of every trial's identity. Increase it when the same file gets another meaning."""


class TrialConfig(Config):
    """The complete configuration of one trial."""

    environment: Annotated[EnvironmentConfig, ComponentField("environment")]
    model: Annotated[ModelConfig, ComponentField("model")]
    planner: Annotated[PlannerConfig, ComponentField("planner")]
    targets: Annotated[dict[str, TargetConfig], ComponentField("target", many=True, keyed=True)] = (
        Field(default_factory=dict)
    )
    losses: Annotated[dict[str, LossConfig], ComponentField("loss", many=True)] = Field(
        default_factory=dict
    )
    procedure: Annotated[ProcedureConfig, ComponentField("procedure")]
    measures: Annotated[dict[str, MeasureConfig], ComponentField("measure", many=True)] = Field(
        default_factory=dict
    )
    evaluate_every: Positive = Field(
        1000, description="optimiser steps between measurements; each saves a checkpoint"
    )
    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(
        0, description="root seed of all random streams"
    )
    threads: Annotated[int, Field(gt=0, le=1_024)] = Field(1, description="number of torch threads")
    device: Literal["cpu", "cuda", "mps"] = Field("cpu", description="device of the networks")

    def trained_heads(self) -> frozenset[str]:
        """Return the model heads that a loss of positive weight trains."""
        return frozenset().union(*(t.requires for t in self.losses.values() if t.weight > 0))

    def untrained_heads(self) -> list[str]:
        """Return the model heads that no loss trains; they keep their random initialisation."""
        heads = self.model.spec(self.environment.spec()).heads
        return sorted(heads - self.trained_heads() - {"legal"})


def identity(config: TrialConfig) -> str:
    """Return a trial's id: the first twelve hex digits of the SHA-256 of its configuration."""
    return config_id(dump(config), SCHEMA_VERSION)


def dump(value: Any) -> Any:
    """Convert a configuration to plain data from which `read_trial` restores it."""
    if isinstance(value, Config):
        name = {"name": value.component} if isinstance(value, ComponentConfig) else {}
        return name | {field: dump(getattr(value, field)) for field in type(value).model_fields}
    if isinstance(value, dict):
        return {key: dump(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [dump(item) for item in value]
    return value


def presets() -> dict[str, Path]:
    """Return the files of the presets that come with the workbench, by name."""
    folder = resources.files("workbench") / "presets"
    return {path.stem: path for path in sorted(Path(str(folder)).glob("*.yaml"))}


def preset(name: str, location: SourceLocation | None = None) -> Node:
    """Return the document of a preset, merged into the preset that it extends, if any.

    Raises:
        ConfigError: there is no such preset.
    """
    problems: list[Problem] = []
    document = load_named_preset(Node(name, location or SourceLocation(name)), problems)
    if problems:
        raise ConfigError(problems)
    return document


def merge_into_preset(document: Node, problems: list[Problem]) -> Node:
    """Merge an expanded document into the preset that it names, if any."""
    if not isinstance(document.value, dict):
        return document
    rest = dict(document.value)
    key = _preset_key(rest)
    if key is None:
        return document
    name = rest.pop(key)
    if key != "preset":
        problems.append(Problem(f"unknown key '{key}'; did you mean 'preset'?", key, name.location))
    return documents.merge(load_named_preset(name, problems), Node(rest, document.location))


def _preset_key(entries: Mapping[str, Node]) -> str | None:
    """Return the key `preset`, or the unknown key that resembles it; None if there is none."""
    if "preset" in entries:
        return "preset"
    unknown = [key for key in entries if key not in TrialConfig.model_fields]
    return next((key for key in unknown if closest(key, ["preset"], MISSPELT)), None)


def load_named_preset(name: Node, problems: list[Problem]) -> Node:
    """Return the document of the preset that a node names.

    If there is none, that is appended to `problems`, and the preset with the closest name is
    returned, so that the rest of the file can be checked.

    Raises:
        ConfigError: there is none, and no close name; the error lists `problems`.
    """
    known = presets()
    found = name.value if isinstance(name.value, str) and name.value in known else None
    if found is None and isinstance(name.value, str):
        problems.append(Problem(unknown_name("preset", name.value, known), "preset", name.location))
        found = closest(name.value, known)
    elif found is None:
        text = f"expected the name of a preset, found {shown(name.plain())}"
        problems.append(Problem(text, "preset", name.location))
    if found is None:
        raise ConfigError(problems)
    return _preset_document(known[found])


@cache
def _preset_document(path: Path) -> Node:
    return merge_into_preset(documents.expand(documents.load(path)), [])


def read_trial(document: Node) -> TrialConfig:
    """Read a trial's configuration from a document, merged into the preset that it names, if any.

    Raises:
        ConfigError: the document is invalid; the error lists all problems.
    """
    problems: list[Problem] = []
    document = merge_into_preset(documents.expand(document, problems), problems)
    if _without_preset(document):
        if not problems:
            problems.append(Problem(NO_PRESET, "preset", document.location))
        raise ConfigError(problems)
    reader = Reader()
    config = reader.read(TrialConfig, document)
    with_implied = None if config is None else _with_implied(config, document)
    if with_implied is not None:
        document, reader = with_implied, Reader()
        config = reader.read(TrialConfig, document)
    problems += reader.problems()
    if config is not None:
        problems += _drop_consequential(incompatibilities(config, document), problems)
    if config is not None and not problems:
        problems += incompatibilities(config, document, costly=True)
    if config is None or problems:
        raise ConfigError(problems)
    return config


def in_file(problems: Sequence[Problem], file: str) -> list[Problem]:
    """Return the problems with `file` named first, also those whose value a preset sets."""
    names = {str(path): name for name, path in presets().items()}

    def moved(problem: Problem) -> Problem:
        place = problem.location or SourceLocation(file)
        if place.file not in names:
            return problem
        text = f"{problem.message} (set by preset '{names[place.file]}', line {place.line})"
        return Problem(text, problem.key, SourceLocation(file))

    return list(map(moved, problems))


NO_PRESET = (
    "is missing; name a preset (`workbench list preset` shows all), or give `environment`, "
    "`model`, `planner` and `procedure`"
)


def _without_preset(document: Node) -> bool:
    """Whether a document lacks what every preset sets."""
    return isinstance(document.value, dict) and not {"environment", "model"} & set(document.value)


def _with_implied(config: TrialConfig, document: Node) -> Node | None:
    """Merge the document into what its components imply; return None if they imply nothing."""
    base = Node({}, document.location)
    for path, part in iter_components(config):
        entries = documents.wrap(part.implied_config(), document.at(path).location)
        base = documents.merge(entries, base)
    if not base.value:
        return None
    return documents.merge(base, _expand_weights(document))


def _expand_weights(document: Node) -> Node:
    """Expand losses given as bare weights: `policy: 0.5` becomes `policy: {weight: 0.5}`."""
    losses = document.at(("losses",))
    if not isinstance(document.value, dict) or not isinstance(losses.value, dict):
        return document
    expanded = {name: expand_weight(entry) for name, entry in losses.value.items()}
    return Node(document.value | {"losses": Node(expanded, losses.location)}, document.location)


def _drop_consequential(found: list[Problem], problems: list[Problem]) -> list[Problem]:
    """Drop incompatibilities of components that have other problems, which may be their cause."""
    keys = [f"{problem.key}." for problem in problems]
    return [m for m in found if not any(key.startswith(f"{m.key}.") for key in keys)]


def incompatibilities(config: TrialConfig, document: Node, costly: bool = False) -> list[Problem]:
    """Return a problem for each pair of components that are valid but cannot be combined."""
    problems: list[Problem] = []
    for path, part in iter_components(config):
        check = part.costly_incompatibilities if costly else part.incompatibilities
        try:
            for message in check(config):
                problems.append(Problem(message, ".".join(path), document.at(path).location))
        except Incompatible as error:
            problems.append(Problem(str(error), ".".join(path), document.at(path).location))
    if not costly:
        problems += _duplicate_measures(config, document)
    unique = {problem.message: problem for problem in reversed(problems)}
    return list(reversed(unique.values()))


def _duplicate_measures(config: TrialConfig, document: Node) -> Iterator[Problem]:
    """Yield a problem for each measure that would overwrite the metrics of an earlier one."""
    first: dict[str, str] = {}
    for name, measure in config.measures.items():
        other = first.setdefault(measure.component, name)
        if other != name:
            text = (
                f"measure '{measure.component}' is already configured as 'measures.{other}', and "
                "both would write the same metrics; remove one"
            )
            location = document.at(("measures", name)).location
            yield Problem(text, f"measures.{name}", location)


def iter_components(
    value: Any, path: tuple[str, ...] = ()
) -> list[tuple[tuple[str, ...], ComponentConfig]]:
    """Return all components of a configuration with their paths, depth first."""
    found = [(path, value)] if isinstance(value, ComponentConfig) else []
    if isinstance(value, Config):
        for field in type(value).model_fields:
            found += iter_components(getattr(value, field), (*path, field))
    elif isinstance(value, dict):
        for key, item in value.items():
            found += iter_components(item, (*path, str(key)))
    return found
