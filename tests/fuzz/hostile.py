"""Hostile cases: what is drawn, and the data and parameters made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from holders import INDICES, NAMES, OF_ARRAYS, OF_FRAMES, make_y
from hypothesis import strategies as st
from labels import LABELS, labels
from values import COLUMNS, DTYPES, KINDS, SPOILS, as_dtype, clouds, spoil

MANY_COLUMNS = 10_000
SIZES = [30, 31, 60, 61, 100, 151]
SMALL = [0, 1, 2, 3, 5, 8]
X_KINDS = [*OF_ARRAYS, *OF_FRAMES, *["numpy", "pandas", "array", "frame"] * 2]
Y_KINDS = ["alike", "numpy", "list", "series", "array", "dask series", "short"]
FRACTIONS = [0.9, 0.001, 1.5]
STRATEGIES = ["all", "minority", "not minority", "majority", *FRACTIONS, {1: 3000}, {1: 10**14}, {}]
PARAMS = {
    "random_state": 0,
    "kmeans_estimator": 3,
    "compat": None,
    "layout": "append",
}


@dataclass
class Case:
    """What was drawn, in words; `build` makes the data of it."""

    seed: int = 0
    n: int = 100
    n_features: int = 3
    kind: str = "clouds"
    spoilt: str | None = None
    dtype: str = "f8"
    columns: Sequence[str] = ("float64",)
    label: str = "0/1"
    X_kind: str = "numpy"
    y_kind: str = "alike"
    index: str | None = None
    names: str | None = None
    cuts: Sequence[int] = ()
    params: dict[str, Any] = field(default_factory=lambda: dict(PARAMS))

    def build(self) -> tuple[Any, Any]:
        """X and y."""
        rng = np.random.default_rng(self.seed)
        plain = clouds(rng, self.n, self.n_features, self.kind)
        y = labels(self.label, self.n, rng)
        if self.X_kind in OF_FRAMES:
            content = self._frame(spoil(plain, self.spoilt, rng), rng)
            X = OF_FRAMES[self.X_kind](content, self.cuts)
        else:
            content = as_dtype(plain, self.dtype, self.spoilt, rng)
            X = OF_ARRAYS[self.X_kind](content, self.cuts)
        return X, make_y(self.y_kind, y, X, getattr(content, "index", None), self.cuts)

    def _frame(self, plain: Any, rng: Any) -> pd.DataFrame:
        n, n_features = plain.shape
        kinds = [self.columns[j % len(self.columns)] for j in range(n_features)]
        with np.errstate(all="ignore"):
            found = [COLUMNS[kind](x, rng) for kind, x in zip(kinds, plain.T, strict=True)]
        frame = pd.concat(found, axis=1) if found else pd.DataFrame(index=range(n))
        frame.columns = NAMES.get(self.names, lambda n: [f"f{j}" for j in range(n)])(n_features)
        return frame.set_axis(INDICES.get(self.index, lambda n, rng: pd.RangeIndex(n))(n, rng))


@st.composite
def cases(draw, *, wide=False):
    """Each property is plain in some of the cases, so that mostly few are hostile at a time.

    Where `wide`, some have `MANY_COLUMNS`, which takes seconds.
    """

    def pick(plain, options, often=0.5):
        # the plain one first: cases shrink to it
        return draw(st.sampled_from(options)) if draw(st.integers(0, 99)) >= 100 * often else plain

    n = pick(100, SMALL if draw(st.integers(0, 9)) == 9 else SIZES, 0.1)
    wide = wide and draw(st.integers(0, 499)) == 499
    counts = {0: n, 1: n + 3}
    params = {
        "random_state": draw(st.integers(0, 2**32 - 1)),
        "k_neighbors": pick(2, [1, 3, 7, 200]),
        "kmeans_estimator": pick(3, [1, 2, 5, 8, None, 1000]),
        "compat": pick(None, ["imbalanced-learn"], 0.8),
        "layout": pick("append", ["interleave"], 0.8),
        "cluster_balance_threshold": pick("auto", [0.0, 0.1, -1, 2.0, 1e300], 0.6),
        "density_exponent": pick("auto", [0, -3, 500.0, 1e300, "n_features"], 0.6),
        "sampling_strategy": pick("auto", [*STRATEGIES, counts], 0.7),
        "exact_rows": pick(16384, [1, 5, None], 0.7),
        "learning_rows": pick("auto", [1, 4, 20], 0.8),
    }
    return Case(
        seed=draw(st.integers(0, 2**32 - 1)),
        n=n,
        n_features=MANY_COLUMNS if wide else pick(3, [0, 1, 2, 5, 9, 40]),
        kind=draw(st.sampled_from(KINDS)),
        spoilt=pick(None, SPOILS, 0.6),
        dtype=pick("f8", DTYPES, 0.3),
        columns=draw(st.lists(st.sampled_from(["float64", *COLUMNS]), min_size=1, max_size=3)),
        label=pick("0/1", LABELS),
        X_kind=draw(st.sampled_from(X_KINDS)),
        y_kind=pick("alike", Y_KINDS, 0.7),
        index=pick(None, list(INDICES)),
        names=pick(None, list(NAMES)),
        cuts=sorted(draw(st.lists(st.integers(0, max(n, 1)), max_size=5))),
        params=params,
    )
