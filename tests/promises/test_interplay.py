"""Results as other libraries take them: distributed learners, and pipelines."""

from __future__ import annotations

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import sklearn
from distributed import Client, LocalCluster
from sklearn.metrics import balanced_accuracy_score
from sklearn.naive_bayes import GaussianNB

from conftest import make_imbalanced
from dask_kmsmote import KMeansSMOTE

pytestmark = [
    pytest.mark.cluster,
    # of those libraries
    pytest.mark.filterwarnings("default"),
]


@pytest.fixture(scope="module")
def client():
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def rows():
    return make_imbalanced(4000, 6, 0.05, seed=2)


def as_frames(X, y):
    frame = pd.DataFrame(X, columns=list("abcdef")).assign(target=y)
    frame = dd.from_pandas(frame, npartitions=4, sort=False)
    return frame.drop(columns="target"), frame["target"]


def as_arrays(X, y):
    return da.from_array(X, chunks=(1000, -1)), da.from_array(y, chunks=1000)


def resampled(given, layout):
    sampler = KMeansSMOTE(random_state=0, layout=layout)
    return sampler.fit_resample(*given)


def learned(truth, predicted):
    # clouds 0 and 1 hold all of the minority and 2/5 of the majority: 0.8 is the best there is
    return balanced_accuracy_score(truth, np.asarray(predicted).round()) > 0.75


LAYOUTS = pytest.mark.parametrize("layout", ["append", "interleave"])
KINDS = pytest.mark.parametrize("kind", [as_frames, as_arrays])


@LAYOUTS
@KINDS
def test_xgboost(client, rows, kind, layout):
    from xgboost import dask as dxgb

    given = kind(*rows)
    X_res, y_res = resampled(given, layout)
    data = dxgb.DaskDMatrix(client, X_res, y_res)
    params = {"objective": "binary:logistic", "tree_method": "hist", "max_depth": 4}
    model = dxgb.train(client, params, data, num_boost_round=10)
    predicted = dxgb.predict(client, model, given[0]).compute()
    assert learned(rows[1], predicted)


@LAYOUTS
@KINDS
def test_lightgbm(client, rows, kind, layout):
    from lightgbm import DaskLGBMClassifier

    given = kind(*rows)
    X_res, y_res = resampled(given, layout)
    model = DaskLGBMClassifier(client=client, n_estimators=10, verbose=-1).fit(X_res, y_res)
    predicted = model.predict(given[0]).compute()
    assert len(predicted) == len(rows[1])
    if layout == "interleave":  # a worker that has one class alone teaches its share of that only
        assert learned(rows[1], predicted)


@LAYOUTS
def test_dask_ml(client, rows, layout):
    from dask_ml.linear_model import LogisticRegression
    from dask_ml.wrappers import Incremental

    given = as_arrays(*rows)
    X_res, y_res = resampled(given, layout)
    model = LogisticRegression(solver="newton", max_iter=10).fit(X_res, y_res)
    assert learned(rows[1], model.predict(given[0]).compute())
    step = Incremental(GaussianNB(), shuffle_blocks=False)
    step.fit(X_res, y_res, classes=[0, 1])
    assert learned(rows[1], step.predict(given[0]).compute())


@pytest.fixture(scope="module")
def table(rows):
    """Numbers and categories that tell the classes, with missing values, and an id."""
    X, y = rows
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(X[:, :4], columns=list("abcd"))
    frame.loc[rng.random(len(y)) < 0.1, "a"] = np.nan
    quarter = pd.qcut(frame["b"], 4, labels=["low", "middle", "high", "top"])
    text = np.where(rng.random(len(y)) < 0.5, "even", "odd")
    return frame.assign(
        quarter=pd.Categorical(quarter.astype(str)),
        text=pd.Categorical(text),
        flag=frame["c"] > 0,
        id=np.arange(len(y)),
    ), pd.Series(y, name="target")


OF_TABLE = {"random_state": 0, "missing": "keep", "passthrough": ["id"], "layout": "interleave"}


@pytest.mark.parametrize("learner", ["xgboost", "lightgbm"])
def test_categories_go_straight_into_trees(client, table, learner):
    X, y = (dd.from_pandas(part, npartitions=4) for part in table)
    X_res, y_res = KMeansSMOTE(**OF_TABLE).fit_resample(X, y)
    X_res, given = X_res.drop(columns="id"), X.drop(columns="id")
    if learner == "xgboost":
        from xgboost import dask as dxgb

        params = {"objective": "binary:logistic", "tree_method": "hist", "max_depth": 4}
        data = dxgb.DaskDMatrix(client, X_res, y_res, enable_categorical=True)
        model = dxgb.train(client, params, data, num_boost_round=20)
        data = dxgb.DaskDMatrix(client, given, enable_categorical=True)
        predicted = dxgb.predict(client, model, data).compute()
    else:
        from lightgbm import DaskLGBMClassifier

        model = DaskLGBMClassifier(client=client, n_estimators=20, verbose=-1).fit(X_res, y_res)
        predicted = model.predict(given).compute()
    assert learned(table[1], predicted)


def test_before_a_column_transformer(table):
    from imblearn.pipeline import make_pipeline
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import OneHotEncoder

    X, y = table
    encoder = make_column_transformer(
        (SimpleImputer(), make_column_selector(dtype_include="float")),
        (OneHotEncoder(), make_column_selector(dtype_include=["category", "bool"])),
    )
    sampler = KMeansSMOTE(**OF_TABLE | {"layout": "append"})
    steps = make_pipeline(sampler, encoder, LogisticRegression(max_iter=2000))
    assert learned(y, steps.fit(X, y).predict(X))
    names = steps[1].get_feature_names_out()
    assert "onehotencoder__quarter_high" in names


@pytest.mark.parametrize("kind", ["default", "pandas"])
def test_outputs_that_scikit_learn_is_set_to(table, kind):
    with sklearn.config_context(transform_output=kind):
        X_res, _ = KMeansSMOTE(**OF_TABLE).fit_resample(*table)
    expected, _ = KMeansSMOTE(**OF_TABLE).fit_resample(*table)
    pd.testing.assert_frame_equal(X_res, expected)


def test_pipelines(client, rows):
    from dask_ml.preprocessing import StandardScaler
    from dask_ml.wrappers import Incremental
    from imblearn.pipeline import make_pipeline

    steps = make_pipeline(
        StandardScaler(),
        KMeansSMOTE(random_state=0, layout="interleave"),
        Incremental(GaussianNB(), shuffle_blocks=False),
    )
    X, y = as_arrays(*rows)
    steps.fit(X, y, incremental__classes=[0, 1])
    predicted = steps.predict(X)
    assert dask.is_dask_collection(predicted)
    assert learned(rows[1], predicted.compute())
    assert steps.named_steps["kmeanssmote"].plan_.n_synthetic == 3600
