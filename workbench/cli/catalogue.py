"""`workbench list` and `workbench describe`: what configurations can name."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from workbench.cli.completion import complete_kind, complete_name
from workbench.errors import WorkbenchError, unknown_name

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def catalogue(
    kind: Annotated[
        str | None,
        typer.Argument(
            help="A kind of component, `preset` or `metric`; by default all.",
            show_default=False,
            autocompletion=complete_kind,
        ),
    ] = None,
    options: Annotated[
        bool, typer.Option("--options", help="Also show the options of each component.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the components and presets that configurations can use, and all metrics."""
    from workbench.cli import entries
    from workbench.cli.names import KINDS, names

    if kind is not None and kind not in KINDS:
        raise WorkbenchError(unknown_name("kind", kind, KINDS))
    kinds = KINDS if kind is None else (kind,)
    found = {one: [entries.entry(one, name) for name in names(one)] for one in kinds}
    if as_json:
        kept = entries.WITH_OPTIONS if options else entries.SHORT
        _print_json({one: [_only(entry, kept) for entry in found[one]] for one in found})
        return
    for one, listed in found.items():
        typer.secho(one, bold=True)
        entries.print_list(listed, options)


def describe(
    name: Annotated[
        str,
        typer.Argument(
            help="A component, preset or metric; with its kind (`representation.mlp`) if several "
            "have the name.",
            autocompletion=complete_name,
        ),
    ],
    as_json: Json = False,
) -> None:
    """Describe a component with all its options, a preset with its values, or a metric."""
    from workbench.cli import entries
    from workbench.cli.names import find

    described = entries.entry(*find(name), full=True)
    if as_json:
        _print_json(described)
    else:
        entries.print_description(described)


def _only(entry: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: entry[key] for key in keys if key in entry}


def _print_json(data: Any) -> None:
    typer.echo(json.dumps(data, indent=2))
