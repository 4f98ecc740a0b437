"""Queries of components about boards, and about latents that keep the cells. Imports no torch."""

from __future__ import annotations

from itertools import combinations
from math import prod

from workbench.components import Incompatible
from workbench.types import EnvironmentSpec, Graph, LatentSpec


def board_planes(who: str, environment: EnvironmentSpec) -> tuple[int, int, int]:
    """Return channels, height and width of a board. Raises Incompatible without planes."""
    if len(environment.observation) != 3:
        raise Incompatible(
            f"{who} needs planes [C, H, W]; environment '{environment.name}' "
            f"gives observations of shape {list(environment.observation)}"
        )
    channels, height, width = environment.observation
    return channels, height, width


def board_graph(who: str, environment: EnvironmentSpec, name: str) -> Graph:
    """Return the environment's graph of that name. Raises Incompatible if there is none."""
    if name in environment.graphs:
        return environment.graphs[name]
    has = ", ".join(sorted(environment.graphs)) or "no graph at all"
    raise Incompatible(
        f"{who} needs the graph '{name}'; environment '{environment.name}' has {has}"
    )


def check_rewirable(who: str, environment: EnvironmentSpec, name: str) -> None:
    """Raise Incompatible unless an edge swap can change the environment's graph of that name.

    A swap replaces edges a-b and c-d by a-c and b-d. It keeps every node's degree. A complete
    graph admits no swap, nor do some tiny boards.
    """
    edges = set(board_graph(who, environment, name).edges)
    for (a, b), (c, d) in combinations(sorted(edges), 2):
        if len({a, b, c, d}) == 4 and (a, c) not in edges and (b, d) not in edges:
            return
    raise Incompatible(
        f"{who}: the edges of graph '{name}' of environment '{environment.name}' cannot be "
        "shuffled, because no swap of two edges keeps all degrees; use `edges: empty` as the "
        "control, or a larger board"
    )


def cell_features(who: str, latent: LatentSpec) -> int:
    """Return the number of features per cell of a latent. Raises Incompatible without cells."""
    if latent.kind not in ("grid", "nodes"):
        raise Incompatible(f"{who} needs a latent of kind grid or nodes")
    return latent.shape[0 if latent.kind == "grid" else 1]


def keeps_cells(latent: LatentSpec, environment: EnvironmentSpec) -> bool:
    """Whether the cells of the latent are the cells of the observed planes."""
    board = environment.observation[1:]
    if latent.kind == "grid":
        return latent.shape[1:] == board
    return latent.kind == "nodes" and len(board) == 2 and latent.shape[0] == prod(board)
