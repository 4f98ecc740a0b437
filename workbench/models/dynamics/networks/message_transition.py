"""Interaction network: messages along edges update every node."""

from __future__ import annotations

from itertools import permutations

import torch
from torch import Tensor, nn

from workbench.models.layers import mlp
from workbench.models.transitions import NodeMarks
from workbench.types import Graph


class MessageTransition(nn.Module):
    """s_i + f_node([s_i, action mark, sum_j f_edge([s_i, s_j])]) (Kipf et al. 2020, section 2.3).

    Without edges there are no messages and no f_edge.
    """

    def __init__(self, graph: Graph, features: int, marks: NodeMarks, width: int) -> None:
        super().__init__()
        self.marks, self._width = marks, width if graph.edges else 0
        self.edge = mlp([2 * features, width, width]) if graph.edges else None
        self.node = mlp([features + marks.channels + self._width, width, features])
        ends = torch.tensor(graph.edges, dtype=torch.int64).reshape(-1, 2)
        self.register_buffer("ends", ends, persistent=False)

    def forward(self, latent: Tensor, action: Tensor) -> Tensor:
        """Compute [B, N, F], [B] -> [B, N, F]."""
        known = [latent, self.marks(action)]
        if self.edge is not None:
            known.append(self._received(latent, self.edge))
        result: Tensor = latent + self.node(torch.cat(known, -1))
        return result

    def _received(self, latent: Tensor, edge: nn.Module) -> Tensor:
        """[B, N, width] Sum of the messages to every node."""
        to, sender = self.get_buffer("ends").unbind(1)
        pairs = torch.cat([latent.index_select(1, to), latent.index_select(1, sender)], -1)
        nothing = latent.new_zeros(*latent.shape[:2], self._width)
        return nothing.index_add(1, to, edge(pairs))


def complete(nodes: int) -> Graph:
    """Return the complete graph."""
    return Graph(nodes, tuple(permutations(range(nodes), 2)))
