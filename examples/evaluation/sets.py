"""Data sets: a folder of Parquet files, each with a column `target` that is 1 in the minority."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

TARGET = "target"


class DataSet(NamedTuple):
    """Features, float64 of shape (n_rows, n_features), and labels, 1 for the minority.

    Some columns may be codes of categories.
    """

    name: str
    X: np.ndarray
    y: np.ndarray
    categorical: tuple[int, ...] = ()


def load_sets(folder: Path, names: list[str], max_rows: int, seed: int) -> list[DataSet]:
    """Read the named sets, or all of the folder, sorted by name.

    A set of more than `max_rows` rows is cut to a sample of so many, with the same share of the
    minority.

    Raises
    ------
    ValueError
        Nothing to read; or a set whose `target` is not 0 and 1, or with features that are not
        finite numbers: which set and column.
    """
    paths = sorted(folder.glob("*.parquet"))
    if not paths:
        raise ValueError(f"No Parquet file in {folder}.")
    require_known(names, [path.stem for path in paths], str(folder))
    wanted = [path for path in paths if not names or path.stem in names]
    return [sample(_load(path), max_rows, seed) for path in wanted]


def require_known(names: Collection[str], known: Collection[str], source: str) -> None:
    """Raise ValueError where a named set is not among the known ones."""
    unknown = set(names) - set(known)
    if unknown:
        raise ValueError(f"No {', '.join(sorted(unknown))} in {source}: there are {list(known)}.")


def sample(data: DataSet, max_rows: int, seed: int) -> DataSet:
    """The set itself, or so many of its rows, with the same share of the minority."""
    X, y = data.X, data.y
    if len(y) > max_rows:
        X, _, y, _ = train_test_split(X, y, train_size=max_rows, stratify=y, random_state=seed)
    return data._replace(X=X, y=y)


def _load(path: Path) -> DataSet:
    table = pd.read_parquet(path)
    if TARGET not in table or set(table[TARGET]) != {0, 1}:
        raise ValueError(f"{path} needs a column {TARGET!r} that is 1 in the minority, else 0.")
    features = table.drop(columns=TARGET)
    texts = features.columns.difference(features.select_dtypes(["number", "bool"]).columns)
    if len(texts):
        raise ValueError(f"{path} has columns that are not numbers: {list(texts)}. Encode them.")
    X, y = features.to_numpy(np.float64), table[TARGET].to_numpy(np.int64)
    if not np.isfinite(X).all():
        faulty = features.columns[~np.isfinite(X).all(axis=0)]
        raise ValueError(f"{path} has NaN or infinity in {list(faulty)}. Fill or drop them.")
    return DataSet(path.stem, X, y)
