"""A source that is rewritten while its job writes: the job fails, and there is no destination."""

from __future__ import annotations

import os

import pandas as pd
import pytest

from conftest import make_imbalanced
from dask_kmsmote.errors import DestinationError, InputError
from dask_kmsmote.events import StageStarted
from dask_kmsmote.job.cluster import ClusterSettings
from dask_kmsmote.job.columns import Columns
from dask_kmsmote.job.run import Job, run
from dask_kmsmote.job.storage.location import Location

pytestmark = pytest.mark.cluster


def table():
    X, y = make_imbalanced(300, 3, 0.2, seed=1)
    frame = pd.DataFrame(X, columns=list("abc")).assign(label=y, kept=[f"k{i}" for i in range(300)])
    return frame.to_csv(index=False, float_format="%08.3f")


def other(text):
    """A table of the same length with other values."""
    return text.replace("1.", "2.").replace("k1", "k2")


def in_place(file, text):
    file.write_text(text)


def in_place_with_its_old_times(file, text):
    times = file.stat()
    file.write_text(text)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def another_file_with_its_times(file, text):
    times, beside = file.stat(), file.with_name("beside")
    beside.write_text(text)
    os.utime(beside, ns=(times.st_atime_ns, times.st_mtime_ns))
    beside.replace(file)


WHERE = ["threads", "processes"]
REWRITES = [in_place, in_place_with_its_old_times, another_file_with_its_times]


@pytest.mark.parametrize("cluster", [ClusterSettings(), ClusterSettings(workers=1)], ids=WHERE)
@pytest.mark.parametrize("rewrite", REWRITES)
def test_source_rewritten_while_its_job_writes(tmp_path, rewrite, cluster):
    file, text = tmp_path / "table.csv", table()
    file.write_text(text)
    assert len(other(text)) == len(text)
    assert other(text) != text

    def change(event):
        if event == StageStarted("write"):
            rewrite(file, other(text))

    job = Job(
        Location(str(file)),
        Location(str(tmp_path / "out")),
        Columns("label", keep=("kept",)),
        {"random_state": 0, "kmeans_estimator": 2},
        cluster,
    )
    # the engine compares features, and the job its files
    with pytest.raises((InputError, DestinationError), match="changed"):
        run(job, change)
    assert not (tmp_path / "out").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


CHANGES = {
    "fewer columns": lambda file: pd.read_parquet(file).drop(columns="b").to_parquet(file),
    "fewer row groups": lambda file: pd.read_parquet(file).head(50).to_parquet(file),
    "cut short": lambda file: os.truncate(file, 2000),
    "gone": os.remove,
    "other types": lambda file: pd.read_parquet(file).astype(str).to_parquet(file),
}


@pytest.mark.parametrize("change", CHANGES)
def test_source_changed_before_its_rows_are_read(tmp_path, change):
    file, out = tmp_path / "table.parquet", tmp_path / "out"
    X, y = make_imbalanced(300, 3, 0.2, seed=1)
    frame = pd.DataFrame(X, columns=list("abc")).assign(label=y)
    frame.to_parquet(file, row_group_size=100)

    def changing(event):
        if isinstance(event, StageStarted) and event.stage == "read":
            CHANGES[change](file)

    job = Job(Location(str(file)), Location(str(out)), Columns("label"))
    with pytest.raises(DestinationError, match="changed meanwhile: run the job again"):
        run(job, changing)
    assert [path.name for path in tmp_path.iterdir() if path != file] == []
