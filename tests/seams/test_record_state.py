"""An environment whose state is a record of tensors, simulated inside the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Generator, Tensor

from tests.seams.conftest import component, run_in_two
from workbench.components import EnvironmentConfig
from workbench.config import TrialConfig
from workbench.trial import run_trial
from workbench.types import EnvironmentSpec, Transition

GOAL = 3


@dataclass(frozen=True)
class Walker:
    place: Tensor  # [B] -GOAL..GOAL
    moves: Tensor  # [B]


class Corridor:
    """Left or right from the middle; the right end pays 1, the left end nothing; cut after 12."""

    spec = EnvironmentSpec("corridor", (2,), 2)

    def reset(self, batch: int, generator: Generator) -> Walker:
        return Walker(torch.zeros(batch).long(), torch.zeros(batch).long())

    def step(
        self, state: Walker, action: Tensor, generator: Generator
    ) -> tuple[Walker, Transition]:
        over = state.place.abs() == GOAL
        place = torch.where(over, state.place, state.place + 2 * action - 1)
        then = Walker(place, state.moves + 1)
        ended = place.abs() == GOAL
        reward = ((place == GOAL) & ~over).float()
        cut = ~ended & (then.moves >= 12)
        return then, Transition(reward, 0.9 * (~ended).float(), ended, cut)

    def observe(self, state: Walker) -> Tensor:
        return torch.stack([state.place / GOAL, state.moves / 12], -1)

    def legal(self, state: Walker) -> Tensor:
        return torch.ones(len(state.place), 2, dtype=torch.bool)


@pytest.fixture
def config(enrol: Callable[..., None], configure: Callable[..., TrialConfig]) -> TrialConfig:
    methods = {"spec": lambda self: Corridor.spec, "build": lambda self: Corridor()}
    enrol("environment", "corridor", component(EnvironmentConfig, **methods))
    return configure(
        environment={"name": "corridor"},
        model__dynamics="true",
        planner={
            "name": "puct",
            "simulations": 8,
            "interior_legality": True,
            "q_normalisation": "min_max",
        },
        losses={"reward": None, "termination": None},
        measures={"predictive": None, "decision": None},
    )


def test_resumed_trial_restores_states_of_self_play_and_replay(
    config: TrialConfig, tmp_path: Path
) -> None:
    whole = run_trial(config, tmp_path / "whole")
    cut = run_in_two(config, tmp_path / "cut")
    assert whole["updates"] > 0
    assert whole["metrics"] == cut["metrics"]
    rows = [(tmp_path / name / "metrics.jsonl").read_bytes() for name in ("whole", "cut")]
    assert rows[0] == rows[1]
