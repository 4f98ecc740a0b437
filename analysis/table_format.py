"""A formatted table, as Markdown, LaTeX and plain text."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

_LATEX = {"±": r"$\pm$", "−": "$-$", "–": "--", "↓": r"$\downarrow$", "↑": r"$\uparrow$",
          "τ": r"$\tau$", "ρ": r"$\rho$"}  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A title and cells of text; the index is the first column."""

    title: str
    cells: pd.DataFrame

    def markdown(self) -> str:
        """Return title and table in Markdown."""
        return f"**{self.title}**\n\n{self.cells.to_markdown(disable_numparse=True)}\n"

    def latex(self) -> str:
        """Return a LaTeX table; it needs only the package booktabs."""
        index = str(self.cells.index.name or "")
        cells = self.cells.rename_axis(index=None).reset_index(names=index)
        styler = cells.style.hide(axis="index").format(escape="latex")
        text: str = styler.format_index(escape="latex", axis=1).to_latex(
            hrules=True, caption=_escape(self.title), position_float="centering", position="t",
            column_format="l" + "r" * self.cells.shape[1],
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


def _escape(caption: str) -> str:
    for sign in "&%#_":
        caption = caption.replace(sign, f"\\{sign}")
    return caption
