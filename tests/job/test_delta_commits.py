"""Commits to Delta tables, by drafts without jobs: one run wins, and nothing is lost or left."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

import object_store
from dask_kmsmote.errors import DestinationError, StorageError
from dask_kmsmote.job.columns import Columns
from dask_kmsmote.job.storage.delta.draft import DeltaDraft, committed
from dask_kmsmote.job.storage.location import Location
from delta_tables import files_of

ROWS = pa.table({"x": [1.0, 2.0]})


def write(draft):
    draft.accept(ROWS.schema, Columns("x", ("x",), present=("x",)))
    name = draft.part(0)
    fs, path = draft.location.fs, draft.location.path_of(name)
    fs.makedirs(draft.location.path, exist_ok=True)
    with fs.open(path, "wb") as file:
        pq.write_table(ROWS, file)
    (size,) = draft.written().values()
    draft.finish({"files": [{"path": name, "rows": len(ROWS), "bytes": size}]})


def commit(place, mode, meanwhile=lambda: None):
    with committed(place, mode) as draft:
        write(draft)
        meanwhile()
    return draft.run


def runs_of(place):
    return [own["run"] for own in _manifests(place)]


def _manifests(place):
    options = {"AWS_ALLOW_HTTP": "true"}
    history = DeltaTable(place.url, storage_options=options).history()
    return [json.loads(own["kmsmote"]) for own in history if "kmsmote" in own]


class Killed(BaseException):
    """Nothing that a run catches to clean up."""


def die(draft):
    """Leave what a run that is killed leaves."""
    write(draft)
    draft.clear = lambda: None
    raise Killed


@pytest.mark.parametrize("mode", ["overwrite", "append"])
@pytest.mark.parametrize("is_there", [False, True])
def test_the_next_run_removes_what_a_dead_one_left(tmp_path, mode, is_there):
    place = Location(str(tmp_path / "table"))
    if is_there:
        commit(place, "error")
    with pytest.raises(Killed), committed(place, mode) as dead:
        die(dead)
    left = files_of(tmp_path / "table")
    assert [name for name in left if dead.run in name] == [
        f"_kmsmote/{dead.run}-{int(is_there)}",
        f"part-000000-{dead.run}.parquet",
    ]
    commit(place, mode)
    assert not [name for name in files_of(tmp_path / "table") if dead.run in name]
    # of a table that was replaced, the files of the old version stay for vacuum
    assert len(files_of(tmp_path / "table")) == 1 + is_there
    assert not (tmp_path / "table" / "_kmsmote").exists()


def kill_within_commit(place, mode, monkeypatch, *, is_made):
    """The run that is killed in the moment before its commit is made, or after."""
    make = DeltaDraft._commit

    def killed(self, delta):
        if is_made:
            make(self, delta)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(DeltaDraft, "_commit", killed)
        patch.setattr(DeltaDraft, "clear", lambda self: None)
        with pytest.raises(Killed), committed(place, mode) as draft:
            write(draft)
    return draft.run


@pytest.mark.parametrize("mode", ["error", "overwrite", "append"])
@pytest.mark.parametrize("is_made", [False, True])
def test_a_run_that_dies_within_its_commit(tmp_path, monkeypatch, mode, is_made):
    place = Location(str(tmp_path))
    n_before = 0 if mode == "error" else 1
    if n_before:
        commit(place, "error")
    dead = kill_within_commit(place, mode, monkeypatch, is_made=is_made)
    if is_made:
        made = DeltaTable(tmp_path).version()
    commit(place, "append" if n_before or is_made else "error")
    left = files_of(tmp_path)
    assert f"part-000000-{dead}.parquet" in left if is_made else dead not in "".join(left)
    assert len(left) == n_before + is_made + 1
    # what is committed stays for who reads that version
    if is_made:
        assert DeltaTable(tmp_path, version=made).count() == 2 * (1 + (mode == "append"))


def test_many_runs_that_died(tmp_path, monkeypatch):
    place = Location(str(tmp_path))
    commit(place, "error")
    made = []
    for number in range(8):
        dead = kill_within_commit(place, "append", monkeypatch, is_made=number % 2 == 1)
        write_deltalake(tmp_path, ROWS, mode="append")
        made += [dead] if number % 2 else []
    # each that committed has removed what there was; the last has died before it could
    assert files_of(tmp_path)[0].startswith("_kmsmote/")
    commit(place, "append")
    assert DeltaTable(tmp_path).count() == 2 * (1 + 8 + 4 + 1)
    assert len(files_of(tmp_path)) == 1 + 8 + 4 + 1
    assert all(any(run in name for name in files_of(tmp_path)) for run in made)


@pytest.mark.parametrize("n_kept", [1, 2])
def test_a_log_that_is_cleaned_up_tells_of_no_commit(tmp_path, monkeypatch, n_kept):
    place = Location(str(tmp_path))
    commit(place, "error")
    dead = kill_within_commit(place, "append", monkeypatch, is_made=True)
    for _ in range(2):
        write_deltalake(tmp_path, ROWS, mode="append")
    DeltaTable(tmp_path).create_checkpoint()
    logs = sorted((tmp_path / "_delta_log").glob("*.json"))
    for path in logs[:-n_kept]:
        path.unlink()
    commit(place, "append")
    assert DeltaTable(tmp_path).count() == 10
    left = files_of(tmp_path)
    assert [name for name in left if dead in name] == [f"part-000000-{dead}.parquet"]


def test_what_a_dead_run_left_is_vacuumed(tmp_path):
    place = Location(str(tmp_path))
    commit(place, "error")
    with pytest.raises(Killed), committed(place, "append") as dead:
        die(dead)
    found = DeltaTable(tmp_path)
    removed = found.vacuum(0, dry_run=False, enforce_retention_duration=False, full=True)
    assert removed == [dead.part(0)]


def test_a_slow_run_never_commits_files_that_another_removed(tmp_path):
    place = Location(str(tmp_path))
    commit(place, "error")
    for mode in ("append", "overwrite"):
        before = len(files_of(tmp_path))
        with pytest.raises(DestinationError, match="Another writer"):
            commit(place, mode, lambda: commit(place, "append"))
        # of the quick one
        assert len(files_of(tmp_path)) == before + 1
    assert DeltaTable(tmp_path).count() == 6


def test_who_finds_its_files_gone_is_told_why(tmp_path):
    place = Location(str(tmp_path))
    commit(place, "error")
    for error in (DestinationError("not what was written"), FileNotFoundError("part")):

        def overtaken(error=error):
            commit(place, "append")
            raise error

        with pytest.raises(DestinationError, match=r"^Another writer changed [^(]*$"):
            commit(place, "append", overtaken)

    def fails():
        raise DestinationError("not what was written")

    with pytest.raises(DestinationError, match=r"^not what was written$"):
        commit(place, "append", fails)


@pytest.mark.parametrize("mode", ["error", "overwrite", "append"])
def test_a_body_that_fails_leaves_nothing(tmp_path, mode):
    place = Location(str(tmp_path / "table"))
    if mode != "error":
        commit(place, "error")
    before = files_of(tmp_path / "table")
    with pytest.raises(ZeroDivisionError):
        commit(place, mode, lambda: 1 / 0)
    assert files_of(tmp_path / "table") == before


def test_what_others_commit_meanwhile(tmp_path):
    place = Location(str(tmp_path))
    commit(place, "error")
    commit(place, "append", lambda: write_deltalake(tmp_path, ROWS, mode="append"))
    assert DeltaTable(tmp_path).count() == 6
    with pytest.raises(DestinationError, match="Another writer changed"):
        commit(place, "overwrite", lambda: write_deltalake(tmp_path, ROWS, mode="append"))
    with pytest.raises(DestinationError, match="Another writer changed"):
        commit(place, "append", lambda: DeltaTable(tmp_path).delete())
    assert DeltaTable(tmp_path).count() == 0


FAULTS = {
    "taken, by its own first try": (True, DeltaError("version exists"), None),
    "no answer, but made": (True, StorageError("reset"), None),
    "no answer, not made": (False, StorageError("reset"), "not known whether"),
    "refused": (False, DeltaError("conflict"), "Another writer changed"),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("mode", ["error", "append", "overwrite"])
def test_an_answer_that_is_lost(tmp_path, monkeypatch, name, mode):
    is_made, error, words = FAULTS[name]
    place = Location(str(tmp_path))
    if mode != "error":
        commit(place, "error")
    make = DeltaDraft._commit

    def lost(self, delta):
        if is_made:
            make(self, delta)
        raise error

    monkeypatch.setattr(DeltaDraft, "_commit", lost)
    if words is None:
        run_name = commit(place, mode)
        assert runs_of(place)[0] == run_name
    else:
        with pytest.raises(DestinationError, match=words):
            commit(place, mode)
        # what may be committed yet keeps its files, and its note
        assert len(files_of(tmp_path)) == (mode != "error") + 2 * (words == "not known whether")
        monkeypatch.undo()
        commit(place, mode)
        assert len(files_of(tmp_path)) == (mode != "error") + 1


@pytest.mark.parametrize("mode", ["error", "overwrite", "append"])
def test_of_two_runs_one_wins(place, mode):
    for number in range(5):
        out = Location(f"{place}/{mode}-{number}")
        if mode != "error":
            commit(out, "error")
        both = Barrier(2)

        def one(_, out=out, both=both):
            try:
                with committed(out, mode) as draft:
                    write(draft)
                    both.wait(30)
            except DestinationError as error:
                return str(error)
            return draft.run

        with ThreadPoolExecutor(2) as threads:
            told = list(threads.map(one, range(2)))
        (winner,) = [text for text in told if " " not in text]
        (loser,) = [text for text in told if " " in text]
        assert "Another writer changed the Delta table" in loser
        assert runs_of(out)[0] == winner
        files = [name for name in out.files() if not name.startswith("_delta_log")]
        assert len(files) == (1 if mode == "error" else 2)


def test_options_of_the_store(tmp_path):
    if not object_store.program():
        pytest.skip("needs the store of the extra test")
    with object_store.serve(tmp_path) as address:
        options = {
            "key": object_store.KEY,
            "secret": object_store.SECRET,
            "client_kwargs": {"endpoint_url": address, "region_name": "us-east-1"},
        }
        import s3fs

        s3fs.S3FileSystem(**options).mkdir("tables")
        place = Location("s3://tables/deep/table", options)
        commit(place, "error")
        commit(place, "append")
        assert len(place.files()) == 4
        object_store.collect_sessions()
