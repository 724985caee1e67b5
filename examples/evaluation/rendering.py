"""The results as Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd


def to_markdown(ranking: pd.DataFrame, summary: dict[str, Any]) -> str:
    """Rankings by either rule, pairs of methods, and who refused the data how often."""
    rules, metrics = ranking["rule"].unique(), ranking["metric"].unique()
    parts = [f"Tuned by: {rule}\n\n{ranking_table(ranking, rule, metrics)}" for rule in rules]
    pairs = [
        [pair["rule"], pair["one"], pair["other"], pair["metric"],
         f"{pair['higher']} / {pair['equal']} / {pair['lower']}", f"{pair['gain']:+.4f}"]
        for pair in summary["comparisons"]
    ]  # fmt: skip
    head = ["tuned by", "this", "against", "metric", "higher / equal / lower", "mean gain"]
    return "\n\n".join([*parts, table(head, pairs), closing(summary)])


def varied_to_markdown(
    compared: pd.DataFrame, summary: dict[str, Any], references: Iterable[str]
) -> str:
    """Rank, score and differences from the references by metric, a line per method."""
    metrics = compared["metric"].unique()
    titles = ["rank | score", *(f"over {name}" for name in references)]
    head = ["method", *(f"{metric}: {' | '.join(titles)}" for metric in metrics)]
    lines = []
    for method, rows in compared.groupby("method", sort=False):
        by_metric = rows.set_index("metric")
        lines.append([str(method), *(_figures(by_metric.loc[m], references) for m in metrics)])
    return f"{table(head, lines)}\n\n{closing(summary)}"


def _figures(found: pd.Series, references: Iterable[str]) -> str:
    differences = [
        f"{found[f'over {name}']:+.4f} ± {found[f'error over {name}']:.4f}" for name in references
    ]
    return " | ".join([f"{found['rank']:.2f}", f"{found['score']:.4f}", *differences])


def closing(summary: dict[str, Any]) -> str:
    """Who refused the data how often, and what the comparison was of."""
    refused = [[name, fault, f"{n} of {of}"] for name, fault, n, of in summary["refused"]]
    end = (
        f"compat equals imbalanced-learn in all {summary['agreements']} runs of it. "
        f"Sets: {', '.join(summary['sets'])}. {summary['seconds']:.0f} s."
    )
    return f"{table(['refused by', 'error', 'runs'], refused)}\n\n{end}"


def ranking_table(ranking: pd.DataFrame, rule: str, metrics: Iterable[str]) -> str:
    """Rank and gain by metric over all classifiers, a line per method."""
    part = ranking[(ranking["rule"] == rule) & (ranking["classifier"] == "all")]
    head = ["sampler", *(f"{metric}: rank | gain" for metric in metrics), "refused"]
    lines = []
    for method, rows in part.groupby("method", sort=False):
        by_metric = rows.set_index("metric")
        figures = [f"{by_metric['rank'][m]:.2f} | {by_metric['gain'][m]:+.3f}" for m in metrics]
        lines.append([str(method), *figures, f"{rows['refused'].mean():.1%}"])
    return table(head, lines)


def table(head: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """A Markdown table; a cell may hold the mark `|` between two columns."""
    first, *others = [f"| {' | '.join(line)} |" for line in [head, *lines]]
    return "\n".join([first, "|---" * (first.count("|") - 1) + "|", *others])
