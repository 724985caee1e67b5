"""Pictures of rows: a bounded sample of a result, chosen by position."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError, ParameterError
from ..inspection.comparison import nearest_distances, on_components, own_nearest_distances
from ..inspection.fitted import FittedSampler
from ..inspection.sample import open_result, where_held
from ..inspection.sampling import LabelSample, query_of, sample_synthetic
from ..kernels.rows.blocks import Floats, Ints, Rows, as_dense, take
from ..kernels.seeding import root_seed
from ..planning.plan import SamplingPlan, synthetic_regions
from .style import COLORS, DARK, GREY, SHAPES, add_legend, axes_of, repeated


class _Sample(NamedTuple):
    """Rows brought here.

    Attributes
    ----------
    rows
        Shape (n, n_features): originals by class, then synthetic rows by class.
    originals, synthetic
        Numbers of the rows, by class code.
    feature_names
        Names of the columns.
    """

    rows: Rows
    originals: dict[int, Ints]
    synthetic: dict[int, Ints]
    feature_names: tuple[Any, ...]


def scatter(
    X_resampled: Any,
    y_resampled: Any,
    sampler: FittedSampler,
    ax: Any = None,
    *,
    features: Sequence[Any] | None = None,
    n_sample: int = 2000,
    random_state: Any = 0,
) -> Any:
    """Originals and synthetic rows on two features or two principal components.

    The labels are counted, all of them; at most `n_sample` rows are brought here, and the chunks
    that hold them are computed.

    Parameters
    ----------
    X_resampled, y_resampled
        What `fit_resample` gave, lazy or computed.
    sampler
        The `KMeansSMOTE` that gave it: its plan and layout say which rows are synthetic.
    ax : matplotlib.axes.Axes, optional
        Drawn on; made if None.
    features
        Two columns, by name (their number in an array), in the units of X. None means the
        principal components of the sampled originals, in what distances are measured in.
    n_sample
        Most rows to show; originals and synthetic rows of each class get equal parts.
    random_state
        Chooses the sample, by position: the chunking does not matter.

    Returns
    -------
    matplotlib.axes.Axes
        A shape for each class, filled for originals; synthetic rows are hollow with a dark edge.

    Raises
    ------
    InputError
        The result is not this sampler's, or has one column.
    ParameterError
        `features` are not two columns.
    MissingPackageError
        matplotlib is not installed.
    """
    ax = axes_of(ax)
    plan: SamplingPlan = sampler.plan_
    codes = range(len(plan.class_counts))
    sample = _draw(X_resampled, y_resampled, sampler, codes, n_sample, root_seed(random_state))
    points, names = _points(sample, features, sampler)
    shapes, colors = repeated(SHAPES, len(codes)), repeated(COLORS, len(codes))
    for code, shape, color in zip(codes, shapes, colors, strict=True):
        label = f"class {plan.class_counts[code][0]}"
        old = points[sample.originals[code]]
        ax.scatter(
            *old.T, marker=shape, facecolors=color, edgecolors="none", s=18, alpha=0.7,
            label=f"{label}: original",
        )  # fmt: skip
        if code in sample.synthetic:
            new = points[sample.synthetic[code]]
            ax.scatter(
                *new.T, marker=shape, facecolors="none", edgecolors=DARK, s=20, linewidths=0.6,
                zorder=3, label=f"{label}: synthetic",
            )  # fmt: skip
    ax.set(xlabel=names[0], ylabel=names[1])
    ax.set_title(f"{len(points):,} sampled rows, equal parts", loc="left")
    add_legend(ax)
    return ax


def nearest_original_distances(
    X_resampled: Any,
    y_resampled: Any,
    sampler: FittedSampler,
    ax: Any = None,
    *,
    class_label: Any = None,
    n_sample: int = 2000,
    random_state: Any = 0,
) -> Any:
    """How far synthetic rows are from the originals of their class, beside these from each other.

    Half of the sample are originals of the class. The distance of a synthetic row is that to the
    nearest of them, and that of an original to the nearest other of them, so that both look at
    the same rows. The labels are counted, all of them; at most `n_sample` rows are brought here.

    Parameters
    ----------
    X_resampled, y_resampled, sampler, ax, random_state
        As for `scatter`.
    class_label
        The class to show; None means the one that most rows are made of.
    n_sample
        Most rows to bring here, two or more originals among them.

    Returns
    -------
    matplotlib.axes.Axes
        Empirical distributions of the Euclidean distances, in what the sampler measures them in:
        a solid line for originals, a dashed one for synthetic rows.

    Raises
    ------
    InputError
        The result is not this sampler's.
    ParameterError
        No rows are to be made, or none of `class_label`.
    MissingPackageError
        matplotlib is not installed.
    """
    ax = axes_of(ax)
    plan: SamplingPlan = sampler.plan_
    code = _class_shown(plan, class_label)
    sample = _draw(X_resampled, y_resampled, sampler, [code], n_sample, root_seed(random_state))
    rows = _numbers(sample.rows, sampler)
    old, new = take(rows, sample.originals[code]), take(rows, sample.synthetic[code])
    ax.ecdf(
        own_nearest_distances(old), color=GREY, linewidth=2.5,
        label=f"{old.shape[0]:,} originals, to the nearest other",
    )  # fmt: skip
    ax.ecdf(
        nearest_distances(new, old), color=DARK, linestyle="--", linewidth=1.5,
        label=f"{new.shape[0]:,} synthetic, to the nearest original",
    )  # fmt: skip
    ax.set(
        xlabel=f"distance ({_unit(sampler)})",
        ylabel="share of the sampled rows",
        xlim=(0, None),
        ylim=(0, 1.02),
    )
    ax.set_title(f"Nearest sampled original, class {plan.class_counts[code][0]}", loc="left")
    add_legend(ax, "lower right")
    return ax


def _class_shown(plan: SamplingPlan, class_label: Any) -> int:
    made = {region.class_code: region.stop - region.start for region in synthetic_regions(plan)}
    labels = [label for label, _ in plan.class_counts]
    if not made:
        raise ParameterError("The plan makes no rows, so there are no distances to show.")
    if class_label is None:
        return max(made, key=lambda code: made[code])
    if class_label not in [labels[code] for code in made]:
        raise ParameterError(
            f"No rows are made of class {class_label!r}: class_label is one of "
            f"{[labels[code] for code in made]}."
        )
    return labels.index(class_label)


def _draw(
    X: Any, y: Any, sampler: FittedSampler, codes: Sequence[int], n_sample: int, seed: int
) -> _Sample:
    plan: SamplingPlan = sampler.plan_
    regions = [region for region in synthetic_regions(plan) if region.class_code in codes]
    # 2 at least: the nearest other original needs another
    size = max(2, n_sample // (len(codes) + len(regions)))
    query = query_of(plan, sampler.order_, dict.fromkeys(codes, size), seed)
    with where_held(X, y, n_jobs=sampler.n_jobs):
        result = open_result(X, y, sampler.run_)
        _check_rows(result.n_rows, plan)
        labels = result.labels(query)
        _check_labels(labels, plan)
        chosen = [labels.originals[code] for code in codes]
        chosen += sample_synthetic(regions, size, seed)
        rows = result.rows_at(query.order.positions(np.concatenate(chosen)))
    # rows come in the order of `chosen`: parts of 3 and 2 have the numbers 0 1 2 and 3 4
    bounds = np.cumsum([0, *map(len, chosen)])
    numbers = [np.arange(low, high) for low, high in pairwise(bounds)]
    originals = dict(zip(codes, numbers, strict=False))
    made = [region.class_code for region in regions]
    synthetic = dict(zip(made, numbers[len(codes) :], strict=True))
    return _Sample(
        rows=rows,
        originals=originals,
        synthetic=synthetic,
        feature_names=result.chunks.feature_names,
    )


def _check_rows(n_rows: int, plan: SamplingPlan) -> None:
    if n_rows != plan.n_rows + plan.n_synthetic:
        raise InputError(
            f"X_resampled has {n_rows} rows and the sampler's plan makes "
            f"{plan.n_rows + plan.n_synthetic}: pass what its fit_resample gave."
        )


def _check_labels(labels: LabelSample, plan: SamplingPlan) -> None:
    made = [(region.class_code, region.stop - region.start) for region in synthetic_regions(plan)]
    as_planned = [n for _, n in plan.class_counts] == labels.counts[0, :-1].tolist() and all(
        labels.counts[number, code] == n for number, (code, n) in enumerate(made, start=1)
    )
    if not as_planned:
        raise InputError(
            "The labels are not where the sampler's plan and layout put them: pass what its "
            "fit_resample gave; sampler.validate(X_resampled, y_resampled) says what differs."
        )


def _unit(sampler: FittedSampler) -> str:
    return "standard deviations" if sampler.plan_.scale else "units of X"


def _numbers(rows: Rows, sampler: FittedSampler) -> Any:
    """The numbers of some rows in what distances are measured in; categories have no place."""
    metric, n_numeric = sampler.run_.metric, sampler.plan_.features.n_numeric
    if not metric.indicators.n_categorical:
        return metric.coordinates(rows)
    return metric.points(rows)[:, :n_numeric]


def _points(
    sample: _Sample, features: Sequence[Any] | None, sampler: FittedSampler
) -> tuple[Floats, list[str]]:
    names = list(sample.feature_names[: sampler.plan_.features.n_numeric])
    if features is None:
        if sampler.plan_.features.n_numeric < 2:
            raise InputError("A scatter plot needs two features of numbers, and X has fewer.")
        # axes of the originals alone: new rows, many in few clusters, would turn them
        n_originals = sum(len(numbers) for numbers in sample.originals.values())
        plane = on_components(_numbers(sample.rows, sampler), n_originals)
        return plane.points, [
            f"component {number}, {share:.0%} of variance ({_unit(sampler)})"
            for number, share in enumerate(plane.shares, start=1)
        ]
    missing = [name for name in features if name not in names]
    if len(features) != 2 or missing:
        raise ParameterError(
            f"features={list(features)!r} are not two columns of numbers of X, which are "
            f"{names[:20]}."
        )
    columns = [names.index(name) for name in features]
    labels = [str(name) if isinstance(name, str) else f"feature {name}" for name in features]
    return as_dense(sample.rows[:, columns]), [f"{label} (units of X)" for label in labels]
