"""Prioritised replay against the formulas of Schaul et al. (2016), and the ring beneath it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from tests.workbench.fakes import trial
from workbench.errors import TrialDiverged
from workbench.training.learner import Objective
from workbench.training.priorities import Priorities
from workbench.training.ring_buffer import RingBuffer
from workbench.training.self_play_loop import SelfPlayLoop
from workbench.training.settings import PrioritiesConfig
from workbench.trial import build
from workbench.types import Unroll

SOME = settings(max_examples=100, deadline=None, derandomize=True)
PRIORITISED = {"procedure.priorities.alpha": 1.0, "targets.value": {"name": "n_step", "steps": 2}}


def of_errors(errors: list[float], **options: float) -> tuple[RingBuffer, Priorities]:
    """A full ring of rows that each have an error."""
    ring = RingBuffer(len(errors))
    priorities = Priorities(ring, PrioritiesConfig(**options))
    place = ring.advance(len(errors))
    priorities.update(ring.serial(place), torch.tensor(errors, dtype=torch.float64))
    return ring, priorities


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_rows_are_sampled_in_proportion_to_their_priority(alpha: float) -> None:
    errors = [0.0, 0.5, 2.0, 7.5]
    _, priorities = of_errors(errors, alpha=alpha, epsilon=0.5)
    mass = [(error + 0.5) ** alpha for error in errors]
    draws = 40_000
    place, _ = priorities.sample(draws, Generator().manual_seed(0))
    found = Counter(place.tolist())
    for row, own in enumerate(mass):
        share = own / sum(mass)
        assert abs(found[row] - draws * share) < 5 * (draws * share * (1 - share)) ** 0.5


@pytest.mark.parametrize("beta", [0.0, 0.4, 1.0])
def test_importance_weights_correct_the_bias_and_have_maximum_one(beta: float) -> None:
    errors = [0.1, 0.9, 3.0, 3.0, 8.0]
    _, priorities = of_errors(errors, alpha=0.7, beta=beta, epsilon=0.01)
    mass = [(error + 0.01) ** 0.7 for error in errors]
    place, weight = priorities.sample(12, Generator().manual_seed(1))
    by_hand = [(1 / (5 * mass[i] / sum(mass))) ** beta for i in place.tolist()]
    assert weight.tolist() == pytest.approx([w / max(by_hand) for w in by_hand], rel=1e-6)


magnitudes = st.one_of(
    st.sampled_from([0.0, 1e-300, 1e-9, 1.0, 1e30, 1e300]), st.floats(0, 1e308, allow_nan=False)
)


@SOME
@given(
    errors=st.lists(magnitudes, min_size=1, max_size=30),
    gone=st.sets(st.integers(0, 29)),
    alpha=st.floats(0.01, 1.0),
    beta=st.floats(0.0, 1.0),
    epsilon=st.sampled_from([5e-324, 1e-6, 1.0]),
)
def test_rows_without_priority_are_never_sampled(
    errors: list[float], gone: set[int], alpha: float, beta: float, epsilon: float
) -> None:
    _, priorities = of_errors(errors, alpha=alpha, beta=beta, epsilon=epsilon)
    kept = [i for i in range(len(errors)) if i not in gone] or [0]
    priorities.exclude(torch.tensor([i for i in range(len(errors)) if i not in kept]).long())
    place, weight = priorities.sample(50, Generator().manual_seed(0))
    assert set(place.tolist()) <= set(kept)
    assert bool(weight.isfinite().all())
    assert float(weight.max()) == 1.0
    assert float(weight.min()) >= 0.0


def test_draw_on_a_boundary_selects_the_row_with_priority() -> None:
    # The least number there is has no half: every point between 0 and it is one of the two.
    _, priorities = of_errors([1.0, 0.0, 1.0], alpha=1.0, epsilon=5e-324)
    priorities.exclude(torch.tensor([0, 2]))
    place, weight = priorities.sample(100, Generator().manual_seed(0))
    assert place.tolist() == [1] * 100
    assert weight.tolist() == [1.0] * 100


@SOME
@given(error=magnitudes, count=st.integers(1, 20))
def test_equal_priorities_give_equal_weights(error: float, count: int) -> None:
    _, priorities = of_errors([error] * count, alpha=1.0)
    _, weight = priorities.sample(30, Generator().manual_seed(0))
    assert weight.tolist() == [1.0] * 30


@SOME
@given(
    capacity=st.integers(1, 9),
    counts=st.lists(st.integers(0, 9), min_size=1, max_size=8),
    later=st.lists(st.integers(0, 9), max_size=4),
)
def test_serial_numbers_remain_unique_after_overwriting(
    capacity: int, counts: list[int], later: list[int]
) -> None:
    ring = RingBuffer(capacity)
    stood: dict[int, int] = {}
    total = 0
    for count in [min(n, capacity) for n in counts]:
        for place in ring.advance(count).tolist():
            stood[place] = total
            total += 1
    assert ring.size == len(stood)
    places = torch.tensor(sorted(stood)).long()
    serials = ring.serial(places)
    assert serials.tolist() == [stood[place] for place in sorted(stood)]
    for count in [min(n, capacity) for n in later]:
        ring.advance(count)
        total += count
    assert ring.held(serials).tolist() == [n >= total - capacity for n in serials.tolist()]


def test_overwritten_row_keeps_the_priority_of_the_new_step() -> None:
    ring, priorities = of_errors([1.0, 2.0, 3.0], alpha=1.0, epsilon=1e-9)
    drawn = ring.serial(torch.tensor([0, 1, 2]))
    new = ring.advance(2)  # at places 0 and 1
    priorities.exclude(new)
    priorities.update(ring.serial(new[:1]), torch.tensor([50.0]))
    priorities.update(drawn, torch.tensor([7.0, 8.0, 9.0]))
    assert priorities.state_dict()["mass"].tolist() == pytest.approx([50.0, 0.0, 9.0])


@pytest.mark.parametrize("error", [float("nan"), float("inf")])
def test_nan_priority_is_reported(error: float) -> None:
    with pytest.raises(TrialDiverged):
        of_errors([1.0, error], alpha=1.0)


def procedure(changes: dict[str, Any]) -> Any:
    config = trial(changes)
    return SelfPlayLoop(build(config), config.procedure)  # type: ignore[arg-type]


def test_initial_priority_is_the_error_of_the_search_value_to_the_return() -> None:
    played = procedure({**PRIORITISED, "procedure.warm_up": 150})
    while not played._replay.ring.written:
        played.advance()
    rows, mass = played._replay.steps, played._priorities.state_dict()["mass"]
    assert played.updates == 0
    finals = 0
    for place in range(played._replay.ring.size):
        remaining = int(rows["remaining"][place])
        finals += remaining == 0
        if remaining == 0:
            assert float(mass[place]) == 0.0
            continue
        # Two steps of a game without discount, in which the players take turns.
        z = float(rows["reward"][place])
        z -= float(rows["reward"][place + 1]) if remaining > 1 else 0.0
        z += float(rows["value"][place + 2]) if remaining > 2 else 0.0
        expected = abs(float(rows["value"][place]) - z) + 1e-6
        assert float(mass[place]) == pytest.approx(expected, abs=1e-6)
    assert finals > 0


def test_update_sets_priorities_to_the_network_error(monkeypatch: pytest.MonkeyPatch) -> None:
    played = procedure({**PRIORITISED, "procedure.batch_size": 8})
    given_back: list[tuple[Tensor, Tensor]] = []
    update = played._priorities.update

    def noted(serial: Tensor, error: Tensor) -> None:
        given_back.append((serial, error))
        update(serial, error)

    while len(played._replay) < 100:
        played.advance()
    monkeypatch.setattr(played._priorities, "update", noted)
    ring = played._replay.ring
    before = {name: value.clone() for name, value in played._learner.model.state_dict().items()}
    played._update()
    ((serial, error),) = given_back
    model = played._learner.model
    model.load_state_dict(before)
    place = serial % ring.capacity
    window = played._replay.window(place, 0, 2, Generator())
    with torch.no_grad():
        value = model.predict(model.represent(window.observation[:, 0], Generator())).value
    target = played._learner._parts.targets["value"](window, played._learner._context(Generator()))
    assert torch.allclose(error, (value - target.value[:, 0]).abs(), atol=1e-6)
    mass = played._priorities.state_dict()["mass"][place]
    assert torch.allclose(mass, error.double() + 1e-6)


def test_terminal_states_are_never_sampled() -> None:
    played = procedure({**PRIORITISED, "procedure.capacity": 220})
    for _ in range(30):
        played.advance()
    place, _ = played._priorities.sample(2000, Generator().manual_seed(0))
    assert bool((played._replay.steps["remaining"][place] > 0).all())
    assert set(place.tolist()) <= set(played._replay.starts.tolist())


def test_loss_weights_the_rows_of_a_batch() -> None:
    errors = torch.tensor([[1.0, 2.0, 6.0], [3.0, 0.0, 4.0]])
    unroll: Any = Unroll((), None, None)  # type: ignore[arg-type]
    terms: Any = {"a": lambda *_: errors, "b": lambda *_: 10 * errors}
    objective = Objective(terms, {"a": 1.0, "b": 0.5})
    loss, means = objective(unroll, {}, None, torch.tensor([1.0, 0.5]))
    # Of "a": row 0 has 1 + (2 + 6) / 2 = 5, row 1 has 3 + 2 = 5: (5 + 2.5) / 2 = 3.75.
    assert float(means["a"]) == pytest.approx(3.75)
    assert float(means["b"]) == pytest.approx(37.5)
    assert float(loss) == pytest.approx(3.75 + 0.5 * 37.5)


def test_uniform_sampling_uses_one_random_stream_and_no_priorities() -> None:
    played = procedure({})
    for _ in range(20):
        played.advance()
    assert played.updates > 0
    assert played.state_dict()["priorities"] is None
    streams = set(played._streams.state_dict())
    assert not streams & {"priorities", "reanalyse", "augmentation"}
