"""The schema of one trial, and how a document becomes it with every problem told at once."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError

from workbench import documents, registry
from workbench.components import (
    ComponentConfig,
    Config,
    EnvironmentConfig,
    LossConfig,
    MeasureConfig,
    Misfit,
    ModelConfig,
    PlannerConfig,
    Positive,
    ProcedureConfig,
    Slot,
    TargetConfig,
)
from workbench.documents import Node
from workbench.errors import ConfigError, Place, Problem, nearest, unknown

SCHEMA_VERSION = 1
"""Part of every trial's identity: raised when the same file comes to mean something else."""


class TrialConfig(Config):
    """One trial, whole."""

    environment: Annotated[EnvironmentConfig, Slot("environment")]
    model: Annotated[ModelConfig, Slot("model")]
    planner: Annotated[PlannerConfig, Slot("planner")]
    targets: Annotated[dict[str, TargetConfig], Slot("target", many=True, keyed=True)] = Field(
        default_factory=dict
    )
    losses: Annotated[dict[str, LossConfig], Slot("loss", many=True)] = Field(default_factory=dict)
    procedure: Annotated[ProcedureConfig, Slot("procedure")]
    measures: Annotated[dict[str, MeasureConfig], Slot("measure", many=True)] = Field(
        default_factory=dict
    )
    evaluate_every: Positive = Field(
        1000, description="updates between two measurements; a checkpoint is kept at each"
    )
    seed: Annotated[int, Field(ge=0)] = Field(0, description="root of every random stream")
    threads: Positive = Field(1, description="threads of torch in this trial")
    device: Literal["cpu", "cuda", "mps"] = Field("cpu", description="where the networks live")

    def taught(self) -> frozenset[str]:
        """What the losses teach the model to predict."""
        return frozenset().union(*(t.requires for t in self.losses.values() if t.weight > 0))

    def untaught(self) -> list[str]:
        """What the model predicts and no loss teaches: it stays as random as it began."""
        heads = self.model.spec(self.environment.spec()).heads
        return sorted(heads - self.taught() - {"legal"})


def identity(config: TrialConfig) -> str:
    """A trial's id: twelve hex digits of the hash of its whole configuration."""
    text = json.dumps([SCHEMA_VERSION, dump(config)], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def dump(value: Any) -> Any:
    """A configuration as plain data that `read_trial` turns back into the same configuration."""
    if isinstance(value, Config):
        name = {"name": value.component} if isinstance(value, ComponentConfig) else {}
        return name | {field: dump(getattr(value, field)) for field in type(value).model_fields}
    if isinstance(value, dict):
        return {key: dump(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [dump(item) for item in value]
    return value


def presets() -> dict[str, Path]:
    """The named systems that come with the workbench, by name."""
    folder = resources.files("workbench") / "presets"
    return {path.stem: path for path in sorted(Path(str(folder)).glob("*.yaml"))}


def preset(name: str, place: Place | None = None) -> Node:
    """The document of a preset, laid over the preset that it begins from, if any."""
    known = presets()
    if name not in known:
        raise ConfigError([Problem(unknown("preset", name, known), "preset", place)])
    return over_preset(documents.expand(documents.load(known[name])))


def over_preset(document: Node) -> Node:
    """An expanded document laid over the preset that it names, if any."""
    if not isinstance(document.value, dict) or "preset" not in document.value:
        return document
    rest = dict(document.value)
    return documents.merge(named_preset(rest.pop("preset")), Node(rest, document.place))


def named_preset(named: Node) -> Node:
    """The document of the preset that a node names."""
    if not isinstance(named.value, str):
        text = f"expected the name of a preset, found {named.plain()!r}"
        raise ConfigError([Problem(text, "preset", named.place)])
    return preset(named.value, named.place)


def read_trial(document: Node) -> TrialConfig:
    """A trial's configuration from a document, over the preset that it names, if any.

    Raises:
        ConfigError: with every problem of the document.
    """
    document = over_preset(documents.expand(document))
    problems: list[Problem] = []
    config = _salvage(TrialConfig, document, problems, ())
    brought = None if config is None else _brought(config, document)
    if brought is not None:
        document, problems = brought, []
        config = _salvage(TrialConfig, document, problems, ())
    if config is not None:
        problems += _beside(misfits(config, document), problems)
    if config is None or problems:
        raise ConfigError(problems)
    return config


def _brought(config: TrialConfig, document: Node) -> Node | None:
    """The document laid over what its components bring along; None where they bring nothing."""
    base = Node({}, document.place)
    for path, part in walk(config):
        entries = documents.wrap(part.brings(), document.at(path).place)
        base = documents.merge(entries, base)
    if not base.value:
        return None
    return documents.merge(base, _spelt_out(document))


def _spelt_out(document: Node) -> Node:
    """The document with `policy: 0.5` among the losses as `policy: {weight: 0.5}`."""
    losses = document.at(("losses",))
    if not isinstance(document.value, dict) or not isinstance(losses.value, dict):
        return document
    spelt = {name: _weighted(entry) for name, entry in losses.value.items()}
    return Node(document.value | {"losses": Node(spelt, losses.place)}, document.place)


def _weighted(entry: Node) -> Node:
    """A bare number as the weight that it stands for."""
    if isinstance(entry.value, bool) or not isinstance(entry.value, int | float):
        return entry
    return Node({"weight": Node(entry.value, entry.place)}, entry.place)


def _beside(more: list[Problem], problems: list[Problem]) -> list[Problem]:
    """Misfits of parts that have no other problem, for those may go with it."""
    keys = [f"{problem.key}." for problem in problems]
    return [m for m in more if not any(key.startswith(f"{m.key}.") for key in keys)]


C = TypeVar("C", bound=Config)


def read(
    schema: type[C], node: Node, problems: list[Problem], path: tuple[str, ...] = ()
) -> C | None:
    """Validate a mapping against a schema, filling its component slots from the registry.

    Problems are appended to `problems`; the result is None if there were any here.
    """
    before = len(problems)
    config = _salvage(schema, node, problems, path)
    return config if len(problems) == before else None


def _salvage(
    schema: type[C], node: Node, problems: list[Problem], path: tuple[str, ...]
) -> C | None:
    """As `read`, but an option that has a problem is left at its default in the result."""
    if not isinstance(node.value, dict):
        problems.append(Problem(_expected("a mapping", node), ".".join(path), node.place))
        return None
    values = {
        key: _value(schema, key, child, problems, (*path, key)) for key, child in node.value.items()
    }
    failed = {key for key, value in values.items() if _must_hold(schema, key) and value is None}
    wrong: set[str] = set()
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        for detail in error.errors():
            where = tuple(str(step) for step in detail["loc"])
            if where and where[0] in failed:
                continue
            wrong.update(where[:1])
            problems.append(_explain(schema, detail, node, (*path, *where), where))
    if failed:
        return None
    try:
        return schema.model_validate({k: v for k, v in values.items() if k not in wrong})
    except ValidationError:
        return None


def _value(
    schema: type[Config], key: str, node: Node, problems: list[Problem], path: tuple[str, ...]
) -> Any:
    """What stands under a key: components, a nested record, or plain data."""
    field = schema.model_fields.get(key)
    if field is None:
        return node.plain()
    slot = next((m for m in field.metadata if isinstance(m, Slot)), None)
    empty = node.value is None and field.default is None
    if slot is not None and slot.many and not empty:
        return _read_many(slot, node, problems, path)
    if slot is not None and not empty:
        return _read_component(slot.kind, node, problems, path)
    if isinstance(field.annotation, type) and issubclass(field.annotation, Config):
        return _salvage(field.annotation, node, problems, path)
    return node.plain()


def _must_hold(schema: type[Config], key: str) -> bool:
    """Whether the key takes components or a record, and cannot be empty."""
    field = schema.model_fields.get(key)
    if field is None or field.default is None:
        return False
    nested = isinstance(field.annotation, type) and issubclass(field.annotation, Config)
    return nested or any(isinstance(m, Slot) for m in field.metadata)


def _read_many(
    slot: Slot, node: Node, problems: list[Problem], path: tuple[str, ...]
) -> dict[str, Any] | None:
    if not isinstance(node.value, dict | None):
        problems.append(Problem(_expected("a mapping", node), ".".join(path), node.place))
        return None
    parts: dict[str, Any] = {}
    for key, child in (node.value or {}).items():
        if child.value is None:
            continue  # a null takes away what the preset put there, as in the place of them all
        child = child if slot.keyed else _weighted(child)
        if not slot.keyed and isinstance(child.value, dict) and "name" not in child.value:
            child = Node({"name": Node(key, child.place), **child.value}, child.place)
        parts[key] = _read_component(slot.kind, child, problems, (*path, key))
    return None if None in parts.values() else parts


def _read_component(
    kind: str, node: Node, problems: list[Problem], path: tuple[str, ...]
) -> ComponentConfig | None:
    """A component from its bare name or from a mapping with a `name`."""
    if isinstance(node.value, bool):  # the dynamics `true`, written without quotes
        node = Node(str(node.value).lower(), node.place)
    if isinstance(node.value, str):
        node = Node({"name": node}, node.place)
    key = ".".join(path)
    if not isinstance(node.value, dict) or "name" not in node.value:
        article = "an" if kind[0] in "aeiou" else "a"
        text = f"expected {article} {kind}: its name, or a mapping with `name`; known: "
        problems.append(Problem(text + ", ".join(registry.components(kind)), key, node.place))
        return None
    options = dict(node.value)
    name = options.pop("name")
    if isinstance(name.value, bool):
        name = Node(str(name.value).lower(), name.place)
    found = registry.component(kind, name.value) if isinstance(name.value, str) else None
    if found is None:
        known = registry.components(kind)
        problems.append(Problem(unknown(kind, str(name.value), known), key, name.place))
        return None
    return _salvage(found, Node(options, node.place), problems, path)


def _expected(what: str, node: Node) -> str:
    return f"expected {what}, found {node.plain()!r}"


def _explain(
    schema: type[Config], detail: Any, node: Node, path: tuple[str, ...], where: tuple[str, ...]
) -> Problem:
    key, place = ".".join(path), node.at(where).place
    if detail["type"] == "extra_forbidden":
        return Problem(unknown("key", where[-1], schema.model_fields), key, place)
    if detail["type"] == "missing":
        return Problem("is missing", key, place)
    message = str(detail["msg"])
    if detail["type"] == "literal_error":
        message += nearest(str(detail["input"]), re.findall(r"'(.*?)'", message))
    message = message[0].lower() + message[1:]
    return Problem(f"{message}, found {detail['input']!r}", key, place)


def misfits(config: TrialConfig, document: Node) -> list[Problem]:
    """Components that are each right but do not go together."""
    problems: list[Problem] = []
    for path, part in walk(config):
        try:
            for message in part.misfits(config):
                problems.append(Problem(message, ".".join(path), document.at(path).place))
        except Misfit as misfit:
            problems.append(Problem(str(misfit), ".".join(path), document.at(path).place))
    problems += _measured_twice(config, document)
    unique = {problem.message: problem for problem in reversed(problems)}
    return list(reversed(unique.values()))


def _measured_twice(config: TrialConfig, document: Node) -> Iterator[Problem]:
    """Measures of one kind: what one writes the other would overwrite."""
    first: dict[str, str] = {}
    for name, measure in config.measures.items():
        other = first.setdefault(measure.component, name)
        if other != name:
            text = f"is a '{measure.component}' as 'measures.{other}' is, under the same metrics"
            place = document.at(("measures", name)).place
            yield Problem(f"{text}; leave one out", f"measures.{name}", place)


def walk(value: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], ComponentConfig]]:
    """Every component of a configuration with its path."""
    found = [(path, value)] if isinstance(value, ComponentConfig) else []
    if isinstance(value, Config):
        for field in type(value).model_fields:
            found += walk(getattr(value, field), (*path, field))
    elif isinstance(value, dict):
        for key, item in value.items():
            found += walk(item, (*path, str(key)))
    return found
