"""Tables of numbers and categories: SMOTENC is the oracle, and the promises hold for them too."""

from __future__ import annotations

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from imblearn.over_sampling import SMOTENC
from scipy.spatial.distance import cdist

from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.errors import NoClusterError
from invariants import cuts, plan_of
from kinds import as_frame, check_frame
from mixed import (
    KINDS,
    check_made,
    check_numbers,
    check_originals,
    codes_of,
    column,
    encode,
    given_as,
    random_table,
    render,
    resample_in_one_cluster,
)

CASES, GROUPS = 200, 20
examples = settings(
    max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)

pytestmark = pytest.mark.usefixtures("one_thread")


def run_smotenc(table, scales):
    """Its distance of two categories, and its rows of class 1; in floats, as it cuts integers."""
    X = np.hstack([table.numbers / scales, table.codes])[:, table.order]
    params = {"sampling_strategy": {1: int(table.y.sum()) + 1}, "random_state": 0}
    reference = SMOTENC(table.categorical.tolist(), k_neighbors=table.k, **params)
    reference.fit_resample(X, table.y)
    weight, search = float(reference.median_std_[1]), reference.nn_k_
    rows = search._fit_X.toarray()
    mine = table.y == 1
    apart = cdist(rows, rows)
    own = encode(table.numbers[mine] / scales, table.codes[mine], weight)
    np.testing.assert_allclose(apart, cdist(own, own), rtol=1e-9, atol=1e-12 * apart.max())
    # its search loses digits: distances by scalar products
    np.fill_diagonal(apart, np.inf)
    found = search.kneighbors(n_neighbors=table.k)[0]
    nearest = np.sort(apart, axis=1)[:, : table.k]
    np.testing.assert_allclose(found, nearest, rtol=1e-6, atol=1e-6 * np.abs(rows).max())
    return weight, rows


def compare(seed, kind):
    rng = np.random.default_rng(seed)
    table = random_table(rng, int(rng.integers(2, 7)))
    scale = rng.choice([None, None, None, "standard"])
    scales = np.ones(len(table.whole)) if scale is None else table.numbers.std(axis=0)
    weight, rows = run_smotenc(table, scales)
    assert weight > 0
    given = given_as(table, kind, rng)
    sampler, X_res = resample_in_one_cluster(table, given, scale=scale, categorical_weight=weight)
    assert sampler.categorical_weight_ == weight
    check_made(table, given, sampler, X_res, rows)


@pytest.mark.parametrize("group", range(GROUPS))
def test_neighbors_are_those_of_smotenc_and_rows_are_made_by_its_rule(group):
    for seed in range(group, CASES, GROUPS):
        kind = KINDS[(seed // GROUPS) % len(KINDS)]
        try:
            compare(seed, kind)
        except BaseException as error:
            error.add_note(f"case {seed} as {kind}")
            raise


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_numbers", [0, 3])
def test_missing_values_stand_at_the_mean_and_are_a_category(kind, n_numbers):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        table = random_table(rng, n_numbers, missing=0.2)
        given = given_as(table, kind, rng)
        sampler, X_res = resample_in_one_cluster(table, given, missing="keep")
        assert sampler.categorical_weight_ == 1
        scales = sampler.scale_[np.argsort(table.order)[:n_numbers]]
        mean = np.nanmean(table.numbers, axis=0)
        numbers = np.where(np.isnan(table.numbers), mean, table.numbers) / scales
        encoded = encode(numbers, table.codes, 1)[table.y == 1]
        check_made(table, given, sampler, X_res, encoded)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [None, "standard"])
def test_tables_of_categories_alone(kind, scale):
    # imbalanced-learn's issue 562
    for seed in range(3):
        rng = np.random.default_rng(seed)
        table = random_table(rng, 0)
        given = given_as(table, kind, rng)
        sampler, X_res = resample_in_one_cluster(table, given, scale=scale)
        assert sampler.categorical_weight_ == 1
        encoded = encode(table.numbers, table.codes, 1)[table.y == 1]
        check_made(table, given, sampler, X_res, encoded)


@pytest.mark.parametrize("kind", KINDS)
def test_the_weight_and_the_judgement_of_the_result(kind):
    rng = np.random.default_rng(11)
    table = random_table(rng, 4)
    X, y, _, features = given_as(table, kind, rng)
    for scale in (None, "standard"):
        sampler = KMeansSMOTE(random_state=0, categorical_features=features, scale=scale)
        result = dask.compute(*sampler.fit_resample(X, y))
        deviations = table.numbers.std(axis=0) if scale is None else [1]
        assert isinstance(sampler.categorical_weight_, float)
        assert sampler.categorical_weight_ == pytest.approx(np.median(deviations), rel=1e-9)
        assert sampler.validate(*result).passed.dropna().all()


@pytest.mark.parametrize("kind", ["string", "category"])
def test_categories_stay_within_their_cluster(kind):
    rng = np.random.default_rng(3)
    side = rng.integers(0, 2, 400)
    names = np.char.add(np.array(["left ", "right "])[side], rng.integers(0, 9, 400).astype(str))
    place = 100.0 * side + rng.normal(0, 1, 400)
    X = pd.DataFrame({"name": pd.Series(names, dtype=kind), "place": place})
    y = pd.Series((rng.random(400) < 0.2).astype(int))
    bounds = (0, 10, 150, 150, 400)
    sampler = KMeansSMOTE(random_state=0, kmeans_estimator=2, cluster_balance_threshold=0.0)
    X_res, _ = dask.compute(*sampler.fit_resample(as_frame(X, bounds), as_frame(y, bounds)))
    right = X_res["name"].str.startswith("right")
    assert (right == (X_res["place"] > 50)).all()
    assert right[len(X) :].nunique() == 2


def test_features_are_named_by_numbers_masks_and_names():
    table = random_table(np.random.default_rng(2), 3)
    X, y, *_ = render(table, "pandas", np.random.default_rng(0))
    places = table.categorical
    # "auto" finds those of the types
    X = X.astype(dict.fromkeys(X.columns[places], "string"))
    ways = ["auto", X.columns[places].tolist(), places, places[::-1].tolist()]
    ways.append(np.isin(np.arange(X.shape[1]), places))
    results = [
        KMeansSMOTE(random_state=0, categorical_features=way).fit_resample(X, y)[0] for way in ways
    ]
    for found in results[1:]:
        pd.testing.assert_frame_equal(found, results[0], check_exact=True)


@pytest.mark.parametrize("lazy", [False, True])
def test_columns_that_ride_along(lazy):
    rng = np.random.default_rng(8)
    given = render(random_table(rng, 2), "pandas", rng, "auto")
    own = given.X
    X = own.assign(id=[f"id {i}" for i in range(len(own))], when=pd.Timestamp("2024-01-01"))
    X = X[["when", *own.columns, "id"]]
    collections = [dd.from_pandas(part, npartitions=3) if lazy else part for part in (X, given.y)]
    sampler = KMeansSMOTE(random_state=0, passthrough=["id", "when"])
    X_res, _ = dask.compute(*sampler.fit_resample(*collections))
    expected, _ = KMeansSMOTE(random_state=0).fit_resample(own, given.y)
    check_frame(X_res, dask.compute(collections[0])[0], len(expected))
    assert X_res.loc[len(X) :, ["id", "when"]].isna().all(axis=None)
    # nothing else depends on them
    assert plain(X_res[own.columns]).equals(plain(expected))


@st.composite
def mixed(draw):
    """A table with missing values, as a frame, and parameters."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    missing = draw(st.sampled_from([0, 0.05, 0.4]))
    table = random_table(rng, draw(st.integers(0, 4)), missing)
    params = {
        "random_state": int(rng.integers(2**31)),
        "k_neighbors": table.k,
        "missing": "keep",
        "kmeans_estimator": draw(st.sampled_from([None, 1, 2, 5])),
        "cluster_balance_threshold": draw(st.sampled_from(["auto", 0.0])),
        "scale": draw(st.sampled_from([None, "standard"])),
    }
    given = render(table, "pandas", rng)
    return table, given, params | {"categorical_features": given.features}


def outcome(X, y, params):
    """All that must not depend on the chunks, or the error."""
    sampler = KMeansSMOTE(**params)
    try:
        X_res, y_res = dask.compute(*sampler.fit_resample(X, y))
    except NoClusterError as error:
        return str(error)
    return X_res, y_res, sampler.provenance_.compute(), plan_of(sampler)


def plain(frame):
    """The values, whatever holds them; Dask has other strings than pandas."""
    found = frame.reset_index(drop=True).astype(object)
    return found.where(found.notna(), None)


def assert_same(found, expected, *, types=True):
    if isinstance(expected, str):
        assert found == expected
        return
    for one, other in zip(found[:3], expected[:3], strict=True):
        if types:
            pd.testing.assert_frame_equal(pd.DataFrame(one), pd.DataFrame(other), check_exact=True)
        assert plain(one).equals(plain(other))
    for name, values in found[0].select_dtypes("category").items():
        assert set(values.cat.categories) == set(expected[0][name].cat.categories)
    assert found[3] == expected[3]


@pytest.mark.parametrize("categories", ["known", "unknown", "of each partition"])
@given(case=mixed(), data=st.data())
@examples
def test_same_bytes_for_any_chunking(categories, case, data):
    _, (X, y, *_), params = case
    names = X.select_dtypes("category").columns
    texts = X.astype(dict.fromkeys(names, "string"))
    if categories == "of each partition":
        X = texts.astype(dict.fromkeys(names, "category"))
    expected, lazy = outcome(X, y, params), []
    for _ in range(2):
        bounds = np.cumsum([0, *data.draw(cuts(len(y)))])
        if categories == "of each partition":
            given_X = as_frame(texts, bounds).astype(dict.fromkeys(names, "category"))
        else:
            given_X = as_frame(X, bounds)
        if categories == "unknown":
            given_X = given_X.assign(**{name: given_X[name].cat.as_unknown() for name in names})
        lazy.append(outcome(given_X, as_frame(y, bounds), params))
    # the order of unknown categories is that in which partitions have them
    assert_same(lazy[0], lazy[1], types=categories != "of each partition")
    assert_same(lazy[0], expected, types=False)


@given(case=mixed())
@examples
def test_new_rows_have_what_their_class_has(case):
    table, given, params = case
    sampler = KMeansSMOTE(**params)
    try:
        X_res, y_res = sampler.fit_resample(given.X, given.y)
    except NoClusterError:
        return
    check_originals(given, X_res, y_res)
    parents = sampler.provenance_.compute()
    for place, source in enumerate(table.order - table.numbers.shape[1]):
        made = column(X_res, place)[len(table.y) :]
        if source >= 0:
            codes = codes_of(made, given.labels[source])
            assert np.isin(codes, table.codes[table.y == 1, source]).all()
        else:
            values = table.numbers[:, source]
            check_numbers(values[parents.base_row], values[parents.neighbor_row], parents.gap, made)
