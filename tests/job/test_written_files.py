"""Files of a result: few of a sensible size, whatever the source was cut into."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from conftest import make_imbalanced
from dask_kmsmote.cli import cli
from dask_kmsmote.job.storage.location import Location
from dask_kmsmote.job.storage.manifest import read_manifest

ROW_BYTES = 8 * 5  # of four features and a label


def table_of(n):
    X, y = make_imbalanced(n, 4, 0.1, seed=3)
    return pd.DataFrame(X, columns=list("abcd")).assign(label=y + (X[:, 0] > 1) * 2 * y)


def write(frame, folder, n_files, kind="parquet"):
    folder.mkdir()
    for number, rows in enumerate(np.array_split(np.arange(len(frame)), n_files)):
        path, part = folder / f"{number:03d}.{kind}", frame.iloc[rows[0] : rows[-1] + 1]
        part.to_csv(path, index=False) if kind == "csv" else part.to_parquet(path, index=False)


def resampled(source, out, *options):
    fixed = ["--target", "label", "--seed", "0", "--clusters", "20"]
    done = CliRunner().invoke(cli, ["resample", str(source), str(out), *fixed, *options])
    assert done.exit_code == 0, done.output
    rows = [file["rows"] for file in read_manifest(Location(str(out)))["files"]]
    return rows, pd.read_parquet(out)


@pytest.mark.parametrize("layout", ["append", "interleave"])
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_many_small_files_become_few(tmp_path, kind, layout):
    frame = table_of(2_000)
    for n_files in (1, 100):
        write(frame, tmp_path / f"in{n_files}", n_files, kind)
    (few, one), (many, other) = (
        resampled(tmp_path / f"in{n}", tmp_path / f"out{n}", "--layout", layout) for n in (1, 100)
    )
    # originals, and some twenty groups of three classes
    assert len(few) == 1
    assert len(many) <= 2
    pd.testing.assert_frame_equal(one, other)
    if layout == "append":
        pd.testing.assert_frame_equal(other.iloc[:2_000], pd.concat([frame], ignore_index=True))


@pytest.mark.parametrize("only", [[], ["--only-synthetic"]], ids=["all", "synthetic"])
@pytest.mark.parametrize("n_bytes", [2**16, 2**18, 2**20])
def test_files_have_the_size_that_is_asked_for(tmp_path, n_bytes, only):
    write(table_of(20_000), tmp_path / "in", 100)
    rows, _ = resampled(tmp_path / "in", tmp_path / "out", "--partition-size", str(n_bytes), *only)
    most = n_bytes // ROW_BYTES
    # what is made of a group comes in blocks of its own, which are not cut
    pairs = [one + other for one, other in pairwise(rows)]
    assert all(pair > most for pair in pairs)
    assert len(rows) <= 2 * sum(rows) / most + 1


@pytest.mark.parametrize("n_bytes", [2**14, 2**24])
def test_chunks_of_arrays_have_the_size_that_is_asked_for(tmp_path, n_bytes):
    zarr = pytest.importorskip("zarr")
    frame, group = table_of(2_000), zarr.open_group(tmp_path / "in.zarr", mode="w")
    group["X"], group["y"] = frame[list("abcd")].to_numpy(), frame["label"].to_numpy()
    options = ["--target", "y", "--seed", "0", "--partition-size", str(n_bytes)]
    command = ["resample", tmp_path / "in.zarr", tmp_path / "out.zarr", *options]
    done = CliRunner().invoke(cli, [str(word) for word in command])
    assert done.exit_code == 0, done.output
    made = zarr.open_group(tmp_path / "out.zarr")["X"]
    assert made.chunks[0] == min(n_bytes // (8 * 4), made.shape[0])
