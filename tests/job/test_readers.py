"""A result is a folder that readers of tables take as it is."""

from __future__ import annotations

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from conftest import make_imbalanced
from dask_kmsmote.cli import cli
from dask_kmsmote.job.storage.location import Location
from dask_kmsmote.job.storage.manifest import DRAFT, DRAFT_ENDING, keeper, read_manifest

pytestmark = pytest.mark.cluster


def by_polars(read):
    return lambda folder: read(pytest.importorskip("polars"), folder).to_pandas()


def by_duckdb(pattern):
    def read(folder):
        duckdb = pytest.importorskip("duckdb")
        return duckdb.sql(f"FROM read_parquet('{folder}/{pattern}')").df()

    return read


# those that skip drafts
SKIPPING = {
    "pandas": pd.read_parquet,
    "pyarrow": lambda folder: pq.read_table(folder).to_pandas(),
    "pyarrow's dataset": lambda folder: ds.dataset(folder).to_table().to_pandas(),
    "dask": lambda folder: dd.read_parquet(folder).compute().reset_index(drop=True),
    "duckdb": by_duckdb("*.parquet"),
    "duckdb, below": by_duckdb("**/*.parquet"),
}
READERS = SKIPPING | {
    "polars": by_polars(lambda polars, folder: polars.read_parquet(folder)),
    "polars, lazy": by_polars(lambda polars, folder: polars.scan_parquet(folder).collect()),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A result of each layout, and one in Zarr."""
    from distributed import LocalCluster

    place = tmp_path_factory.mktemp("readers")
    X, y = make_imbalanced(600, 3, 0.1, seed=3)
    frame = pd.DataFrame(X, columns=list("abc")).assign(label=y, name=[f"row {n}" for n in y])
    (place / "source").mkdir()
    for part in range(3):
        rows = frame.iloc[part * 200 : part * 200 + 200]
        rows.to_parquet(place / "source" / f"{part}.parquet")
    da.to_zarr(da.from_array(X, chunks=(200, 3)), place / "in.zarr", component="X")
    da.to_zarr(da.from_array(y, chunks=200), place / "in.zarr", component="label")
    with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster:
        common = ["--target", "label", "--seed", "1", "--scheduler", cluster.scheduler_address]
        resample(place / "in.zarr", place / "out.zarr", *common)
        for layout in ("append", "interleave"):
            # a partition for each file
            how = ["--keep", "name", "--layout", layout, "--partition-size", "1KiB"]
            resample(place / "source", place / layout, *common, *how)
    return place


def resample(*arguments):
    done = CliRunner().invoke(cli, ["resample", *map(str, arguments)])
    assert done.exit_code == 0, done.output


def rows_of(folder):
    parts = [pd.read_parquet(path) for path in sorted(folder.glob("part-*.parquet"))]
    assert len(parts) > 1
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("layout", ["append", "interleave"])
@pytest.mark.parametrize("name", READERS)
def test_folders(results, layout, name):
    folder = results / layout
    pd.testing.assert_frame_equal(READERS[name](str(folder)), rows_of(folder), check_dtype=False)


def test_dask_by_arrow(results):
    read = dd.read_parquet(results / "append", filesystem="arrow").compute()
    # which keeps no order of files
    assert sorted(read["a"]) == sorted(rows_of(results / "append")["a"])


def test_partitions_are_the_parts(results):
    read = dd.read_parquet(results / "append")
    parts = read_manifest(Location(str(results / "append")))["files"]
    assert [len(partition) for partition in read.partitions] == [part["rows"] for part in parts]
    assert min(part["rows"] for part in parts) > 0


def test_manifests_are_not_inherited(results, tmp_path):
    first = results / "append" / keeper(Location(str(results / "append")).files())
    pq.write_table(pq.read_table(first), tmp_path / first.name)
    assert b"kmsmote" in pq.read_metadata(first).metadata
    assert b"kmsmote" not in pq.read_metadata(tmp_path / first.name).metadata


def test_groups(results):
    import zarr

    group = zarr.open_group(results / "out.zarr", mode="r")
    # warnings are errors here: of a file that it does not know, Zarr warns
    assert sorted(name for name, _ in group.members()) == ["X", "label"]
    assert np.bincount(group["label"][:]).tolist() == [540, 540]
    assert read_manifest(Location(str(results / "out.zarr")))["rows"] == 600


@pytest.fixture
def with_draft(results, tmp_path):
    """A result, and below it the draft that a run leaves in a bucket."""
    draft = tmp_path / f"{DRAFT}{'0' * 32}"
    draft.mkdir()
    for path in (results / "append").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
        (draft / f"{path.name}{DRAFT_ENDING}").write_bytes(path.read_bytes())
    return tmp_path


@pytest.mark.parametrize("name", SKIPPING)
def test_drafts_are_skipped(with_draft, name):
    pd.testing.assert_frame_equal(
        SKIPPING[name](str(with_draft)), rows_of(with_draft), check_dtype=False
    )


def test_polars_refuses_drafts(with_draft):
    polars = pytest.importorskip("polars")
    # rather than to read all rows twice
    with pytest.raises(polars.exceptions.InvalidOperationError, match="file extensions"):
        polars.read_parquet(with_draft)
