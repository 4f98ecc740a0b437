"""Validates documents against schemas: components are read from the registry, problems collected.

A problem does not hide others: a misspelt key is read as the key that was meant, so that its value
is checked too and nothing is reported missing because of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import ValidationError

from workbench import registry, renames
from workbench.components import ComponentConfig, ComponentField, Config
from workbench.documents import Node
from workbench.errors import Problem, closest, did_you_mean, shown, unknown_name
from workbench.suggestions import SYNONYMS, elsewhere

C = TypeVar("C", bound=Config)
Path = tuple[str, ...]

MISSPELT = 0.75
"""Similarity from which an unknown key is read as the known one."""

_KINDS_OF_VALUES = {
    "int": "a whole number",
    "float": "a number",
    "bool": "`true` or `false`",
    "string": "text",
    "dict": "a mapping",
    "model": "a mapping",
    "list": "a list",
    "tuple": "a list",
}
"""For the first word of a pydantic error type, the kind of value that was expected."""


def read(schema: type[C], node: Node, problems: list[Problem], path: Path = ()) -> C | None:
    """Validate a mapping against a schema, reading its components from the registry.

    Appends all problems to `problems`, and returns None if there were any.
    """
    reader = Reader()
    config = reader.read(schema, node, path)
    problems += reader.problems()
    return None if reader.problems() else config


def spellings(schema: type[Config], entries: Iterable[str]) -> dict[str, str]:
    """Return, for each key of a schema that stands in a file, its spelling there.

    An unknown key counts as the known one that it resembles or was renamed to, if that is absent.
    """
    fields = schema.model_fields
    found = {key: key for key in entries if key in fields}
    for key in entries:
        if key not in fields:
            absent = [field for field in fields if field not in found]
            meant = _meant(schema, key) or closest(key, absent, MISSPELT)
            if meant in absent:
                found[meant] = key
    return found


def _meant(schema: type[Config], key: str) -> str | None:
    """Return the key of a schema that an unknown key was renamed to, or is another word for."""
    meant = renames.renamed_key(schema, key) or SYNONYMS.get(key)
    return meant if meant in schema.model_fields else None


class Reader:
    """Reads configurations from documents and collects the problems."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        """Dotted paths of all keys that the schemas of the documents know."""
        self._problems: list[Problem] = []
        self._unknown: dict[int, tuple[type[Config], str, Path]] = {}
        """For the index of each problem of an unknown key: schema, key, and the wanted path."""

    def problems(self) -> list[Problem]:
        """Return all problems; those of unknown keys suggest a key or a path."""
        return [
            replace(problem, message=self._suggest(*self._unknown[index]))
            if index in self._unknown
            else problem
            for index, problem in enumerate(self._problems)
        ]

    def read(self, schema: type[C], node: Node, path: Path = ()) -> C | None:
        """Validate a mapping; in the result, invalid options keep their defaults.

        Returns None if a required value is missing or invalid.
        """
        if not isinstance(node.value, dict):
            self._add(f"expected a mapping, found {shown(node.plain())}", path, node)
            return None
        self.paths += [".".join((*path, field)) for field in schema.model_fields]
        places = spellings(schema, node.value)
        for key, child in node.value.items():
            if key not in schema.model_fields:
                self._add_unknown(schema, key, child, path)
        values = {
            key: self._field(schema, key, node.value[place], (*path, place))
            for key, place in places.items()
        }
        failed = {
            key for key, value in values.items() if _is_component(schema, key) and value is None
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
                place = tuple(places.get(step, step) for step in where[:1]) + where[1:]
                self._add_detail(detail, node, path, place)
        if failed:
            return None
        try:
            return schema.model_validate({k: v for k, v in values.items() if k not in invalid})
        except ValidationError:
            return None

    def _add_unknown(self, schema: type[Config], key: str, node: Node, path: Path) -> None:
        current = renames.renamed_key(schema, key)
        if current is None:
            wanted = (*path, *key.split("."), *_only_path(node))
            self._unknown[len(self._problems)] = (schema, key, wanted)
        self._add(f"was renamed to `{current}`", (*path, key), node)

    def _suggest(self, schema: type[Config], key: str, wanted: Path) -> str:
        """Return the message for an unknown key, once all known paths are collected."""
        fields = schema.model_fields
        if SYNONYMS.get(key) not in fields and closest(key, fields, MISSPELT):
            return unknown_name("key", key, fields)
        return unknown_name("key", key, fields, elsewhere(wanted, self.paths))

    def _field(self, schema: type[Config], key: str, node: Node, path: Path) -> Any:
        """Read the value of a key: components, a nested record, or plain data."""
        field = schema.model_fields[key]
        marker = next((m for m in field.metadata if isinstance(m, ComponentField)), None)
        empty = node.value is None and field.default is None
        if marker is not None and marker.many and not empty:
            return self._many(marker, node, path)
        if marker is not None and not empty:
            return self._component(marker.kind, node, path)
        if isinstance(field.annotation, type) and issubclass(field.annotation, Config):
            return self.read(field.annotation, node, path)
        return node.plain()

    def _many(self, field: ComponentField, node: Node, path: Path) -> dict[str, Any] | None:
        if not isinstance(node.value, dict | None):
            self._add(f"expected a mapping, found {shown(node.plain())}", path, node)
            return None
        parts: dict[str, Any] = {}
        for key, child in (node.value or {}).items():
            if child.value is None:
                continue  # null removes an entry of the preset
            child = child if field.keyed else expand_weight(child)
            if not field.keyed and isinstance(child.value, dict) and "name" not in child.value:
                name = Node(key, child.location, key)
                child = Node({"name": name, **child.value}, child.location)
            parts[key] = self._component(field.kind, child, (*path, key))
        return None if None in parts.values() else parts

    def _component(self, kind: str, node: Node, path: Path) -> ComponentConfig | None:
        """Read a component from its bare name or from a mapping with a `name`."""
        if isinstance(node.value, str | bool):
            node = Node({"name": node}, node.location)
        if not isinstance(node.value, dict) or "name" not in node.value:
            article = "an" if kind[0] in "aeiou" else "a"
            known = ", ".join(registry.components(kind))
            text = f"expected {article} {kind}: its name, or a mapping with `name`; known: {known}"
            self._add(text, path, node)
            return None
        options = dict(node.value)
        name = options.pop("name")
        # YAML reads the name of the dynamics `true` as a boolean.
        found = str(name.value).lower() if isinstance(name.value, bool) else name.value
        cls = registry.component(kind, found) if isinstance(found, str) else None
        if cls is None:
            word = found if isinstance(found, str) else shown(name.plain())
            text = registry.unknown_component(kind, word)
            if current := renames.COMPONENTS.get((kind, word)):
                text = f"{kind} '{word}' was renamed to `{current}`"
            self._add(text, path, name)
            return None
        return self.read(cls, Node(options, node.location), path)

    def _add(self, message: str, path: Path, node: Node) -> None:
        self._problems.append(Problem(message, ".".join(path), node.location))

    def _add_detail(self, detail: Any, node: Node, path: Path, where: Path) -> None:
        """Add the problem that an error detail of pydantic describes."""
        place = node.at(where)
        if detail["type"] == "missing":
            self._add("is missing", (*path, *where), place)
            return
        message = str(detail["msg"]).removeprefix("Value error, ")
        found = f", found {shown(place.plain())}"
        if detail["type"] == "value_error":  # a validator of the schema, which says what it found
            found = "" if "found" in message or not where else found
        first = str(detail["type"]).partition("_")[0]
        if str(detail["type"]).endswith(("_type", "_from_float")) and first in _KINDS_OF_VALUES:
            message = f"expected {_KINDS_OF_VALUES[first]}"
        if detail["type"] == "literal_error":
            message += did_you_mean(str(detail["input"]), re.findall(r"'(.*?)'", message))
        self._add(f"{message[0].lower()}{message[1:]}{found}", (*path, *where), place)


def expand_weight(entry: Node) -> Node:
    """Expand a loss that is given as a bare number to `{weight: number}`."""
    if isinstance(entry.value, bool) or not isinstance(entry.value, int | float):
        return entry
    return Node({"weight": entry}, entry.location)


def _only_path(node: Node) -> Path:
    """Return the keys of nested mappings as long as each has one key only."""
    path: list[str] = []
    while isinstance(node.value, dict) and len(node.value) == 1:
        key, node = next(iter(node.value.items()))
        path.append(key)
    return tuple(path)


def _is_component(schema: type[Config], key: str) -> bool:
    """Whether the key holds components or a nested record, and cannot be empty."""
    field = schema.model_fields[key]
    if field.default is None:
        return False
    nested = isinstance(field.annotation, type) and issubclass(field.annotation, Config)
    return nested or any(isinstance(m, ComponentField) for m in field.metadata)
