"""The value prefix: restarted sums, the LSTM behind them, and whole trials with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator, Tensor, nn

from tests.seams.conftest import run_in_two
from tests.workbench.fakes import problems_of, trial
from tests.workbench.training.histories import History, experience
from tests.workbench.training.test_targets import SOME, made, transition_mask, windows
from workbench.models.prefix_model import PrefixModel, RewardLSTM
from workbench.record import read_rows
from workbench.registry import components
from workbench.trial import build, run_trial
from workbench.types import Edge, Target, Unroll, gather, tree_leaves, tree_map

ROWS, STEPS, HORIZON = 5, 7, 3
SUMS = {"kind": "scalar"}
CARTPOLE: dict[str, Any] = {
    "preset": "muzero",
    "environment": {"name": "cartpole", "max_steps": 12, "discount": 0.9},
    "planner": {"name": "puct", "simulations": 3, "q_normalisation": "min_max"},
    "model": {
        "name": "value_prefix",
        "horizon": 2,
        "units": 4,
        "representation": {"name": "mlp", "width": 8, "latent_size": 8},
        "dynamics": {"name": "mlp", "width": 8},
        "prediction": {
            "name": "mlp",
            "width": 8,
            "value": {"low": 0.0, "high": 8.0, "atoms": 5},
            "reward": {"low": 0.0, "high": 2.0, "atoms": 5},
        },
    },
    "targets.value": {"name": "n_step", "steps": 3},
    "targets.latent": "next_latent",
    "losses": {"reward": None, "consistency": 2.0},
    "procedure.steps": 400,
    "procedure.parallel_environments": 16,
    "procedure.batch_size": 16,
    "procedure.warm_up": 100,
    "procedure.replay_ratio": 0.7,
    "procedure.unroll": 3,
    "procedure.random_start.fraction": 0.0,
    "measures": {"predictive": None, "decision": None},
    "evaluate_every": 4,
}


def cartpole(**changes: Any) -> Any:
    return trial({key.replace("__", "."): value for key, value in changes.items()}, base=CARTPOLE)


@pytest.fixture(scope="module")
def model() -> PrefixModel:
    """A model with random weights, `HORIZON`, and sums encoded as plain numbers."""
    parts = build(cartpole(model__horizon=HORIZON, model__prediction__reward=SUMS))
    assert isinstance(parts.model, PrefixModel)
    return parts.model


def line(model: PrefixModel) -> Unroll:
    g = Generator().manual_seed(1)
    root = model.represent(torch.randn(ROWS, 4, generator=g), g)
    actions = torch.randint(2, (ROWS, STEPS), generator=g)
    return model.unroll(root, actions, g, 0.5)


def edges(unroll: Unroll) -> Edge:
    assert unroll.edges is not None
    return unroll.edges


# --- the target ----------------------------------------------------------------------------------


def test_reward_sums_restart_after_the_horizon() -> None:
    rewards = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
    policies = ((1.0, 0.0, 0.0),) * 7
    history = History(0, 0.5, (0,) * 8, rewards, (0.0,) * 8, (0,) * 7, policies, True)
    window, starts = windows([[history]], 100, 5, 0)
    expected = {0: [0, 1, 3, 4, 12, 16], 3: [0, 8, 24, 32, 96, 0], 6: [0, 64, 64, 0, 0, 0]}
    for absorbing in (True, False):
        target = made("value_prefix", window, absorbing, horizon=2)
        for b, (_, t) in enumerate(starts):
            if t in expected:
                assert target.value[b].tolist() == expected[t]
    assert made("value_prefix", window, True).value[0].tolist() == [0, 1, 3, 7, 15, 31]


@SOME
@given(
    groups=experience(),
    unroll=st.integers(0, 6),
    horizon=st.integers(1, 4),
    absorbing=st.booleans(),
)
def test_value_prefix_target_is_the_sum_at_every_step(
    groups: list[list[History]], unroll: int, horizon: int, absorbing: bool
) -> None:
    window, starts = windows(groups, 1000, unroll, 0)
    target = made("value_prefix", window, absorbing, horizon=horizon)
    assert target.value.shape == target.mask.shape == (len(starts), unroll + 1)
    for b, (h, t) in enumerate(starts):
        assert target.value[b, 0] == target.mask[b, 0] == 0
        for k in range(1, unroll + 1):
            start = t + (k - 1) // horizon * horizon
            assert float(target.value[b, k]) == pytest.approx(sum(h.rewards[start : t + k]))
            assert float(target.mask[b, k]) == transition_mask(h, t + k, absorbing)


def test_value_prefix_with_horizon_one_is_the_reward() -> None:
    rewards = (0.5, -1.0, 2.0)
    history = History(0, 1.0, (0,) * 4, rewards, (0.0,) * 4, (0,) * 3, ((1.0, 0.0, 0.0),) * 3, True)
    window, _ = windows([[history]], 100, 4, 0)
    sums, single = (
        made("value_prefix", window, True, horizon=1),
        made("observed_reward", window, True),
    )
    assert torch.equal(sums.value, single.value)
    assert torch.equal(sums.mask, single.mask)


# --- the model -----------------------------------------------------------------------------------


def test_decoded_rewards_sum_to_the_predicted_value_prefix(model: PrefixModel) -> None:
    edge = edges(line(model))
    sums = edge.raw["value_prefix"].squeeze(-1)
    assert sums.shape == edge.reward.shape == (ROWS, STEPS)
    for start in range(0, STEPS, HORIZON):
        stretch = slice(start, start + HORIZON)
        assert torch.allclose(edge.reward[:, stretch].cumsum(1), sums[:, stretch], atol=1e-6)
    assert torch.equal(edge.reward[:, ::HORIZON], sums[:, ::HORIZON])
    assert sums.abs().min() > 0


def test_memory_equals_a_torch_lstm_over_the_latents_of_a_horizon(model: PrefixModel) -> None:
    latents = line(model).latents
    reference = nn.LSTM(8, 4, batch_first=True)
    for name, weight in model.reward_lstm.cell.state_dict().items():
        reference.state_dict()[f"{name}_l0"].copy_(weight)
    for start in range(0, STEPS, HORIZON):
        stretch = latents[start + 1 : start + 1 + HORIZON]
        out, (hidden, cell) = reference(torch.stack([latent.code for latent in stretch], 1))
        for k, latent in enumerate(stretch):
            assert torch.allclose(latent.earned.hidden, out[:, k], atol=1e-6)
        assert torch.allclose(stretch[-1].earned.hidden, hidden[0], atol=1e-6)
        assert torch.allclose(stretch[-1].earned.cell, cell[0], atol=1e-6)


def test_memory_is_reset_after_the_horizon(model: PrefixModel) -> None:
    g, action = Generator(), torch.ones(ROWS, dtype=torch.int64)
    latents = line(model).latents
    fresh = [type(x)(model.reward_lstm.blank(x.code), x.code) for x in latents]
    for k, latent in enumerate(latents):
        whole, from_reset = (model.step(x, action, g) for x in (latent, fresh[k]))
        alike = all(
            torch.equal(a, b)
            for a, b in zip(tree_leaves(whole), tree_leaves(from_reset), strict=True)
        )
        assert alike == (k % HORIZON == 0)
        assert torch.equal(whole[0].code, from_reset[0].code)


def test_rows_may_be_at_different_steps_of_the_horizon(model: PrefixModel) -> None:
    """As in a search, whose leaves lie at different depths."""
    latents = line(model).latents
    action = torch.ones(ROWS, dtype=torch.int64)
    mixed: Any = [gather(latents[k], torch.tensor([k % ROWS])) for k in range(STEPS)]
    joined = tree_map(lambda *rows: torch.cat(rows), *mixed)
    together, edge = model.step(joined, action[:1].expand(STEPS), Generator())
    for k, single in enumerate(mixed):
        alone, own = model.step(single, action[:1], Generator())
        for a, b in zip(
            tree_leaves(gather(together, torch.tensor([k]))), tree_leaves(alone), strict=True
        ):
            assert torch.allclose(a, b, atol=1e-6)
        assert torch.allclose(edge.reward[k], own.reward[0], atol=1e-6)


def test_unroll_equals_single_steps(model: PrefixModel) -> None:
    g = Generator().manual_seed(1)
    latent = model.represent(torch.randn(ROWS, 4, generator=g), g)
    actions = torch.randint(2, (ROWS, STEPS), generator=g)
    unroll = line(model)
    for k in range(STEPS):
        heads = model.predict(latent)
        assert torch.allclose(unroll.heads.policy[:, k], heads.policy, atol=1e-6)
        assert torch.allclose(unroll.heads.value[:, k], heads.value, atol=1e-6)
        latent, edge = model.step(latent, actions[:, k], g)
        for name, tensor in edges(unroll).raw.items():
            assert torch.allclose(tensor[:, k], edge.raw[name], atol=1e-6)


def test_heads_and_value_encodings_include_the_value_prefix(model: PrefixModel) -> None:
    assert model.spec.heads == {"policy", "value", "termination", "value_prefix"}
    assert model.value_encodings.keys() == {"value", "value_prefix"}
    assert edges(line(model)).raw.keys() == {"value_prefix", "termination"}
    total = sum(p.numel() for part in model.parts().values() for p in part.parameters())
    assert total == sum(p.numel() for p in model.parameters())


def test_gradient_of_the_prefix_reaches_every_part_except_the_latent_heads(
    model: PrefixModel,
) -> None:
    unroll = line(model)
    sums = edges(unroll).raw["value_prefix"].squeeze(-1)
    target = torch.cat([torch.zeros(ROWS, 1), sums.detach() + 1], 1)
    mask = torch.ones(ROWS, STEPS + 1)
    mask[:, 0] = 0
    loss = components("loss")["value_prefix"]().build(model)  # type: ignore[attr-defined]
    error: Tensor = loss(unroll, {"value_prefix": Target(target, mask)}, None)
    assert torch.allclose(
        error, mask, atol=1e-5
    )  # a squared error of 1 at every step but the first
    (gradient,) = torch.autograd.grad(
        error[:, 3].sum(), [model.reward_lstm.cell.weight_hh], retain_graph=True
    )
    assert gradient.abs().sum() > 0  # through the memory of the steps before
    error.sum().backward()  # type: ignore[no-untyped-call]
    for name, parameter in model.named_parameters():
        reached = parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)
        assert reached == (".state." not in name), name
    model.zero_grad()


def test_parts_shared_with_the_composed_model_have_equal_initial_weights() -> None:
    config = cartpole()
    document = {**CARTPOLE["model"], "name": "composed"}
    del document["horizon"], document["units"]
    plain = build(trial({"model": document, "losses.value_prefix": None}, base=CARTPOLE)).model
    prefixed = build(config).model.state_dict()
    for name, weight in plain.state_dict().items():
        assert torch.equal(prefixed[f"learned.{name}"], weight)


def test_reward_memory_accepts_latents_of_any_shape() -> None:
    reward_lstm, code = RewardLSTM((3, 2, 2), 6), torch.randn(4, 3, 2, 2)
    read, hidden, _ = reward_lstm(code, reward_lstm.blank(code))
    assert read.shape == code.shape
    expected = code.flatten(1) + hidden @ reward_lstm.out.weight.T + reward_lstm.out.bias
    assert torch.allclose(read.flatten(1), expected, atol=1e-6)


# --- trials --------------------------------------------------------------------------------------


def test_resumed_trial_with_consistency_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    config = cartpole(procedure__steps=1600)
    assert config.targets["value_prefix"].horizon == 2
    run_trial(config, tmp_path / "whole")
    run_in_two(config, tmp_path / "cut")
    text = [(tmp_path / name / "metrics.jsonl").read_bytes() for name in ("whole", "cut")]
    assert text[0] == text[1]
    measured = [r for r in read_rows(tmp_path / "whole" / "metrics.jsonl") if "training/loss" in r]
    assert len(measured) > 1
    assert all(row["training/value_prefix"] > 0 < row["training/consistency"] for row in measured)
    assert measured[-1]["training/value_prefix"] < measured[0]["training/value_prefix"]


@pytest.mark.parametrize("term", ["infonce", "hinge"])
def test_contrastive_losses_read_the_latent_tensor(term: str, tmp_path: Path) -> None:
    losses = {"reward": None, "consistency": None, "contrastive": {"term": term}}
    run_trial(cartpole(losses=losses), tmp_path)
    measured = read_rows(tmp_path / "metrics.jsonl")[-1]
    assert measured["training/contrastive"] > 0


def test_decoder_reads_the_latent_tensor(tmp_path: Path) -> None:
    config = cartpole(
        model__decoder="mlp", losses__reconstruction=1.0, targets__observation="next_observation"
    )
    model: Any = build(config).model
    unroll = line(model)
    for latent in unroll.latents:
        assert torch.equal(model.decode(latent), model.learned.decoder(latent.code))
    run_trial(config, tmp_path)
    assert read_rows(tmp_path / "metrics.jsonl")[-1]["training/reconstruction"] > 0


def read(*changes: str) -> list[str]:
    model = "{name: value_prefix, representation: mlp, dynamics: mlp, prediction: mlp}"
    environment = "environment: cartpole\nplanner: {name: puct, q_normalisation: min_max}\n"
    rest = "measures: {predictive: null, decision: null}\nprocedure.random_start.fraction: 0.0\n"
    lines = [f"preset: muzero\nmodel: {model}\nlosses.reward: null\n{environment}{rest}", *changes]
    return problems_of("\n".join(lines))


def test_incompatible_components_are_reported_with_both_names() -> None:
    assert read() == []
    (problem,) = read("targets.value_prefix: {name: value_prefix, horizon: 4}")
    assert (
        "target 'value_prefix' restarts after 4 steps, but model 'value_prefix' after 5" in problem
    )
    (problem,) = read("losses.self_consistency: 1.0")
    assert "loss 'self_consistency' needs a 'reward' head, which model 'value_prefix'" in problem
    game = "preset: muzero\nlosses.reward: null\nmodel: {name: value_prefix, prediction: mlp, "
    (problem,) = problems_of(game + "representation: mlp, dynamics: mlp}")
    assert "model 'value_prefix'" in problem
    assert "environment 'tic_tac_toe'" in problem
    problems = problems_of(game + "representation: mlp, dynamics: 'true'}")
    assert any("model 'value_prefix'" in p and "dynamics 'true'" in p for p in problems)
