"""KMeansSMOTE: parameters, validation and fitted attributes."""

from __future__ import annotations

import numbers
from typing import Any, ClassVar
from uuid import uuid4

import numpy as np
import pandas as pd
from dask.base import is_dask_collection
from imblearn.over_sampling.base import BaseOverSampler
from numpy.typing import NDArray
from sklearn.base import _fit_context
from sklearn.utils._param_validation import (
    Interval,
    validate_parameter_constraints,
)
from sklearn.utils.validation import check_is_fitted

from . import pipeline
from .data.collections import DaskInput, from_dask
from .data.kinds import require_kinds
from .data.memory import MemoryInput, from_memory
from .data.result import Arrangement, Output, origins, provenance
from .graph.dask.tasks import Tasks
from .inspection.validate import check_result
from .kernels.rows.schema import Schema
from .order.orders import ORDERS, Order
from .parameters import (
    CONSTRAINTS,
    search_in_force,
    settings_of,
    threshold_in_force,
    wanted_of,
)
from .planning.groups import GROUP_COLUMNS
from .planning.plan import SamplingPlan
from .recipes import OWN, Recipe
from .threads import in_this_process

_EXACT_ROWS = 16_384  # about where all pairs begin to cost more than sampling (18 features)
_VALIDATION = {
    "n_sample": [Interval(numbers.Integral, 1, None, closed="left")],
    "random_state": ["random_state", np.random.Generator],
}


class KMeansSMOTE(BaseOverSampler):  # type: ignore[misc] # imbalanced-learn has no types
    """Over-sample with SMOTE inside the clusters of a global KMeans, on Dask or in memory.

    All rows are clustered; a cluster is kept for a class if the class has a large enough share in
    it; new rows are interpolated between neighbours of the class within kept clusters, more where
    they lie sparse (Last, Douzas, Bacao 2017, [1]_). A category is the one that most of a row's
    neighbours have (SMOTE-NC, [2]_).

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default="auto"
        Rows after resampling. A float is the ratio of the minority to the majority, for two
        classes. "auto" and "not majority" bring all classes to the largest; "minority", "not
        minority" and "all" name others. A dict gives the final count of each targeted class; a
        callable is called with `y` and returns such a dict.
    random_state : int, RandomState, Generator or None, default=None
        An int gives the same bytes for any chunking, scheduler and number of workers. None draws
        the seed from numpy's global state, which `numpy.random.seed` sets.
    k_neighbors : int or object, default=2
        Neighbours that a row may be joined to; in a cluster of fewer rows of the class, all
        others. An object with `kneighbors` is cloned for each group of rows; its `n_neighbors`
        includes the row itself.
    n_jobs : int or None, default=None
        Threads for data in memory; None means all cores. Dask collections are computed by the
        active scheduler with the workers that it has.
    kmeans_estimator : int, object or None, default=None
        Number of clusters of `dask_ml.cluster.KMeans`, started from centres found on a sample of
        rows; None means 8. An object is cloned and keeps its own seed: dask-ml's KMeans learns
        from all rows, any other clusterer with `fit` and `predict` by one `fit` on at most
        `learning_rows` rows, and a `sklearn.frozen.FrozenEstimator` is used as it is.
    cluster_balance_threshold : "auto" or float, default="auto"
        Least share of the class in a kept cluster. "auto" is its share of all rows.
    density_exponent : "auto", "n_features" or float, default="auto"
        Exponent e in ``weight = mean_distance ** e * n_class_rows ** g`` of a cluster. "auto" is
        ``log(n_features, 1.6) ** 1.8 * 0.16``; "n_features" is their number, as in [1]_.
    count_exponent : float, default=1
        Exponent g of the cluster's rows of the class. With 1, what a row gets follows from how
        sparse its cluster is; with -1, as in [1]_, also from how few rows that has.
    max_ratio : float or None, default=2.0
        Most new rows per row of the class in a cluster, over the average of the class in its kept
        clusters; at least 1. What is cut goes to the others by weight. None: no bound.
    scale : "standard" or None, default="standard"
        What distances are measured in: each number's standard deviation over sampled rows
        (`scale_`), or None for the units of X. It changes no value of the result. A clusterer
        and a search that are given see the rows so divided (but a frozen clusterer, which has
        learned elsewhere, sees X), and centres to start from are given in the units of X. Of
        categories they see indicators, at most 32 of a feature; a frozen clusterer, or centres to
        start from, are refused then.
    categorical_features : "auto" or array-like, default="auto"
        Features that are categories: by name, place or mask. "auto": of a frame the columns of
        categories, text and booleans, of an array none.
    categorical_weight : "auto" or float, default="auto"
        The distance of two different categories, >= 0. "auto" is the median standard deviation of
        the numbers as they are measured: 1 where they are scaled.
    missing : "error" or "keep", default="error"
        With "keep", numbers and categories may be missing: a missing number stands at its
        feature's mean in distances, an absent category is a category of its own.
    passthrough : array-like of names, default=()
        Columns of a frame that are no features: untouched in originals, null in new rows, in a
        type that has nulls (an int64 becomes Int64).
    compat : None or "imbalanced-learn", default=None
        With "imbalanced-learn" the result is that of its KMeansSMOTE, row for row, for an int
        `random_state`; the defaults of clusterer, threshold and exponent are its own, and
        `count_exponent`, `max_ratio`, `scale`, `categorical_features`, `categorical_weight` and
        `missing` can't be given, as it has none.
    learning_rows : "auto" or int, default="auto"
        Most rows that the clusterer learns from, sampled by their position in X and brought
        together in one task. "auto": all for dask-ml's KMeans, 1,000,000 for any other.
    exact_rows : int or None, default=16384
        Rows of the largest group (class within a cluster) whose pairs are all looked at. In
        larger ones the mean distance comes from sampled pairs, and the neighbours from an
        approximate search that goes on until a recall of 0.96 is measured, and warns where its
        bound on the work is reached at less than 0.95 (`LowRecallWarning`); `report_` has the
        standard error and the recall. None means all pairs always, as with `compat`.
    layout : "append" or "interleave", default="append"
        Synthetic rows after the originals; or spread evenly among them, so that every partition
        of a lazy result mixes classes, as training in batches or by partition needs. The order
        depends on nothing but the numbers of rows.
    progress : bool, default=False
        Show a bar for each eager stage that takes longer than half a second; needs tqdm.
    callbacks : sequence of callables or None, default=None
        Each is called with the events of `dask_kmsmote.events` as eager stages start, progress,
        finish or fail, and with the warnings of the plan. `dask_kmsmote.listeners` has some.

    Attributes
    ----------
    sampling_strategy_ : dict
        Rows to generate of each targeted class, in label order.
    kmeans_estimator_ : estimator
        The fitted clusterer; it has learned, and predicts, rows of ``X / scale_``.
    nn_k_ : estimator
        The neighbours search, unfitted; its `n_neighbors` includes the row itself.
    cluster_balance_threshold_ : float or dict
        The threshold in force; by class where "auto" gave several; NaN where it had nothing to do.
    scale_ : ndarray
        What each feature is divided by where distances are measured, in the order of the columns,
        without those of `passthrough`; 1 for categories, and with ``scale=None``.
    categorical_weight_ : float
        The distance of two different categories; 0 where there are none.
    plan_ : SamplingPlan
        Who gets how many rows, and why.
    report_ : pandas.DataFrame
        The plan as a table, a row per class and cluster.
    order_ : Order
        Where a result has each original and each synthetic row (`layout`).
    lengths_ : tuple of int
        Rows of each chunk of X, as the census counted them.
    recipe_ : Recipe
        What the over-sampler decided (`compat`), see `dask_kmsmote.recipes`.
    provenance_ : dask.dataframe.DataFrame
        Lazy: `base_row`, `neighbor_row` (positions in X) and `gap` of each synthetic row, in
        output order; the index is the row's position in the result.
    voters_ : dask.dataframe.DataFrame
        Lazy: `provenance_`, and with categories the positions of all k nearest rows of each base
        row, `voter_0` and so on; NaN where a cluster has fewer.
    sample_indices_ : ndarray of int
        Of data in memory: the position in X that each row of the result comes from, its own or, of
        a synthetic row, that of its base row. Weights or groups of X become those of the result by
        it. It does not hold the synthetic rows: imbalanced-learn's `balanced_batch_generator`, and
        what else takes ``X[sample_indices_]``, trains on originals, each as often as rows were
        made of it.
    run_ : Run
        What the stages left, see `dask_kmsmote.pipeline`.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where all are strings.

    Notes
    -----
    `fit` and `fit_resample` read X once to count and check, once a KMeans pass (1 by default), and
    once to find clusters and bring the rows of the classes to oversample into cluster memory.
    Where the lengths of chunks are unknown, y alone is read once more to count them. Synthetic
    rows are made when the result is computed.

    X and y must be the same each time that they are read: a fingerprint of every chunk is compared
    at each later read but those of KMeans, also where rows are read again because a worker died,
    and for the originals in the result. Data that changed, as a source rewritten meanwhile or
    random values without a seed, are an InputError that names the chunk.

    On a distributed cluster, the scheduler and the workers are asked first whether they can import
    what is needed, and have the same minor version of Python and the same versions of dask,
    distributed and this package. A cluster that does nothing while the run waits, as it has no
    worker, all are paused or its scheduler is stopped, is a ClusterError after the
    ``kmsmote.worker-timeout`` of Dask's configuration (seconds, or a text such as "5 minutes"; 300
    s by default). A task may take as long as it wants. A lazy result that is computed later is in
    Dask's hands.

    References
    ----------
    .. [1] F. Last, G. Douzas, F. Bacao, "Oversampling for Imbalanced Learning Based on K-Means
       and SMOTE", arXiv 1711.00837.
    .. [2] N. Chawla, K. Bowyer, L. Hall, W. Kegelmeyer, "SMOTE: Synthetic Minority Over-sampling
       Technique", JAIR 16, 2002, section 6.1.

    Examples
    --------
    >>> import dask.array as da
    >>> from sklearn.datasets import make_classification
    >>> from dask_kmsmote import KMeansSMOTE
    >>> X, y = make_classification(1000, weights=[0.9], random_state=0)
    >>> X, y = da.from_array(X, chunks=(250, -1)), da.from_array(y, chunks=250)
    >>> X_resampled, y_resampled = KMeansSMOTE(random_state=0).fit_resample(X, y)
    >>> da.bincount(y_resampled).compute().tolist()
    [897, 897]
    """

    # what this over-sampler decides where `compat` names no other
    _recipe: ClassVar[Recipe] = OWN
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseOverSampler._parameter_constraints,
        **CONSTRAINTS,
    }

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        random_state: Any = None,
        k_neighbors: Any = 2,
        n_jobs: int | None = None,
        kmeans_estimator: Any = None,
        cluster_balance_threshold: Any = "auto",
        density_exponent: Any = "auto",
        count_exponent: float = 1,
        max_ratio: float | None = 2.0,
        scale: str | None = "standard",
        categorical_features: Any = "auto",
        categorical_weight: float | str = "auto",
        missing: str = "error",
        passthrough: Any = (),
        compat: str | None = None,
        learning_rows: Any = "auto",
        exact_rows: int | None = _EXACT_ROWS,
        layout: str = "append",
        progress: bool = False,
        callbacks: Any = None,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.random_state = random_state
        self.k_neighbors = k_neighbors
        self.n_jobs = n_jobs
        self.kmeans_estimator = kmeans_estimator
        self.cluster_balance_threshold = cluster_balance_threshold
        self.density_exponent = density_exponent
        self.count_exponent = count_exponent
        self.max_ratio = max_ratio
        self.scale = scale
        self.categorical_features = categorical_features
        self.categorical_weight = categorical_weight
        self.missing = missing
        self.passthrough = passthrough
        self.compat = compat
        self.learning_rows = learning_rows
        self.exact_rows = exact_rows
        self.layout = layout
        self.progress = progress
        self.callbacks = callbacks

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.sampler_tags.sample_indices = True
        return tags

    @property
    def report_(self) -> pd.DataFrame:
        """The plan as a table, a row per class and cluster."""
        groups = [group.to_dict() for group in self.plan_.groups]
        return pd.DataFrame(groups, columns=list(GROUP_COLUMNS))

    @property
    def _fitted(self) -> Arrangement:
        check_is_fitted(self, "_result")
        return self._result

    @property
    def provenance_(self) -> Any:
        """Parents of each synthetic row, lazy."""
        return provenance(self._fitted)

    @property
    def voters_(self) -> Any:
        """Lazy: `provenance_`, and the positions of all k nearest of each base row."""
        return provenance(self._fitted, with_voters=True)

    @property
    def sample_indices_(self) -> NDArray[np.int64]:
        """The position in X that each row of the result comes from; of data in memory."""
        found = self._fitted
        if not self._is_in_memory:
            raise AttributeError(
                "sample_indices_ is as long as the result: it is there for data in memory alone. "
                "Of Dask collections provenance_ has the base_row of each synthetic row, lazily."
            )
        with in_this_process(self.n_jobs):
            return origins(found)

    @property
    def order_(self) -> Order:
        """Where a result has its rows."""
        return self._fitted.order

    @property
    def lengths_(self) -> tuple[int, ...]:
        """Rows of each chunk of X."""
        return self._fitted.run.lengths

    @property
    def scale_(self) -> NDArray[np.float64]:
        """What each feature is divided by where distances are measured."""
        run = self._fitted.run
        scales = run.metric.scales_of(run.schema.n_features)
        found: NDArray[np.float64] = run.schema.by_column(scales, otherwise=1.0)
        return found

    @property
    def categorical_weight_(self) -> float:
        """The distance of two different categories; 0 where there are none."""
        return self._fitted.run.metric.weight

    @property
    def run_(self) -> pipeline.Run:
        """What the stages left."""
        return self._fitted.run

    @property
    def recipe_(self) -> Recipe:
        """What the over-sampler decided."""
        return self._fitted.run.recipe

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any) -> KMeansSMOTE:
        """Make the plan: everything but the synthetic rows.

        Parameters
        ----------
        X, y
            As for `fit_resample`.

        Returns
        -------
        KMeansSMOTE
            Itself, with all fitted attributes.
        """
        source = self._input(X, y)
        with source.computing():
            self._run(source, y)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_resample(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Resample X and y.

        Parameters
        ----------
        X : dask Array or DataFrame; array, pandas or polars DataFrame, csr or csc matrix, list
            Shape (n_rows, n_columns): numbers, finite; in frames, and where `categorical_features`
            names them, categories, text and booleans. Dates and nested values have no place among
            features.
        y : dask Array or Series; array, pandas or polars Series, list
            Shape (n_rows,): classes as numbers, strings, booleans or categories; or one-vs-all,
            shape (n_rows, n_classes).

        Returns
        -------
        X_resampled, y_resampled
            The kinds that came in (a series of labels beside an array becomes an array): the
            originals, untouched and in order, then (or among them, see `layout`) the synthetic
            rows by class and cluster. Dask collections are lazy, with known chunks; frames have the
            new index 0 ... n - 1, and their columns the types and the categories that they had.

        Raises
        ------
        InputError, ParameterError
            Subclasses of ValueError: the data or a parameter, where, and what mends it. An
            InputError also comes when a lazy result is computed from data that changed meanwhile.
        NoClusterError
            A RuntimeError: no cluster qualifies for some class.
        ClusterError
            An OSError: the cluster of Dask can't do the work, or does nothing for too long.
        """
        return self._output(X, y, Output.BOTH)

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_synthesize(self, X: Any, y: Any) -> tuple[Any, Any]:
        """The synthetic rows alone, by class and cluster.

        Parameters
        ----------
        X, y
            As for `fit_resample`.

        Returns
        -------
        X_synthetic, y_synthetic
            As the last rows of `fit_resample` with ``layout="append"``. `provenance_` is of these
            rows; `order_` is that of a whole result.

        Raises
        ------
        InputError, ParameterError, NoClusterError, ClusterError
            As `fit_resample`.
        """
        return self._output(X, y, Output.SYNTHETIC)

    def validate(
        self, X_resampled: Any, y_resampled: Any, *, n_sample: int = 1000, random_state: Any = 0
    ) -> pd.DataFrame:
        """Check a result of `fit_resample` against the plan and the provenance.

        Parameters
        ----------
        X_resampled, y_resampled, n_sample, random_state
            As for `dask_kmsmote.inspection.check_result`, which says what is checked.

        Returns
        -------
        pandas.DataFrame
            A row per finding; `passed` is missing where there is nothing to pass.

        Raises
        ------
        InputError
            X_resampled and y_resampled do not go together, or have other features than X had.
        InvalidParameterError
            `n_sample` or `random_state` is of a wrong type or range.
        """
        check_is_fitted(self, "plan_")
        asked = {"n_sample": n_sample, "random_state": random_state}
        validate_parameter_constraints(_VALIDATION, asked, "validate")
        return check_result(self, X_resampled, y_resampled, **asked)

    # abstract in the parent: without it there would be no instance
    def _fit_resample(self, X: Any, y: Any) -> Any:
        raise NotImplementedError("fit_resample does not go through the parent's.")

    def _output(self, X: Any, y: Any, output: Output) -> tuple[Any, Any]:
        source = self._input(X, y)
        # one context for both: what it changes of the process takes a millisecond to look up
        with source.computing():
            self._run(source, y, output)
            return source.resampled(self._result)

    def _input(self, X: Any, y: Any) -> DaskInput | MemoryInput:
        wanted = wanted_of(self)
        require_kinds(X, y)
        if not (is_dask_collection(X) or is_dask_collection(y)):
            return from_memory(self, X, y, self.n_jobs, wanted)
        # a new name for each run: data may be persisted between two runs, under the same name
        source = from_dask(Tasks(uuid4().hex), X, y, wanted)
        self._note_features(source.source.schema)
        return source

    def _run(self, data: DaskInput | MemoryInput, y: Any, output: Output = Output.BOTH) -> None:
        """Run the stages, and note what they found."""
        settings = settings_of(self, y)
        settings.recipe.check_dtype(data.source.dtype)
        run = pipeline.run(data.tasks, data.source, settings)
        self.sampling_strategy_ = run.amounts
        self.kmeans_estimator_ = run.estimator
        self.nn_k_ = search_in_force(run.search)
        self.cluster_balance_threshold_ = threshold_in_force(self, run.thresholds)
        self.plan_: SamplingPlan = run.plan
        order = ORDERS[self.layout](run.plan.n_rows, run.plan.n_synthetic)
        self._result = Arrangement(run, order, output)
        self._is_in_memory = isinstance(data, MemoryInput)

    def _note_features(self, schema: Schema) -> None:
        # as scikit-learn's own check of data in memory does
        self.n_features_in_ = len(schema.columns)
        if all(isinstance(name, str) for name in schema.columns):
            self.feature_names_in_ = np.array(schema.columns, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
