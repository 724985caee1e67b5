"""Places for jobs that are killed or meet: a local disk and S3 (SeaweedFS), each with a source.

Below some of them jobs write Parquet, below others Delta tables.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from deltalake import DeltaTable

sys.path.insert(0, str(Path(__file__).parents[1]))

import object_store
from dask_kmsmote.job.storage.commit import read_record
from dask_kmsmote.job.storage.delta.log import has_log, open_snapshot
from dask_kmsmote.job.storage.delta.runs import manifests
from dask_kmsmote.job.storage.location import Location
from dask_kmsmote.job.storage.manifest import read_manifest

ROWS = 60_000
NAMES = ["local", "s3", "delta-local", "delta-s3"]
PROGRAM = Path(sys.executable).parent / "dask-kmsmote"


def places(names: list[str]) -> Iterator[tuple[str, str, str]]:
    """Names and paths of places in turn, some of `NAMES`, and the address of a cluster."""
    from distributed import LocalCluster

    with tempfile.TemporaryDirectory() as folder, object_store.serve(Path(folder)) as address:
        os.environ.update(object_store.environment(address), AWS_ALLOW_HTTP="true")
        import s3fs

        s3fs.S3FileSystem().mkdir("kills")
        with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster:
            for name in names or NAMES:
                root = folder if name.endswith("local") else "s3://kills"
                place = f"{root}/{name}"
                write_source(f"{place}/source")
                yield name, place, cluster.scheduler_address


def write_source(source: str) -> None:
    """Four files of rows, one of ten of the class 1."""
    rng = np.random.default_rng(0)
    label = rng.permutation(np.repeat([0, 1], [ROWS * 9 // 10, ROWS // 10]))
    frame = pd.DataFrame(rng.normal(size=(ROWS, 6)), columns=list("abcdef")).assign(label=label)
    Location(source).fs.makedirs(Location(source).path, exist_ok=True)
    for part in range(4):
        rows = frame.iloc[part * ROWS // 4 : (part + 1) * ROWS // 4]
        rows.to_parquet(f"{source}/part-{part}.parquet")


def command(place: str, scheduler: str, out: str, seed: int, *options: str) -> list[str]:
    """A job from the source of a place, whose result is of several files and shows the seed."""
    paths = [str(PROGRAM), "resample", f"{place}/source", out]
    how = ["--target", "label", "--seed", str(seed), "--scheduler", scheduler]
    how += ["--destination-format", "delta" if is_delta(place) else "parquet"]
    return [*paths, *how, "--partition-size", "512KiB", *options]


def is_delta(place: str) -> bool:
    """Whether jobs write Delta tables below a place."""
    return "/delta-" in place


def column(out: str, name: str) -> pd.Series:
    """A column of a result."""
    if is_delta(out):
        return DeltaTable(out).to_pyarrow_table(columns=[name])[name].to_pandas()
    return pd.read_parquet(out, columns=[name])[name]


def state(out: str) -> str:
    """What a destination is: absent, committed and not yet moved, or the run that made it.

    Raises
    ------
    AssertionError
        It is none of these.
    """
    place = Location(out)
    if read_record(place) is not None:
        return "committed"
    manifest = read_manifest(place)
    if has_log(place):
        _, text = next(manifests(open_snapshot(place)))
        manifest = json.loads(text)
    if manifest is None:
        return "absent"
    counts = column(out, "label").value_counts()
    if counts.to_dict() != {0: ROWS * 9 // 10, 1: ROWS * 9 // 10}:
        raise AssertionError(f"{out} is not whole: {counts.to_dict()}")
    return str(manifest["run"])


def sum_of(values: pd.Series) -> float:
    """What tells whole results apart, and parts from them: the sum of the column a."""
    return round(float(values.sum()), 4)


def left_behind(place: str) -> list[str]:
    """Names of drafts, locks, records and notes, and of files that no version of a table names."""
    names = [name for name in Location(place).files() if "/_delta_log/" not in name]
    left = [name for name in names if "kmsmote" in name]
    if is_delta(place):
        tables = {name.partition("/")[0] for name in names} - {"source"}
        runs = {run for table in tables for run in _runs(Location(f"{place}/{table}"))}
        files = [name for name in names if re.search(r"/part-\d+-[0-9a-f]{32}\.parquet", name)]
        left += [name for name in files if name.rpartition("-")[2].partition(".")[0] not in runs]
    return left


def _runs(table: Location) -> set[str]:
    return {json.loads(text)["run"] for _, text in manifests(open_snapshot(table))}
