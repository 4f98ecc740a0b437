"""Fenced blocks and inline commands of the project's Markdown documents."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "docs/reference/*.md")
    for path in ROOT.glob(pattern)
    if path.name not in ("CHANGELOG.md", "THIRD_PARTY.md")
)
"""Documents whose examples are executed. Laboratory notes and results state past commands."""

_BLOCK = re.compile(
    r"(?:^<!-- file: (?P<file>\S+) -->\n\n?)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_INLINE = re.compile(r"`(workbench [^`]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block; the comment `<!-- file: NAME -->` above it names the file that it shows."""

    language: str
    text: str
    line: int
    file: str | None


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            found["language"],
            found["text"],
            text.count("\n", 0, found.start("language")) + 1,
            found["file"],
        )
        for found in _BLOCK.finditer(text)
    ]


def inline_commands(page: Path) -> list[str]:
    """Return the workbench commands in inline code, outside fenced blocks."""
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    return [" ".join(command.split()) for command in _INLINE.findall(text)]


def commands(block: Block) -> list[str]:
    """Return the commands of a shell block, without comments and with continued lines joined."""
    text = block.text.replace("\\\n", " ")
    lines = (re.sub(r"\s+#.*$", "", line).strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]
