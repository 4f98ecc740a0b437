"""Encodings of the observations in a training window."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from workbench.models.world_model import WorldModel
from workbench.types import Latent, tree_map


@torch.no_grad()
def encode_window(model: WorldModel, observation: Tensor, generator: Generator) -> Latent:
    """[B * (K+1), ...] Encode all observations [B, K+1, ...] with h, without gradient."""
    return model.represent(observation.flatten(0, 1), generator)


def unflatten_steps(record: Latent, observation: Tensor) -> Latent:
    """Restore the shape [B, K+1, ...] of `observation` in a flat record [B * (K+1), ...]."""
    return tree_map(lambda tensor: tensor.unflatten(0, observation.shape[:2]), record)
