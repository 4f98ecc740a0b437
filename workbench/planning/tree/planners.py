"""Tree search as a planner."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from workbench.models.world_model import WorldModel
from workbench.planning.tree.search import Noise, TreeSearch
from workbench.types import Latent, Plan


@dataclass(frozen=True)
class PUCTPlanner:
    """Visits of a PUCT search as the policy; root noise only to explore."""

    search: TreeSearch
    noise: Noise
    differentiable: bool = False

    @torch.inference_mode()
    def plan(
        self,
        model: WorldModel,
        root: Latent,
        legal: Tensor,
        generator: Generator,
        explore: bool = False,
    ) -> Plan:
        return self.search(model, root, legal, generator, self.noise if explore else None)
