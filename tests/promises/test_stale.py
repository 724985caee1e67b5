"""Data that change between two reads are an error that says so, never part of a result."""

from __future__ import annotations

import os
import signal
from itertools import pairwise
from types import SimpleNamespace

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy import sparse

from conftest import make_imbalanced
from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.errors import InputError
from dask_kmsmote.kernels.rows.fingerprint import of_labels, of_rows
from dask_kmsmote.kernels.rows.labels import code, encode

N, SIZE = 400, 100
PARAMS = {"random_state": 0, "kmeans_estimator": 3}
KINDS = ["array", "unknown array", "sparse array", "frame", "nullable frame", "frame of ints"]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def source():
    """What the tasks of `lazy` read each time that they run."""
    X, y = make_imbalanced(N, 4, 0.2, seed=1)
    return SimpleNamespace(X=X, y=y, reads=0, change=lambda: None, after=10**9)


def lazy(source, kind, labels="i8"):
    """X and y whose chunks come from the source, which changes after some reads of X."""

    def read(place):
        source.reads += 1
        if source.reads > source.after:
            source.change()
        rows = source.X[place * SIZE : (place + 1) * SIZE]
        if kind == "sparse array":
            return sparse.csr_matrix(rows)
        frame = pd.DataFrame(rows, columns=list("abcd"))
        if kind == "nullable frame":
            return frame.astype({"a": "Float64", "b": "double[pyarrow]"})
        if kind == "frame of ints":
            return (frame * 100).round().astype("int64")
        return frame if kind == "frame" else rows

    def series(found):
        return pd.Series(found, dtype=object if labels == "O" else None)

    def read_labels(place):
        found = source.y[place * SIZE : (place + 1) * SIZE].astype(labels)
        return series(found) if "frame" in kind else found

    parts = [dask.delayed(read)(place) for place in range(N // SIZE)]
    of_labels = [dask.delayed(read_labels)(place) for place in range(N // SIZE)]
    if "frame" in kind:
        reads, meta = source.reads, read(0).iloc[:0]
        source.reads = reads
        none = series(source.y.astype(labels)).iloc[:0]
        return dd.from_delayed(parts, meta=meta), dd.from_delayed(of_labels, meta=none)
    n = np.nan if kind == "unknown array" else SIZE
    meta = sparse.csr_matrix((0, 0)) if kind == "sparse array" else np.empty((0, 0))
    arrays = [da.from_delayed(part, (n, 4), meta=meta) for part in parts]
    targets = [da.from_delayed(part, (n,), dtype=labels) for part in of_labels]
    return da.concatenate(arrays), da.concatenate(targets)


def one_value(source):
    source.X = source.X.copy()
    source.X[250, 1] += 0.5


def order(source):
    source.X = source.X.copy()
    source.X[[310, 311]] = source.X[[311, 310]]


def one_label(source):
    source.y = source.y.copy()
    majority, minority = (100 + np.flatnonzero(source.y[100:200] == c)[0] for c in (0, 1))
    source.y[[majority, minority]] = 1, 0


def fewer_rows(source):
    source.X, source.y = source.X[:-7], source.y[:-7]


CHANGES = [(one_value, "X", 2), (order, "X", 3), (one_label, "y", 1), (fewer_rows, "X", 3)]


def check_error(error, name, place):
    message = str(error.value)
    assert message.startswith(f"{name} changed between two reads: chunk {place} has "), message
    assert "persist" in message
    assert "seed" in message.lower()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("change", "name", "place"), CHANGES)
def test_changed_before_the_result_is_computed(source, kind, change, name, place):
    X_new, y_new = KMeansSMOTE(**PARAMS).fit_resample(*lazy(source, kind))
    change(source)
    with pytest.raises(InputError) as error:
        dask.compute(X_new)[0] if name == "X" else dask.compute(y_new)
    check_error(error, name, place)


@pytest.mark.parametrize("layout", ["append", "interleave"])
@pytest.mark.parametrize("kind", ["array", "frame"])
def test_changed_before_the_result_is_computed_in_any_layout(source, kind, layout):
    sampler = KMeansSMOTE(layout=layout, **PARAMS)
    X_new, _ = sampler.fit_resample(*lazy(source, kind))
    one_value(source)
    with pytest.raises(InputError, match="chunk 2 has other values"):
        X_new.compute()


@pytest.mark.parametrize("labels", ["i8", "U3", "O", "f8", "?"])
@pytest.mark.parametrize("kind", ["array", "frame"])
def test_labels_of_any_type_that_change(source, kind, labels):
    source.y = source.y if labels in ("i8", "f8", "?") else np.array(["no", "yes"])[source.y]
    y_new = KMeansSMOTE(**PARAMS).fit_resample(*lazy(source, kind, labels))[1]
    source.y = np.roll(source.y, 1)
    with pytest.raises(InputError, match="y changed between two reads"):
        y_new.compute()


def test_labels_that_change_their_type_alone(source):
    source.y = source.y.astype(object)
    y_new = KMeansSMOTE(**PARAMS).fit_resample(*lazy(source, "array", "O"))[1]
    source.y = source.y.astype(str).astype(object)
    with pytest.raises(InputError, match="y changed between two reads"):
        y_new.compute()


@pytest.mark.parametrize("row", [[0, 7], [0, 0], [1, 1]])
def test_one_vs_all_rows_that_are_none_later(source, row):
    ones = np.eye(2, dtype=int)[source.y]
    parts = [dask.delayed(lambda low: ones[low : low + SIZE])(low) for low in range(0, N, SIZE)]
    y = da.concatenate([da.from_delayed(part, (SIZE, 2), dtype=int) for part in parts])
    y_new = KMeansSMOTE(**PARAMS).fit_resample(lazy(source, "array")[0], y)[1]
    ones[350] = row
    with pytest.raises(InputError, match="y changed between two reads: chunk 3"):
        y_new.compute()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("change", "name", "place"), CHANGES)
def test_changed_between_census_and_survey(source, kind, change, name, place):
    X, y = lazy(source, kind)
    # four reads of the census, and four of the one pass of KMeans
    source.after, changed = 8, []
    source.change = lambda: changed or (changed.append(change(source)))
    with pytest.raises(InputError) as error:
        KMeansSMOTE(**PARAMS).fit(X, y)
    check_error(error, name, place)


@pytest.mark.parametrize("dtype", ["int64", "UInt64", "int64[pyarrow]"])
def test_integers_that_no_float_tells_apart(source, dtype):
    large = np.full(N, 2**60)

    def read(place):
        rows = slice(place * SIZE, (place + 1) * SIZE)
        frame = pd.DataFrame(source.X[rows], columns=list("abcd"))
        return frame.assign(e=pd.array(large[rows], dtype=dtype))

    parts = [dask.delayed(read)(place) for place in range(N // SIZE)]
    X = dd.from_delayed(parts, meta=read(0).iloc[:0])
    y = lazy(source, "frame")[1]
    X_new, _ = KMeansSMOTE(**PARAMS).fit_resample(X, y)
    assert (X_new.e.compute()[:N] == 2**60).all()
    large[250] += 1
    with pytest.raises(InputError, match="X changed between two reads: chunk 2 has other values"):
        X_new.compute()


def test_missing_values_that_appear_later(source):
    X_new, _ = KMeansSMOTE(**PARAMS).fit_resample(*lazy(source, "array"))
    source.X = np.where(np.arange(4) == 2, np.nan, source.X)
    with pytest.raises(InputError, match=r"X changed between two reads: chunk \d has"):
        X_new.compute()


def test_random_values_without_a_seed_and_the_mend(source):
    X, y = lazy(source, "array")
    noisy = X.map_blocks(lambda rows: rows + np.random.default_rng().normal(size=rows.shape))
    with pytest.raises(InputError, match="X changed between two reads"):
        KMeansSMOTE(**PARAMS).fit_resample(noisy, y)
    noisy, y = dask.persist(noisy, y)
    X_new, _ = KMeansSMOTE(**PARAMS).fit_resample(noisy, y)
    assert X_new.compute()[:N].tobytes() == noisy.compute().tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_data_that_stay_are_no_error(source, kind):
    X, y = lazy(source, kind)
    X_new, y_new = dask.compute(*KMeansSMOTE(**PARAMS).fit_resample(X, y))
    assert X_new.shape[0] == len(y_new) > N


def write(folder, X, y):
    frame = pd.DataFrame(X, columns=list("abcd")).assign(label=y)
    for place, (low, high) in enumerate(pairwise(np.linspace(0, len(X), 5).astype(int))):
        frame.iloc[low:high].to_parquet(folder / f"{place}.parquet")


@pytest.mark.parametrize("change", ["values", "rows"])
def test_parquet_rewritten_between_plan_and_result(source, tmp_path, change):
    write(tmp_path, source.X, source.y)
    table = dd.read_parquet(tmp_path)
    X_new, _ = KMeansSMOTE(**PARAMS).fit_resample(table[list("abcd")], table["label"])
    n = N if change == "values" else N - 40
    write(tmp_path, source.X[:n] + (change == "values"), source.y[:n])
    with pytest.raises(InputError, match=r"X changed between two reads: chunk \d has"):
        X_new.compute()


def test_parquet_cut_short_gives_no_result(source, tmp_path):
    write(tmp_path, source.X, source.y)
    table = dd.read_parquet(tmp_path)
    X_new, _ = KMeansSMOTE(**PARAMS).fit_resample(table[list("abcd")], table["label"])
    file = tmp_path / "2.parquet"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    # the reader's own error, or ours
    with pytest.raises((OSError, ValueError)):
        X_new.compute()


@pytest.mark.cluster
def test_rows_lost_with_their_worker_are_not_read_from_other_data(source, tmp_path):
    for place in range(4):
        np.save(tmp_path / f"{place}.npy", source.X[place * SIZE : (place + 1) * SIZE])
    parts = [dask.delayed(np.load)(tmp_path / f"{place}.npy") for place in range(4)]
    X = da.concatenate([da.from_delayed(part, (SIZE, 4), "f8") for part in parts])
    y = da.from_array(source.y, chunks=SIZE)
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        X_new, _ = KMeansSMOTE(**PARAMS).fit_resample(X, y)
        synthetic = X_new[N:]
        assert len(synthetic.compute())
        np.save(tmp_path / "1.npy", source.X[SIZE : 2 * SIZE] * 2)
        (pid,) = client.run(os.getpid).values()
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(InputError, match="X changed between two reads: chunk 1"):
            synthetic.compute()


# fingerprints

quick = settings(deadline=None, max_examples=50)
WHOLE = npst.arrays(
    st.sampled_from(["f8", "f4", "f2", "i8", "u1", "?", "g", ">f8"]),
    npst.array_shapes(min_dims=2, max_dims=2, max_side=6),
)


@quick
@given(rows=WHOLE)
def test_equal_rows_in_other_memory_have_equal_fingerprints(rows):
    wide = np.repeat(np.repeat(rows, 2, axis=0), 2, axis=1)[::2, ::2]
    frozen = rows.copy()
    frozen.flags.writeable = False
    for other in (np.asfortranarray(rows), wide, frozen, rows[::-1][::-1]):
        assert of_rows(other) == of_rows(rows)
    assert of_rows(rows).n_rows == len(rows)


@quick
@given(rows=WHOLE, data=st.data())
def test_one_bit_changes_the_fingerprint(rows, data):
    rows = rows.astype("f8") if rows.dtype.char in "g?" else rows
    other = np.ascontiguousarray(rows).copy()
    raw = other.view("u1").reshape(-1)
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= np.uint8(1 << data.draw(st.integers(0, 7)))
    assert of_rows(other).bits != of_rows(rows).bits


def test_the_last_bit_of_a_long_double_changes_the_fingerprint():
    rows = np.ones((3, 2), dtype="g")
    other = rows.copy()
    other[1, 1] = np.nextafter(other[1, 1], 2)
    assert of_rows(other) != of_rows(rows)


@pytest.mark.parametrize("dtype", ["i8", "f8", "?", "M8[s]", "O"])
def test_missing_labels_differ_from_zeros(dtype):
    zeros = np.zeros(2, "i8").astype(dtype)
    assert of_labels(np.array([0, -1]), zeros[:1]) != of_labels(np.array([0, 0]), zeros[:1])


@quick
@given(n=st.integers(2, 9000), step=st.sampled_from([1, 2, 1024, 4096]), value=st.integers(1, 9))
def test_an_exchange_of_rows_changes_the_fingerprint(n, step, value):
    # values with few bits, far apart: sums of words times their places would not see these
    rows = np.ones((n, 1))
    rows[0] = 2.0**value
    other = np.roll(rows, min(step, n - 1), axis=0)
    assert of_rows(other).bits != of_rows(rows).bits


@quick
@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=2, max_size=20), st.data())
def test_labels_have_one_fingerprint_in_any_holder(labels, data):
    kinds = [pd.Series(labels, dtype=kind) for kind in ("object", "string", "category", "str")]
    prints = {of_labels(*code(kind)) for kind in [*kinds, np.array(labels), labels_of(labels)]}
    assert len(prints) == 1
    other = data.draw(st.permutations(labels))
    assert (other == labels) == (of_labels(*code(np.array(other))) in prints)


def labels_of(labels):
    out = np.empty(len(labels), object)
    out[:] = labels
    return out


def test_sparse_rows_have_one_fingerprint_in_any_order_of_storage():
    rows = sparse.csr_matrix(np.eye(5)[[0, 1, 1, 4]] + np.eye(5)[[2, 2, 3, 0]])
    before = of_rows(rows)
    mixed = rows.copy()
    mixed.indices[:2], mixed.data[:2] = mixed.indices[:2][::-1].copy(), mixed.data[:2][::-1].copy()
    mixed.has_sorted_indices = mixed.has_canonical_format = False
    stored = mixed.indices.copy()
    assert of_rows(mixed) == before
    assert (mixed.indices == stored).all()
    mixed.data[0] += 1
    assert of_rows(mixed) != before


def test_labels_that_were_not_counted():
    coded = code(np.array(["a", "b", "c", "b"]))
    with pytest.raises(InputError, match=r"y has the label 'c', which was not there"):
        encode(coded, ("b", "a"))
