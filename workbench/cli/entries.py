"""Descriptions of components, presets and metrics as data, and their text for a terminal."""

from __future__ import annotations

import inspect
import shutil
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from itertools import takewhile
from pathlib import Path
from typing import Any

import typer
import yaml

from workbench import config_schema, registry
from workbench.cli.names import METRIC, PRESET
from workbench.config import dump, preset, presets, read_trial
from workbench.metrics import METRICS

Entry = dict[str, Any]

SHORT = ("name", "description", "unit", "better", "measure", "version")
WITH_OPTIONS = (*SHORT, "options")
"""Keys of an entry in a list."""

MODELINE = "# yaml-language-server:"
"""Start of a first line that names the schema of the file."""

TYPES = {"integer": "int", "number": "float", "string": "str", "boolean": "bool", "array": "list"}


def entry(kind: str, name: str, full: bool = False) -> Entry:
    """Return the description of a component, preset or metric; `full` adds a preset's values."""
    if kind == METRIC:
        return {"kind": kind, **asdict(METRICS[name])}
    if kind == PRESET:
        path = presets()[name]
        values = {"values": dump(read_trial(preset(name)))} if full else {}
        return {"kind": kind, "name": name, "description": _heading(path), **values}
    cls = registry.components(kind)[name]
    return {
        "kind": kind,
        "name": name,
        "description": config_schema.summary(cls),
        "documentation": inspect.cleandoc(cls.__doc__ or ""),
        "class": f"{cls.__module__}.{cls.__qualname__}",
        "options": config_schema.options(cls),
    }


def _heading(path: Path) -> str:
    """Return the first comment paragraph of a preset file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    lines = lines[1:] if lines[0].startswith(MODELINE) else lines
    paragraph = takewhile(lambda line: line.startswith("# "), lines)
    return " ".join(line.lstrip("# ") for line in paragraph)


def print_list(entries: list[Entry], options: bool) -> None:
    """Print one line per entry, and below it one line per option."""
    width = max((len(entry["name"]) for entry in entries), default=0)
    for one in entries:
        _print(f"  {one['name']:<{width}}  ", _line(one))
        for line in _options(one["options"]) if options and "options" in one else ():
            _print("      ", line, hanging="    ")


def _line(one: Entry) -> str:
    if one.get("kind") != METRIC:
        return str(one["description"])
    measure = f"measure `{one['measure']}`" if one["measure"] else "training"
    unit = f"{one['unit']}, " if one["unit"] else ""
    text = f"{one['title']}: {unit}{one['better']} is better; {measure}"
    return f"{text}, version {one['version']}"


def print_description(one: Entry) -> None:
    """Print everything that is known of an entry."""
    typer.secho(f"{one['kind']} {one['name']}", bold=True)
    if one["kind"] == METRIC:
        for key, value in one.items():
            if key not in ("kind", "name"):
                _print(f"  {key + ':':<13}", str(value))
        return
    documentation = one.get("documentation", one["description"])
    for paragraph in str(documentation).split("\n\n"):
        _print("  ", " ".join(paragraph.split()))
        typer.echo()
    if "values" in one:
        text = yaml.safe_dump(one["values"], sort_keys=False, default_flow_style=None, width=88)
        typer.echo(textwrap.indent(text, "  "), nl=False)
        return
    typer.echo(f"  {one['class']}")
    for line in _options(one["options"]):
        _print("  ", line, hanging="    ")


def _options(options: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield a line `name: type = default  description` for each option and nested option."""
    for name, schema in options.items():
        if "properties" in schema:
            yield from _options(schema["properties"], f"{prefix}{name}.")
            continue
        default = f" = {_default(schema['default'])}" if "default" in schema else ""
        note = f"  {schema['description']}" if "description" in schema else ""
        yield f"{prefix}{name}: {type_text(schema)}{default}{note}"


def _default(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000)
    return text.removesuffix("...\n").strip()


def type_text(schema: dict[str, Any]) -> str:
    """Return type and bounds of an option in a few words."""
    if "component" in schema:
        text = schema["component"]
    elif "enum" in schema:
        text = " | ".join(map(str, schema["enum"]))
    elif "anyOf" in schema:
        return " | ".join(map(type_text, schema["anyOf"]))
    else:
        text = TYPES.get(schema.get("type", "any"), schema.get("type", "any"))
        text += f" of {type_text(schema['items'])}" if "items" in schema else ""
        text += _bounds(schema)
    return f"{text} | null" if schema.get("nullable") else text


def _bounds(schema: dict[str, Any]) -> str:
    signs = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}
    words = [f"{sign} {schema[key]:g}" for key, sign in signs.items() if key in schema]
    words += [f"a multiple of {schema['multipleOf']}"] if "multipleOf" in schema else []
    return f" {', '.join(words)}" if words else ""


def _print(start: str, text: str, hanging: str = "") -> None:
    """Print text after `start`, wrapped at the width of the terminal; a pipe gets one line."""
    columns = shutil.get_terminal_size((0, 0)).columns
    line = start + text
    if columns and len(line) > columns:
        indent = hanging + " " * len(start)
        indent = indent if 2 * len(indent) <= columns else "    "
        line = textwrap.fill(text, columns, initial_indent=start, subsequent_indent=indent)
    typer.echo(line)
