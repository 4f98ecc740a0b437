"""Gallery of the costliest positions: exact move values next to prior and visits of agents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from numpy.typing import NDArray

from analysis.formatting import decimal_places, format_number
from analysis.frames import StudyResults
from analysis.statistics import Floats
from analysis.style import INK, PAGE, QUIET, condition_styles, label, new_figure, styled

SATURATION_SHARE = 0.5
"""Share from which a cell has its full colour, and a bar its full length."""
MIN_POSITIONS, MAX_POSITIONS, MAX_ROWS = 3, 8, 16
"""Bounds of the number of positions in the figure, and of the number of its rows."""
GAP = 0.35
"""Gap between boards, in board widths."""
MIN_BOARD, MAX_BOARD = 0.84, 1.0
"""Bounds of the width of a board with its gap, in inches."""
BOLD = 10.0
"""Font size of regular text that is as wide as the bold titles."""
BEST_COLOR, SHARE_COLOR, CHOSEN_COLOR = "#d9d9d9", "#0173b2", "#d55e00"
"""Colours of the best moves, of shares, and of the frame around chosen moves."""


@dataclass(frozen=True)
class PositionRecords:
    """Decisions of N agents on the same P positions with A moves each."""

    condition: list[str]  # [N]
    observation: NDArray[np.bool_]  # [P, C, H, W], plane 0: player to move, plane 1: opponent
    q: Floats  # [P, A] exact action value, -inf where illegal
    prior: Floats  # [N, P, A]
    visits: Floats  # [N, P, A] visit shares
    move: NDArray[np.int64]  # [N, P] move chosen by the search
    regret: Floats  # [N, P] regret of that move
    symmetry_class: NDArray[
        np.int64
    ]  # [P] index of the first position that is equal up to symmetry

    def multiplicity(self, position: int) -> int:
        """Return the number of positions that are equal to this one up to symmetry."""
        return int((self.symmetry_class == self.symmetry_class[position]).sum())

    def agents_of(self, condition: str) -> list[int]:
        """Return the indices of the agents of a condition."""
        return [i for i, name in enumerate(self.condition) if name == condition]


@dataclass(frozen=True)
class BoardLayout:
    """Position of one drawn board; cells have width 1, y points down."""

    x: float
    y: float
    height: int
    width: int
    drops: bool
    """Whether moves are columns (stones drop, row 0 is the lowest); bars below show the moves."""

    def cell(self, row: int, column: int) -> tuple[float, float]:
        """Return the upper left corner of a cell."""
        return self.x + column, self.y + (self.height - 1 - row if self.drops else row)

    def move(self, action: int) -> tuple[float, float]:
        """Return the upper left corner of the place where a move is drawn."""
        if self.drops:
            return self.x + action, self.y + self.height
        return self.cell(*divmod(action, self.width))


def load_positions(results: StudyResults) -> PositionRecords | None:
    """Read the records by position of finished trials.

    Return None if there are none, or if the trials do not share the same positions.
    """
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
    alone = np.arange(len(first["q"]))  # records of older versions state no symmetry
    return PositionRecords(
        [name for name, _ in found], first["observation"], first["q"],
        symmetry_class=first.get("symmetry_class", alone), **agents,
    )  # fmt: skip


def costliest(records: PositionRecords, limit: int | None = MAX_POSITIONS) -> list[int]:
    """Return the positions with the largest mean regret, averaged over seeds, then conditions.

    Of positions that are equal up to symmetry only the first one is returned. Ties go to positions
    on which the conditions differ more. Positions without regret are left out, hence all where
    every move has the same value.
    """
    table = pd.DataFrame(records.regret, index=records.condition).groupby(level=0).mean()
    cost, spread = table.mean().to_numpy(), np.ptp(table.to_numpy(), axis=0)
    order = np.lexsort((-spread, -cost))
    _, first = np.unique(records.symmetry_class[order], return_index=True)
    return [int(p) for p in order[np.sort(first)] if cost[p] > 0][:limit]


def gallery_frame(results: StudyResults) -> pd.DataFrame:
    """Return one row per position with regret and condition, the costliest position first.

    Columns: rank, position (index in `by_state.npz`), multiplicity (number of positions that are
    equal up to symmetry), board (rows of `x` for the player to move and `o` for the opponent, in
    the order of the observation), best_moves, condition, seeds, regret, chosen_moves.
    """
    records = load_positions(results)
    if records is None or not _drawable(records):
        return pd.DataFrame()
    rows = []
    for rank, position in enumerate(costliest(records, None), 1):
        q = records.q[position]
        shared = {
            "rank": rank,
            "position": position,
            "multiplicity": records.multiplicity(position),
            "board": _board_text(records.observation[position]),
            "best_moves": " ".join(map(str, np.flatnonzero(q == q.max()))),
        }
        for name in results.conditions:
            agents = records.agents_of(name)
            if agents:
                moves = np.unique(records.move[agents, position])
                rows.append(
                    {
                        **shared,
                        "condition": name,
                        "seeds": len(agents),
                        "regret": float(records.regret[agents, position].mean()),
                        "chosen_moves": " ".join(map(str, moves)),
                    }
                )
    return pd.DataFrame(rows)


def _board_text(observation: NDArray[np.bool_]) -> str:
    """Return the stones of an observation [C, H, W] as text, rows separated by `/`."""
    signs = np.where(observation[0], "x", np.where(observation[1], "o", "."))
    return "/".join("".join(row) for row in signs)


def gallery(results: StudyResults, width: float = PAGE) -> Figure | None:
    """Draw one row per position: exact move values, then prior and visits by condition.

    Conditions that do not fit in the width form further bands below, with the same positions.
    """
    records = load_positions(results)
    if records is None or not _drawable(records):
        return None
    names = [name for name in results.conditions if records.agents_of(name)]
    per_band = max(1, int((width / MIN_BOARD - 1) / 2))
    bands = [names[i : i + per_band] for i in range(0, len(names), per_band)]
    positions = costliest(records, max(MIN_POSITIONS, min(MAX_POSITIONS, MAX_ROWS // len(bands))))
    if not positions:
        return None
    _, _, height, cells = records.observation.shape
    drops = records.q.shape[1] == cells
    columns, step = 1 + 2 * len(bands[0]), (1 + GAP) * cells
    total_width = columns * step - GAP * cells
    scale = min(width, MAX_BOARD * columns) / total_width
    row_height = (height + 2 * drops) + (GAP + 0.15) * cells
    titles = {name: label(name, 1.7 * step * scale, BOLD) for name in names}
    lines = 1 + max(title.count("\n") for title in titles.values())
    head = (0.3 + 0.15 * lines) / scale
    with styled():
        total_height = len(bands) * (head + len(positions) * row_height)
        figure = new_figure(scale * total_width, scale * total_height)
        figure.set_layout_engine("none")
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_axis_off()
        axes.set_xlim(-0.1, total_width + 0.1)
        axes.set_ylim(total_height - head, -head)
        styles = condition_styles(results.conditions)
        for number, band in enumerate(bands):
            top = number * (head + len(positions) * row_height)
            _draw_headings(axes, {titles[n]: styles[n].color for n in band}, top, cells, scale)
            for row, position in enumerate(positions):
                boards = [
                    BoardLayout(column * step, top + row * row_height, height, cells, drops)
                    for column in range(1 + 2 * len(band))
                ]
                _draw_position(axes, records, position, band, boards)
    return figure


def _stored(results: StudyResults) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield condition and arrays by position of each finished trial."""
    condition = results.done.set_index("trial")["condition"]
    for trial, path in results.position_files.items():
        with np.load(path, allow_pickle=False) as arrays:
            yield str(condition[trial]), dict(arrays)


def _drawable(records: PositionRecords) -> bool:
    """Return whether positions are boards of stones whose moves are cells or columns."""
    shape = records.observation.shape
    if len(shape) != 4 or shape[1] < 2:
        return False
    return records.q.shape[1] in (shape[2] * shape[3], shape[3])


def _draw_headings(
    axes: Axes, conditions: Mapping[str, str], top: float, width: int, scale: float
) -> None:
    """Write the headings of a band above `top`.

    Args:
        axes: the figure's only axes.
        conditions: titles of the conditions and their colours.
        top: upper edge of the boards.
        width: width of a board in cells.
        scale: inches per cell.
    """
    step = (1 + GAP) * width
    alignment: dict[str, Any] = {"ha": "center", "va": "bottom"}
    axes.text(width / 2, top - 0.04 / scale, "exact\nvalues", fontsize=7, **alignment)
    for i, (title, color) in enumerate(conditions.items()):
        left = (1 + 2 * i) * step
        axes.text(left + (step + width) / 2, top - 0.18 / scale, title, fontsize=8.5, color=color,
                  weight="bold", **alignment)  # fmt: skip
        for j, what in enumerate(("prior", "visits")):
            axes.text(left + j * step + width / 2, top - 0.04 / scale, what, fontsize=7,
                      **alignment)  # fmt: skip


def _draw_position(
    axes: Axes, records: PositionRecords, position: int, names: list[str], boards: list[BoardLayout]
) -> None:
    stones, q = records.observation[position, :2], records.q[position]
    for board in boards:
        _draw_stones(axes, board, stones)
    _draw_values(axes, boards[0], q)
    if records.multiplicity(position) > 1:
        _write_below(axes, boards[0], f"{records.multiplicity(position)} positions")
    for i, name in enumerate(names):
        agents = records.agents_of(name)
        chosen = np.bincount(records.move[agents, position], minlength=len(q)) / len(agents)
        for board, shares in zip(boards[1 + 2 * i : 3 + 2 * i], (records.prior, records.visits),
                                 strict=True):  # fmt: skip
            _draw_shares(axes, board, shares[agents, position].mean(axis=0), np.isfinite(q))
        _draw_chosen(axes, boards[2 + 2 * i], chosen)
        cost = float(records.regret[agents, position].mean())
        text = f"regret {format_number(cost, decimal_places([cost], 2, 2))}"
        _write_below(axes, boards[2 + 2 * i], text)


def _write_below(axes: Axes, board: BoardLayout, text: str) -> None:
    bottom = board.y + board.height + 2 * board.drops
    axes.text(board.x + board.width / 2, bottom + 0.05 * board.width, text, fontsize=7,
              ha="center", va="top")  # fmt: skip


def _draw_stones(axes: Axes, board: BoardLayout, stones: NDArray[np.bool_]) -> None:
    """Draw the stones of the player to move filled, those of the opponent open."""
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


def _draw_values(axes: Axes, board: BoardLayout, q: Floats) -> None:
    """Write the exact value of each legal move at its place; the best moves are shaded."""
    legal = np.isfinite(q)
    places = decimal_places(q[legal], 1, 2) if (q[legal] % 1).any() else 0
    for action in np.flatnonzero(legal):
        x, y = board.move(int(action))
        best = bool(q[action] == q[legal].max())
        if best:
            axes.add_patch(Rectangle((x, y), 1, 1, facecolor=BEST_COLOR, linewidth=0, zorder=1))
        axes.text(x + 0.5, y + 0.5, format_number(float(q[action]), places, sign=True), ha="center",
                  va="center", fontsize=min(7.0, 30 / board.width),
                  weight="bold" if best else "normal")  # fmt: skip


def _draw_shares(axes: Axes, board: BoardLayout, shares: Floats, legal: NDArray[np.bool_]) -> None:
    """Draw a share as the colour of its cell, or as a bar below its column."""
    for action in np.flatnonzero(legal):
        x, y = board.move(int(action))
        shown = min(1.0, float(shares[action]) / SATURATION_SHARE)
        if board.drops:
            patch = Rectangle(
                (x + 0.1, y + 0.1), 0.8, 1.8 * shown, facecolor=SHARE_COLOR, linewidth=0
            )
        else:
            patch = Rectangle(
                (x, y), 1, 1, facecolor=SHARE_COLOR, alpha=shown, linewidth=0, zorder=1
            )
        axes.add_patch(patch)


def _draw_chosen(axes: Axes, board: BoardLayout, chosen: Floats) -> None:
    """Frame the moves that the searches choose; thickness grows with the share of seeds."""
    for action in np.flatnonzero(chosen):
        x, y = board.move(int(action))
        axes.add_patch(Rectangle((x + 0.06, y + 0.06), 0.88, (1.88 if board.drops else 0.88),
                                 facecolor="none", edgecolor=CHOSEN_COLOR, zorder=4,
                                 linewidth=0.5 + 1.2 * float(chosen[action])))  # fmt: skip
