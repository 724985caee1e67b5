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
    refused = [[name, fault, f"{n} of {of}"] for name, fault, n, of in summary["refused"]]
    end = (
        f"compat equals imbalanced-learn in all {summary['agreements']} runs of it. "
        f"Sets: {', '.join(summary['sets'])}. {summary['seconds']:.0f} s."
    )
    refusals = table(["refused by", "error", "runs"], refused)
    return "\n\n".join([*parts, table(head, pairs), refusals, end])


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
