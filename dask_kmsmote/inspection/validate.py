"""Does a result hold what the plan promised? A bounded sample of its rows is looked at.

Counts of labels are exact, over all rows. What is asked of single rows is asked of a sample: the
synthetic rows are computed, their parents fetched by their positions in X, and the interpolation is
done again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..data.kinds import is_polars
from ..data.polars import as_pandas
from ..graph.clustering.learn import labeler_of, labels_learned
from ..kernels.rows.blocks import Ints, Rows
from ..kernels.rows.columns import Exact
from ..kernels.seeding import root_seed
from ..planning.cuts import offsets
from ..planning.plan import Region, SamplingPlan, groups_at, synthetic_regions
from .comparison import (
    column,
    is_most_frequent,
    ks_distance,
    labels_by,
    lies_between,
    share_distance,
    slack_of,
)
from .fitted import FittedSampler
from .sample import Result, open_result, parents_at, where_held
from .sampling import LabelQuery, LabelSample, codes_of, query_of, sample_synthetic

_Flags = NDArray[np.bool_]


class _Finding(NamedTuple):
    """One line of the table."""

    check: str
    class_label: Any
    feature: Any = ""
    n_checked: int = 0
    n_wrong: int | None = None
    distance: float = np.nan
    passed: bool | None = None


@dataclass(frozen=True)
class _Family:
    """Sampled synthetic rows and their parents.

    Attributes
    ----------
    new, base, neighbor, originals
        Rows, shape (n, n_features), and sampled originals of the same classes.
    gap
        Where between the parents, shape (n,).
    known
        Whether both parents are positions in X and the gap is in [0, 1].
    of_class
        Whether both parents have the class.
    in_cluster
        Whether both parents are in the cluster that the plan makes the row in.
    as_voted
        Whether each category is one that most of the base row's nearest have; None where there are
        no categories.
    """

    new: Rows
    base: Rows
    neighbor: Rows
    originals: Rows
    gap: NDArray[np.float64]
    known: _Flags
    of_class: _Flags
    in_cluster: _Flags
    as_voted: _Flags | None


def check_result(
    sampler: FittedSampler,
    X_resampled: Any,
    y_resampled: Any,
    *,
    n_sample: int = 1000,
    random_state: Any = 0,
) -> pd.DataFrame:
    """Check a result of a sampler against its plan and its provenance.

    The labels are counted, all of them. Of X, at most ``4 * n_sample`` rows are brought here: the
    sampled synthetic rows, their parents, and originals of their classes; the chunks that hold
    them are computed.

    Parameters
    ----------
    sampler
        A `KMeansSMOTE` after `fit_resample`.
    X_resampled, y_resampled
        Its result, as it came or computed; not in another order.
    n_sample
        Synthetic rows to look at, shared equally by the classes, at least one each.
    random_state
        Chooses the sample, by position: the chunking does not matter.

    Returns
    -------
    pandas.DataFrame
        A row per finding: `check`, `class_label`, `feature`, `n_checked`, `n_wrong`, `distance`
        and `passed`.

        - "rows", "original rows", "synthetic rows": how many the plan says (`n_checked`), and by
          how many the result differs (`n_wrong`). The rows of a class are counted where the plan
          and the layout put them.
        - "parents known", "parents' class", "parents' cluster", "between parents", "neighbours'
          vote": sampled rows, and those of which this is not so. "between parents" asks for
          ``base + gap * (neighbor - base)`` of every number, up to the rounding of the dtype of
          the column, missing where the base's is; "neighbours' vote", where there are categories,
          that each is one that most of the base row's k nearest have.
        - "KS distance", by feature of numbers: `distance` is the two-sample Kolmogorov-Smirnov
          statistic between the sampled synthetic and original rows of the class, 0 (alike) to 1;
          "share distance", by feature of categories: the largest difference of a category's share.
          They neither pass nor fail, as the method makes more rows in some clusters than in others.

        A result of another number of rows has this one finding: no row is where it should be.

    Raises
    ------
    InputError
        X_resampled and y_resampled do not go together, or have other features than X had.
    """
    plan: SamplingPlan = sampler.plan_
    regions = synthetic_regions(plan)
    size = max(1, n_sample // max(1, len(regions)))
    seed = root_seed(random_state)
    with where_held(X_resampled, y_resampled, n_jobs=sampler.n_jobs):
        result = open_result(X_resampled, y_resampled, sampler.run_)
        findings = [_count("rows", "", result.n_rows, plan.n_rows + plan.n_synthetic)]
        if findings[0].passed:
            sizes = {region.class_code: size for region in regions}
            labels = result.labels(query_of(plan, sampler.order_, sizes, seed))
            findings += _counted(plan, regions, labels)
            if regions:
                findings += _looked_at(sampler, X_resampled, result, labels, regions, size)
    table = pd.DataFrame(findings, columns=list(_Finding._fields))
    # types that can be missing: a distance neither passes nor fails
    return table.astype({"n_wrong": "Int64", "passed": "boolean"})


def _counted(
    plan: SamplingPlan, regions: Sequence[Region], labels: LabelSample
) -> Iterator[_Finding]:
    for code, (label, n) in enumerate(plan.class_counts):
        yield _count("original rows", label, int(labels.counts[0, code]), n)
    for number, region in enumerate(regions, start=1):
        label, n = plan.class_counts[region.class_code][0], region.stop - region.start
        yield _count("synthetic rows", label, int(labels.counts[number, region.class_code]), n)


def _count(check: str, label: Any, found: int, expected: int) -> _Finding:
    return _Finding(
        check=check,
        class_label=label,
        n_checked=expected,
        n_wrong=abs(found - expected),
        passed=found == expected,
    )


def _looked_at(
    sampler: FittedSampler,
    X: Any,
    result: Result,
    labels: LabelSample,
    regions: Sequence[Region],
    size: int,
) -> Iterator[_Finding]:
    plan, n_numbers = sampler.plan_, len(sampler.run_.schema.numbers)
    made = sample_synthetic(regions, size, labels.query.seed)
    real = [labels.originals[region.class_code] for region in regions]
    codes = np.repeat([region.class_code for region in regions], [len(part) for part in made])
    family = _family(
        sampler, result, labels.query, np.concatenate(made), codes, np.concatenate(real)
    )
    slack = slack_of(
        _dtypes(X, family.new, sampler),
        sampler.run_.recipe.whole_slack,
        [exact and exact.digits for exact in _exact_numbers(sampler)],
    )
    new, base, neighbor = (
        rows[:, :n_numbers] for rows in (family.new, family.base, family.neighbor)
    )
    between = lies_between(new, base, neighbor, family.gap, slack)
    ok = {
        "parents known": family.known,
        "parents' class": family.of_class,
        "parents' cluster": family.in_cluster,
        "between parents": family.known & between,
    }
    if family.as_voted is not None:
        ok["neighbours' vote"] = family.known & family.as_voted
    for region, mine, others in zip(regions, _slices(made), _slices(real), strict=True):
        label = plan.class_counts[region.class_code][0]
        for check, flags in ok.items():
            wrong = int((~flags[mine]).sum())
            yield _Finding(
                check=check,
                class_label=label,
                n_checked=len(flags[mine]),
                n_wrong=wrong,
                passed=wrong == 0,
            )
        new, old = family.new[mine], family.originals[others]
        # where labels are wrong, a class may have no originals to compare with
        if old.shape[0]:
            yield from _distances(label, new, old, result.chunks.feature_names, n_numbers)


def _distances(
    label: Any, new: Rows, old: Rows, features: Sequence[Any], n_numbers: int
) -> Iterator[_Finding]:
    for number, feature in enumerate(features):
        ours, theirs = column(new, number), column(old, number)
        is_number = number < n_numbers
        yield _Finding(
            check="KS distance" if is_number else "share distance",
            class_label=label,
            feature=feature,
            n_checked=new.shape[0],
            distance=ks_distance(ours, theirs)
            if is_number
            else share_distance(ours.astype(np.int64), theirs.astype(np.int64)),
        )


def _slices(parts: Sequence[Ints]) -> list[slice]:
    bounds = offsets([len(part) for part in parts])
    return [slice(low, high) for low, high in pairwise(bounds)]


def _exact_numbers(sampler: FittedSampler) -> list[Exact | None]:
    schema = sampler.run_.schema
    return [schema.exact.get(place) for place in schema.numbers]


def _dtypes(X: Any, rows: Rows, sampler: FittedSampler) -> list[Any]:
    # each column rounds by its own dtype; the rows here have the common one of all
    numbers, frame = sampler.run_.schema.numbers, getattr(X, "_meta", X)
    frame = as_pandas(frame[:0]) if is_polars(frame) else frame
    if getattr(frame, "dtype", rows.dtype).kind == "O":  # an array of objects, read by column
        frame = pd.DataFrame(frame).infer_objects()
    if isinstance(frame, pd.DataFrame):
        return [frame.dtypes.iloc[place] for place in numbers]
    return [getattr(frame, "dtype", rows.dtype)] * len(numbers)


def _family(
    sampler: FittedSampler,
    result: Result,
    query: LabelQuery,
    made: Ints,
    codes: Ints,
    originals: Ints,
) -> _Family:
    plan: SamplingPlan = sampler.plan_
    positions = query.order.positions(made)
    n_categorical = plan.n_categorical
    trace = parents_at(sampler.voters_ if n_categorical else sampler.provenance_, positions)
    gap = trace["gap"].to_numpy(dtype=np.float64)
    parents = trace[["base_row", "neighbor_row"]].to_numpy(dtype=np.float64).T
    # NaN, of a row without parents, passes no comparison
    known = ((parents >= 0) & (parents < plan.n_rows)).all(axis=0) & (gap >= 0) & (gap <= 1)
    # all n bases, then all n neighbours; row 0 can be looked up in place of one there is not
    base_and_neighbor = np.where(known, parents, 0).astype(np.int64).ravel()
    at_parents, n = query.order.positions(base_and_neighbor), len(made)
    at_originals = query.order.positions(originals)
    # one computation: n new rows, n bases, n neighbours, then the originals
    rows = result.rows_at(np.concatenate([positions, at_parents, at_originals]))
    classes = codes_of(result.labels_at(at_parents), query.classes)
    # where the run took the fit's own labels, as `predict` may give others
    run = sampler.run_
    clusters = labels_learned(sampler.kmeans_estimator_, run.recipe.keeps_fit_labels, plan.n_rows)
    if clusters is None:
        labeler = labeler_of(sampler.kmeans_estimator_, run.metric)
        clusters = labels_by(labeler, rows[n : 3 * n])
    else:
        clusters = clusters[base_and_neighbor]
    planned = np.array([group.cluster_id for group in plan.groups])[groups_at(plan, made)]
    return _Family(
        new=rows[:n],
        base=rows[n : 2 * n],
        neighbor=rows[2 * n : 3 * n],
        originals=rows[3 * n :],
        gap=gap,
        known=known,
        of_class=known & (classes.reshape(2, n) == codes).all(axis=0),
        in_cluster=known & (clusters.reshape(2, n) == planned).all(axis=0),
        as_voted=_as_voted(result, query, rows[:n], trace, plan) if n_categorical else None,
    )


def _as_voted(
    result: Result, query: LabelQuery, new: Any, trace: pd.DataFrame, plan: SamplingPlan
) -> _Flags:
    voters = trace.filter(like="voter_").to_numpy(dtype=np.float64)
    is_known = (voters >= 0) & (voters < plan.n_rows)
    # row 0 can be looked up in place of one there is not, and has no vote
    at = query.order.positions(np.where(is_known, voters, 0).astype(np.int64).ravel())
    codes = result.rows_at(at)[:, -plan.n_categorical :].astype(np.int64)
    votes = np.where(is_known.ravel()[:, np.newaxis], codes, -1)
    votes = votes.reshape(*voters.shape, plan.n_categorical)
    return is_most_frequent(new[:, -plan.n_categorical :].astype(np.int64), votes)
