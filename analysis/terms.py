"""Terms of a report: one line each, for those that the report uses."""

from __future__ import annotations

from collections.abc import Mapping

TERMS: Mapping[str, tuple[str, str]] = {
    "condition": ("condition", "one configuration of the study, trained with several seeds"),
    "trial": ("trial", "one training run: one condition with one seed"),
    "predictor, decider": (
        "predictor",
        "the better predictor has the better predictive metric, the better decider the better "
        "primary metric; a rank correlation above 0 means that better predictors decide better",
    ),
    "decisive position": (
        "decisive",
        "a position in which legal moves have different exact values, so the choice matters",
    ),
    "regret": (
        "regret",
        "exact value of the best action minus that of the chosen action; 0 is optimal",
    ),
    "losing line": (
        "losing lines",
        "a distinct game that the agent, playing without noise, loses against some sequence of "
        "replies; 0 means that it cannot be beaten",
    ),
    "selection regret": (
        "selection regret",
        "decision quality of the best condition minus that of the condition with the best "
        "predictive metric",
    ),
    "unroll depth": (
        "unroll",
        "number of model steps between the real state and the prediction; 0 predicts the real "
        "state itself",
    ),
    "prior, search": (
        "prior",
        "the prior decides by the policy head alone, the search by its tree search",
    ),
    "naive baseline": (
        "naive",
        "level of uniformly random actions or of the best constant prediction, as the metric "
        "defines it",
    ),
    "oracle": ("oracle", "level of optimal play or of a perfect model"),
}
"""Key text to look for, and meaning, of each term."""


def used_terms(text: str) -> dict[str, str]:
    """Return the meanings of the terms whose key text occurs in `text`."""
    lower = text.lower()
    return {term: meaning for term, (key, meaning) in TERMS.items() if key in lower}
