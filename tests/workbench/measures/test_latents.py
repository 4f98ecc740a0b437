"""Latent accuracy of models with known answers, and against formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from tests.workbench.fakes import trial
from tests.workbench.measures.exact_model import ExactModel, sequences
from workbench.environments.games.game_table import GameTableEnvironment
from workbench.measures.prediction.evaluation_set import SOURCES
from workbench.measures.prediction.latent_accuracy import LatentAccuracy
from workbench.measures.prediction.metric_accumulator import MetricAccumulator
from workbench.measures.prediction.probes import PENALTY, PROBES, Probe, linear_probe, standardiser
from workbench.measures.prediction.ranking import random_scores, ranks, scores
from workbench.trial import build

DEPTH = 3


@pytest.fixture(scope="module")
def measure(tic_tac_toe: GameTableEnvironment) -> LatentAccuracy:
    return LatentAccuracy(sequences(tic_tac_toe, DEPTH), 200, by_source=True)


def drawn(*size: int) -> Tensor:
    return torch.randn(*size, generator=Generator().manual_seed(1))


def measured(measure: LatentAccuracy, model: ExactModel) -> dict[str, Any]:
    return measure(model, None)  # type: ignore[arg-type]


def planted(observation: Tensor) -> Tensor:
    """An injective linear map of what is seen, and an entry that never moves."""
    code = observation.flatten(1).float() @ drawn(27, 40)
    return torch.cat([code, torch.ones(len(code), 1)], 1)


def test_true_states_as_latents_are_retrieved_and_decoded(
    tic_tac_toe: GameTableEnvironment, measure: LatentAccuracy
) -> None:
    row = measured(measure, ExactModel(tic_tac_toe, planted))
    for k in range(DEPTH + 1):
        for source in ("", *(f"[source={name}]" for name in SOURCES)):
            if k:
                assert row[f"predictive/latent_error@{k}{source}"] == 0.0
            for name in ("hits_1", "hits_5", "mrr"):
                assert row[f"predictive/{name}@{k}{source}"] == 1.0
            assert row[f"predictive/probe_r2_linear@{k}{source}"] > 0.98
            assert row[f"predictive/probe_r2_mlp@{k}{source}"] > 0.95
    assert "predictive/latent_error@0" not in row
    assert row["predictive/probe_r2_linear"] == pytest.approx(
        sum(row[f"predictive/probe_r2_linear@{k}"] for k in range(DEPTH + 1)) / (DEPTH + 1)
    )


def test_probes_of_large_observations_use_a_sample_of_the_entries(
    tic_tac_toe: GameTableEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.measures.prediction.latent_accuracy.READ", 9)
    few = LatentAccuracy(sequences(tic_tac_toe, DEPTH), 200)
    fitted: list[Tensor] = []

    def probe(latent: Tensor, truth: Tensor) -> Probe:
        fitted.append(truth)
        return linear_probe(latent, truth)

    monkeypatch.setitem(PROBES, "linear", probe)  # type: ignore[misc]
    row = measured(few, ExactModel(tic_tac_toe, planted))
    assert fitted[0].shape[1] == 9
    assert set(fitted[0].unique().tolist()) == {0.0, 1.0}
    for k in range(DEPTH + 1):
        assert row[f"predictive/probe_r2_linear@{k}"] > 0.98


def test_constant_latent_has_no_skill(
    tic_tac_toe: GameTableEnvironment, measure: LatentAccuracy
) -> None:
    row = measured(measure, ExactModel(tic_tac_toe, lambda seen: torch.full((len(seen), 5), 0.7)))
    levels = measure.info().levels
    assert {value for name, value in row.items() if "latent_error" in name} == {None}
    assert "predictive/latent_error@1" in row
    for k in range(DEPTH + 1):
        candidates = 1 / levels[f"predictive/hits_1@{k}"]["naive"]
        assert candidates > 100
        assert row[f"predictive/hits_1@{k}"] == row[f"predictive/hits_5@{k}"] == 0.0
        # The middle of n places is (n + 1) / 2.
        assert row[f"predictive/mrr@{k}"] == pytest.approx(2 / (candidates + 1), rel=1e-5)
    for name in PROBES:
        assert -0.05 < row[f"predictive/probe_r2_{name}@0"] < 0.01


def test_random_latents_are_retrieved_but_not_decoded(
    tic_tac_toe: GameTableEnvironment, measure: LatentAccuracy
) -> None:
    names = drawn(27, 1).double()

    def noise(observation: Tensor) -> Tensor:
        """Digits far behind the point of a number that stands for the state."""
        number = (observation.flatten(1).double() @ names).abs() * 1e6
        return (number * torch.arange(1.0, 9.0).double().sqrt()).frac().float()

    row = measured(measure, ExactModel(tic_tac_toe, noise))
    for k in range(DEPTH + 1):
        assert row[f"predictive/hits_1@{k}"] == 1.0
    for name in PROBES:
        assert -0.5 < row[f"predictive/probe_r2_{name}@0"] < 0.05


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_latent_error_of_shuffled_states_is_one_at_any_scale(
    scale: float, tic_tac_toe: GameTableEnvironment, measure: LatentAccuracy
) -> None:
    # Whatever is imagined is the latent of some state drawn at random.
    known = scale * planted(tic_tac_toe.observe(tic_tac_toe.positions()))
    generator = Generator().manual_seed(5)

    def another(code: Tensor, action: Tensor) -> Tensor:
        return known[torch.randint(len(known), (len(code),), generator=generator)]

    row = measured(measure, ExactModel(tic_tac_toe, lambda seen: scale * planted(seen), another))
    # Between any state and those that stand at depth 1, which are not drawn alike.
    assert row["predictive/latent_error@1"] == pytest.approx(1.0, abs=0.15)
    assert row["predictive/mrr@1"] < 0.1


def test_latent_error_is_the_mse_over_the_mean_square_of_all_pairs(
    tic_tac_toe: GameTableEnvironment, measure: LatentAccuracy
) -> None:
    row = measured(measure, ExactModel(tic_tac_toe, planted, lambda code, action: code + 0.5))
    data = sequences(tic_tac_toe, DEPTH)
    positions = planted(tic_tac_toe.observe(tic_tac_toe.positions())).double()
    pairs = torch.cdist(positions, positions).square().mean()
    alive = data.before_end[:, 1]
    initial, then = (planted(tic_tac_toe.observe(data.at(k)[alive])).double() for k in (0, 1))
    error = (initial + 0.5 - then).square().sum(1).mean()
    assert row["predictive/latent_error@1"] == pytest.approx(float(error / pairs), rel=1e-4)


def test_ranks_equal_sorting_with_ties_at_their_mean_rank() -> None:
    generator = Generator().manual_seed(3)
    query, candidates = (torch.randint(3, (n, 2), generator=generator).float() for n in (20, 15))
    true = torch.randint(15, (20,), generator=generator)
    found = ranks(query, candidates, true).tolist()
    for q, t, rank in zip(query.tolist(), true.tolist(), found, strict=True):
        far = [(q[0] - c[0]) ** 2 + (q[1] - c[1]) ** 2 for c in candidates.tolist()]
        places = [i + 1 for i, d in enumerate(sorted(far)) if d == far[t]]
        assert rank == sum(places) / len(places)


def test_collapsed_latents_score_no_retrieval_hits() -> None:
    query, candidates, true = torch.zeros(9, 4), torch.zeros(9, 4), torch.arange(9)
    # As C-SWM's code counts: the true one before all at the same distance.
    nearer = (torch.cdist(query, candidates) < 0).sum(1)
    assert bool((nearer + 1 == 1).all())
    rank = ranks(query, candidates, true)
    assert rank.tolist() == [5.0] * 9
    assert not scores(rank)["hits_1"].any()


def test_random_order_has_the_naive_hit_rate() -> None:
    assert random_scores(4) == {
        "hits_1": 1 / 4, "hits_5": 1.0, "mrr": pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    }  # fmt: skip
    assert random_scores(20)["hits_5"] == pytest.approx(5 / 20)


def test_nearly_constant_entry_is_excluded_even_if_it_varies_later() -> None:
    moving, still = drawn(50, 3), torch.cat([drawn(50, 1) * 1e-6, torch.ones(50, 1)], 1)
    scaled = standardiser(torch.cat([moving, still], 1))
    far = scaled(torch.full((1, 5), 100.0))[0]
    assert (far[:3] > 50).all()
    assert far[3:].tolist() == [0.0, 0.0]


def test_ridge_solves_the_penalised_least_squares_problem() -> None:
    latent, truth = drawn(50, 6) * 3 + 1, drawn(50, 8)[:, 5:]
    latent[:, 2] = 4.0  # tells nothing, and is not divided by its deviation
    inputs = latent.double().numpy()
    kept = [0, 1, 3, 4, 5]
    inputs = (inputs - inputs.mean(0))[:, kept] / inputs.std(0)[kept]
    expected = truth.double().numpy()
    rows = np.concatenate([inputs, np.sqrt(50 * PENALTY) * np.eye(5)])
    sides = np.concatenate([expected - expected.mean(0), np.zeros((5, 3))])
    weight = np.linalg.lstsq(rows, sides, rcond=None)[0]
    found = linear_probe(latent, truth)(latent).numpy()
    assert np.allclose(found, inputs @ weight + expected.mean(0), atol=1e-6)


def test_r2_is_one_minus_residual_over_variance() -> None:
    found, truth = drawn(30, 2), drawn(40, 2)[10:] + 1
    mask = torch.arange(30) < 20
    tally = MetricAccumulator(torch.arange(30) % 2, ("even", "odd"))
    tally.r2("x", 2, found, truth, mask)
    for group, rows in (("", slice(0, 20)), ("[source=odd]", slice(1, 20, 2))):
        f, t = found[rows].double().numpy(), truth[rows].double().numpy()
        expected = 1 - ((f - t) ** 2).sum() / ((t - t.mean(0)) ** 2).sum()
        assert tally.readings()[f"predictive/x@2{group}"] == pytest.approx(expected)
    alike = MetricAccumulator()
    alike.r2("x", 0, found, torch.ones(30, 2), mask)
    assert alike.readings() == {}


def test_probes_are_evaluated_on_held_out_states(
    tic_tac_toe: GameTableEnvironment, measure: LatentAccuracy
) -> None:
    facts = measure.info()
    # Half of the 4,520 positions, each with a sequence from every source.
    assert facts.counts["predictive/probe_r2_linear"][0] == 3 * 2260
    assert facts.counts["predictive/probe_r2_mlp[source=oracle]"][0] == 2260
    assert facts.counts["predictive/hits_1"] == [200] * (DEPTH + 1)
    alive = sequences(tic_tac_toe, DEPTH).before_end.sum(0).tolist()
    assert facts.counts["predictive/latent_error"] == alive[1:]
    assert facts.levels["predictive/latent_error@2"] == {"naive": 1.0, "oracle": 0.0}
    assert facts.levels["predictive/probe_r2_linear@2"] == {"naive": 0.0, "oracle": 1.0}


def test_no_gradient_reaches_the_model() -> None:
    config = trial({"model.representation.name": "random"})
    parts = build(config)
    expected = [p.requires_grad for p in parts.model.parameters()]
    assert set(expected) == {True, False}
    measure = LatentAccuracy(sequences(parts.environment, 1), 50)  # type: ignore[arg-type]
    row = measure(parts.model, parts.planner)
    torch.manual_seed(7)  # the global stream has no say
    assert measure(parts.model, parts.planner) == row
    assert [p.requires_grad for p in parts.model.parameters()] == expected
    assert all(p.grad is None for p in parts.model.parameters())
    assert torch.is_grad_enabled()
