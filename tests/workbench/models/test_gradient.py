"""Gradient that reaches the dynamics (MuZero, appendix G), against a linear chain by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Generator, Tensor, nn

from tests.workbench.fakes import trial
from workbench.models.composed import LearnedModel
from workbench.models.world_model import WorldModel, scale_gradient
from workbench.training.learner import Objective
from workbench.trial import build
from workbench.types import Edge, Heads, LatentSpec, ModelSpec, Unroll

K = 5


class Drift(nn.Module):
    """g(s, a) = s + theta: after k steps s_0 + k theta."""

    def __init__(self) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.zeros(()))

    def forward(self, latent: Tensor, action: Tensor) -> Tensor:
        return latent + self.theta


class LastEntry(nn.Module):
    """Heads that are the latent itself, with weight 1."""

    class Plain:
        size = 1

        def decode(self, raw: Tensor) -> Tensor:
            return raw.squeeze(-1)

    value_encodings: dict[str, Any] = {"value": Plain(), "reward": Plain()}  # noqa: RUF012

    def heads(self, latent: Tensor) -> Heads:
        return Heads(latent, latent[:, 0])

    def edge(self, latent: Tensor) -> dict[str, Tensor]:
        return {"reward": latent, "termination": latent[:, 0]}


class Chain(WorldModel):
    """The same chain by the default `unroll`, step by step."""

    def __init__(self) -> None:
        super().__init__()
        self.spec = ModelSpec(LatentSpec("vector", (1,)), 2, frozenset({"policy", "value"}))
        self.dynamics = Drift()

    def represent(self, observation: Tensor, generator: Generator, state: Any = None) -> Tensor:
        return observation

    def step(self, latent: Tensor, action: Tensor, generator: Generator) -> tuple[Tensor, Edge]:
        then = self.dynamics(latent, action)
        return then, Edge(then[:, 0], torch.ones(len(then)))

    def predict(self, latent: Tensor) -> Heads:
        return Heads(latent, latent[:, 0])


def learned() -> LearnedModel:
    spec = ModelSpec(LatentSpec("vector", (1,)), 2, frozenset({"policy", "value", "reward"}))
    return LearnedModel(spec, nn.Identity(), Drift(), LastEntry(), nn.Identity(), 1.0)


def unrolled(model: Any, scale: float) -> Unroll:
    result: Unroll = model.unroll(
        torch.zeros(1, 1), torch.zeros(1, K, dtype=torch.int64), Generator(), scale
    )
    return result


@pytest.mark.parametrize("make", [Chain, learned])
@pytest.mark.parametrize(
    ("scale", "by_step"),
    [
        # d s_k / d theta = 1 + scale + ... + scale^(k-1): a step's own head sees its own step's
        # gradient whole, and each recurrent edge further back once more scaled.
        (1.0, [1, 2, 3, 4, 5]),
        (0.5, [1, 1.5, 1.75, 1.875, 1.9375]),
        (0.0, [1, 1, 1, 1, 1]),
    ],
)
def test_gradient_is_scaled_on_recurrent_edges_but_not_into_heads(
    make: Any, scale: float, by_step: list[float]
) -> None:
    model = make()
    unroll = unrolled(model, scale)
    for k, expected in enumerate([0, *by_step]):
        gradient = torch.autograd.grad(
            unroll.heads.value[0, k], model.dynamics.theta, retain_graph=True, allow_unused=True
        )[0]
        assert (0.0 if gradient is None else float(gradient)) == pytest.approx(expected)


@pytest.mark.parametrize("make", [Chain, learned])
@pytest.mark.parametrize(("scale", "total"), [(1.0, 3.0), (0.5, 1.6125)])
def test_total_dynamics_gradient_of_a_linear_chain_is_3_unscaled_and_1_61_halved(
    make: Any, scale: float, total: float
) -> None:
    # Loss of the paper: l_0 + (1/K) sum_k l_k with l_k = s_k, K = 5. Unscaled 15 / 5; halved
    # (1 + 1.5 + 1.75 + 1.875 + 1.9375) / 5 = 8.0625 / 5. A hook that halves the gradient at the
    # latent itself, heads and all, would give half of it again: .81.
    def term(unroll: Unroll, targets: Any, plan: Any) -> Tensor:
        return unroll.heads.value

    model = make()
    loss, _ = Objective({"value": term}, {"value": 1.0})(unrolled(model, scale), {}, None)
    loss.backward()
    assert float(model.dynamics.theta.grad) == pytest.approx(total)


def test_gradient_of_the_root_state_is_unscaled() -> None:
    # l_k = s_0 + ...: the edge from s_0 into the first step is not scaled, the later ones are:
    # 1, then 1, 1/2, 1/4, 1/8, 1/16.
    for model in (Chain(), learned()):
        root = torch.zeros(1, 1, requires_grad=True)
        unroll: Unroll = model.unroll(root, torch.zeros(1, K, dtype=torch.int64), Generator(), 0.5)
        for k, expected in enumerate([1, 1, 0.5, 0.25, 0.125, 0.0625]):
            (gradient,) = torch.autograd.grad(unroll.heads.value[0, k], root, retain_graph=True)
            assert float(gradient) == expected


def test_objective_weights_losses_and_scales_unrolled_steps_by_one_over_k() -> None:
    # Rows (1, 2, 4) and (3, 6, 8): means 2, 4, 6. 2 + (4 + 6) / 2 = 7, weight .5.
    def term(unroll: Any, targets: Any, plan: Any) -> Tensor:
        return torch.tensor([[1.0, 2.0, 4.0], [3.0, 6.0, 8.0]])

    loss, terms = Objective({"a": term, "b": term}, {"a": 0.5, "b": 2.0})(None, {}, None)  # type: ignore[arg-type]
    assert float(terms["a"]) == float(terms["b"]) == 7.0
    assert float(loss) == 0.5 * 7 + 2 * 7


def test_gradient_scaling_does_not_change_values() -> None:
    x = torch.randn(100, generator=Generator().manual_seed(0)) * 1e3
    for scale in (0.0, 0.3, 0.5, 1.0):
        assert torch.equal(scale_gradient(x, scale), x)


@pytest.mark.parametrize("dynamics", ["mlp", "true"])
def test_unrolled_predictions_equal_those_of_single_steps_at_any_gradient_scale(
    dynamics: str,
) -> None:
    changes: dict[str, Any] = {"model.dynamics": dynamics, "model.latent_norm": "min_max"}
    if dynamics == "true":
        changes |= {
            "planner.interior_legality": True,
            "losses.reward": None,
            "losses.termination": None,
        }
    parts = build(trial(changes))
    model, built_environment, g = parts.model, parts.environment, Generator()
    state = built_environment.reset(3, g)
    actions = torch.tensor([[0, 4, 8], [2, 1, 5], [8, 7, 6]])
    root = model.represent(built_environment.observe(state), g, state)
    half, whole = (model.unroll(root, actions, g, scale) for scale in (0.5, 1.0))
    assert torch.equal(half.heads.policy, whole.heads.policy)
    latent = root
    for k in range(4):
        heads = model.predict(latent)
        assert torch.allclose(half.heads.policy[:, k], heads.policy, atol=1e-6)
        assert torch.allclose(half.heads.value[:, k], heads.value, atol=1e-6)
        if k < 3:
            latent, edge = model.step(latent, actions[:, k], g)
            assert torch.allclose(half.edges.reward[:, k], edge.reward, atol=1e-6)
            assert torch.equal(half.edges.discount[:, k], edge.discount)
