"""Places for jobs that are killed or meet: a local disk and S3 (SeaweedFS), each with a source."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

import object_store
from dask_kmsmote.job.storage.commit import read_record
from dask_kmsmote.job.storage.location import Location
from dask_kmsmote.job.storage.manifest import read_manifest

ROWS = 60_000
PROGRAM = Path(sys.executable).parent / "dask-kmsmote"


def places() -> Iterator[tuple[str, str]]:
    """Each place in turn, and the address of a cluster."""
    from distributed import LocalCluster

    with tempfile.TemporaryDirectory() as folder, object_store.serve(Path(folder)) as address:
        os.environ.update(object_store.environment(address))
        import s3fs

        s3fs.S3FileSystem().mkdir("kills")
        with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster:
            for place in (f"{folder}/local", "s3://kills"):
                write_source(f"{place}/source")
                yield place, cluster.scheduler_address


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
    return [*paths, *how, "--partition-size", "512KiB", *options]


def state(out: str) -> str:
    """What a destination is: absent, committed and not yet moved, or the run that made it.

    Raises
    ------
    AssertionError
        It is none of these.
    """
    if read_record(Location(out)) is not None:
        return "committed"
    manifest = read_manifest(Location(out))
    if manifest is None:
        return "absent"
    counts = pd.read_parquet(out, columns=["label"])["label"].value_counts()
    if counts.to_dict() != {0: ROWS * 9 // 10, 1: ROWS * 9 // 10}:
        raise AssertionError(f"{out} is not whole: {counts.to_dict()}")
    return str(manifest["run"])


def sum_of(values: pd.Series) -> float:
    """What tells whole results apart, and parts from them: the sum of the column a."""
    return round(float(values.sum()), 4)


def left_behind(place: str) -> list[str]:
    """Names of drafts, locks and records."""
    return [name for name in Location(place).files() if "kmsmote-" in name]
