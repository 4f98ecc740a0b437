"""Mutated study files are read, or refused with a short message in the user's terms."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from ablations.study import Study, read_study
from tests.faults.study_mutants import FILES, mutant
from workbench.errors import ConfigError

MOST_SECONDS = 15.0
"""Time for one file on a busy machine; an idle one needs a fraction of a second."""
INTERNAL = re.compile(
    r"Node\(|<class|<function|object at 0x|Traceback|datetime|ScalarNode|pydantic|ValidationError"
    r"|SourceLocation|tag:yaml|\binstance of\b|NoneType"
    r"|[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]"
)
"""Words of the implementation, and control characters."""
QUICK = [file for file in FILES if file.stem != "gcn_vs_cnn_hex"]  # which builds models


def check(text: str, path: Path) -> str:
    """Read a study; return the message if it is refused, else nothing."""
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    started = time.process_time()
    message = ""
    try:
        assert isinstance(read_study(path), Study)
    except ConfigError as error:
        message = str(error)
    assert time.process_time() - started < MOST_SECONDS
    if message:
        lines = message.splitlines()
        assert message.startswith(str(path)), message
        assert len(lines) <= 40
        assert max(map(len, lines)) <= 1_000
        assert INTERNAL.search(message) is None, message
    return message


@pytest.mark.parametrize("file", QUICK, ids=lambda file: file.stem)
def test_mutants_are_read_or_refused_in_plain_words(file: Path, tmp_path: Path) -> None:
    messages = [check(mutant(file, seed), tmp_path / "study.yaml") for seed in range(40)]
    assert any(messages)


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_many_mutants_are_read_or_refused_in_plain_words(file: Path, tmp_path: Path) -> None:
    for seed in range(40, 300):
        check(mutant(file, seed), tmp_path / "study.yaml")
