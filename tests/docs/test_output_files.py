"""The page on output files names every key of the schemas against which the files are read."""

from __future__ import annotations

import re

import pytest
from pydantic import BaseModel

from tests.docs.markdown import ROOT
from workbench import record
from workbench.result_files import (
    MeasureResult,
    Progress,
    Row,
    StudyRecord,
    TrialEntry,
    TrialResult,
)


@pytest.mark.parametrize(
    "schema",
    [TrialResult, MeasureResult, Progress, Row, StudyRecord, TrialEntry],
    ids=lambda schema: schema.__name__,
)
def test_page_names_every_key(schema: type[BaseModel]) -> None:
    text = (ROOT / "docs/output_files.md").read_text(encoding="utf-8")
    named = {code.split(".")[0] for code in re.findall(r"`([^`\n]+)`", text)}
    keys = {field.alias or name for name, field in schema.model_fields.items()}
    assert keys <= named


def test_page_names_every_file_of_a_trial() -> None:
    text = (ROOT / "docs/output_files.md").read_text(encoding="utf-8")
    module = vars(record).items()
    files = {value for name, value in module if name.isupper() and isinstance(value, str)}
    assert {"config.yaml", "result.json"} <= files
    assert [file for file in files if file not in text] == []
