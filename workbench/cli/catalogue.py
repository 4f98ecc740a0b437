"""`workbench list`: list all components with their options."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from workbench.errors import WorkbenchError, unknown_name

if TYPE_CHECKING:
    from workbench.components import ComponentConfig


def catalogue(
    kind: Annotated[
        str | None,
        typer.Argument(
            help="A kind of component, or `preset`; by default all.", show_default=False
        ),
    ] = None,
    options: Annotated[
        bool, typer.Option("--options", help="Also show the options of each component.")
    ] = False,
) -> None:
    """List the components and presets that configurations can use."""
    from workbench import registry

    kinds = [*registry.FOLDERS, "preset"]
    if kind is not None and kind not in kinds:
        raise WorkbenchError(unknown_name("kind", kind, kinds))
    for one in kinds if kind is None else [kind]:
        typer.secho(one, bold=True)
        _presets() if one == "preset" else _components(registry.components(one), options)


def _components(components: dict[str, type[ComponentConfig]], options: bool) -> None:
    width = max(map(len, components), default=0)
    for name, component in components.items():
        typer.echo(f"  {name:<{width}}  {first_line(component)}")
        if options:
            for line in describe(component):
                typer.echo(f"      {line}")


def first_line(component: type[ComponentConfig]) -> str:
    """Return the first line of a component's docstring."""
    return (component.__doc__ or "").strip().split("\n")[0]


def describe(component: type[ComponentConfig]) -> list[str]:
    """Return a line `name: type = default  description` for each option of a component."""
    lines = []
    for name, field in component.model_fields.items():
        default = (
            ""
            if field.is_required()
            else f" = {_default(field.get_default(call_default_factory=True))}"
        )
        note = f"  {field.description}" if field.description else ""
        lines.append(f"{name}: {_type_name(field.annotation)}{default}{note}")
    return lines


def _default(value: Any) -> Any:
    name = getattr(value, "component", None)
    return name if isinstance(name, str) else value


def _type_name(annotation: Any) -> str:
    """Return a type in the terms of a YAML file."""
    if isinstance(annotation, UnionType):
        return " | ".join(_type_name(part) for part in get_args(annotation)).replace(
            "NoneType", "None"
        )
    if isinstance(annotation, type) and not getattr(annotation, "__args__", None):
        return annotation.__name__
    return str(annotation).replace("typing.", "").replace("Literal", "one of ")


def _presets() -> None:
    from workbench.config import presets

    files = presets()
    width = max(map(len, files), default=0)
    for name, path in files.items():
        typer.echo(f"  {name:<{width}}  {_heading(path)}")


def _heading(path: Path) -> str:
    """Return the first comment paragraph of a preset file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    paragraph = takewhile(lambda line: line.startswith("# "), lines)
    return " ".join(line.lstrip("# ") for line in paragraph)
