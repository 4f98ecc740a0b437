"""What a model makes of the observations that really followed."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from workbench.models.world_model import WorldModel
from workbench.types import Latent, map_tensors


@torch.no_grad()
def encode(model: WorldModel, observation: Tensor, generator: Generator) -> Latent:
    """h of every observation of [B, K+1, ...], side by side [B * (K+1), ...]; no gradient."""
    return model.represent(observation.flatten(0, 1), generator)


def over_steps(record: Latent, observation: Tensor) -> Latent:
    """What was made of the observations [B, K+1, ...] side by side as [B, K+1, ...] again."""
    return map_tensors(lambda tensor: tensor.unflatten(0, observation.shape[:2]), record)
