"""The statements on X and y that a message has: lines that mend what came, run as they stand."""

from __future__ import annotations

import ast
import re

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import scipy.sparse


def statements_of(message):
    """Each goes to the end of its part of a sentence, or as far as it is one."""
    found = []
    for start in re.finditer(r"(?<![\w.])(?:X, y|X|(?<!X, )y)(?=\[|\.data\b| = )", message):
        rest = message[start.start() :]
        part = rest[: re.search(r"[.;] |; or|\.$|$", rest).start()]
        ends = [len(part), *(end.start() for end in reversed([*re.finditer(r", ", part)]))]
        parsed = [part[:end] for end in ends if is_statement(part[:end])]
        if parsed:
            found.append(parsed[0])
    return found


def is_statement(text):
    try:
        (node,) = ast.parse(text).body
    except (SyntaxError, ValueError):
        return False
    return isinstance(node, ast.Assign)


def run(line, X, y):
    """What X and y are after the line."""
    space = {
        "X": X, "y": y, "np": np, "pd": pd, "da": da, "dd": dd, "dask": dask, "pa": pa, "pl": pl,
        "scipy": scipy,
    }  # fmt: skip
    exec(line, space)  # noqa: S102 - the line is what is tested
    return space["X"], space["y"]
