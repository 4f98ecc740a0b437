"""The configuration schema of one trial, and reading it with all problems reported at once."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError

from workbench import documents, registry, renames
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
from workbench.errors import ConfigError, Problem, SourceLocation, did_you_mean, unknown_name

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
    seed: Annotated[int, Field(ge=0)] = Field(0, description="root seed of all random streams")
    threads: Positive = Field(1, description="number of torch threads")
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
    text = json.dumps([SCHEMA_VERSION, dump(config)], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


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
    """Return the document of a preset, merged into the preset that it extends, if any."""
    known = presets()
    if name not in known:
        raise ConfigError([Problem(unknown_name("preset", name, known), "preset", location)])
    return merge_into_preset(documents.expand(documents.load(known[name])))


def merge_into_preset(document: Node) -> Node:
    """Merge an expanded document into the preset that it names, if any."""
    if not isinstance(document.value, dict) or "preset" not in document.value:
        return document
    rest = dict(document.value)
    return documents.merge(load_named_preset(rest.pop("preset")), Node(rest, document.location))


def load_named_preset(name: Node) -> Node:
    """Return the document of the preset that a node names."""
    if not isinstance(name.value, str):
        text = f"expected the name of a preset, found {name.plain()!r}"
        raise ConfigError([Problem(text, "preset", name.location)])
    return preset(name.value, name.location)


def read_trial(document: Node) -> TrialConfig:
    """Read a trial's configuration from a document, merged into the preset that it names, if any.

    Raises:
        ConfigError: the document is invalid; the error lists all problems.
    """
    document = merge_into_preset(documents.expand(document))
    problems: list[Problem] = []
    config = _validate_partial(TrialConfig, document, problems, ())
    with_implied = None if config is None else _with_implied(config, document)
    if with_implied is not None:
        document, problems = with_implied, []
        config = _validate_partial(TrialConfig, document, problems, ())
    if config is not None:
        problems += _drop_consequential(incompatibilities(config, document), problems)
    if config is None or problems:
        raise ConfigError(problems)
    return config


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
    expanded = {name: _expand_weight(entry) for name, entry in losses.value.items()}
    return Node(document.value | {"losses": Node(expanded, losses.location)}, document.location)


def _expand_weight(entry: Node) -> Node:
    """Expand a bare number to `{weight: number}`."""
    if isinstance(entry.value, bool) or not isinstance(entry.value, int | float):
        return entry
    return Node({"weight": Node(entry.value, entry.location)}, entry.location)


def _drop_consequential(found: list[Problem], problems: list[Problem]) -> list[Problem]:
    """Drop incompatibilities of components that have other problems, which may be their cause."""
    keys = [f"{problem.key}." for problem in problems]
    return [m for m in found if not any(key.startswith(f"{m.key}.") for key in keys)]


C = TypeVar("C", bound=Config)


def read(
    schema: type[C], node: Node, problems: list[Problem], path: tuple[str, ...] = ()
) -> C | None:
    """Validate a mapping against a schema, reading its components from the registry.

    Appends all problems to `problems`, and returns None if there were any.
    """
    before = len(problems)
    config = _validate_partial(schema, node, problems, path)
    return config if len(problems) == before else None


def _validate_partial(
    schema: type[C], node: Node, problems: list[Problem], path: tuple[str, ...]
) -> C | None:
    """Validate as `read`, but return a result in which invalid options keep their defaults."""
    if not isinstance(node.value, dict):
        problems.append(Problem(_expected("a mapping", node), ".".join(path), node.location))
        return None
    values = {
        key: _read_field(schema, key, child, problems, (*path, key))
        for key, child in node.value.items()
    }
    failed = {
        key for key, value in values.items() if _is_component_field(schema, key) and value is None
    }
    invalid: set[str] = set()
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        for detail in error.errors():
            where = tuple(str(step) for step in detail["loc"])
            if where and where[0] in failed:
                continue
            invalid.update(where[:1])
            problems.append(_to_problem(schema, detail, node, (*path, *where), where))
    if failed:
        return None
    try:
        return schema.model_validate({k: v for k, v in values.items() if k not in invalid})
    except ValidationError:
        return None


def _read_field(
    schema: type[Config], key: str, node: Node, problems: list[Problem], path: tuple[str, ...]
) -> Any:
    """Read the value of a key: components, a nested record, or plain data."""
    field = schema.model_fields.get(key)
    if field is None:
        return node.plain()
    marker = next((m for m in field.metadata if isinstance(m, ComponentField)), None)
    empty = node.value is None and field.default is None
    if marker is not None and marker.many and not empty:
        return _read_many(marker, node, problems, path)
    if marker is not None and not empty:
        return _read_component(marker.kind, node, problems, path)
    if isinstance(field.annotation, type) and issubclass(field.annotation, Config):
        return _validate_partial(field.annotation, node, problems, path)
    return node.plain()


def _is_component_field(schema: type[Config], key: str) -> bool:
    """Whether the key holds components or a nested record, and cannot be empty."""
    field = schema.model_fields.get(key)
    if field is None or field.default is None:
        return False
    nested = isinstance(field.annotation, type) and issubclass(field.annotation, Config)
    return nested or any(isinstance(m, ComponentField) for m in field.metadata)


def _read_many(
    field: ComponentField, node: Node, problems: list[Problem], path: tuple[str, ...]
) -> dict[str, Any] | None:
    if not isinstance(node.value, dict | None):
        problems.append(Problem(_expected("a mapping", node), ".".join(path), node.location))
        return None
    parts: dict[str, Any] = {}
    for key, child in (node.value or {}).items():
        if child.value is None:
            continue  # null removes an entry of the preset
        child = child if field.keyed else _expand_weight(child)
        if not field.keyed and isinstance(child.value, dict) and "name" not in child.value:
            child = Node({"name": Node(key, child.location), **child.value}, child.location)
        parts[key] = _read_component(field.kind, child, problems, (*path, key))
    return None if None in parts.values() else parts


def _read_component(
    kind: str, node: Node, problems: list[Problem], path: tuple[str, ...]
) -> ComponentConfig | None:
    """Read a component from its bare name or from a mapping with a `name`."""
    if isinstance(node.value, bool):  # YAML reads the name of the dynamics `true` as a boolean
        node = Node(str(node.value).lower(), node.location)
    if isinstance(node.value, str):
        node = Node({"name": node}, node.location)
    key = ".".join(path)
    if not isinstance(node.value, dict) or "name" not in node.value:
        article = "an" if kind[0] in "aeiou" else "a"
        text = f"expected {article} {kind}: its name, or a mapping with `name`; known: "
        problems.append(Problem(text + ", ".join(registry.components(kind)), key, node.location))
        return None
    options = dict(node.value)
    name = options.pop("name")
    if isinstance(name.value, bool):
        name = Node(str(name.value).lower(), name.location)
    cls = registry.component(kind, name.value) if isinstance(name.value, str) else None
    if cls is None:
        text = registry.unknown_component(kind, str(name.value))
        if current := renames.COMPONENTS.get((kind, str(name.value))):
            text = f"{kind} '{name.value}' was renamed to `{current}`"
        problems.append(Problem(text, key, name.location))
        return None
    return _validate_partial(cls, Node(options, node.location), problems, path)


def _expected(what: str, node: Node) -> str:
    return f"expected {what}, found {node.plain()!r}"


def _to_problem(
    schema: type[Config], detail: Any, node: Node, path: tuple[str, ...], where: tuple[str, ...]
) -> Problem:
    """Convert an error detail of pydantic to a problem with its location."""
    key, location = ".".join(path), node.at(where).location
    if detail["type"] == "extra_forbidden":
        if current := renames.renamed_key(schema, where[-1]):
            return Problem(f"was renamed to `{current}`", key, location)
        return Problem(unknown_name("key", where[-1], schema.model_fields), key, location)
    if detail["type"] == "missing":
        return Problem("is missing", key, location)
    message = str(detail["msg"])
    if detail["type"] == "literal_error":
        message += did_you_mean(str(detail["input"]), re.findall(r"'(.*?)'", message))
    message = message[0].lower() + message[1:]
    return Problem(f"{message}, found {detail['input']!r}", key, location)


def incompatibilities(config: TrialConfig, document: Node) -> list[Problem]:
    """Return a problem for each pair of components that are valid but cannot be combined."""
    problems: list[Problem] = []
    for path, part in iter_components(config):
        try:
            for message in part.incompatibilities(config):
                problems.append(Problem(message, ".".join(path), document.at(path).location))
        except Incompatible as error:
            problems.append(Problem(str(error), ".".join(path), document.at(path).location))
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
