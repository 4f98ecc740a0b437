"""Stored steps searched anew, so that targets come from the latest weights."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from workbench.contracts import Parts
from workbench.models.world_model import WorldModel
from workbench.training.replay_buffer import Replay
from workbench.training.settings import ReanalyseConfig
from workbench.types import Latent, map_tensors


class Reanalysis:
    """Writes the plans of new searches over the stored ones (MuZero, appendix H)."""

    def __init__(self, parts: Parts, settings: ReanalyseConfig, batch: int) -> None:
        self._parts, self._batch = parts, batch
        self._ratio = settings.ratio
        self._replaced = [name for name in ("policy", "value") if getattr(settings, name)]
        self.owed = 0.0

    def advance(self, steps: int, replay: Replay, model: WorldModel) -> None:
        """Search what the ratio owes after so many environment steps, a batch at a time."""
        self.owed += steps * self._ratio
        while self.owed >= self._batch:
            self.owed -= self._batch
            self._search(replay, model)

    @torch.no_grad()
    def _search(self, replay: Replay, model: WorldModel) -> None:
        """Uniformly drawn steps, with the moves that were legal, and nothing to explore.

        Where their episodes were cut, what is expected beyond is asked of the model anew.
        """
        generator = self._parts.streams["reanalyse"]
        place = replay.draw(self._batch, generator)
        root, legal = _roots(replay, place, model, generator)
        plan = self._parts.planner.plan(model, root, legal, generator)
        new = {name: getattr(plan, name).detach().cpu() for name in self._replaced}
        replay.replace(replay.ring.serial(place), new)
        cut = replay.cuts(place)
        if "value" in self._replaced and len(cut):
            root, _ = _roots(replay, cut, model, generator)
            replay.replace(replay.ring.serial(cut), {"value": model.predict(root).value.cpu()})


def _roots(
    replay: Replay, place: Tensor, model: WorldModel, generator: Generator
) -> tuple[Latent, Tensor]:
    """What the model makes of the rows, and their legal moves [N, A]."""
    window = replay.window(place, 0, 0, generator)
    state = map_tensors(lambda tensor: tensor[:, 0], window.state)
    root = model.represent(window.observation[:, 0], generator, state)
    return root, window.legal[:, 0]
