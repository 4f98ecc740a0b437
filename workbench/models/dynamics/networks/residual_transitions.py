"""Towers of residual blocks on a latent."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.models.layers import ActionPlanes, ResidualBlock
from workbench.models.transitions import Marks


class VectorBlock(nn.Module):
    """x + W2 relu(norm(W1 relu(norm(x)))), as `ResidualBlock` on planes."""

    def __init__(self, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [nn.LayerNorm(width), nn.ReLU(inplace=True), nn.Linear(width, width)]
        self.layers = nn.Sequential(*layers)

    def forward(self, units: Tensor) -> Tensor:
        """Compute [B, width] -> [B, width]."""
        result: Tensor = units + self.layers(units)
        return result


class VectorTower(nn.Module):
    """s + W relu(norm(blocks(V s + E[a])))."""

    def __init__(self, size: int, actions: int, width: int, depth: int) -> None:
        super().__init__()
        self.latent, self.action = nn.Linear(size, width), nn.Embedding(actions, width)
        blocks = [VectorBlock(width) for _ in range(depth)]
        last = [nn.LayerNorm(width), nn.ReLU(inplace=True), nn.Linear(width, size)]
        self.tower = nn.Sequential(*blocks, *last)

    def forward(self, latent: Tensor, action: Tensor) -> Tensor:
        """Compute [B, size], [B] -> [B, size]."""
        result: Tensor = latent + self.tower(self.latent(latent) + self.action(action))
        return result


class GridTower(nn.Module):
    """s + conv(relu(norm(blocks(conv([s, action planes])))))."""

    def __init__(
        self, shape: tuple[int, ...], actions: int, marks: Marks, width: int, depth: int
    ) -> None:
        super().__init__()
        channels, height, columns = shape
        self.planes = ActionPlanes(actions, height, columns, marks)
        first = nn.Conv2d(channels + self.planes.channels, width, 3, padding=1)
        blocks = [ResidualBlock(width) for _ in range(depth)]
        last = [
            nn.GroupNorm(1, width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, channels, 3, padding=1),
        ]
        self.tower = nn.Sequential(first, *blocks, *last)

    def forward(self, latent: Tensor, action: Tensor) -> Tensor:
        """Compute [B, C, H, W], [B] -> [B, C, H, W]."""
        result: Tensor = self.tower(torch.cat([latent, self.planes(action)], 1)).add_(latent)
        return result
