"""The error of what a decoder sees, by decoders that see everything or always the same."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.workbench.fakes import trial
from tests.workbench.measures.exact_model import Decoding, sequences
from workbench.environments.games.game_table import GameTableEnvironment
from workbench.measures.observation import Observation
from workbench.measures.prediction.observation_error import ObservationError

DEPTH = 2


@pytest.fixture(scope="module")
def measure(tic_tac_toe: GameTableEnvironment) -> ObservationError:
    return ObservationError(sequences(tic_tac_toe, DEPTH))


def readings(measure: ObservationError, model: Decoding) -> dict[str, float | None]:
    return measure(model, None)  # type: ignore[arg-type]


def test_logits_of_the_true_observation_have_zero_error(
    tic_tac_toe: GameTableEnvironment, measure: ObservationError
) -> None:
    model = Decoding(tic_tac_toe, lambda code: (40 * code - 20).view(-1, 3, 3, 3))
    row = readings(measure, model)
    assert set(row) == {
        "predictive/observation_error", *(f"predictive/observation_error@{k}" for k in range(3))
    }  # fmt: skip
    for error in row.values():
        assert error == pytest.approx(0.0, abs=1e-9)


def test_error_is_the_mean_over_entries_and_the_best_constant_has_the_naive_level(
    tic_tac_toe: GameTableEnvironment, measure: ObservationError
) -> None:
    data = sequences(tic_tac_toe, DEPTH)
    levels = measure.info().levels
    for k in range(DEPTH + 1):
        alive = data.before_end[:, k]
        true = tic_tac_toe.observe(data.at(k)[alive]).double().flatten(1)
        # A logit of 0 is a half, which is wrong by a half whatever is there.
        nothing = Decoding(tic_tac_toe, lambda code: torch.zeros(len(code), 3, 3, 3))
        assert readings(measure, nothing)[f"predictive/observation_error@{k}"] == 0.25
        best = true.mean(0)

        def constant(code: Tensor, best: Tensor = best) -> Tensor:
            return best.logit().float().expand(len(code), -1).view(-1, 3, 3, 3)

        name = f"predictive/observation_error@{k}"
        found = readings(measure, Decoding(tic_tac_toe, constant))[name]
        expected = float((best - true).square().mean())
        assert found == pytest.approx(expected, rel=1e-5)
        assert levels[name] == {"naive": pytest.approx(expected), "oracle": 0.0}
        assert measure.info().counts["predictive/observation_error"][k] == len(true)


def test_model_without_decoder_is_rejected() -> None:
    assert [*Observation().incompatibilities(trial())] == [
        "measure 'observation' needs a decoder; model 'composed' as configured has none"
    ]
    assert not [*Observation().incompatibilities(trial({"model.decoder": "mlp"}))]
