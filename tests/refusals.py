"""Input of every kind, and that it is refused before heavy work, with the mend."""

from __future__ import annotations

import re
from itertools import pairwise

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans

from dask_kmsmote import KMeansSMOTE

N, N_CHUNKS = 120, 4
NAMES = ["f0", "f1", "f2", "f3"]
MEMORY = ["numpy", "pandas"]
ARRAYS = ["array", "unknown array"]
FRAMES = ["frame"]
EVERY = [*MEMORY, *ARRAYS, *FRAMES]
# a sentence that tells what to do
MEND = re.compile(
    r"(?i)\b(drop|fill|clip|encode|convert|pass|take|select|add|use|leave|rename|ask|call|give|check"
    r"|increase|lower|fewer|must|should|needs?|can be|cannot|at least|required|reshape|instead"
    r"|supports?)\b"
)
fits, reads = [], []


class SpyKMeans(KMeans):
    """Notes that it was asked to learn."""

    def fit(self, X, y=None, sample_weight=None):
        fits.append(len(X))
        return super().fit(X, y)


def note_read(block):
    reads.append(len(block))
    return block


def forget_chunks(array):
    return array[da.ones(array.shape[0], chunks=array.chunks[0], dtype=bool)]


def as_frame(content, cuts):
    parts = [dask.delayed(content.iloc[a:b]) for a, b in pairwise(cuts)]
    return dd.from_delayed(parts, meta=content.iloc[:0])


def cuts_of(n, n_chunks=N_CHUNKS):
    return np.linspace(0, n, n_chunks + 1).astype(int).tolist()


def make_X(kind, X, n_chunks=N_CHUNKS):
    """The features in some kind; a Dask kind counts how often its chunks are read."""
    if kind == "numpy":
        return X if isinstance(X, np.ndarray) else X.to_numpy()
    frame = X if isinstance(X, pd.DataFrame) else pd.DataFrame(X, columns=NAMES[: X.shape[1]])
    if kind == "pandas":
        return frame
    cuts = cuts_of(len(frame), n_chunks)
    if kind == "frame":
        return as_frame(frame, cuts).map_partitions(note_read, meta=frame.iloc[:0])
    array = da.from_array(np.asarray(X), chunks=(tuple(np.diff(cuts).tolist()), 2))
    array = array if kind == "array" else forget_chunks(array)
    return array.rechunk({1: -1}).map_blocks(note_read, meta=np.empty((0, 0), array.dtype))


def make_y(kind, y, n_chunks=N_CHUNKS):
    if kind == "numpy":
        return np.asarray(y)
    if kind == "pandas":
        return pd.Series(y)
    cuts = cuts_of(len(y), n_chunks)
    if kind == "frame":
        return as_frame(pd.Series(y), cuts)
    array = da.from_array(np.asarray(y), chunks=(tuple(np.diff(cuts).tolist()), *np.shape(y)[1:]))
    return array if kind == "array" else forget_chunks(array)


def refuse(X, y, *words, mend=MEND, **params):
    """The message of the error, which has the words in this order, and comes before clustering."""
    params = {"random_state": 0, "kmeans_estimator": SpyKMeans(3, n_init=1)} | params
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is judged below
        KMeansSMOTE(**params).fit_resample(X, y)
    message = str(caught.value)
    assert re.search("(?s)" + ".*".join(words), message), message
    assert mend.search(message), message
    assert not fits
    # the census at most
    assert len(reads) <= N_CHUNKS
    fits.clear()
    return message


def whole(value):
    return rf"(?<![\w.]){re.escape(str(value))}(?![\w]|\.\d)"


def column(kind, number):
    return whole(number) if kind in ("numpy", *ARRAYS) else f"f{number}"
