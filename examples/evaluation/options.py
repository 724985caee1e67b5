"""The command line."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Value = TypeVar("Value")


def make_parser() -> argparse.ArgumentParser:
    """Command line. The grid by default is the part of the paper's that suits small sets."""
    parser = argparse.ArgumentParser(
        "evaluation",
        description="Compare over-samplers by the protocol of the KMeans-SMOTE paper.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "folder", type=Path, help="Parquet sets with a column `target`; keel; or keel-mixed"
    )
    parser.add_argument("out", type=Path, help="folder for the results")
    add = parser.add_argument
    add("--sets", type=listed(str), default="", help="names, a,b,c; without: all")
    add("--max-rows", type=positive, default=2000, help="larger sets are sampled")
    add("--folds", type=positive, default=5, help="of a repetition")
    add("--repetitions", type=positive, default=5, help="of all folds, shuffled anew")
    add("--holdout", type=share, help="of test rows, in one split instead of folds")
    add("--raw", action="store_true", help="samplers see features that are not standardised")
    add("--vary", action="store_true", help="no tuning: ours with other parameters and decisions")
    add("--methods", type=names, default="", help="of --vary, a,b,c; without: all")
    add("--against", default="ours", help="method of --vary to compare with, besides SMOTE")
    add("--seed", type=int, default=0, help="of folds and samplers")
    add("--clusters", type=listed(positive), default="2,20", help="grid")
    add("--neighbors", type=listed(positive), default="3,5", help="grid, also of SMOTE")
    add("--thresholds", type=listed(float), default="0,0.5", help="grid")
    add("--exponents", type=listed(exponent), default="0,2,n_features", help="grid")
    add("--jobs", type=positive, default=2, help="processes")
    add("--resume", action="store_true", help="keep the folds that OUT has, if made the same way")
    return parser


def listed(kind: Callable[[str], Value]) -> Callable[[str], list[Value]]:
    """Parser of values between commas."""

    def parse(text: str) -> list[Value]:
        return [kind(value) for value in text.split(",") if value]

    return parse


def names(text: str) -> list[str]:
    """Names between commas; a comma before a space belongs to a name, as in "ours, scale=None"."""
    return [name for name in re.split(r",(?! )", text) if name]


def share(text: str) -> float:
    """A number between 0 and 1."""
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not between 0 and 1")
    return value


def positive(text: str) -> int:
    """A whole number from 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return value


def exponent(text: str) -> float | str:
    """A number or "n_features"."""
    return text if text == "n_features" else float(text)
