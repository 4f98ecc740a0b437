"""Tables of a study: tidy frames at full precision, and formatted tables."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from analysis.formatting import (
    MISSING,
    decimal_places,
    difference_unit,
    display_factor,
    display_unit,
    format_mean,
    format_number,
    format_p,
    resolve_metric,
    title_in_sentence,
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
    "Predictive accuracy of latents, returns and consistency": {
        "predictive/decision_weighted_error": "decision-weighted error",
        "predictive/return_error": "return error",
        "predictive/value_equivalence_error": "value equivalence",
        "predictive/self_consistency_error": "self-consistency",
        "predictive/latent_error": "latent error",
        "predictive/hits_1": "Hits@1",
        "predictive/mrr": "MRR",
        "predictive/probe_r2_linear": "linear-probe R²",
        "predictive/probe_r2_mlp": "MLP-probe R²",
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
        for title, prefix in (("Score", ""), ("Score in the transfer environment", "transfer_"))
    },
}


def main_frame(results: StudyResults) -> pd.DataFrame:
    """Return one row per condition and metric, over finished trials at their last checkpoint."""
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
    """Return finished seeds and parameters of each model part by condition."""
    rows = {name: _size_row(results, name) for name in results.conditions}
    cells = pd.DataFrame.from_dict(rows, orient="index").rename_axis("condition")
    return Table("Finished seeds, and parameters of each model part", cells)


def main_tables(results: StudyResults) -> list[Table]:
    """Return one table per kind of metric: mean ± half-width of the t interval by condition."""
    tables = [sizes_table(results)]
    for title, columns in BLOCKS.items():
        shown = {name: heading for name, heading in columns.items() if name in results.done}
        if shown:
            tables.append(Table(f"{title}: mean ± half-width of the 95 % t interval",
                                _block(results, shown)))  # fmt: skip
    return tables


def comparisons_tables(results: StudyResults) -> list[Table]:
    """Return paired differences, tests and verdicts, one table per main metric."""
    frame = comparisons_frame(results)
    if frame.empty:
        return []
    tables = []
    for name, rows in frame.groupby("metric", sort=False):
        metric = resolve_metric(str(name))
        cells = pd.DataFrame([_comparison_row(row, metric) for row in rows.to_dict("records")])
        title = f"Paired differences in {_title_of_differences(metric)}"
        tables.append(Table(title, cells.set_index("comparison")))
    return tables


def selection_table(results: StudyResults) -> Table:
    """Return the selection regret of picking by each predictive metric."""
    primary = resolve_metric(results.study["primary"])
    rows = [
        {
            "picked by": resolve_metric(str(row["predictive"])).title,
            "picks": str(row["picked_condition"]),
            "best decider": str(row["best_condition"]),
            "selection regret": _loss(row["condition_loss"], primary),
            "random pick": _loss(row["condition_loss_by_chance"], primary),
            "regret, single trial": _loss(row["trial_loss"], primary),
            "concordant pairs": str(row["concordant_pairs"]),
            "discordant pairs": str(row["discordant_pairs"]),
        }
        for row in selection_frame(results).to_dict("records")
    ]
    cells = pd.DataFrame(rows)
    title = f"Selection regret in {_title_of_differences(primary)}, by predictive metric"
    return Table(title, cells if cells.empty else cells.set_index("picked by"))


def correlation_table(results: StudyResults) -> Table:
    """Return rank correlations of the study's two metrics; positive if the rankings agree."""
    frame = correlation_frame(results)
    own = frame if frame.empty else frame[frame["predictive"] == results.study["predictive"]]
    rows = [
        {
            "level": str(row["level"]),
            "n": str(row["n"]),
            "Spearman ρ": format_number(row["spearman"], 2),
            "95 % interval": (
                f"{format_number(row['low'], 2)} to {format_number(row['high'], 2)}"
                if row["low"] == row["low"]
                else MISSING
            ),
            "Kendall τ": format_number(row["kendall"], 2),
            "note": str(row["note"]),
        }
        for row in own.to_dict("records")
    ]
    cells = pd.DataFrame(rows)
    title = "Rank correlation of predictive and decision quality (positive: they agree)"
    return Table(title, cells if cells.empty else cells.set_index("level"))


def all_correlations_table(results: StudyResults) -> Table:
    """Return Spearman's rho of every predictive metric with the decision metric, by level."""
    frame = correlation_frame(results)
    title = "Rank correlation (Spearman ρ) of every predictive metric with decision quality"
    if frame.empty:
        return Table(title, frame)
    known = frame.set_index(["predictive", "level"])["spearman"].unstack(sort=False)
    cells = known.map(lambda value: format_number(value, 2))
    cells.index = pd.Index([resolve_metric(str(name)).title for name in cells.index], name="metric")
    return Table(title, cells.rename_axis(columns=None))


def write_tables(results: StudyResults, folder: Path) -> list[Path]:
    """Write every table as Markdown, LaTeX and tidy CSV, and return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    groups: dict[str, tuple[Sequence[Table], pd.DataFrame]] = {
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
    for name, (tables, frame) in groups.items():
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
    mean, low, high = (display_factor(metric) * row[key] for key in ("difference", "low", "high"))
    places = decimal_places([mean, low, high])
    bounds = f"{format_number(low, places)} to {format_number(high, places)}"
    return {
        "comparison": f"{row['against']} − {row['baseline']}",
        "pairs": str(row["pairs"]),
        "difference": format_number(mean, places, sign=True),
        "95 % t interval": bounds if row["pairs"] > 1 else MISSING,
        "sign-flip p": format_p(row["sign_flip_p"]),
        "smallest possible p": format_p(row["smallest_p"]),
        "Holm p": format_p(row["holm_p"]),
        "d_z": format_number(row["d_z"], 2),
        "verdict": str(row["verdict"]),
    }


def _size_row(results: StudyResults, condition: str) -> dict[str, str]:
    trials = results.trials[results.trials["condition"] == condition]
    done = int((trials["state"] == "done").sum())
    failed = int((trials["state"] == "failed").sum())
    seeds = f"{done} of {len(trials)}" + (f" ({failed} failed)" if failed else "")
    sizes = {part: trials[f"parameters_{part}"].max() for part in PARTS}
    return {"seeds": seeds} | {part: format_number(float(n), 0) for part, n in sizes.items()}


def _block(results: StudyResults, shown: Mapping[str, str]) -> pd.DataFrame:
    columns = {}
    for name, heading in shown.items():
        metric = resolve_metric(name)
        table = results.by_seed(name)
        found = {c: mean_interval(table[c].to_numpy(float)) for c in results.conditions}
        arrow = "↓" if metric.better == "lower" else "↑"
        symbol = " (%)" if display_unit(metric) == "%" else ""
        columns[f"{heading}{symbol} {arrow}"] = _column(results, metric, found)
    labels = {name: _label(results, name) for name in results.conditions}
    cells = pd.DataFrame(columns).fillna(MISSING).rename(index=labels).rename_axis("condition")
    return cells[(cells != MISSING).any(axis=1) | cells.index.isin(labels.values())]


def _column(
    results: StudyResults, metric: MetricSpec, found: Mapping[str, Interval]
) -> pd.Series[str]:
    """Return the cells of all conditions, followed by the naive and oracle levels."""
    levels = results.levels.get(metric.name, {})
    factor = display_factor(metric)
    means = [factor * interval.mean for interval in found.values()]
    places = 1 if metric.unit == "share" else decimal_places([*means, *levels.values()])
    cells = {
        condition: format_mean(interval, metric, places) for condition, interval in found.items()
    }
    for kind in ("naive", "oracle"):
        cells[kind] = format_number(factor * levels.get(kind, float("nan")), places)
    return pd.Series(cells)


def _label(results: StudyResults, condition: str) -> str:
    """Return the name of a condition, with the number of finished seeds if some are missing."""
    trials = results.trials[results.trials["condition"] == condition]
    done = int((trials["state"] == "done").sum())
    return condition if done == len(trials) else f"{condition} ({done} of {len(trials)})"


def _title_of_differences(metric: MetricSpec) -> str:
    """Return title and unit of differences, as in `score (search), percentage points`."""
    unit = difference_unit(metric)
    title = title_in_sentence(metric)
    return f"{title}, {unit}" if unit else title


def _loss(value: float, metric: MetricSpec) -> str:
    shown = display_factor(metric) * value
    return format_number(shown, decimal_places([shown]) if shown else 0)
