"""The study's tables: tidy frames at full precision, and blocks of text for people."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from analysis.formatting import (
    NOTHING,
    decimals,
    describe,
    fixed,
    mean_pm,
    p_value,
    scale,
    titled,
    unit,
)
from analysis.frames import PARTS, StudyResults
from analysis.paired_comparisons import comparisons_frame
from analysis.statistics import Interval, mean_interval
from analysis.study_agreement import correlation_frame, selection_frame
from analysis.table_format import Table
from workbench.metrics import METRICS, MetricSpec, TreeSearch

AGENTS = ("search", "prior")
OPPONENTS = {"": "random moves", "_oracle": "perfect play"} | {
    f"_mcts_{n}": f"MCTS {n}" for n in get_args(TreeSearch)
}

BLOCKS: Mapping[str, Mapping[str, str]] = {
    "Predictive accuracy": {
        f"predictive/{part}_error": f"{part} error"
        for part in ("reward", "value", "policy", "termination")
    },
    "Predictive accuracy, of latents and where it matters": {
        "predictive/relevant_error": "decision-relevant error",
        "predictive/return_error": "own return",
        "predictive/value_equivalence_error": "value equivalence",
        "predictive/self_consistency_error": "self-consistency",
        "predictive/latent_error": "latent error",
        "predictive/hits_1": "Hits@1",
        "predictive/mrr": "MRR",
        "predictive/decodable_ridge": "decodable, ridge",
        "predictive/decodable_hidden": "decodable, hidden",
        "predictive/transposition_gap": "transposition gap",
    },
    "Optimal-move rate": {
        "decision/search_optimal_rate_decisive": "search, decisive",
        "decision/search_optimal_rate": "search, all",
        "decision/prior_optimal_rate_decisive": "prior, decisive",
        "decision/prior_optimal_rate": "prior, all",
    },
    "Regret": {
        "decision/search_regret_decisive": "search, decisive",
        "decision/search_regret": "search, all",
        "decision/prior_regret_decisive": "prior, decisive",
        "decision/prior_regret": "prior, all",
    },
    "Blunders and exploitability": {
        f"decision/{agent}_{key}": f"{agent}, {heading}"
        for key, heading in (("blunder_rate", "blunders"), ("exploitability", "exploitability"))
        for agent in AGENTS
    },
    "Losing lines": {
        "decision/losing_lines_first": "moving first",
        "decision/losing_lines_second": "moving second",
    },
    "Return": {f"decision/{agent}_return": agent for agent in AGENTS},
    **{
        title: {
            f"decision/{prefix}{agent}_score{suffix}": f"{agent}, {opponent}"
            for agent in AGENTS
            for suffix, opponent in OPPONENTS.items()
        }
        for title, prefix in (("Score", ""), ("Score in the other world", "transfer_"))
    },
}


def main_frame(results: StudyResults) -> pd.DataFrame:
    """Tidy: a row a condition and metric, over finished trials at their last checkpoint."""
    rows = []
    for name in [name for name in METRICS if name in results.done]:
        table = results.by_seed(name)
        for condition in results.conditions:
            found = mean_interval(table[condition].to_numpy(float))
            rows.append(
                {
                    "condition": condition,
                    "metric": name,
                    "family": METRICS[name].family,
                    "better": METRICS[name].better,
                    "unit": METRICS[name].unit,
                    "n": found.n,
                    "mean": found.mean,
                    "half_width": found.half_width,
                    "low": found.low,
                    "high": found.high,
                    "note": found.note,
                }
            )
    return pd.DataFrame(rows)


def sizes_table(results: StudyResults) -> Table:
    """Seeds finished and parameters of each part."""
    rows = {name: _size_row(results, name) for name in results.conditions}
    cells = pd.DataFrame.from_dict(rows, orient="index").rename_axis("condition")
    return Table("Seeds finished, and parameters of each part", cells)


def main_tables(results: StudyResults) -> list[Table]:
    """A block a kind of metric, a row a condition: mean ± half-width of the 95 % t interval."""
    tables = [sizes_table(results)]
    for title, columns in BLOCKS.items():
        shown = {name: heading for name, heading in columns.items() if name in results.done}
        if shown:
            tables.append(Table(f"{title}: mean ± half-width of the 95 % t interval",
                                _block(results, shown)))  # fmt: skip
    return tables


def comparisons_tables(results: StudyResults) -> list[Table]:
    """Paired differences, tests and verdicts: a table for each of the study's two metrics."""
    frame = comparisons_frame(results)
    if frame.empty:
        return []
    tables = []
    for name, rows in frame.groupby("metric", sort=False):
        metric = describe(str(name))
        cells = pd.DataFrame([_comparison_row(row, metric) for row in rows.to_dict("records")])
        title = f"Paired differences in {titled(metric).replace(', %', ', points')}"
        tables.append(Table(title, cells.set_index("comparison")))
    return tables


def selection_table(results: StudyResults) -> Table:
    """What picking by each predictive metric costs in the primary metric."""
    primary = describe(results.study["primary"])
    rows = [
        {
            "picked by": describe(str(row["predictive"])).title,
            "picks": str(row["picked_condition"]),
            "best decider": str(row["best_condition"]),
            "loss": _loss(row["condition_loss"], primary),
            "by chance": _loss(row["condition_loss_by_chance"], primary),
            "loss, single trial": _loss(row["trial_loss"], primary),
            "pairs alike": str(row["concordant_pairs"]),
            "pairs opposed": str(row["discordant_pairs"]),
        }
        for row in selection_frame(results).to_dict("records")
    ]
    cells = pd.DataFrame(rows)
    lost = titled(primary).replace(", %", ", points")
    title = f"What is lost in {lost}, by picking on predictive accuracy"
    return Table(title, cells if cells.empty else cells.set_index("picked by"))


def correlation_table(results: StudyResults) -> Table:
    """Of the study's own metrics; positive where the better predictor is the better decider."""
    frame = correlation_frame(results)
    own = frame if frame.empty else frame[frame["predictive"] == results.study["predictive"]]
    rows = [
        {
            "over": str(row["level"]),
            "n": str(row["n"]),
            "Spearman ρ": fixed(row["spearman"], 2),
            "95 % interval": (
                f"{fixed(row['low'], 2)} to {fixed(row['high'], 2)}"
                if row["low"] == row["low"]
                else NOTHING
            ),
            "Kendall τ": fixed(row["kendall"], 2),
            "note": str(row["note"]),
        }
        for row in own.to_dict("records")
    ]
    cells = pd.DataFrame(rows)
    title = "Rank correlation of predictive and decision quality (positive: they agree)"
    return Table(title, cells if cells.empty else cells.set_index("over"))


def all_correlations_table(results: StudyResults) -> Table:
    """Spearman's correlation of every predictive metric with the decision metric, by level."""
    frame = correlation_frame(results)
    title = "Rank correlation (Spearman ρ) of every predictive metric with decision quality"
    if frame.empty:
        return Table(title, frame)
    known = frame.set_index(["predictive", "level"])["spearman"].unstack(sort=False)
    cells = known.map(lambda value: fixed(value, 2))
    cells.index = pd.Index([describe(str(name)).title for name in cells.index], name="metric")
    return Table(title, cells.rename_axis(columns=None))


def write_tables(results: StudyResults, folder: Path) -> list[Path]:
    """Write every table as Markdown, LaTeX and tidy CSV."""
    folder.mkdir(parents=True, exist_ok=True)
    sets: dict[str, tuple[Sequence[Table], pd.DataFrame]] = {
        "main": (main_tables(results), main_frame(results)),
        "comparisons": (comparisons_tables(results), comparisons_frame(results)),
        "selection": ([selection_table(results)], selection_frame(results)),
        "correlation": (
            [correlation_table(results), all_correlations_table(results)],
            correlation_frame(results),
        ),
    }
    paths = []
    for name, raw in {"trials": results.trials, "last_checkpoints": results.final,
                      "by_depth": results.by_depth, "curves": results.curves,
                      "evaluation": results.evaluation}.items():  # fmt: skip
        paths.append(folder / f"{name}.csv")
        raw.to_csv(paths[-1], index=False)
    for name, (tables, frame) in sets.items():
        filled = [table for table in tables if not table.cells.empty]
        texts = {
            "md": "\n".join(table.markdown() for table in filled),
            "tex": "\n".join(table.latex() for table in filled),
            "csv": frame.to_csv(index=False),
        }
        for suffix, text in texts.items():
            paths.append(folder / f"{name}.{suffix}")
            paths[-1].write_text(text, encoding="utf-8")
    return paths


def _comparison_row(row: Mapping[Hashable, Any], metric: MetricSpec) -> dict[str, str]:
    mean, low, high = (scale(metric) * row[key] for key in ("difference", "low", "high"))
    places = decimals([mean, low, high])
    bounds = f"{fixed(low, places)} to {fixed(high, places)}"
    return {
        "comparison": f"{row['against']} − {row['baseline']}",
        "pairs": str(row["pairs"]),
        "difference": fixed(mean, places, sign=True),
        "95 % t interval": bounds if row["pairs"] > 1 else NOTHING,
        "sign-flip p": p_value(row["sign_flip_p"]),
        "least p": p_value(row["smallest_p"]),
        "Holm p": p_value(row["holm_p"]),
        "d_z": fixed(row["d_z"], 2),
        "verdict": str(row["verdict"]),
    }


def _size_row(results: StudyResults, condition: str) -> dict[str, str]:
    trials = results.trials[results.trials["condition"] == condition]
    done = int((trials["state"] == "done").sum())
    failed = int((trials["state"] == "failed").sum())
    seeds = f"{done} of {len(trials)}" + (f" ({failed} failed)" if failed else "")
    sizes = {part: trials[f"parameters_{part}"].max() for part in PARTS}
    return {"seeds": seeds} | {part: fixed(float(n), 0) for part, n in sizes.items()}


def _block(results: StudyResults, shown: Mapping[str, str]) -> pd.DataFrame:
    columns = {}
    for name, heading in shown.items():
        metric = describe(name)
        table = results.by_seed(name)
        found = {c: mean_interval(table[c].to_numpy(float)) for c in results.conditions}
        arrow = "↓" if metric.better == "lower" else "↑"
        symbol = " (%)" if unit(metric) == "%" else ""
        columns[f"{heading}{symbol} {arrow}"] = _column(results, metric, found)
    labels = {name: _label(results, name) for name in results.conditions}
    cells = pd.DataFrame(columns).fillna(NOTHING).rename(index=labels).rename_axis("condition")
    return cells[(cells != NOTHING).any(axis=1) | cells.index.isin(labels.values())]


def _column(
    results: StudyResults, metric: MetricSpec, found: Mapping[str, Interval]
) -> pd.Series[str]:
    """Every condition's cell, with chance and oracle levels below."""
    levels = results.levels.get(metric.name, {})
    factor = scale(metric)
    means = [factor * interval.mean for interval in found.values()]
    places = 1 if metric.unit == "share" else decimals([*means, *levels.values()])
    cells = {condition: mean_pm(interval, metric, places) for condition, interval in found.items()}
    for kind in ("chance", "oracle"):
        cells[kind] = fixed(factor * levels.get(kind, float("nan")), places)
    return pd.Series(cells)


def _label(results: StudyResults, condition: str) -> str:
    """The name, marked where seeds are missing."""
    trials = results.trials[results.trials["condition"] == condition]
    done = int((trials["state"] == "done").sum())
    return condition if done == len(trials) else f"{condition} ({done} of {len(trials)})"


def _loss(value: float, metric: MetricSpec) -> str:
    shown = scale(metric) * value
    return fixed(shown, decimals([shown]) if shown else 0)
