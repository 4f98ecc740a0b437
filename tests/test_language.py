"""The old dialect stays out of docstrings, comments and documents."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

WORDS = (
    "told",
    "anew",
    "hang on",
    "hangs on",
    "worth",
    "seldom",
    "begun",
    "laid over",
    "nobody",
    "likeliest",
    "said otherwise",
    "told apart",
    "misfit",
    "misfits",
    "blindfold",
)
"""Unclear words; the field has a standard term for each, such as value for worth."""

OPENERS = ("What", "How", "By", "Of", "Where")
"""A docstring names what it documents, so it opens with none of these."""

FORMER_NAMES = ("CHANGELOG.md", "workbench/renames.py", "tests/test_language.py")
"""Files that must mention former names."""


def words_in(text: str) -> list[str]:
    """Return the forbidden words of a text, outside of `code`."""
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    return [word for word in WORDS if re.search(rf"\b{word}\b", prose, re.IGNORECASE)]


def opens_badly(docstring: str) -> bool:
    """Whether a docstring opens with a word that cannot name what it documents."""
    return re.match(rf"\s*(?:{'|'.join(OPENERS)})\b", docstring) is not None


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of all docstrings, those below fields and constants included."""
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else []:
            value = getattr(statement, "value", None)
            text = getattr(value, "value", None) if isinstance(value, ast.Constant) else None
            if isinstance(statement, ast.Expr) and isinstance(text, str):
                yield statement.lineno, text


def comments(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of all comments of a Python file."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def tracked(*patterns: str) -> list[str]:
    """Return the tracked files that match the patterns, except those with former names."""
    listed = subprocess.run(
        ["git", "ls-files", "--", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    return [name for name in listed if name not in FORMER_NAMES and (ROOT / name).exists()]


if not (ROOT / ".git").exists():
    pytest.skip("needs a git checkout, to list the project's files", allow_module_level=True)


@pytest.mark.parametrize("word", WORDS)
def test_word_check_finds_each_word(word: str) -> None:
    assert word in words_in(f"The search is {word} of it.")
    assert not words_in(f"The key `{word}` is code.")


@pytest.mark.parametrize("opener", OPENERS)
def test_docstring_check_finds_each_opener(opener: str) -> None:
    source = f'x = 1\n"""{opener} it is."""\n'
    assert [opens_badly(text) for _, text in docstrings(source)] == [True]
    assert not opens_badly("Whatever")


def test_python_files_use_standard_terms() -> None:
    found = []
    for name in tracked("*.py"):
        source = (ROOT / name).read_text(encoding="utf-8")
        for line, text in [*docstrings(source), *comments(source)]:
            found += [f"{name}:{line}: {word}" for word in words_in(text)]
    assert not found, "\n".join(found)


def test_docstrings_name_what_they_document() -> None:
    found = [
        f"{name}:{line}: {text.splitlines()[0]}"
        for name in tracked("*.py")
        for line, text in docstrings((ROOT / name).read_text(encoding="utf-8"))
        if opens_badly(text)
    ]
    assert not found, "\n".join(found)


def test_documents_and_configurations_use_standard_terms() -> None:
    found = [
        f"{name}: {word}"
        for name in tracked("*.md", "*.yaml", "*.j2", "*.ipynb", "*.toml")
        for word in words_in((ROOT / name).read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)
