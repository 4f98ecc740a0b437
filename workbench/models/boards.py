"""What components ask of a board, and of a latent that keeps its cells; light."""

from __future__ import annotations

from math import prod

from workbench.components import Misfit
from workbench.types import EnvironmentSpec, Graph, LatentSpec


def board_planes(who: str, environment: EnvironmentSpec) -> tuple[int, int, int]:
    """Channels, height and width of what is seen. Raises Misfit where that is no planes."""
    if len(environment.observation) != 3:
        raise Misfit(
            f"{who} needs planes [C, H, W]; environment '{environment.name}' "
            f"gives observations of shape {list(environment.observation)}"
        )
    channels, height, width = environment.observation
    return channels, height, width


def board_graph(who: str, environment: EnvironmentSpec, name: str) -> Graph:
    """The environment's graph of that name. Raises Misfit where there is none."""
    if name in environment.graphs:
        return environment.graphs[name]
    has = ", ".join(sorted(environment.graphs)) or "no graph at all"
    raise Misfit(f"{who} needs the graph '{name}'; environment '{environment.name}' has {has}")


def cell_features(who: str, latent: LatentSpec) -> int:
    """Features of a cell of the latent. Raises Misfit where it has no cells."""
    if latent.kind not in ("grid", "nodes"):
        raise Misfit(f"{who} needs a latent of kind grid or nodes")
    return latent.shape[0 if latent.kind == "grid" else 1]


def keeps_cells(latent: LatentSpec, environment: EnvironmentSpec) -> bool:
    """Whether the latent's cells are the cells of the planes that are seen."""
    board = environment.observation[1:]
    if latent.kind == "grid":
        return latent.shape[1:] == board
    return latent.kind == "nodes" and len(board) == 2 and latent.shape[0] == prod(board)
