"""Positions where decisions are lost: the exact worth of moves beside what agents made of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from numpy.typing import NDArray

from analysis.formatting import decimals, fixed
from analysis.frames import StudyResults
from analysis.statistics import Floats
from analysis.style import INK, PAGE, QUIET, looks, new_figure, plain, styled

FULL = 0.5
"""The share from which a cell has its full colour, and a bar its full length."""
SHOWN = 8
"""Positions in the figure."""
GAP, HEAD = 0.35, 0.5
"""Between boards and above the first row, in widths of a board."""
WORTH, HEAT, CHOSEN = "#d9d9d9", "#0173b2", "#d55e00"
"""Colours of the best moves, of shares, and of the frame around what is chosen."""


@dataclass(frozen=True)
class Decided:
    """What every agent of a study makes of the same positions: agents N, positions P, moves A."""

    condition: list[str]  # [N]
    observation: NDArray[np.bool_]  # [P, C, H, W], first the mover's stones, then the other's
    q: Floats  # [P, A] exact worth, -inf where illegal
    prior: Floats  # [N, P, A]
    visits: Floats  # [N, P, A] shares
    move: NDArray[np.int64]  # [N, P] of the search
    regret: Floats  # [N, P] of that move

    def of(self, condition: str) -> list[int]:
        """The agents of a condition."""
        return [i for i, name in enumerate(self.condition) if name == condition]


@dataclass(frozen=True)
class Board:
    """Where the cells of one board lie: a cell is 1 wide, y points down."""

    x: float
    y: float
    height: int
    width: int
    drops: bool
    """Moves are columns, into which stones fall: row 0 lies lowest, bars stand for the moves."""

    def cell(self, row: int, column: int) -> tuple[float, float]:
        """The upper left corner of a cell."""
        return self.x + column, self.y + (self.height - 1 - row if self.drops else row)

    def move(self, action: int) -> tuple[float, float]:
        """The upper left corner of where a move is drawn."""
        if self.drops:
            return self.x + action, self.y + self.height
        return self.cell(*divmod(action, self.width))


def load_states(results: StudyResults) -> Decided | None:
    """What finished trials stored by position; None where there is nothing, or nothing alike."""
    found = list(_stored(results))
    if not found:
        return None
    first = found[0][1]
    same = [np.array_equal(arrays["observation"], first["observation"]) for _, arrays in found]
    if not all(same):
        return None
    agents = {
        name: np.stack([arrays[name] for _, arrays in found])
        for name in ("prior", "visits", "move", "regret")
    }
    return Decided([name for name, _ in found], first["observation"], first["q"], **agents)


def costliest(decided: Decided, many: int = SHOWN) -> list[int]:
    """Positions by the mean regret of the searches' moves: over seeds, then over conditions.

    Among equals, those first on which the conditions differ. Positions that cost nothing stay out,
    and with them all where every move is worth the same.
    """
    table = pd.DataFrame(decided.regret, index=decided.condition).groupby(level=0).mean()
    cost, apart = table.mean().to_numpy(), np.ptp(table.to_numpy(), axis=0)
    order = np.lexsort((-apart, -cost))
    return [int(p) for p in order if cost[p] > 0][:many]


def gallery(results: StudyResults) -> Figure | None:
    """A row a position: worth of its moves, then prior and visits of every condition."""
    decided = load_states(results)
    if decided is None or not _drawable(decided):
        return None
    positions = costliest(decided)
    names = [name for name in results.conditions if decided.of(name)]
    if not positions:
        return None
    _, _, height, width = decided.observation.shape
    drops = decided.q.shape[1] == width
    columns, tall = 1 + 2 * len(names), height + 2 * drops
    across, down = columns * (1 + GAP) * width - GAP * width, tall + (GAP + 0.15) * width
    with styled():
        inches = max(PAGE, 0.85 * columns)
        scale = inches / across
        figure = new_figure(inches, scale * (len(positions) * down + HEAD * width))
        figure.set_layout_engine("none")
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_axis_off()
        axes.set_xlim(-0.1, across + 0.1)
        axes.set_ylim(len(positions) * down, -HEAD * width)
        _headings(axes, results, names, width)
        for row, position in enumerate(positions):
            boards = [
                Board(column * (1 + GAP) * width, row * down, height, width, drops)
                for column in range(columns)
            ]
            _position(axes, decided, position, names, boards)
    return figure


def _stored(results: StudyResults) -> Iterator[tuple[str, dict[str, Any]]]:
    """By finished trial, its condition and the arrays that were stored by position."""
    condition = results.done.set_index("trial")["condition"]
    for trial, path in results.by_state.items():
        with np.load(path, allow_pickle=False) as arrays:
            yield str(condition[trial]), dict(arrays)


def _drawable(decided: Decided) -> bool:
    """A board of stones, whose moves are its cells or its columns."""
    shape = decided.observation.shape
    if len(shape) != 4 or shape[1] < 2:
        return False
    return decided.q.shape[1] in (shape[2] * shape[3], shape[3])


def _headings(axes: Axes, results: StudyResults, names: list[str], width: int) -> None:
    step = (1 + GAP) * width
    place: dict[str, Any] = {"ha": "center", "va": "bottom"}
    axes.text(width / 2, -0.08 * width, "worth of\nthe moves", fontsize=7, **place)
    table = looks(results.conditions)
    for i, name in enumerate(names):
        left = (1 + 2 * i) * step
        axes.text(left + (step + width) / 2, -0.28 * width, plain(name), fontsize=8.5,
                  color=table[name].color, weight="bold", **place)  # fmt: skip
        for j, what in enumerate(("prior", "visits")):
            axes.text(left + j * step + width / 2, -0.08 * width, what, fontsize=7, **place)


def _position(
    axes: Axes, decided: Decided, position: int, names: list[str], boards: list[Board]
) -> None:
    stones, q = decided.observation[position, :2], decided.q[position]
    for board in boards:
        _stones(axes, board, stones)
    _worths(axes, boards[0], q)
    for i, name in enumerate(names):
        agents = decided.of(name)
        chosen = np.bincount(decided.move[agents, position], minlength=len(q)) / len(agents)
        for board, shares in zip(boards[1 + 2 * i : 3 + 2 * i], (decided.prior, decided.visits),
                                 strict=True):  # fmt: skip
            _heat(axes, board, shares[agents, position].mean(axis=0), np.isfinite(q))
        _chosen(axes, boards[2 + 2 * i], chosen)
        cost = float(decided.regret[agents, position].mean())
        below = boards[2 + 2 * i]
        foot = below.y + below.height + 2 * below.drops
        axes.text(below.x + below.width / 2, foot + 0.05 * below.width,
                  f"costs {fixed(cost, decimals([cost], 2, 2))}", fontsize=7, ha="center",
                  va="top")  # fmt: skip


def _stones(axes: Axes, board: Board, stones: NDArray[np.bool_]) -> None:
    """The mover's are full, the other's open."""
    axes.add_patch(Rectangle((board.x, board.y), board.width, board.height, facecolor="none",
                             edgecolor=QUIET, linewidth=0.6, zorder=3))  # fmt: skip
    for row in range(board.height):
        for column in range(board.width):
            x, y = board.cell(row, column)
            axes.add_patch(Rectangle((x, y), 1, 1, facecolor="none", edgecolor="#c8c8c8",
                                     linewidth=0.4, zorder=2))  # fmt: skip
            for plane, face in ((0, INK), (1, "white")):
                if stones[plane, row, column]:
                    axes.add_patch(Circle((x + 0.5, y + 0.5), 0.3, facecolor=face, edgecolor=INK,
                                          linewidth=0.7, zorder=3))  # fmt: skip


def _worths(axes: Axes, board: Board, q: Floats) -> None:
    """The exact worth in the move's place; the best moves on a dark ground."""
    legal = np.isfinite(q)
    places = decimals(q[legal], 1, 2) if (q[legal] % 1).any() else 0
    for action in np.flatnonzero(legal):
        x, y = board.move(int(action))
        best = bool(q[action] == q[legal].max())
        if best:
            axes.add_patch(Rectangle((x, y), 1, 1, facecolor=WORTH, linewidth=0, zorder=1))
        axes.text(x + 0.5, y + 0.5, fixed(float(q[action]), places, sign=True), ha="center",
                  va="center", fontsize=min(7.0, 30 / board.width),
                  weight="bold" if best else "normal")  # fmt: skip


def _heat(axes: Axes, board: Board, shares: Floats, legal: NDArray[np.bool_]) -> None:
    """A share as its cell's colour, or as a bar that hangs under its column."""
    for action in np.flatnonzero(legal):
        x, y = board.move(int(action))
        shown = min(1.0, float(shares[action]) / FULL)
        if board.drops:
            patch = Rectangle((x + 0.1, y + 0.1), 0.8, 1.8 * shown, facecolor=HEAT, linewidth=0)
        else:
            patch = Rectangle((x, y), 1, 1, facecolor=HEAT, alpha=shown, linewidth=0, zorder=1)
        axes.add_patch(patch)


def _chosen(axes: Axes, board: Board, chosen: Floats) -> None:
    """A frame around the moves that the searches choose, as thick as the share of the seeds."""
    for action in np.flatnonzero(chosen):
        x, y = board.move(int(action))
        axes.add_patch(Rectangle((x + 0.06, y + 0.06), 0.88, (1.88 if board.drops else 0.88),
                                 facecolor="none", edgecolor=CHOSEN, zorder=4,
                                 linewidth=0.5 + 1.2 * float(chosen[action])))  # fmt: skip
