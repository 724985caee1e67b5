"""Jobs that add rows to a Delta table again: each night, tried again, of rows that runs made."""

from __future__ import annotations

import pandas as pd
import pytest
from delta_jobs import frame, job, source, table
from deltalake import CommitProperties, DeltaTable, write_deltalake

from dask_kmsmote.errors import ParameterError
from dask_kmsmote.events import Noted, Warned


def test_a_night_without_new_rows_adds_none(table):
    job(table, table, mode="append", only_synthetic=True)
    rows = DeltaTable(table).to_pandas()
    told = job(table, table, mode="append", only_synthetic=True)
    assert (told["version"], told["files"], told["synthetic_rows"]) == (3, [], 0)
    pd.testing.assert_frame_equal(DeltaTable(table).to_pandas(), rows)


def told_of(kind, words, events):
    return [event.message for event in events if isinstance(event, kind) and words in event.message]


@pytest.mark.parametrize("from_version", [None, 1])
def test_a_job_that_is_tried_again_adds_nothing(table, tmp_path, source, from_version):
    other = tmp_path / "other"
    write_deltalake(other, frame())
    events = []
    how = {"mode": "append", "only_synthetic": True, "version": from_version}
    origin = source if from_version is None else table
    first = job(origin, other, **how)
    again = job(origin, other, told=events.append, **how)
    assert (first["version"], again["version"], again["run"]) == (1, 1, first["run"])
    assert len(told_of(Noted, "since version 1", events)) == 1
    # rows that are gone, and others, are added
    DeltaTable(other).delete("id is null")
    assert job(origin, other, **how)["version"] == 3
    assert job(origin, other, **how, parameters={"sampling_strategy": {1: 100}})["version"] == 4
    frame(3).to_parquet(source)
    assert job(source, other, mode="append", only_synthetic=True)["version"] == 5


MADE = "made by earlier runs"


@pytest.mark.parametrize("kind", ["parquet", "delta"])
@pytest.mark.parametrize("only_synthetic", [False, True])
def test_rows_that_runs_have_made_are_told(table, tmp_path, kind, only_synthetic):
    events = []
    made = job(table, tmp_path / "out", told=events.append, destination_format=kind)
    assert not told_of(Warned, MADE, events)
    assert MADE not in str(made["warnings"])
    if only_synthetic and kind == "delta":
        # of a table that they were added to
        job(table, table, mode="append", only_synthetic=True)
    made_in = table if only_synthetic and kind == "delta" else tmp_path / "out"
    told = job(made_in, tmp_path / "second", told=events.append)
    (text,) = told_of(Warned, MADE, events)
    assert text.startswith("480 rows of the source")
    assert text in told["warnings"]


def test_rows_that_are_made_and_gone_are_not_told(table):
    job(table, table, mode="append", only_synthetic=True)
    write_deltalake(table, frame(), mode="overwrite")
    events = []
    job(table, table, told=events.append, mode="append", only_synthetic=True)
    assert not told_of(Warned, MADE, events)


@pytest.mark.parametrize(
    "text", ["", "[]", "no JSON", '{"files": 1}', '{"files": [{}], "synthetic_rows": 1}']
)
def test_what_others_write_in_a_log_is_no_manifest(table, text):
    job(table, table, mode="append", only_synthetic=True)
    commits = CommitProperties(custom_metadata={"kmsmote": text})
    write_deltalake(table, frame(), mode="append", commit_properties=commits)
    told = job(table, table, mode="append", only_synthetic=True, parameters={"random_state": 1})
    assert told["version"] == 4
    assert MADE in str(told["warnings"])


@pytest.mark.parametrize("writer", ["another", "a run"])
def test_an_old_version_takes_back_what_no_other_wrote(table, writer):
    if writer == "another":
        with pytest.raises(ParameterError, match=r"since version 0, in \[1\]: leave out --version"):
            job(table, table, mode="overwrite", version=0)
    else:
        job(table, table, mode="overwrite")
        assert job(table, table, mode="overwrite", version=1)["version"] == 3
