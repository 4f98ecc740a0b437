"""`workbench schema`: the JSON Schema of study files and of trial files."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class File(StrEnum):
    """Kind of file that a schema describes."""

    study = "study"
    trial = "trial"


def schema(
    file: Annotated[File, typer.Argument(help="Kind of file: `study` or `trial`.")] = File.study,
) -> None:
    """Print the JSON Schema of study files, so that an editor completes and checks them.

    Save it beside the study, and name it in the first line of the study file:
    `# yaml-language-server: $schema=study.schema.json`
    """
    from workbench.config_schema import to_text

    if file is File.trial:
        from workbench.config_schema import trial_schema as generate
    else:
        from ablations.study_schema import study_schema as generate
    typer.echo(to_text(generate()), nl=False)
