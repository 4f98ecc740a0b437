"""`workbench list`: every component that there is, with its options."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from workbench.errors import WorkbenchError, unknown

if TYPE_CHECKING:
    from workbench.components import ComponentConfig


def catalogue(
    kind: Annotated[
        str | None, typer.Argument(help="One kind of component, or `preset`.", show_default=False)
    ] = None,
    options: Annotated[
        bool, typer.Option("--options", help="Show each component's options too.")
    ] = False,
) -> None:
    """List the components and presets that a study can name."""
    from workbench import registry

    kinds = [*registry.FOLDERS, "preset"]
    if kind is not None and kind not in kinds:
        raise WorkbenchError(unknown("kind", kind, kinds))
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
    return (component.__doc__ or "").strip().split("\n")[0]


def describe(component: type[ComponentConfig]) -> list[str]:
    """`name: type = default  description` for each option of a component."""
    lines = []
    for name, field in component.model_fields.items():
        default = (
            ""
            if field.is_required()
            else f" = {_default(field.get_default(call_default_factory=True))}"
        )
        note = f"  {field.description}" if field.description else ""
        lines.append(f"{name}: {_spelt(field.annotation)}{default}{note}")
    return lines


def _default(value: Any) -> Any:
    name = getattr(value, "component", None)
    return name if isinstance(name, str) else value


def _spelt(annotation: Any) -> str:
    """A type as a reader of YAML would say it."""
    if isinstance(annotation, UnionType):
        return " | ".join(_spelt(part) for part in get_args(annotation)).replace("NoneType", "None")
    if isinstance(annotation, type) and not getattr(annotation, "__args__", None):
        return annotation.__name__
    return str(annotation).replace("typing.", "").replace("Literal", "one of ")


def _presets() -> None:
    from workbench.config import presets

    found = presets()
    width = max(map(len, found), default=0)
    for name, path in found.items():
        typer.echo(f"  {name:<{width}}  {_heading(path)}")


def _heading(path: Path) -> str:
    """The paragraph that a preset begins with."""
    lines = path.read_text(encoding="utf-8").splitlines()
    paragraph = takewhile(lambda line: line.startswith("# "), lines)
    return " ".join(line.lstrip("# ") for line in paragraph)
