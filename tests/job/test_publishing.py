"""A result becomes visible at once: whatever dies, whoever reads, whoever else publishes."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import dask
import dask.dataframe as dd
import pandas as pd
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import drafts
import object_store
from dask_kmsmote.errors import DestinationError, InputError
from dask_kmsmote.job.storage.commit import RECORD, Record
from dask_kmsmote.job.storage.drafts import local
from dask_kmsmote.job.storage.drafts.exchange import exchange
from dask_kmsmote.job.storage.drafts.store import StoreDraft
from dask_kmsmote.job.storage.location import Location
from dask_kmsmote.job.storage.manifest import require_manifest, run_of
from dask_kmsmote.job.storage.source import open_source
from drafts import DeathError, at_each_change, content_of, left_over, make_draft

pytestmark = pytest.mark.cluster


@pytest.fixture(params=["parquet", "hive", "zarr"])
def kind(request):
    if request.param == "zarr":
        pytest.importorskip("zarr")
    return request.param


def test_a_death_at_any_step(place, kind, monkeypatch):
    found = Counter()
    for n_changes in range(1000):
        out = f"{place}/{n_changes}/out"
        make_draft(out, b"old.", kind=kind)
        if died := dies(out, kind, n_changes, monkeypatch):
            found[plain(out, kind)] += 1
        assert content_of(out) in ([None, b"old.", b"new."] if died else [b"new."])
        make_draft(out, b"then", kind=kind, overwrite=True)
        assert content_of(out) == b"then"
        assert left_over(f"{place}/{n_changes}") == []
        if not died:
            break
    assert {"old", "new"} <= set(found) <= {"old", "new", "error"}
    assert n_changes > (4 if Location(place).is_local else 7)


def dies(out, kind, n_changes, monkeypatch):
    """Replace a result by a process that dies after so many changes; whether it did."""
    left = [n_changes]

    def do():
        left[0] -= 1
        if left[0] < 0:
            raise DeathError

    watch = at_each_change(out, monkeypatch, do)
    try:
        make_draft(out, b"new.", kind=kind, overwrite=True, then=lambda _: watch.__enter__())
    except DeathError:
        died = True
    else:
        died = False
    watch.__exit__(None, None, None)
    # the lock goes with a process, and so with what is left of this one
    object_store.collect_sessions()
    return died


def plain(out, kind):
    """What a reader finds that knows no manifest."""
    try:
        rows = arrays(out) if kind == "zarr" else pd.read_parquet(out)["content"].tolist()
    except Exception:  # noqa: BLE001 - each reader has its own
        return "error"
    return of_rows(rows)


def arrays(out):
    import zarr

    numbers = zarr.open_array(f"{out}/content", mode="r")[:].tolist()
    return [number.to_bytes(4, "big") for number in numbers]


def of_rows(rows):
    rows = list(map(bytes, rows))
    whole = {content: [content] * (drafts.N_PARTS * drafts.N_ROWS) for content in set(rows)}
    return {b"old.": "old", b"new.": "new"}[rows[0]] if whole == {rows[0]: rows} else "part"


def by_duckdb(out, pattern):
    import duckdb

    with duckdb.connect() as connection:
        if "://" in out:
            connection.register_filesystem(Location(out).fs)
        return connection.execute(f"SELECT content FROM '{out}/{pattern}'").df()  # noqa: S608


def by_dask(out, **options):
    if "://" in out and not options:
        # s3fs remembers what it has listed before
        options = {"storage_options": {"use_listings_cache": False}}
    with dask.config.set(scheduler="sync"):
        return dd.read_parquet(out, **options).compute()


def by_polars(out, lazy):
    import polars as pl

    path = f"{out}/**/*.parquet" if "://" in out else out
    return pl.scan_parquet(path).collect() if lazy else pl.read_parquet(path)


def by_pyarrow(read):
    return lambda out: read(Location(out).path, filesystem=Location(out).fs).to_pandas()


READERS = {
    "pandas": pd.read_parquet,
    "pyarrow": by_pyarrow(pq.read_table),
    "pyarrow's dataset": by_pyarrow(lambda *a, **k: ds.dataset(*a, **k).to_table()),
    "dask": by_dask,
    "dask, arrow": partial(by_dask, filesystem="arrow"),
    "duckdb": partial(by_duckdb, pattern="*.parquet"),
    "duckdb, folders": partial(by_duckdb, pattern="*/*.parquet"),
    "duckdb, below": partial(by_duckdb, pattern="**/*.parquet"),
    "polars": partial(by_polars, lazy=False),
    "polars, lazy": partial(by_polars, lazy=True),
}


def read_by(reader, out):
    Location(out).fs.invalidate_cache()  # s3fs keeps listings: with an old one a reader raises
    try:
        return of_rows(list(reader(out)["content"]))
    except Exception:  # noqa: BLE001 - each reader has its own
        return "error"


@pytest.mark.parametrize("kind", ["parquet", "hive"])
def test_readers_at_every_step(place, kind, monkeypatch):
    pytest.importorskip("polars")
    pytest.importorskip("duckdb")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    out = f"{place}/out"
    suited = {
        name: reader
        for name, reader in READERS.items()
        if not name.startswith("duckdb," if kind == "parquet" else "duckdb")
        or (kind == "hive" and "," in name)
    }
    make_draft(out, b"old.", kind=kind)
    found, listed = {name: Counter() for name in (*suited, "listed before")}, []

    def look():
        for name, reader in suited.items():
            found[name][read_by(reader, out)] += 1
        # who has listed the files, and reads them steps later
        for dataset in listed:
            found["listed before"][
                read_by(lambda _, own=dataset: own.to_table().to_pydict(), out)
            ] += 1
        place = Location(out)
        try:
            listed.append(ds.dataset(place.path, filesystem=place.fs))
        except Exception:  # noqa: BLE001
            found["listed before"]["error"] += 1

    with between_changes(out, monkeypatch, look):
        make_draft(out, b"new.", kind=kind, overwrite=True)
    look()
    for name, states in found.items():
        assert {"old", "new"} <= set(states) <= {"old", "new", "error"}, (name, states)
        # in one step
        if Location(place).is_local and name != "listed before":
            assert not states["error"], name


@pytest.mark.parametrize("before", [b"old.", None])
def test_readers_of_ours_at_every_step(bucket, monkeypatch, before):
    out = f"{bucket}/out"
    found = Counter()
    if before:
        make_draft(out, before)

    def look():
        try:
            require_manifest(Location(out))
        except InputError as error:
            told = str(error)
            found[
                "incomplete" if "incomplete" in told else "published" if RECORD in told else "no"
            ] += 1
        try:
            names = open_source(Location(out)).files
            found["whole" if len(names) == drafts.N_PARTS else "part"] += 1
        except InputError as error:
            found["refused" if RECORD in str(error) or "not exist" in str(error) else "?"] += 1

    with between_changes(out, monkeypatch, look):
        make_draft(out, b"new.", overwrite=True)
    look()
    assert found.keys() == {"incomplete", "published", "whole", "refused"} | (
        {"no"} - {before and "no"}
    )


def between_changes(out, monkeypatch, look):
    """Look before each change, which waits for it."""
    free = threading.Lock()

    def do():
        if free.acquire(blocking=False):
            try:
                look()
            finally:
                free.release()

    return at_each_change(out, monkeypatch, do)


def test_two_commits_at_once(place):
    # `tests/benchmarks/two_runs.py` has more on a store, of whole jobs
    n_contests = 100 if Location(place).is_local else 20
    found = Counter()
    for number in range(n_contests):
        out = f"{place}/{number}/out"
        if number % 2:
            make_draft(out, b"old.")
        both = threading.Barrier(2)
        told = in_threads(
            partial(together, out, b"new.", both, number % 2),
            partial(together, out, b"2nd.", both, number % 2),
        )
        assert told.count(None) == 1, told
        (refusal,) = filter(None, told)
        assert "nother run" in str(refusal), refusal
        assert content_of(out) == (b"new.", b"2nd.")[told.index(None)]
        found[type(refusal)] += 1
    assert found == {DestinationError: n_contests}
    assert left_over(place) == []


def together(out, content, both, overwrite):
    """Publish at the moment at which another does; locally, while the other is refused."""
    try:
        make_draft(out, content, overwrite=overwrite, then=lambda _: both.wait(timeout=60))
    except DestinationError as error:
        if Location(out).is_local:
            both.wait(timeout=60)
        return error
    return None


def in_threads(*calls):
    """What calls return that begin at once."""
    with ThreadPoolExecutor(len(calls)) as threads:
        return [future.result() for future in [threads.submit(call) for call in calls]]


def test_an_answer_that_is_lost(bucket, monkeypatch):
    """A client that has no answer asks again, and is told that its own record exists."""
    location = drafts.place_of(f"{bucket}/out")
    asked = location.fs._call_s3
    n_puts = 0

    async def call(method, *args, **kwargs):
        nonlocal n_puts
        if method == "put_object" and "IfNoneMatch" in kwargs:
            n_puts += 1
            await asked(method, *args, **kwargs)
        return await asked(method, *args, **kwargs)

    monkeypatch.setattr(location.fs, "_call_s3", call, raising=False)
    make_draft(location.url, b"new.")
    assert n_puts == 1
    assert content_of(location.url) == b"new."
    assert left_over(bucket) == []


def committed(out, content, kind, before):
    """A draft that is whole, and what its run puts as a record."""
    draft = StoreDraft(drafts.place_of(out))
    draft.before = before
    drafts.put(draft, content, kind)
    draft.finish({"files": drafts.files_of(draft)})
    return draft, Record(draft.run, before, draft.parts(), draft._sizes(draft.run))


def put_record(out, record):
    out = Location(out)
    out.fs.pipe_file(out.path_of(RECORD), record.text)


def test_a_commit_that_came_too_late(bucket, kind):
    out = f"{bucket}/out"
    make_draft(out, b"old.", kind=kind)
    late, record = committed(out, b"late", kind, run_of(Location(out)))
    make_draft(out, b"new.", kind=kind, overwrite=True)
    put_record(out, record)
    with pytest.raises(DestinationError, match="Another run finished"):
        late.publish()
    assert content_of(out) == b"new."
    assert left_over(bucket) == []
    # or where it has died, by the next run
    _, record = committed(out, b"late", kind, "f" * 32)
    put_record(out, record)
    make_draft(out, b"then", kind=kind, overwrite=True)
    assert content_of(out) == b"then"
    assert left_over(bucket) == []


def test_a_late_commit_is_in_the_way_of_none(bucket, monkeypatch):
    out = f"{bucket}/out"
    make_draft(out, b"old.")
    _, record = committed(out, b"late", "parquet", "f" * 32)
    make_draft(out, b"new.", overwrite=True, then=lambda _: put_record(out, record))
    assert content_of(out) == b"new."
    assert left_over(bucket) == []


def test_a_draft_of_a_commit_that_is_gone(bucket, kind):
    out = f"{bucket}/out"
    make_draft(out, b"old.", kind=kind)
    draft, record = committed(out, b"new.", kind, run_of(Location(out)))
    draft.clear()
    put_record(out, record)
    with pytest.raises(DestinationError, match="exists already"):
        make_draft(out, b"then", kind=kind)
    assert content_of(out) == b"old."
    assert left_over(bucket) == []


@pytest.mark.parametrize("kind", ["parquet", "hive"])
@pytest.mark.parametrize("by", ["next", "both"])
def test_another_run_ends_what_a_living_one_publishes(bucket, monkeypatch, by, kind):
    out = f"{bucket}/out"
    # of folders there are some hundred
    for number in range(0, 100, 9 if kind == "hive" else 1):
        make_draft(out, b"old.", kind=kind, overwrite=True)
        told, n_changes = beside_another(out, kind, number, monkeypatch, and_replaces=by == "both")
        if by == "next":
            assert (told, content_of(out)) == (None, b"new.")
        else:
            # replaced by the next run at once, which may have been first
            assert told is None or "Another run finished" in told
            assert content_of(out) in ([b"then"] if told else [b"then", b"new."])
        assert left_over(bucket) == []
        if n_changes <= number:
            break
    assert number > 5


def beside_another(out, kind, number, monkeypatch, *, and_replaces):
    """Publish, while another run begins at one of the changes; what is told, and their number."""
    changes = []

    def other():
        changes.append(number)
        if len(changes) == number + 1:
            StoreDraft(Location(out)).recover()
            if and_replaces:
                make_draft(out, b"then", kind=kind, overwrite=True)

    watch = at_each_change(out, monkeypatch, other)
    told = None
    try:
        make_draft(out, b"new.", kind=kind, overwrite=True, then=lambda _: watch.__enter__())
    except DestinationError as error:
        told = str(error)
    watch.__exit__(None, None, None)
    return told, len(changes)


@pytest.mark.parametrize("text", [b"", b"{}", b"\n[]", b'{"run": "../x"}', b"\xff"])
def test_a_record_that_is_damaged(bucket, text):
    out = f"{bucket}/out"
    make_draft(out, b"old.")
    location = Location(out)
    location.fs.pipe_file(location.path_of(RECORD), text)
    with pytest.raises(InputError, match=f"{RECORD}.* is damaged.* remove that file"):
        make_draft(out, b"new.", overwrite=True)
    location.fs.rm(location.path_of(RECORD))
    assert content_of(out) == b"old."


@pytest.mark.parametrize("path", ["../other/x.parquet", "/x", "", "s3://other/x"])
def test_a_record_does_not_lead_out_of_its_place(bucket, path):
    out = f"{bucket}/out"
    make_draft(out, b"old.")
    put_record(out, Record("0" * 32, None, [path], {}))
    with pytest.raises(InputError, match="is damaged"):
        make_draft(out, b"new.", overwrite=True)


def test_a_bucket_is_a_destination(store, monkeypatch):
    import s3fs

    s3fs.S3FileSystem().mkdir("whole")
    for number, content in enumerate([b"old.", b"new."]):
        make_draft("s3://whole", content, overwrite=number > 0)
        assert content_of("s3://whole") == content
        assert left_over("s3://whole") == []
    assert dies("s3://whole", "parquet", 4, monkeypatch)
    make_draft("s3://whole", b"then", overwrite=True)
    assert content_of("s3://whole") == b"then"
    assert left_over("s3://whole") == []


def test_a_file_system_that_swaps_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(local, "exchange", lambda *_: False)
    test_a_death_at_any_step(str(tmp_path), "parquet", monkeypatch)


def test_a_swap_is_one_step(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    assert exchange(tmp_path / "one", tmp_path / "other")
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["other"]
    assert not exchange(tmp_path / "one", tmp_path / "absent")
