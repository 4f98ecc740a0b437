"""What every metric is. Light: analysis reads it without torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args


@dataclass(frozen=True)
class MetricSpec:
    """A metric's meaning. Chance and oracle levels belong to the world: results state them."""

    name: str
    title: str
    family: Literal["predictive", "decision", "training"]
    better: Literal["lower", "higher"]
    unit: str
    description: str
    by_depth: bool = False
    """Also given as `name@k` at unroll depth k."""


TreeSearch = Literal[10, 100, 1000]
"""Rollouts a move of the tree searches that agents are matched with."""


def _decision(agent: str, title: str) -> list[MetricSpec]:
    everywhere, decisive = "all positions", "positions where the moves differ in worth"
    lower: Literal["lower"] = "lower"
    higher: Literal["higher"] = "higher"
    return [
        MetricSpec(f"decision/{agent}_{key}", f"{name} ({title}{note})", "decision", better, unit,
                   f"{text} over {where}; the {title} decides greedily, without noise.")
        for note, suffix, where in (("", "", everywhere), (", decisive", "_decisive", decisive))
        for key, name, better, unit, text in (
            (f"optimal_rate{suffix}", "Optimal-move rate", higher, "share",
             "Share of moves that are exactly optimal"),
            (f"regret{suffix}", "Regret", lower, "game value",
             "Mean Q*(s, a*) - Q*(s, a) of the chosen move"),
        )
    ]  # fmt: skip


def _play(agent: str) -> list[MetricSpec]:
    """What greedy play by an agent gains: alone, in matches, and in matches elsewhere."""
    against = {"": "random moves"} | {
        f"_mcts_{rollouts}": f"OpenSpiel's tree search with {rollouts} rollouts a move"
        for rollouts in get_args(TreeSearch)
    }
    elsewhere = {"": ("", ""), "transfer_": (", elsewhere", " in the world that it is taken to")}
    return [
        MetricSpec(f"decision/{agent}_return", f"Return ({agent})", "decision", "higher", "reward",
                   f"Mean undiscounted return of greedy play by the {agent}, without noise, over "
                   "the same episodes."),
        *(
            MetricSpec(f"decision/{prefix}{agent}_score{suffix}",
                       f"Score against {opponent} ({agent}{note})", "decision", "higher", "share",
                       f"Games won, and half of those drawn, by the {agent}, greedily and without "
                       f"noise, against {opponent}{where}; every opening is played from both "
                       "sides.")
            for prefix, (note, where) in elsewhere.items()
            for suffix, opponent in against.items()
        ),
    ]  # fmt: skip


METRICS: dict[str, MetricSpec] = {
    spec.name: spec
    for spec in [
        MetricSpec("predictive/reward_error", "Reward error", "predictive", "lower", "squared",
                   "Mean square of predicted minus true reward, along real moves.", True),
        MetricSpec("predictive/value_error", "Value error", "predictive", "lower", "squared",
                   "Mean square of predicted value minus the exact value of the true state.", True),
        MetricSpec("predictive/policy_error", "Policy error", "predictive", "lower", "nats",
                   "-log of the predicted probability that the move is an optimal one.", True),
        MetricSpec("predictive/termination_error", "Termination error", "predictive", "lower",
                   "Brier", "Mean square of the predicted probability of the end minus the truth.",
                   True),
        *_decision("prior", "prior"),
        *_decision("search", "search"),
        MetricSpec("decision/losing_lines", "Losing lines", "decision", "lower", "lines",
                   "Lines of play in which the searching agent loses, over every possible reply "
                   "of the opponent, from either side."),
        MetricSpec("decision/losing_lines_first", "Losing lines, moving first", "decision", "lower",
                   "lines", "Losing lines where the agent moves first."),
        MetricSpec("decision/losing_lines_second", "Losing lines, moving second", "decision",
                   "lower", "lines", "Losing lines where the agent moves second."),
        *_play("prior"),
        *_play("search"),
        MetricSpec("training/loss", "Loss", "training", "lower", "",
                   "The weighted objective, mean since the last measurement."),
    ]
}  # fmt: skip


def spec(name: str) -> MetricSpec | None:
    """The metric that `name` or `name@depth` belongs to, if it is a known one."""
    return METRICS.get(re.sub(r"@\d+$", "", name))
