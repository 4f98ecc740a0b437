"""Reanalyse: search stored steps again, so that targets use recent weights."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from workbench.contracts import TrialParts
from workbench.models.world_model import WorldModel
from workbench.training.replay_buffer import ReplayBuffer
from workbench.training.settings import ReanalyseConfig
from workbench.types import Latent, tree_map


class Reanalysis:
    """Replaces the stored policies and values by those of new searches (MuZero, appendix H)."""

    def __init__(self, parts: TrialParts, settings: ReanalyseConfig, batch_size: int) -> None:
        self._parts, self._batch_size = parts, batch_size
        self._ratio = settings.ratio
        self._replaced = [name for name in ("policy", "value") if getattr(settings, name)]
        self.pending = 0.0

    def advance(self, steps: int, replay: ReplayBuffer, model: WorldModel) -> None:
        """Run the searches that the ratio requires after `steps` environment steps, in batches."""
        self.pending += steps * self._ratio
        while self.pending >= self._batch_size:
            self.pending -= self._batch_size
            self._search(replay, model)

    @torch.no_grad()
    def _search(self, replay: ReplayBuffer, model: WorldModel) -> None:
        """Search a uniform sample of the steps without root noise.

        If some of them belong to truncated episodes, the bootstrap values of these are predicted
        again.
        """
        generator = self._parts.streams["reanalyse"]
        slots = replay.sample_starts(self._batch_size, generator)
        root, legal = _roots(replay, slots, model, generator)
        plan = self._parts.planner.plan(model, root, legal, generator)
        new = {name: getattr(plan, name).detach().cpu() for name in self._replaced}
        replay.replace(replay.ring.serial(slots), new)
        ends = replay.truncated_ends(slots)
        if "value" in self._replaced and len(ends):
            root, _ = _roots(replay, ends, model, generator)
            replay.replace(replay.ring.serial(ends), {"value": model.predict(root).value.cpu()})


def _roots(
    replay: ReplayBuffer, slots: Tensor, model: WorldModel, generator: Generator
) -> tuple[Latent, Tensor]:
    """Return the root latents of `slots` [N], and their legal actions [N, A]."""
    window = replay.window(slots, 0, 0, generator)
    state = tree_map(lambda tensor: tensor[:, 0], window.state)
    root = model.represent(window.observation[:, 0], generator, state)
    return root, window.legal[:, 0]
