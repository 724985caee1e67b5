"""What one over-sampler decides, as one frozen object.

The stages ask a recipe wherever over-samplers of this family differ: which clusters are kept, what
weight a cluster has, how weights become whole rows, how parents are drawn, how rows are made of
them.
`OWN` is the package's, `IMBALANCED_LEARN` gives that package's result row for row; nothing else in
the package asks which of the two is in force.

Another over-sampler is another instance. One that gives every kept cluster the same:

    def share_evenly(kept, n):
        return share_by_logs(np.zeros(len(kept.n_class_rows)), kept, n)

    class EvenSMOTE(KMeansSMOTE):
        _recipe = replace(OWN, shares=replace(OWN.shares, share=share_evenly))

What makes rows (`make_streams`, `interpolation`, `to_whole`) travels to the workers, and so is made
of functions of a module. A recipe decides, and does no work of its own: the functions that the two
here name lie with those that do the same work otherwise, in `planning` and in `kernels`.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import InputError
from .kernels.making.drawing import (
    Stream,
    chosen_neighbor,
    keyed_streams,
    restarted_streams,
)
from .kernels.making.interpolation import (
    Interpolation,
    interpolate_in_dtype,
    interpolate_nearest,
)
from .kernels.neighbors.search import drop_first, drop_self
from .kernels.rows.blocks import Floats, Ints
from .kernels.seeding import START, root_seed, small_seed
from .planning import allocate, choose
from .planning.cuts import Sector, sectors, single_blocks
from .planning.strategy import RatioRule, cut_to_ratio, nearest_to_ratio

_PASSES = 1  # from a refined start, a second one lowers the inertia by 0.02 % or less
_MATRIX_ROWS = 4096  # 128 MiB; larger groups have no rounding left to copy


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The decisions of an over-sampler.

    Attributes
    ----------
    name
        As the parameter `compat` and the plan have it.
    fixed
        Parameters that a user can't give, as the recipe decides them, by name.
    kinds
        Kinds of dtypes that rows may have: "b", "i", "u", "f".
    seed
        The root seed, from `random_state`.
    make_clusterer
        The clusterer of so many clusters, with a root seed, where the user gave none.
    keeps_fit_labels
        A fit's own labels stand for `predict`, where it saw all rows.
    make_search
        The object that finds k neighbours, where the user gave none; None is the package's search.
    without_self
        What an object found for each row, without the row itself.
    may_sample
        Groups of more than `exact_rows` rows may be sampled, and searched approximately.
    matrix_rows
        Up to so many rows, and where an object searches, the mean distance is that of a distance
        matrix.
    of_ratio
        Rows of the minority that a ratio and the rows of the majority ask for.
    clusters
        Which clusters are kept.
    shares
        Who gets how many rows.
    make_streams
        Streams of the output blocks of a group, from the root seed, class and cluster, the rows of
        each block, and the rows times neighbours of the group.
    sectors
        Which output blocks of a group of several blocks share base rows, from its rows and the rows
        of its output blocks.
    interpolation
        New rows from base rows, all k neighbours or the chosen ones alone, and gaps.
    to_whole
        Whole numbers for the integer columns of a frame, whose rows are computed as floats.
    whole_slack
        How far such a number may be from the exact one.
    """

    name: str | None
    fixed: Mapping[str, Any]
    kinds: str
    seed: Callable[[Any], int]
    make_clusterer: Callable[[int, int], Any]
    keeps_fit_labels: bool
    make_search: Callable[[int], Any]
    without_self: Callable[[Ints], Ints]
    may_sample: bool
    matrix_rows: int
    of_ratio: RatioRule
    clusters: choose.ClusterRules
    shares: allocate.ShareRules
    make_streams: Callable[[int, tuple[int, int], Sequence[int], int], Sequence[Stream]]
    sectors: Callable[[int, Sequence[int]], list[Sector]]
    interpolation: Interpolation
    to_whole: Callable[[Floats], Floats]
    whole_slack: float

    def check_dtype(self, dtype: np.dtype[Any]) -> None:
        """Raise `InputError` where rows of the dtype can't be interpolated."""
        if dtype.kind not in self.kinds:
            raise InputError(
                f"X has dtype {dtype}, which is no number to interpolate"
                f"{f' as {self.name} does' if self.name else ''}. "
                "Convert it first, e.g. X = X.astype('float64')."
            )


def _dask_k_means(n_clusters: int, seed: int) -> Any:
    # not at the top: it takes a second to import
    from dask_ml.cluster import KMeans

    return KMeans(n_clusters, max_iter=_PASSES, random_state=small_seed(seed, START))


def _mini_batch_k_means(n_clusters: int, seed: int) -> Any:
    from sklearn.cluster import MiniBatchKMeans

    # the seed itself, as imbalanced-learn passes its `random_state` on
    return MiniBatchKMeans(n_clusters, random_state=seed)


def _own_search(k: int) -> None:  # noqa: ARG001 - a recipe's
    return None


def _scikit_learn_search(k: int) -> Any:
    from sklearn.neighbors import NearestNeighbors

    return NearestNeighbors(n_neighbors=k + 1)  # the row itself is among them


def _seed_of_32_bits(random_state: Any) -> int:
    seed = root_seed(random_state)
    # a `RandomState`, which its streams are, takes no more; an int is left for it to judge
    return seed if isinstance(random_state, numbers.Integral) else seed % 2**32


OWN = Recipe(
    name=None,
    fixed={},
    kinds="biuf",
    seed=root_seed,
    make_clusterer=_dask_k_means,
    keeps_fit_labels=False,
    make_search=_own_search,
    without_self=drop_self,
    may_sample=True,
    matrix_rows=0,
    of_ratio=nearest_to_ratio,
    clusters=choose.ClusterRules(
        auto_thresholds=choose.shares_of_all,
        least_rows=choose.two_rows,
        is_below=choose.is_below_share,
        has_too_few=choose.has_too_few,
    ),
    shares=allocate.ShareRules(allocate.exponent_of_features, allocate.share_by_weight),
    make_streams=keyed_streams,
    sectors=sectors,
    interpolation=Interpolation(interpolate_nearest, chosen_neighbor),
    to_whole=np.rint,
    whole_slack=0.5,
)

IMBALANCED_LEARN = Recipe(
    name="imbalanced-learn",
    fixed={
        "count_exponent": -1.0,
        "max_ratio": None,
        "scale": None,
        "categorical_features": None,
        "categorical_weight": "auto",
        "missing": "error",
    },
    kinds="iuf",  # it can't take differences of booleans
    seed=_seed_of_32_bits,
    make_clusterer=_mini_batch_k_means,
    keeps_fit_labels=True,
    make_search=_scikit_learn_search,
    without_self=drop_first,
    may_sample=False,
    matrix_rows=_MATRIX_ROWS,
    of_ratio=cut_to_ratio,
    clusters=choose.ClusterRules(
        auto_thresholds=choose.half_shares_to_make,
        least_rows=choose.all_neighbors,
        is_below=choose.is_below_number,
        has_too_few=choose.has_too_few_by_product,
    ),
    shares=allocate.ShareRules(allocate.exponent_of_rows, allocate.share_by_ceilings),
    make_streams=restarted_streams,
    sectors=single_blocks,
    interpolation=Interpolation(interpolate_in_dtype, chosen_neighbor),
    to_whole=np.trunc,
    whole_slack=1.0,
)

# by what `compat` may name; without it, a class has its own
RECIPES: Mapping[str | None, Recipe] = {"imbalanced-learn": IMBALANCED_LEARN}
