"""A part that returns another shape than declared is named when the model is built."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from workbench.environments.games.game_table import GameTableEnvironment
from workbench.models.dynamics.true import TrueDynamics
from workbench.models.heads import FlatPrediction
from workbench.models.shape_check import WrongShape
from workbench.models.systems.composed import Composed
from workbench.registry import FOLDERS, component

KINDS = ("representation", "dynamics", "prediction", "decoder")
MLP: dict[str, Any] = {kind: component(kind, "mlp") for kind in FOLDERS if kind in KINDS}
PARTS: dict[str, Any] = {kind: cls() for kind, cls in MLP.items()}


class Function(nn.Module):
    """A module of one function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(*inputs)


def buggy(kind: str, function: Callable[..., Any]) -> Any:
    def build(self: Any, *specs: Any) -> nn.Module:
        return Function(function)

    return type("Buggy", (MLP[kind],), {"build": build, "component": "buggy"})()


def encoder(function: Callable[..., Any]) -> Any:
    return buggy("representation", function)


def buggy_prediction(**changed: tuple[int, ...]) -> Any:
    class Heads(FlatPrediction):
        def heads(self, latent: Tensor) -> Any:
            heads = super().heads(latent)
            for name in changed.keys() & {"policy", "value"}:
                object.__setattr__(heads, name, torch.zeros(len(latent), *changed[name]))
            return heads

        def edge(self, latent: Tensor) -> Any:
            wrong = {k: torch.zeros(len(latent), *v) for k, v in changed.items()}
            return super().edge(latent) | wrong

    def build(self: Any, latent: Any, environment: Any, edges: bool) -> Any:
        built: Any = MLP["prediction"].build(self, latent, environment, edges)
        built.__class__ = Heads
        return built

    return type("Buggy", (MLP["prediction"],), {"build": build, "component": "buggy"})()


def returned(*shape: int) -> Callable[..., Tensor]:
    return lambda first, *rest: torch.zeros(len(first), *shape)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (
            encoder(returned(97)),
            "representation 'buggy' returned [B, 97], declared [B, 96]",
        ),
        (encoder(returned(4, 24)), "returned [B, 4, 24], declared [B, 96]"),
        (
            encoder(lambda seen: torch.zeros(1, 96)),
            "returned [1, 96] for 2 rows, declared",
        ),
        (
            encoder(lambda seen: torch.zeros(())),
            "returned [] for 2 rows, declared [B, 96]",
        ),
        (
            encoder(lambda seen: (seen, seen)),
            "'buggy' returned a tuple, declared [B, 96]",
        ),
        (buggy("dynamics", returned(95)), "dynamics 'buggy' returned [B, 95], declared [B, 96]"),
        (
            buggy("decoder", returned(27)),
            "returned [B, 27], declared [B, 3, 3, 3]",
        ),
        (
            buggy_prediction(policy=(8,)),
            "returned policy [B, 8], declared [B, 9]",
        ),
        (buggy_prediction(value=(1,)), "prediction 'buggy' returned value [B, 1], declared [B]"),
        (buggy_prediction(reward=(5,)), "prediction 'buggy' returned raw reward [B, 5], declared"),
        (buggy_prediction(termination=(1,)), "returned termination [B, 1], declared [B]"),
    ],
)
def test_part_with_another_shape_than_declared_is_named(
    part: Any, message: str, tic_tac_toe: GameTableEnvironment
) -> None:
    config = Composed.model_construct(**(PARTS | {part.kind: part}), latent_norm="min_max")
    with pytest.raises(WrongShape, match=re.escape(message)):
        config.build(tic_tac_toe, 1.0, seed=1)


def test_simulated_model_is_checked_too(tic_tac_toe: GameTableEnvironment) -> None:
    parts = PARTS | {
        "representation": encoder(returned(97)),
        "dynamics": TrueDynamics(),
    }
    config = Composed.model_construct(**parts, latent_norm="min_max")
    with pytest.raises(WrongShape, match="returned"):
        config.build(tic_tac_toe, 1.0, seed=1)


def test_check_draws_no_random_number_and_changes_no_module(
    tic_tac_toe: GameTableEnvironment,
) -> None:
    class WithState(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Flatten(), nn.Linear(27, 96), nn.BatchNorm1d(96))
            self.frozen = nn.Dropout(0.5).eval()

        def forward(self, seen: Tensor) -> Tensor:
            return self.frozen(self.layers(seen)) + 0 * torch.rand(96)

    def build(self: Any, environment: Any) -> nn.Module:
        return WithState()

    noisy = type("Noisy", (MLP["representation"],), {"build": build, "component": "noisy"})()
    parts = PARTS | {"representation": noisy}
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    config = Composed.model_construct(**parts, latent_norm="min_max")
    model: Any = config.build(tic_tac_toe, 1.0, seed=1)
    assert torch.equal(torch.rand(4), expected)
    assert model.training
    assert model.representation.layers[2].training
    assert not model.representation.frozen.training
    assert int(model.representation.layers[2].num_batches_tracked) == 0
