"""The h-transform, two-hot weights and scalar value_encodings against formulas worked by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.models.scalar_head import ScalarHead
from workbench.models.value_encoding import (
    Categorical,
    Scalar,
    Symlog,
    h_transform,
    inverse_h_transform,
    symexp,
    symlog,
    two_hot,
    value_encoding,
)


def h(x: float) -> float:
    return math.copysign(math.sqrt(abs(x) + 1) - 1, x) + 0.001 * x


def test_h_equals_the_formula_of_pohlen_et_al() -> None:
    # h(3) = 2 - 1 + .003; h(-8) = -(3 - 1) - .008; h(0) = 0.
    x = torch.tensor([3.0, -8.0, 0.0, 99.0], dtype=torch.float64)
    assert h_transform(x).tolist() == pytest.approx([1.003, -2.008, 0.0, 9.099])


def test_h_round_trips_within_1e4_over_the_range_of_atari_scores() -> None:
    x = torch.linspace(-1e4, 1e4, 20_001, dtype=torch.float64)
    assert float((inverse_h_transform(h_transform(x)) - x).abs().max()) < 1e-4
    small = torch.linspace(-2, 2, 20_001, dtype=torch.float64)
    assert float((inverse_h_transform(h_transform(small)) - small).abs().max()) < 1e-9


def test_inverse_is_accurate_in_single_precision() -> None:
    # As the formula is mostly written, 1e-4 is lost near 0, and a batch differs from its rows.
    x = torch.linspace(-1, 1, 20_001, dtype=torch.float64)
    y = torch.tensor([h(one) for one in x.tolist()])
    assert float((inverse_h_transform(y) - x).abs().max()) < 1e-6


def test_inverse_differs_from_the_misprinted_formula() -> None:
    # With eps x inside the bracket, -100 would come back as -96.1 and -500 as -458.0.
    y = torch.tensor([h(-100.0), h(-500.0)], dtype=torch.float64)
    assert inverse_h_transform(y).tolist() == pytest.approx([-100.0, -500.0], abs=1e-6)
    inside = [-(math.sqrt(abs(x) + 1) - 1 + 0.001 * x) for x in (-100.0, -500.0)]
    assert inverse_h_transform(torch.tensor(inside).double()).tolist() == pytest.approx(
        [-96.1, -458.0], abs=0.1
    )


def test_two_hot_weights_by_hand() -> None:
    # Atoms -1, 0, 1: .25 lies a quarter of the way from 0 to 1.
    x = torch.tensor([0.25, -1.0, 1.0, 0.0, -0.5, 7.0, -7.0])
    expected = [
        [0, 0.75, 0.25],
        [1, 0, 0],
        [0, 0, 1],
        [0, 1, 0],
        [0.5, 0.5, 0],
        [0, 0, 1],
        [1, 0, 0],
    ]
    assert two_hot(x, -1.0, 1.0, 3).tolist() == expected


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    low=st.floats(-50, 0), span=st.floats(0.1, 100), atoms=st.integers(2, 40), share=st.floats(0, 1)
)
def test_two_hot_is_a_distribution_on_adjacent_atoms_with_the_scalar_as_mean(
    low: float, span: float, atoms: int, share: float
) -> None:
    x = torch.tensor(low + share * span, dtype=torch.float64)
    weights = two_hot(x, low, low + span, atoms)
    places = torch.linspace(low, low + span, atoms, dtype=torch.float64)
    assert float((weights * places).sum()) == pytest.approx(float(x), abs=1e-9)
    assert float(weights.sum()) == pytest.approx(1)
    assert bool((weights >= 0).all())
    held = (weights > 1e-12).nonzero().flatten()
    assert len(held) <= 2
    assert int(held[-1] - held[0]) <= 1


def test_atoms_and_bounds_are_represented_exactly() -> None:
    head = Categorical(-10.0, 30.0, 9)
    places = [h(-10) + i / 8 * (h(30) - h(-10)) for i in range(9)]
    certain = (torch.eye(9) * 200).double().float()
    for decoded, place in zip(head.decode(certain).tolist(), places, strict=True):
        assert h(decoded) == pytest.approx(place, abs=1e-4)
    ends = head.decode(certain)[[0, -1]].tolist()
    assert ends == pytest.approx([-10.0, 30.0], abs=1e-2)


def test_categorical_decodes_the_expectation_and_then_inverts_h() -> None:
    # Atoms of [-1, 1] with 3: h(1) = sqrt(2) - 1 + .001 = .41521. Weights 1/2, 1/4, 1/4 give
    # -.10380, whose inverse is solved here by bisection.
    logits = torch.tensor([0.5, 0.25, 0.25]).log()
    expected, low, high = -0.25 * h(1.0), -1.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if h(middle) < expected else (low, middle)
    assert float(Categorical(-1.0, 1.0, 3).decode(logits)) == pytest.approx(low, abs=2e-4)


def test_two_hot_prediction_of_any_scalar_decodes_to_it() -> None:
    head = Categorical(-300.0, 300.0, 601)
    x = torch.tensor([-300.0, -123.4, -1.0, -0.01, 0.0, 0.3, 2.0, 299.0, 300.0])
    raw = two_hot(h_transform(x), h(-300.0), h(300.0), 601).log().clamp(min=-100)
    assert head.decode(raw).tolist() == pytest.approx(x.tolist(), rel=1e-3, abs=1e-3)


def test_categorical_loss_is_the_two_hot_cross_entropy() -> None:
    # Target .2 with atoms at -h(1), 0, h(1): h(.2) = .09565 lies .23035 of the way to the top.
    raw = torch.tensor([[0.3, -0.7, 1.1], [0.0, 0.0, 0.0]])
    share = h(0.2) / h(1.0)
    total = sum(math.exp(z) for z in (0.3, -0.7, 1.1))
    by_hand = -(1 - share) * (-0.7 - math.log(total)) - share * (1.1 - math.log(total))
    loss = Categorical(-1.0, 1.0, 3).loss(raw, torch.tensor([0.2, -1.0]))
    assert loss.tolist() == pytest.approx([by_hand, math.log(3)], abs=1e-5)


def test_targets_out_of_range_are_clamped() -> None:
    head = Categorical(-1.0, 1.0, 3)
    raw = torch.tensor([[0.3, -0.7, 1.1]]).expand(2, -1)
    loss = head.loss(raw, torch.tensor([1.0, 50.0]))
    assert float(loss[0]) == pytest.approx(float(loss[1]), abs=1e-6)


def test_scalar_encoding_has_one_output_and_squared_error() -> None:
    head = value_encoding(ScalarHead(kind="scalar"))
    raw = torch.tensor([[0.5], [-2.0]])
    assert isinstance(head, Scalar)
    assert head.size == 1
    assert head.decode(raw).tolist() == [0.5, -2.0]
    assert head.loss(raw, torch.tensor([1.5, 1.0])).tolist() == [1.0, 9.0]


def test_symlog_equals_the_formula_of_dreamer_v3_and_symexp_inverts_it() -> None:
    # sign(x) ln(|x| + 1): of e^2 - 1 it is 2, of 1 - e it is -1, of 0 it is 0.
    x = torch.tensor([math.e**2 - 1, 1 - math.e, 0.0], dtype=torch.float64)
    assert symlog(x).tolist() == pytest.approx([2.0, -1.0, 0.0], abs=1e-12)
    wide = torch.linspace(-1e4, 1e4, 20_001, dtype=torch.float64)
    assert float((symexp(symlog(wide)) - wide).abs().max()) < 1e-8


def test_symlog_encoding_has_one_output_and_squared_error_of_the_symlog() -> None:
    head = value_encoding(ScalarHead(kind="symlog"))
    assert isinstance(head, Symlog)
    assert head.size == 1
    raw = torch.tensor([[1.0], [-2.0]])
    # e - 1 and 1 - e^2; targets 3 and 0 have the symlogs ln 4 and 0.
    assert head.decode(raw).tolist() == pytest.approx([math.e - 1, 1 - math.e**2], rel=1e-6)
    loss = head.loss(raw, torch.tensor([3.0, 0.0]))
    assert loss.tolist() == pytest.approx([(1 - math.log(4)) ** 2, 4.0], rel=1e-6)


@pytest.mark.parametrize(
    ("transform", "middle"),
    # Three atoms from 0 to 8: the middle one is 4, or the x of h(x) = h(8) / 2 = 1.004 and of
    # ln(x + 1) = ln(9) / 2 = ln 3.
    [("none", 4.0), ("symlog", 2.0), ("h", 3.002)],
)
def test_atoms_are_evenly_spaced_in_the_configured_transform(transform: str, middle: float) -> None:
    head = value_encoding(ScalarHead(low=0.0, high=8.0, atoms=3, transform=transform))  # type: ignore[arg-type]
    certain = torch.eye(3) * 200
    assert head.decode(certain).tolist() == pytest.approx([0.0, middle, 8.0], abs=2e-3)
    # A target on an atom has all its weight there: no error to the certain, ln 3 to the uniform.
    assert float(head.loss(certain[1], torch.tensor(middle))) == pytest.approx(0.0, abs=0.1)
    uniform = head.loss(torch.zeros(3), torch.tensor(middle))
    assert float(uniform) == pytest.approx(math.log(3), abs=1e-5)


def test_categorical_without_transform_is_plain_two_hot_cross_entropy() -> None:
    # Atoms -1, 0, 1: .25 has weights 0, 3/4, 1/4.
    raw = torch.tensor([0.3, -0.7, 1.1])
    total = math.log(sum(math.exp(z) for z in (0.3, -0.7, 1.1)))
    head = Categorical(-1.0, 1.0, 3, "none")
    by_hand = 0.75 * (total + 0.7) + 0.25 * (total - 1.1)
    assert float(head.loss(raw, torch.tensor(0.25))) == pytest.approx(by_hand, abs=1e-6)
    mean = (math.exp(1.1) - math.exp(0.3)) / math.exp(total)
    assert float(head.decode(raw)) == pytest.approx(mean, abs=1e-6)
