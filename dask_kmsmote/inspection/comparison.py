"""What is checked and measured on a few rows: segments, distances, distributions, components."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels.clusters.assignment import Labeler
from ..kernels.neighbors.distances import pairs_block, pairs_diag
from ..kernels.rows.blocks import Floats, Ints, Rows, as_dense, is_sparse
from ..kernels.rows.columns import is_whole, numpy_dtype
from ..kernels.rows.metric import Kinds
from ..planning.cuts import block_rows, cut

_DENSE_BYTES = 64 * 2**20  # of rows made dense at a time

Flags = NDArray[np.bool_]


class _Slack(NamedTuple):
    """How far a stored value may be from the exact one, by feature.

    Attributes
    ----------
    absolute
        Shape (n_features,): what a whole number is rounded by, or the least number above 0.
    relative
        Shape (n_features,): of the larger parent.
    """

    absolute: Floats
    relative: Floats


def slack_of(dtypes: list[Any], whole_slack: float, digits: list[int | None]) -> _Slack:
    """The slack of columns of some dtypes; whole numbers are off by up to `whole_slack`.

    Numbers of so many digits behind the point are off by as many of their last digit.
    """
    absolute, relative = np.empty(len(dtypes)), np.empty(len(dtypes))
    for column, dtype in enumerate(dtypes):
        whole = is_whole(dtype)
        info = np.finfo(np.float64 if whole else numpy_dtype(dtype))
        # near 0 floats are equally spaced, and the relative slack vanishes
        absolute[column] = whole_slack if whole else float(info.smallest_subnormal)
        # a difference, a product, a sum and the dtype of the column: each rounds once
        relative[column] = 4 * float(info.eps)
        places = digits[column]
        if places is not None:
            absolute[column] = whole_slack * 10.0**-places
    return _Slack(absolute, relative)


def lies_between(new: Rows, base: Rows, neighbor: Rows, gap: Floats, slack: _Slack) -> Flags:
    """Whether each row is ``base + gap * (neighbor - base)``, up to the slack.

    A number is to be missing where the base's is, and the base's where the neighbour's alone is.

    Parameters
    ----------
    new, base, neighbor
        Numbers, shape (n, n_numbers).
    gap
        Shape (n,).
    """
    within = [
        _between(
            as_dense(new[low:high]),
            as_dense(base[low:high]),
            as_dense(neighbor[low:high]),
            gap[low:high, np.newaxis],
            slack,
        )
        for low, high in cut(len(gap), block_rows(new.shape[1], _DENSE_BYTES))
    ]
    return np.concatenate(within)


def _between(new: Floats, base: Floats, neighbor: Floats, gap: Floats, slack: _Slack) -> Flags:
    neighbor = np.where(np.isnan(neighbor), base, neighbor)
    allowed = slack.absolute + slack.relative * np.maximum(np.abs(base), np.abs(neighbor))
    within = np.abs(new - (base + gap * (neighbor - base))) <= allowed
    within |= np.isnan(new) & np.isnan(base)
    return np.asarray(within.all(axis=1))


def is_most_frequent(codes: Ints, voters: Ints) -> Flags:
    """Whether each code is one that most of its voters have, by row.

    Parameters
    ----------
    codes
        Shape (n, n_categorical).
    voters
        Shape (n, k, n_categorical); -1 where a row has fewer.
    """
    own = (voters == codes[:, np.newaxis]).sum(axis=1)
    # of k votes those that are like each of them: the most are those of the most frequent
    alike = (voters[:, :, np.newaxis] == voters[:, np.newaxis]).sum(axis=2)
    most = np.where(voters < 0, 0, alike).max(axis=1)
    return np.asarray(((own == most) & (own > 0)).all(axis=1))


def labels_by(labeler: Labeler, rows: Rows) -> Ints:
    """Cluster of each row, some rows at a time."""
    spans = cut(rows.shape[0], block_rows(rows.shape[1], _DENSE_BYTES))
    return np.concatenate([labeler.label(rows[low:high])[0] for low, high in spans])


def ks_distance(left: Floats, right: Floats) -> float:
    """Two-sample Kolmogorov-Smirnov statistic: the largest gap of two empirical distributions.

    0 where they are equal, 1 where no values overlap, NaN where all of one side are missing.
    """
    left, right = (np.sort(own[~np.isnan(own)]) for own in (left, right))
    if not (len(left) and len(right)):
        return float("nan")
    values = np.concatenate([left, right])
    below_left = np.searchsorted(left, values, side="right") / len(left)
    below_right = np.searchsorted(right, values, side="right") / len(right)
    return float(np.abs(below_left - below_right).max())


def share_distance(left: Ints, right: Ints) -> float:
    """Largest difference of the share of a category, 0 (alike) to 1."""
    n = int(max(left.max(initial=-1), right.max(initial=-1))) + 1
    shares = [np.bincount(own, minlength=n) / len(own) for own in (left, right)]
    return float(np.abs(shares[0] - shares[1]).max())


def column(rows: Rows, feature: int) -> Floats:
    """One feature of some rows, dense."""
    # a list of one: a sparse array would give one dimension for a number
    values = rows[:, [feature]]
    return as_dense(values).ravel()


def nearest_distances(rows: Rows, reference: Rows) -> Floats:
    """Euclidean distance of each row to the nearest of the reference, shape (n,)."""
    left, right = as_dense(rows), as_dense(reference)
    _, nearest, _ = pairs_block(left, right, Kinds(left.shape[1]), 1, 0, 0)
    return np.sqrt(nearest.squared[:, 0])


def own_nearest_distances(rows: Rows) -> Floats:
    """Euclidean distance of each of two or more rows to the nearest other, shape (n,)."""
    dense = as_dense(rows)
    _, nearest = pairs_diag(dense, Kinds(dense.shape[1]), 1)
    return np.sqrt(nearest.squared[:, 0])


class _Plane(NamedTuple):
    """Rows on two axes.

    Attributes
    ----------
    points
        Shape (n, 2).
    shares
        Of the variance of the rows that the axes were found on.
    """

    points: Floats
    shares: tuple[float, float]


def on_components(rows: Rows, n_fitted: int) -> _Plane:
    """Rows on the two principal components of the first `n_fitted` of them."""
    from sklearn.decomposition import PCA

    # arpack leaves sparse rows sparse, and starts from a random vector: hence the seed
    solver = "arpack" if is_sparse(rows) else "full"
    values = rows.tocsr().astype(np.float64) if is_sparse(rows) else as_dense(rows)
    pca = PCA(2, svd_solver=solver, random_state=0).fit(values[:n_fitted])
    first, second = np.nan_to_num(pca.explained_variance_ratio_)
    return _Plane(np.asarray(pca.transform(values)), (float(first), float(second)))
