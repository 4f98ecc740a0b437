"""Dynamics `gated_graph`: a gated recurrent unit for every node of a latent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from workbench.models.dynamics.boards.board_dynamics import GraphDynamics
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentSpec

if TYPE_CHECKING:
    from torch import nn


@register("dynamics", "gated_graph")
class GatedGraph(GraphDynamics):
    """One gated recurrent unit per node; its inputs are the neighbours' mean and the action.

    It follows gated graph networks (Li et al. 2016, eqs. 2 to 6), with one kind of edge, a mean
    instead of the sum, and one round per step.
    """

    @override
    def build(self, latent: LatentSpec, environment: EnvironmentSpec) -> nn.Module:
        from workbench.models.dynamics.networks.gated_transitions import NodeGated

        marks = self._node_marks(latent, environment)
        return NodeGated(self._graph(environment), latent.shape[1], marks)
