"""Tables of numbers and categories, and what their results must be."""

from __future__ import annotations

from typing import Any, NamedTuple

import dask
import dask.array as da
import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from dask_kmsmote import KMeansSMOTE
from kinds import as_frame, check_frame, same_bytes

KINDS = ("numpy", "object", "pandas", "array", "frame")
# new rows for each base row and neighbour: that one of the 60,000 pairs of all cases is never
# drawn, or one of up to six equally frequent categories, has a chance of 1e-8
DRAWS = 30


class Table(NamedTuple):
    """Numbers (NaN is missing), codes of categories (-1 is absent), and how they are mixed."""

    numbers: np.ndarray[Any, Any]
    codes: np.ndarray[Any, Any]
    whole: np.ndarray[Any, Any]  # which numbers are integers
    order: np.ndarray[Any, Any]  # for each column its place in [numbers, codes]
    y: np.ndarray[Any, Any]
    k: int

    @property
    def categorical(self):
        return np.flatnonzero(self.order >= self.numbers.shape[1])


class Given(NamedTuple):
    """A table as the sampler gets it, and the label of each category."""

    X: Any
    y: Any
    labels: list[list[Any]]
    features: Any


def random_table(rng, n_numbers, missing=0.0):
    n, k, n_codes = rng.integers([60, 1, 1], [401, 7, 7])
    y = rng.permutation(np.arange(n) < rng.integers(k + 2, n // 2)).astype(int)
    whole = rng.random(n_numbers) < rng.choice([0, 0.4, 1])
    scales = 10.0 ** rng.integers(-2, 3, n_numbers)
    scales[whole] = rng.choice([3, 100], whole.sum())
    numbers = rng.normal(rng.normal(0, 3, n_numbers), 1, (n, n_numbers)) * scales
    numbers = numbers.astype("f4").astype(float)
    numbers = np.where(whole, np.rint(numbers), numbers)
    sizes = rng.choice([2, 3, 5, 12, 40], n_codes)
    codes = [rng.choice(size, n, p=rng.dirichlet(np.full(size, 0.5))) for size in sizes]
    codes = np.column_stack(codes)
    if rng.random() < 0.5:
        copies, copied = rng.choice(np.flatnonzero(y), (2, y.sum() // 4))
        numbers[copies], codes[copies] = numbers[copied], codes[copied]
    for values, nothing in ((numbers, np.nan), (codes, -1)):
        lost = rng.random(values.shape) < missing
        lost[0] = False
        values[lost] = nothing
    return Table(numbers, codes, whole, rng.permutation(n_numbers + n_codes), y, int(k))


def random_labels(kind, n):
    # neither sorted nor close
    places = (np.arange(n) * 919 % 1000).tolist()
    if kind == "bool":
        return [False, True]
    return places if kind in ("number", "int64") else [f"c{place}" for place in places]


def render(table, kind, rng, features=None):
    """The table in memory, with one of the ways to say what is categorical, if none is given."""
    names = [f"column {place}" for place in table.order]
    mask = [place in table.categorical for place in range(len(names))]
    ways = [table.categorical, table.categorical.tolist(), mask]
    if kind == "pandas":
        ways += ["auto", "auto", [names[place] for place in table.categorical]]
    features = ways[rng.integers(len(ways))] if features is None else features
    sizes = table.codes.max(axis=0) + 1
    kinds = ["str" if kind == "object" else "number"] * len(sizes)
    if kind == "pandas":
        coded = not isinstance(features, str) and (table.codes >= 0).all()
        kinds = [random_kind(rng, size, coded) for size in sizes]
    labels = [random_labels(*each) for each in zip(kinds, sizes, strict=True)]
    columns = [number_column(rng, *each) for each in zip(table.numbers.T, table.whole, strict=True)]
    columns += [category_column(*each) for each in zip(table.codes.T, labels, kinds, strict=True)]
    X = pd.concat([columns[place] for place in table.order], axis=1, keys=names)
    if kind == "pandas":
        return Given(X, pd.Series(table.y, name="target"), labels, features)
    if kind == "object":
        X = X.astype(object).where(X.notna(), np.nan).to_numpy()
    else:
        exact = table.whole.all() and X.notna().all(axis=None)
        X = X.to_numpy("i8" if exact else rng.choice(["f8", "f4"]), na_value=np.nan)
    return Given(X, table.y, labels, features)


def random_kind(rng, size, coded):
    kinds = ["category", "ordered", "str", "string", "object"]
    kinds += ["bool"] * 5 if size == 2 else []
    # what looks like a number is a category where it is said to be
    kinds += ["int64"] if coded else []
    return kinds[rng.integers(len(kinds))]


def number_column(rng, values, whole):
    if not whole:
        return pd.Series(values, dtype=rng.choice(["f8", "f4"]))
    return pd.Series(values, dtype="Int64" if np.isnan(values).any() else rng.choice(["i8", "i2"]))


def category_column(codes, labels, kind):
    if kind in ("category", "ordered"):
        dtype = pd.CategoricalDtype([*labels, "unused"], ordered=kind == "ordered")
        return pd.Series(pd.Categorical.from_codes(codes, dtype=dtype))
    absent = (codes < 0).any()
    values = np.array([*labels, None], dtype=object)[codes].tolist()
    # as pandas has text by default: of objects before pandas 3
    dtypes = {"number": float, "bool": "boolean" if absent else "bool", "str": None}
    return pd.Series(values, dtype=dtypes.get(kind, kind))


def as_dask(given, rng):
    n, width = given.X.shape
    bounds = np.cumsum([0, *np.diff([0, *np.sort(rng.integers(0, n + 1, rng.integers(6))), n])])
    if isinstance(given.X, pd.DataFrame):
        return given._replace(X=as_frame(given.X, bounds), y=as_frame(given.y, bounds))
    rows = tuple(np.diff(bounds).tolist())
    X = da.from_array(given.X, chunks=(rows, int(rng.integers(1, width + 1))))
    return given._replace(X=X, y=da.from_array(given.y, chunks=(rows,)))


def given_as(table, kind, rng):
    found = render(table, {"array": "numpy", "frame": "pandas"}.get(kind, kind), rng)
    return as_dask(found, rng) if kind in ("array", "frame") else found


def column(X, place):
    found = X.iloc[:, place] if isinstance(X, pd.DataFrame) else pd.Series(X[:, place])
    return found.infer_objects()


def resample_in_one_cluster(table, given, **params):
    """All pairs of a base row and a neighbour that there are, and the result in memory."""
    n = int(table.y.sum())
    params = {
        "sampling_strategy": {1: n + DRAWS * n * table.k}, "k_neighbors": table.k,
        "kmeans_estimator": 1, "cluster_balance_threshold": 0.0, "exact_rows": None,
        "categorical_features": given.features, "random_state": 7,
    } | params  # fmt: skip
    sampler = KMeansSMOTE(**params)
    X_res, y_res = dask.compute(*sampler.fit_resample(given.X, given.y))
    check_originals(given, X_res, y_res)
    assert len(X_res) == len(y_res) == len(table.y) + params["sampling_strategy"][1] - n
    assert (np.asarray(y_res)[len(table.y) :] == 1).all()
    return sampler, X_res


def check_originals(given, X_res, y_res):
    """They come first, untouched, and the result is of the same types, categories and order."""
    X, y = dask.compute(given.X, given.y)
    if isinstance(X, pd.DataFrame):
        check_frame(X_res, X, len(X_res))
        check_frame(y_res, y, len(X_res))
        return
    assert X_res.dtype == X.dtype
    if X.dtype == object:
        assert pd.DataFrame(X_res[: len(X)]).equals(pd.DataFrame(X))
    else:
        assert same_bytes(X_res[: len(X)], X)


def check_made(table, given, sampler, X_res, encoded):
    """Neighbours are the nearest of the encoded rows of class 1; new rows are made by the rule."""
    n, mine = len(table.y), np.flatnonzero(table.y)
    parents = sampler.provenance_.compute()
    assert parents.base_row.isin(mine).all()
    assert parents.neighbor_row.isin(mine).all()
    base, neighbor = (np.searchsorted(mine, parents[name]) for name in ("base_row", "neighbor_row"))
    joined = np.zeros((len(mine), len(mine)), dtype=bool)
    joined[base, neighbor] = True
    check_neighbors(joined, encoded, table.k)
    for place, source in enumerate(table.order - table.numbers.shape[1]):
        made = column(X_res, place)[n:]
        if source >= 0:
            codes = codes_of(made, given.labels[source])
            check_votes(joined, table.codes[mine, source], base, codes)
        else:
            values = table.numbers[:, source]
            check_numbers(values[parents.base_row], values[parents.neighbor_row], parents.gap, made)


def check_neighbors(joined, encoded, k):
    apart = cdist(encoded, encoded)
    np.fill_diagonal(apart, np.inf)
    far = np.sort(apart, axis=1)[:, [k - 1]]
    assert (joined.sum(axis=1) == k).all()
    assert (apart <= far * (1 + 1e-9))[joined].all()
    assert joined[apart < far * (1 - 1e-9)].all()


def codes_of(made, labels):
    # not `get`: there are no other categories
    code_of = {label: code for code, label in enumerate(labels)}
    return np.array([-1 if pd.isna(label) else code_of[label] for label in made.tolist()])


def check_votes(joined, codes, base, made):
    """The most frequent of the k nearest, and each of those that are equally frequent."""
    categories = np.unique(codes)
    votes = joined.astype(int) @ (codes[:, np.newaxis] == categories)
    assert np.isin(made, categories).all()
    drawn = np.zeros(votes.shape, dtype=bool)
    drawn[base, np.searchsorted(categories, made)] = True
    np.testing.assert_array_equal(drawn, votes == votes.max(axis=1, keepdims=True))


def check_numbers(left, right, gap, made):
    whole = pd.api.types.is_integer_dtype(made.dtype)
    rounding = 1e-12 if made.dtype == np.float64 else 1e-6
    made = made.to_numpy(float, na_value=np.nan)
    np.testing.assert_array_equal(np.isnan(made), np.isnan(left))
    alone = np.isnan(right) | np.isnan(left)
    np.testing.assert_array_equal(made[alone], left[alone])
    expected = (left + gap.to_numpy() * (right - left))[~alone]
    slack = 0.5 * whole + rounding * np.abs([left[~alone], right[~alone]]).max(initial=0)
    assert (np.abs(made[~alone] - expected) <= slack).all()


def encode(numbers, codes, weight):
    parts = [own[:, np.newaxis] == np.unique(own) for own in codes.T]
    return np.hstack([numbers, *(part * (weight / np.sqrt(2)) for part in parts)])
