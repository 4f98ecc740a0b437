"""A formatted table, as Markdown, LaTeX and plain text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pandas as pd

_MARKDOWN = re.compile(r"[\\|<>&*`\[\]$~]|(?<!\w)_|_(?!\w)")
"""Characters with a meaning in a Markdown table, in HTML or in a formula."""
_HTML = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
_LATEX = {"±": r"$\pm$", "−": "$-$", "–": "--", "↓": r"$\downarrow$", "↑": r"$\uparrow$",
          "τ": r"$\tau$", "ρ": r"$\rho$"}  # fmt: skip

_LATEX_SPECIAL = {sign: f"\\{sign}" for sign in "&%#_${}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


@dataclass(frozen=True)
class Table:
    """A title and cells of text; the index is the first column."""

    title: str
    cells: pd.DataFrame

    def markdown(self) -> str:
        """Return title and table in Markdown."""
        cells = self.cells.rename(index=escape_markdown, columns=escape_markdown)
        cells = cells.map(escape_markdown).rename_axis(escape_markdown(self.cells.index.name))
        table = cells.to_markdown(disable_numparse=True)
        return f"**{escape_markdown(self.title)}**\n\n{table}\n"

    def latex(self) -> str:
        """Return a LaTeX table; it needs only the package booktabs."""
        index = str(self.cells.index.name or "")
        cells = self.cells.rename_axis(index=None).reset_index(names=index)
        styler = cells.style.hide(axis="index").format(escape="latex")
        text: str = styler.format_index(escape="latex", axis=1).to_latex(
            hrules=True, caption=_escape_latex(self.title), position_float="centering",
            position="t", column_format="l" + "r" * self.cells.shape[1],
        )  # fmt: skip
        text = text.replace(
            "\\centering\n", "\\centering\n\\footnotesize\\setlength{\\tabcolsep}{4pt}\n"
        )
        for sign, command in _LATEX.items():
            text = text.replace(sign, command)
        return text

    def plain_text(self) -> str:
        """Return the table without its title, for the terminal."""
        return str(self.cells.to_markdown(tablefmt="simple", disable_numparse=True))


def _escape_latex(text: str) -> str:
    """Escape all characters with a meaning in LaTeX."""
    return "".join(_LATEX_SPECIAL.get(sign, sign) for sign in text)


def escape_markdown(text: Any) -> str:
    """Escape what Markdown, HTML or a formula would interpret; line breaks become spaces."""
    plain = " ".join(str(text).splitlines())
    return _MARKDOWN.sub(lambda found: _HTML.get(found[0], f"\\{found[0]}"), plain)
