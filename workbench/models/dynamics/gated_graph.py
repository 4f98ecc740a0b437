"""A gated recurrent unit for every node of a latent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.models.dynamics.boards.board_dynamics import GraphDynamics
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentSpec

if TYPE_CHECKING:
    from torch import nn


@register("dynamics", "gated_graph")
class GatedGraph(GraphDynamics):
    """A gated recurrent unit a node, fed the mean of its neighbours and the action (Li 2016).

    As in gated graph networks (Li et al. 2016, eqs. 2 to 6), with one kind of edge, a mean in the
    place of the sum, and one round a step.
    """

    def build(self, latent: LatentSpec, environment: EnvironmentSpec) -> nn.Module:
        from workbench.models.dynamics.networks.gated_transitions import NodeGated

        marks = self._node_marks(latent, environment)
        return NodeGated(self._graph(environment), latent.shape[1], marks)
