"""What every metric is. Light: analysis reads it without torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args


@dataclass(frozen=True)
class MetricSpec:
    """A metric's meaning. Its levels in numbers belong to the world: results state them."""

    name: str
    title: str
    family: Literal["predictive", "decision", "training"]
    better: Literal["lower", "higher"]
    unit: str
    description: str
    by_depth: bool = False
    """Also given as `name@k` at unroll depth k."""
    by: tuple[str, ...] = ()
    """Coordinates under which it is also given, as in `name[source=uniform]`."""
    chance: str = ""
    """What its chance level is the score of; empty where it has none."""
    oracle: float | None = 0.0
    """What a perfect model or perfect play scores; None where that is the world's, or unknown."""
    version: int = 1
    """Raised when the same name comes to mean another number."""
    measure: str = ""
    """What tells it, by its name alone; empty where training itself does."""
    exact: bool = False
    """Whether its measure leaves it out of worlds without an oracle."""


@dataclass(frozen=True)
class Reading:
    """What one measured number is of: `metric@depth[key=value,...]`, the last two if there are."""

    metric: str
    depth: int | None = None
    at: Mapping[str, str] = field(default_factory=dict)
    """Coordinates: `source` of the moves, `simulations` of the search, ..."""

    def __str__(self) -> str:
        depth = "" if self.depth is None else f"@{self.depth}"
        inside = ",".join(f"{key}={value}" for key, value in self.at.items())
        return f"{self.metric}{depth}" + (f"[{inside}]" if inside else "")


_READING = re.compile(r"^(?P<metric>[^@\[]+)(@(?P<depth>\d+))?(\[(?P<at>[^\]]*)\])?$")


def parse(name: str) -> Reading:
    """The reading behind a name. Raises ValueError where it is not one."""
    found = _READING.match(name)
    if found is None:
        raise ValueError(f"'{name}' is not of the form metric@depth[key=value,...]")
    pairs = (pair.partition("=")[::2] for pair in (found["at"] or "").split(",") if pair)
    depth = None if found["depth"] is None else int(found["depth"])
    return Reading(found["metric"], depth, dict(pairs))


TreeSearch = Literal[10, 100, 1000]
"""Rollouts a move of the tree searches that agents are matched with."""


def _decision(agent: str, title: str) -> list[MetricSpec]:
    everywhere, decisive = "all positions", "positions where the moves differ in worth"
    lower: Literal["lower"] = "lower"
    higher: Literal["higher"] = "higher"
    return [
        MetricSpec(f"decision/{agent}_{key}", f"{name} ({title}{note})", "decision", better, unit,
                   f"{text} over {where}; the {title} decides greedily, without noise.",
                   by=("simulations",) if agent == "search" else (),
                   chance="uniformly random moves", oracle=oracle, measure="decision")
        for note, suffix, where in (("", "", everywhere), (", decisive", "_decisive", decisive))
        for key, name, better, unit, text, oracle in (
            (f"optimal_rate{suffix}", "Optimal-move rate", higher, "share",
             "Share of moves that are exactly optimal", 1.0),
            (f"regret{suffix}", "Regret", lower, "game value",
             "Mean Q*(s, a*) - Q*(s, a) of the chosen move", 0.0),
        )
    ] + [
        MetricSpec(f"decision/{agent}_blunder_rate", f"Blunder rate ({title})", "decision", lower,
                   "share", "Share of moves that give the game away: lost after them, and not "
                   f"before, over the positions that are not lost; the {title} decides greedily.",
                   by=("simulations",) if agent == "search" else (),
                   chance="uniformly random moves", measure="decision"),
        MetricSpec(f"decision/{agent}_exploitability", f"Exploitability ({title})", "decision",
                   lower, "game value", "What the best reply gains on perfect play against the "
                   f"{title}, who decides greedily: the mean over both sides.",
                   chance="uniformly random moves", measure="exploitability"),
    ]  # fmt: skip


def _both_ways() -> list[MetricSpec]:
    """By depth of imagination and by the source of the moves that are followed."""
    source = ("source",)
    blind = "the best constant guess"
    lower: Literal["lower"] = "lower"
    higher: Literal["higher"] = "higher"
    found: list[tuple[str, str, str, Literal["lower", "higher"], str, str, float, str]] = [
        ("predictive", "reward_error", "Reward error", lower, "squared", blind, 0.0,
         "Mean square of predicted minus true reward, along real moves."),
        ("predictive", "value_error", "Value error", lower, "squared", blind, 0.0,
         "Mean square of predicted value minus the exact value of the true state."),
        ("predictive", "policy_error", "Policy error", lower, "nats", "a uniform policy", 0.0,
         "-log of the predicted probability that the move is an optimal one."),
        ("predictive", "termination_error", "Termination error", lower, "Brier", blind, 0.0,
         "Mean square of the predicted probability of the end minus the truth."),
        ("predictive", "illegal_mass", "Illegal probability", lower, "share",
         "a uniform policy", 0.0,
         "Probability that the imagined policy gives to moves that are illegal in the true state."),
        ("latents", "latent_error", "Latent error", lower, "normalised",
         "the latent of another state", 0.0,
         "Mean square distance of the imagined latent to h of the true observation, over that of "
         "two states drawn at random: a smaller scale is no smaller error."),
        ("latents", "decodable_ridge", "Decodability, ridge", higher, "R²",
         "the mean observation", 1.0,
         "Share of the variance of the true observation that a ridge regression from latents, "
         "fitted to encoded states only, explains from imagined ones."),
        ("latents", "decodable_hidden", "Decodability, one hidden layer", higher, "R²",
         "the mean observation", 1.0,
         "The same by a network with one hidden layer; neither sends a gradient to the model."),
        ("latents", "hits_1", "Hits@1", higher, "share", "a random order", 1.0,
         "Share of imagined latents whose nearest encoded state is the true one; ties count by "
         "their middle rank, so that a constant latent gains nothing."),
        ("latents", "hits_5", "Hits@5", higher, "share", "a random order", 1.0,
         "Share of imagined latents with the true state among the five nearest encoded ones."),
        ("latents", "mrr", "Mean reciprocal rank", higher, "share",
         "a random order", 1.0,
         "Mean of 1 / the rank of the true state among the encoded ones, by distance."),
        ("equivalence", "value_equivalence_error", "Value-equivalence error", lower, "squared",
         "", 0.0,
         "Mean square of k imagined rewards and the imagined value, minus the k true rewards and "
         "the value at the true state's encoding, along the same moves (Grimm et al. 2020, "
         "order k, with the agent's own value)."),
        ("equivalence", "policy_evaluation_error", "Policy-evaluation error", lower, "absolute",
         "no reward ever", 0.0,
         "Mean absolute difference of the k-step return imagined and true, along moves of a "
         "policy that may not be the agent's own (He et al. 2023)."),
        ("observation", "observation_error", "Observation error", lower, "squared", blind, 0.0,
         "Mean square of the decoded minus the true observation, a mean over its entries."),
    ]  # fmt: skip
    return [
        MetricSpec(f"predictive/{name}", title, "predictive", better, unit, text, True, source,
                   chance, oracle, measure=measure, exact=name in ("value_error", "policy_error"))
        for measure, name, title, better, unit, chance, oracle, text in found
    ]  # fmt: skip


def _lost() -> list[MetricSpec]:
    """What search makes of the prior, and where decisions are lost."""
    by = ("simulations",)
    return [
        MetricSpec("decision/planning_gain", "Planning gain", "decision", "higher", "game value",
                   "Regret of the prior minus regret of the search.", by=by, chance="no search",
                   oracle=None, measure="search_budget"),
        MetricSpec("decision/worsened", "Made worse by search", "decision", "lower", "share",
                   "Share of positions where the move that the search chooses is worth less than "
                   "the prior's.", by=by, chance="no search", measure="search_budget"),
        MetricSpec("decision/transplant_regret", "Regret with parts replaced", "decision", "lower",
                   "game value", "Regret of the search with dynamics, prior or value of the "
                   "trained agent replaced, at every state that it imagines; not trained again.",
                   by=("dynamics", "prior", "value", "simulations"),
                   chance="uniformly random moves", measure="transplant"),
        MetricSpec("decision/regret_owed", "Regret owed to a part", "decision", "lower",
                   "game value", "Shapley value of replacing a part: the regret that it saves, a "
                   "mean over all orders of replacing them; `left` is what stays when all are.",
                   by=("part", "simulations"), measure="transplant"),
        MetricSpec("decision/model_regret", "Model regret", "decision", "lower", "game value",
                   "Regret with the learned dynamics minus regret with the true ones, under the "
                   "same heads.", by=by, measure="transplant"),
        MetricSpec("decision/flip_rate", "Flip rate", "decision", "lower", "share",
                   "Share of positions where the search chooses another move when reward, end "
                   "and value at depth k are the true ones.", True, by, measure="flips"),
        MetricSpec("decision/flip_gain", "Regret saved by the truth at a depth", "decision",
                   "lower", "game value", "How much regret falls when reward, end and value at "
                   "depth k are the true ones; below 0 it rises.", True, by, measure="flips"),
        MetricSpec("predictive/relevant_error", "Decision-relevant error", "predictive", "lower",
                   "squared", "Mean square of the imagined worth of a move minus its exact worth, "
                   "weighted by the visits of the move and by the gap between the best move and "
                   "the next.", chance="the best constant guess", measure="relevant_error"),
        MetricSpec("predictive/self_consistency_error", "Self-consistency error", "predictive",
                   "lower", "squared", "Mean square of the value imagined at depth k minus the "
                   "reward and value imagined one step on, along the agent's own policy.", True,
                   measure="equivalence"),
        MetricSpec("predictive/transposition_gap", "Transposition gap", "predictive", "lower",
                   "normalised", "Mean square distance of the latents to which two orders of the "
                   "same moves lead, over that of two states drawn at random.",
                   chance="the latent of another state", measure="transpositions"),
        MetricSpec("predictive/transposition_value_gap", "Transposition gap of values",
                   "predictive", "lower", "squared", "Mean square difference of the values "
                   "imagined after two orders of the same moves.", measure="transpositions"),
        MetricSpec("predictive/return_error", "Error of the agent's own return", "predictive",
                   "lower", "squared", "Mean square of the predicted value minus the discounted "
                   "return that the agent's own play has from that very state.", True,
                   measure="monte_carlo"),
        *(
            MetricSpec(f"decision/blindfold_{key}", f"{title}, seldom seeing", "decision",
                       "higher", unit, f"{title} of the searching agent when it is shown the "
                       "true observation at every n-th step only, and imagines the others.",
                       by=("every",), chance="uniformly random moves", oracle=None,
                       measure="blindfold")
            for key, title, unit in (("return", "Return", "reward"), ("score", "Score", "share"))
        ),
    ]  # fmt: skip


def _play(agent: str) -> list[MetricSpec]:
    """What greedy play by an agent gains: alone, in matches, and in matches elsewhere."""
    against = {"": "random moves", "_oracle": "perfect play"} | {
        f"_mcts_{rollouts}": f"OpenSpiel's tree search with {rollouts} rollouts a move"
        for rollouts in get_args(TreeSearch)
    }
    by = ("simulations",) if agent == "search" else ()
    elsewhere = {"": ("", ""), "transfer_": (", elsewhere", " in the world that it is taken to")}
    return [
        MetricSpec(f"decision/{agent}_return", f"Return ({agent})", "decision", "higher", "reward",
                   f"Mean undiscounted return of greedy play by the {agent}, without noise, over "
                   "the same episodes.", by=by, chance="uniformly random moves", oracle=None,
                   measure="returns"),
        *(
            MetricSpec(f"decision/{prefix}{agent}_score{suffix}",
                       f"Score against {opponent} ({agent}{note})", "decision", "higher", "share",
                       f"Games won, and half of those drawn, by the {agent}, greedily and without "
                       f"noise, against {opponent}{where}; every opening is played from both "
                       "sides.", by=by, chance="uniformly random moves", oracle=None,
                       measure="size_transfer" if prefix else "matches")
            for prefix, (note, where) in elsewhere.items()
            for suffix, opponent in against.items()
        ),
    ]  # fmt: skip


METRICS: dict[str, MetricSpec] = {
    spec.name: spec
    for spec in [
        *_both_ways(),
        *_decision("prior", "prior"),
        *_decision("search", "search"),
        MetricSpec("decision/losing_lines", "Losing lines", "decision", "lower", "lines",
                   "Lines of play in which the searching agent loses, over every possible reply "
                   "of the opponent, from either side.", measure="decision"),
        MetricSpec("decision/losing_lines_first", "Losing lines, moving first", "decision", "lower",
                   "lines", "Losing lines where the agent moves first.", measure="decision"),
        MetricSpec("decision/losing_lines_second", "Losing lines, moving second", "decision",
                   "lower", "lines", "Losing lines where the agent moves second.",
                   measure="decision"),
        *_play("prior"),
        *_play("search"),
        *_lost(),
        MetricSpec("training/loss", "Loss", "training", "lower", "",
                   "The weighted objective, mean since the last measurement.", oracle=None),
    ]
}  # fmt: skip


def spec(name: str) -> MetricSpec | None:
    """The metric that a reading's name belongs to, if it is a known one."""
    return METRICS.get(re.sub(r"[@\[].*$", "", name))
