"""JSON Schema of configurations, generated from the classes of all components.

A file is a set of overrides, so that no key is required. Dotted keys are listed one by one, because
editors complete them, to the depth at which a component can contain one of its own kind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, TypeAlias, get_args

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from workbench import registry
from workbench.components import ComponentField, Config
from workbench.config import TrialConfig, dump, presets

Schema: TypeAlias = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

WEIGHT: Schema = {"type": "number", "description": "weight of this term in the objective"}


def options(record: type[Config]) -> dict[str, Schema]:
    """Return the schema of each option of a component or nested record, by name.

    The option of a component has the key `component` with the kind instead of a type. An option
    without `default` is required.
    """
    return {name: _option(field) for name, field in record.model_fields.items()}


def _option(field: FieldInfo) -> Schema:
    marker = component_field(field)
    if marker is not None:
        schema: Schema = {"component": marker.kind, "many": marker.many, "keyed": marker.keyed}
    elif (record := _record(field)) is not None:
        schema = {"type": "object", "properties": options(record), "additionalProperties": False}
    else:
        schema = _plain(field)
    schema["nullable"] = type(None) in get_args(field.annotation)
    if field.description:
        schema["description"] = field.description
    if not field.is_required():
        schema["default"] = dump(field.get_default(call_default_factory=True))
    return schema


def component_field(field: FieldInfo) -> ComponentField | None:
    """Return the annotation of a field that holds components; None for any other field."""
    return next((m for m in field.metadata if isinstance(m, ComponentField)), None)


def _record(field: FieldInfo) -> type[Config] | None:
    cls = field.annotation
    return cls if isinstance(cls, type) and issubclass(cls, Config) else None


def _plain(field: FieldInfo) -> Schema:
    """Return the schema of plain data, without titles and references."""
    annotation: Any = field.annotation
    if field.metadata:
        annotation = Annotated[(annotation, *field.metadata)]
    schema = TypeAdapter(annotation).json_schema()
    return dict(_inlined(schema, schema.pop("$defs", {})))


def _inlined(schema: Any, definitions: Mapping[str, Schema]) -> Any:
    if isinstance(schema, list):
        return [_inlined(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {
        key: _inlined(value, definitions)
        for key, value in schema.items()
        if key != "title" or not isinstance(value, str)
    }


def trial_schema() -> Schema:
    """Return the JSON Schema of the file of a trial."""
    trial = overrides({"preset": preset_schema()})
    title = {"$schema": DIALECT, "title": "Trial of the workbench"}
    return title | trial | {"$defs": definitions()}


def to_text(schema: Schema) -> str:
    """Return a schema as text with one line per key and definition."""
    lines = []
    for key, value in schema.items():
        text = json.dumps(value)
        if key in ("properties", "$defs"):
            rows = [f"{json.dumps(name)}: {json.dumps(one)}" for name, one in value.items()]
            text = "{\n" + ",\n".join(rows) + "\n}"
        lines.append(f"{json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def preset_schema() -> Schema:
    """Return the schema of the name of a preset."""
    return {"enum": list(presets()), "description": "the configuration to start from"}


def overrides(further: Mapping[str, Schema]) -> Schema:
    """Return the schema of a mapping with the keys of a trial, dotted keys and further keys."""
    entries = options(TrialConfig)
    nested = {name: _entry(schema) for name, schema in entries.items()}
    dotted = dict(_dotted(entries, "", ()))
    checked = {key: schema for key, schema in dotted.items() if not key.endswith(".")}
    open_ended = [key.removesuffix(".") for key in dotted if key.endswith(".")]
    open_ended += [name for name, schema in entries.items() if schema.get("many")]
    return closed({**further, **nested, **checked}) | {"patternProperties": _below(open_ended)}


def closed(properties: Mapping[str, Schema]) -> Schema:
    """Return the schema of a mapping that has no other keys."""
    return {"type": "object", "properties": dict(properties), "additionalProperties": False}


def definitions() -> dict[str, Schema]:
    """Return a schema for each component, and one of each kind that allows any of them."""
    found: dict[str, Schema] = {}
    for kind in registry.FOLDERS:
        for name, cls in registry.components(kind).items():
            found[f"{kind}.{name}"] = {"description": summary(cls)} | _mapping(
                {"name": {"enum": _spellings([name])}, **option_entries(cls)}
            )
        found[_options_of(kind)] = _mapping(
            {name: _entry(schema) for name, schema in merged_options(kind).items()}
        )
        found[kind] = _any_of_kind(kind)
    return found


def summary(cls: type[Config]) -> str:
    """Return the first line of a component's docstring."""
    return (cls.__doc__ or "").strip().split("\n")[0]


def _any_of_kind(kind: str) -> Schema:
    """Return a schema for a name, a mapping with a `name`, or options of the preset's component."""
    names = list(registry.components(kind))
    named = [{"$ref": f"#/$defs/{kind}.{name}"} | {"required": ["name"]} for name in names]
    return {
        "anyOf": [{"enum": _spellings(names)}, *named, {"$ref": f"#/$defs/{_options_of(kind)}"}]
    }


def _options_of(kind: str) -> str:
    """Return the key of the schema for options of any component of a kind, without a name."""
    return f"options_of_{kind}"


def _spellings(names: list[str]) -> list[str | bool]:
    """Return the names; YAML reads the name `true` as a boolean."""
    return [*names, True] if "true" in names else [*names]


def merged_options(kind: str) -> dict[str, Schema]:
    """Return the options of all components of a kind; one of several has alternative schemas."""
    found: dict[str, list[Schema]] = {}
    for cls in registry.components(kind).values():
        for name, schema in options(cls).items():
            known = found.setdefault(name, [])
            if _bare(schema) not in map(_bare, known):
                known.append(schema)
    return {
        name: schemas[0] if len(schemas) == 1 else {"anyOf": schemas, "nullable": False}
        for name, schemas in found.items()
    }


def _bare(schema: Schema) -> Schema:
    """Return the schema without what only one component says of the option."""
    return {key: v for key, v in schema.items() if key not in ("description", "default")}


def option_entries(cls: type[Config]) -> dict[str, Schema]:
    """Return the JSON Schema of each key of a component or record."""
    return {name: _entry(schema) for name, schema in options(cls).items()}


def _entry(option: Schema) -> Schema:
    """Convert an option to the JSON Schema of its value in a file."""
    schema = {key: v for key, v in option.items() if key not in _INTERNAL}
    if "component" in option:
        schema |= _slot(option)
    elif "properties" in option:
        nested = {name: _entry(child) for name, child in option["properties"].items()}
        schema |= _mapping(nested)
    elif "anyOf" in option:
        schema |= {"anyOf": [_entry(one) if "nullable" in one else one for one in option["anyOf"]]}
    if option["nullable"] and "component" in option:
        schema = {"anyOf": [schema, {"type": "null"}]}
    return schema


_INTERNAL = ("component", "many", "keyed", "nullable", "only", "at")


def _slot(option: Schema) -> Schema:
    """Return the schema of a key that holds a component, or a mapping of components."""
    kind = option["component"]
    if "only" in option:
        return _named(kind, option["only"])
    if not option["many"]:
        return {"$ref": f"#/$defs/{kind}"}
    removed: Schema = {"type": "null"}
    other: Schema = {"anyOf": [{"$ref": f"#/$defs/{kind}"}, removed]}
    if option["keyed"]:
        return {"type": "object", "additionalProperties": other}
    named = {name: _named(kind, name) for name in registry.components(kind)}
    return _mapping(named) | {"additionalProperties": other}


def _named(kind: str, name: str) -> Schema:
    """Return the schema of a key that names its component, such as `losses.policy`."""
    weight = [WEIGHT] if kind == "loss" else []
    parts: list[Schema] = [{"$ref": f"#/$defs/{kind}.{name}"}, {"$ref": f"#/$defs/{kind}"}]
    return {"anyOf": [*parts, *weight, {"type": "null"}]}


def _mapping(entries: Mapping[str, Schema]) -> Schema:
    """Return a mapping of these keys. Dotted keys below them are allowed, but not checked."""
    return closed(entries) | {"patternProperties": _below(entries)}


def _below(entries: Iterable[str]) -> Schema:
    return {rf"^({'|'.join(map(re.escape, entries))})\.": {}}


def _dotted(
    entries: Mapping[str, Schema], prefix: str, kinds: tuple[str, ...]
) -> Iterator[tuple[str, Schema]]:
    """Yield all dotted keys below the entries with their schemas.

    A key that ends in a dot stands for all keys below a component inside another of its kind.

    Args:
        entries: options by name.
        prefix: dotted key of the mapping that holds them, with a dot at its end.
        kinds: kinds of the components that contain it, none of which is entered twice.
    """
    for name, option in entries.items():
        for child, schema, inside in _children(option, kinds):
            key = f"{prefix}{name}.{child}"
            yield key, {"$ref": schema["at"]} if "at" in schema else _entry(schema)
            if child:
                yield from _dotted({child: schema}, f"{prefix}{name}.", inside)


def _children(
    option: Schema, kinds: tuple[str, ...]
) -> Iterator[tuple[str, Schema, tuple[str, ...]]]:
    """Yield the keys directly below an option, and the kinds that they are in."""
    for name, schema in option.get("properties", {}).items():
        yield name, schema, kinds
    kind = option.get("component")
    if kind in kinds:
        yield "", option, kinds
    if kind is None or kind in kinds:
        return
    if option["many"]:
        yield from _members(option, kinds)
        return
    known = registry.components(kind)
    if "only" in option:
        shared, below = f"{kind}.{option['only']}", options(known[option["only"]])
    else:
        shared, below = _options_of(kind), merged_options(kind)
        yield "name", {"enum": _spellings(list(known)), "nullable": False}, kinds
    for name, schema in below.items():
        at = f"#/$defs/{shared}/properties/{name}"
        yield name, schema | {"at": at}, (*kinds, kind)


def _members(
    option: Schema, kinds: tuple[str, ...]
) -> Iterator[tuple[str, Schema, tuple[str, ...]]]:
    """Yield the keys of a mapping of components."""
    kind = option["component"]
    one = {"component": kind, "many": False, "keyed": False, "nullable": True}
    for name, cls in registry.components(kind).items():
        if not option["keyed"]:
            yield name, one | {"only": name}, kinds
        elif role := getattr(cls, "role", ""):
            yield role, one, kinds
