"""imbalanced-learn's own tests and checks, run on our class."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
from imblearn.pipeline import make_pipeline
from imblearn.utils.estimator_checks import (
    _set_checking_parameters,
    check_dataframe_column_names_consistency,
    check_param_validation,
    parametrize_with_checks,
)
from sklearn.cluster import MiniBatchKMeans
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks as parametrize_sklearn

from dask_kmsmote import KMeansSMOTE


def own_tests():
    """The functions of imbalanced-learn's test module, with our class in place of its own."""
    home = Path(find_spec("imblearn").origin).parent
    source = (home / "over_sampling/_smote/tests/test_kmeans_smote.py").read_text()
    for old, new in (
        ("import SMOTE, KMeansSMOTE", "import SMOTE\nfrom dask_kmsmote import KMeansSMOTE"),
        ('    assert "batch_size" in kmeans_smote.kmeans_estimator_.get_params()\n', ""),
        (
            "        k_neighbors=5,\n",
            '        k_neighbors=5,\n        compat="imbalanced-learn",\n',
        ),
    ):
        assert source.count(old) == 1
        source = source.replace(old, new)
    namespace = {"__name__": "imblearn_tests"}
    exec(compile(source, "test_kmeans_smote.py", "exec"), namespace)  # noqa: S102 - as installed
    return {k: v for k, v in namespace.items() if k.startswith("test_") or k == "data"}


globals().update(own_tests())


def listed(marked):
    """The same parametrization with its generator as a list, as pytest asks for."""
    names, values = marked.mark.args
    return pytest.mark.parametrize(names, list(values), **marked.mark.kwargs)


@listed(parametrize_with_checks([KMeansSMOTE(random_state=0)]))
@pytest.mark.parametrize("as_its_own_suite", [False, True])
def test_imblearn_checks(estimator, check, as_its_own_suite):
    if as_its_own_suite:
        _set_checking_parameters(estimator)
    check(estimator)


# its random sets of 20 rows have no cluster of a class to speak of, unless all are one
@listed(parametrize_sklearn([KMeansSMOTE(random_state=0, kmeans_estimator=1, k_neighbors=1)]))
def test_sklearn_checks(estimator, check):
    check(estimator)


def test_parameter_validation():
    check_param_validation("KMeansSMOTE", KMeansSMOTE(random_state=0))


def test_column_names():
    check_dataframe_column_names_consistency("KMeansSMOTE", KMeansSMOTE(random_state=0))


@pytest.mark.parametrize("compat", [None, "imbalanced-learn"])
@pytest.mark.parametrize("on_dask", [False, True])
def test_documented_example(compat, on_dask):
    blobs = [100, 800, 100]
    X, y = make_blobs(blobs, centers=[(-10, 0), (0, 0), (10, 0)], random_state=0)
    X, y = np.concatenate([X, [[0, 0]]]), np.append(y, 0) == 1
    if on_dask:
        X, y = da.from_array(X, chunks=(300, 1)), da.from_array(y, chunks=300)
    sampler = KMeansSMOTE(
        kmeans_estimator=MiniBatchKMeans(n_init=1, random_state=0), random_state=42, compat=compat
    )
    X_res, y_res = (np.asarray(part) for part in sampler.fit_resample(X, y))
    assert ((X_res[:, 0] > -5) & (X_res[:, 0] < 5)).sum() == blobs[1] + 1
    assert (y_res == 0).sum() > 201


def test_pipeline(imbalanced):
    pipeline = make_pipeline(KMeansSMOTE(random_state=0), LogisticRegression())
    assert cross_val_score(pipeline, *imbalanced, scoring="f1", cv=3).min() > 0.3
