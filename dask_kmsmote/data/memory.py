"""Data in memory: what is refused before a run, by errors of ours."""

from __future__ import annotations

import reprlib
from typing import Any

import numpy as np
import pandas as pd
from imblearn.utils import check_target_type
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from ..errors import InputError, InputTypeError
from . import in_memory_result as memory
from ..kernels.rows.blocks import require_sound, unmasked
from ..kernels.rows.columns import check_columns
from ..planning.checks import check_dimensions
from ..threads import Shared

# classes are judged by our errors; sparse columns of a frame stay what they are
_QUIET = Shared(muted="The number of unique classes|pandas.DataFrame with sparse columns")


def check_in_memory(sampler: Any, X: Any, y: Any) -> tuple[Any, Any, bool]:
    """X and y as arrays, and whether y is one-vs-all; the sampler learns the features' names.

    Raises
    ------
    InputError
        They can't be resampled; where scikit-learn says so, in its words.
    """
    if isinstance(X, pd.DataFrame):
        check_columns(X)
    elif getattr(X, "ndim", 0) > 2:
        check_dimensions(X.shape)
    X, y = unmasked(X, "X"), unmasked(y, "y")
    require_sound(X, "X")
    try:
        if y is not None:
            memory.check_target(X, y)
        with _QUIET:
            return _validated(sampler, X, y)
    except InputError:
        raise
    # scikit-learn's, that say what is wrong
    except TypeError as error:
        raise InputTypeError(f"{_place_of_text(X)}{error}") from error
    except (ValueError, OverflowError) as error:
        raise InputError(f"{_place_of_text(X)}{error}") from error


def _place_of_text(X: Any) -> str:
    """Which value of an array of objects is no number: scikit-learn does not say where."""
    if not isinstance(X, np.ndarray) or X.dtype != object or X.ndim != 2:
        return ""
    for (row, column), value in np.ndenumerate(X):
        try:
            float(0 if value is None else value)  # None is a missing number
        except (TypeError, ValueError, OverflowError):
            return (
                f"X has {reprlib.repr(value)} in row {row}, column {column}. Encode the column, or "
                f"drop it: X = np.delete(X, {column}, axis=1). "
            )
    return ""


def _validated(sampler: Any, X: Any, y: Any) -> tuple[Any, Any, bool]:
    if y is not None:
        check_classification_targets(y)
    y = np.asarray(y) if isinstance(y, list) else y
    y, one_vs_all = check_target_type(y, indicate_one_vs_all=True)
    # what is not finite is left to the census, which says where
    X, y = validate_data(
        sampler, X=X, y=y, reset=True, accept_sparse=["csr", "csc"], ensure_all_finite=False
    )
    return X, y, one_vs_all
