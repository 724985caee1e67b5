"""A store that fails at any moment: the job asks again, or ends cleanly and says what to do."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections import Counter
from itertools import count
from pathlib import Path

import dask.array as da
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import drafts
import faulty_store
from conftest import make_imbalanced
from dask_kmsmote.cli import cli
from dask_kmsmote.errors import InputError, ParameterError, StorageError
from dask_kmsmote.job.columns import Columns
from dask_kmsmote.job.storage.delta.draft import committed
from dask_kmsmote.job.storage.delta.log import open_snapshot
from dask_kmsmote.job.storage.location import Location
from dask_kmsmote.job.storage.source import open_source
from store_proxy import Fault

pytestmark = pytest.mark.cluster
PACE = 0.02  # see `faulty_store`: it gives up after 1.2 s
TIMES = faulty_store.times(PACE)
PATIENT = faulty_store.times(1)
DELAY = faulty_store.DELAY * PACE
PART = 5 * 2**20  # bytes, the least of a part of several
NUMBERS = count()


@pytest.fixture(scope="module")
def arena(store):
    with faulty_store.arena(os.environ["AWS_ENDPOINT_URL"], workers=False, pace=PACE) as arena:
        yield arena


@pytest.fixture
def proxy(arena):
    arena.proxy.reset(None)
    yield arena.proxy
    arena.proxy.reset(None)


@pytest.mark.parametrize("case", [*faulty_store.cases(20, workers=False)], ids=str)
def test_a_job_on_a_store_that_fails(arena, case):
    outcome = arena.inject(case)
    assert outcome.end != "lost", outcome.text


def fresh(arena, options):
    location = Location(f"{arena.place}/{next(NUMBERS)}", options)
    for name in "abc":
        location.fs.pipe_file(f"{location.path}/{name}", b"old")
    return location


def put(location):
    location.fs.pipe_file(f"{location.path}/a", b"new")
    assert location.fs.cat_file(f"{location.path}/a") == b"new"


def create(location):
    location.fs.pipe_file(f"{location.path}/d", b"mine", mode="create")
    with pytest.raises(OSError, match="pre-conditions"):
        location.fs.pipe_file(f"{location.path}/d", b"another's", mode="create")
    assert location.fs.cat_file(f"{location.path}/d") == b"mine"


def upload(location):
    content = np.arange(PART, dtype=np.uint16).tobytes()
    with location.fs.open(f"{location.path}/d", "wb", block_size=PART) as file:
        for half in (content[: PART + 1], content[PART + 1 :]):
            file.write(half)
    with location.fs.open(f"{location.path}/d") as file:
        assert file.read() == content


def copy(location):
    names = [f"{location.path}/{name}" for name in "abc"]
    location.fs.copy(names, [f"{name}-copy" for name in names], on_error="raise")
    assert list(location.files()) == ["a", "a-copy", "b", "b-copy", "c", "c-copy"]


def remove(location):
    location.fs.rm([f"{location.path}/a", f"{location.path}/b"])
    location.fs.rm_file(f"{location.path}/c")
    assert list(location.files()) == []


def clear(location):
    location.fs.rm(location.path, recursive=True)
    assert list(location.files()) == []


@pytest.mark.parametrize("kind", ["500", "errors within 200", "reset after", "cut"])
@pytest.mark.parametrize("act", [put, create, upload, copy, remove, clear])
def test_each_request_may_fail_once(arena, proxy, act, kind):
    for number in count():
        proxy.reset(None)
        place = fresh(arena, PATIENT)
        proxy.reset(Fault(kind, number))
        act(place)
        if not proxy.struck:
            break
    assert number or kind == "errors within 200"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("500", "The store fails at 's3://.*: look at its state, and run the job again"),
        ("503", "asks to slow down at 's3://.*: run the job again when .* or with fewer --workers"),
        ("cut", "does not answer for 's3://.*: look whether it runs .* and run the job again"),
        ("reset before", "does not answer for 's3://.*: look whether it runs"),
        ("reset after", "does not answer for 's3://.*: look whether it runs"),
        ("delay", "does not answer for 's3://.*: look whether it runs"),
        ("expired", "for 's3://.* have expired: renew them, .*AWS_SESSION_TOKEN.* run the job"),
    ],
)
def test_a_store_that_fails_for_good_is_told_in_time(arena, proxy, kind, words):
    place = Location(fresh(arena, PATIENT).url, TIMES)
    proxy.reset(Fault(kind, 0, math.inf, seconds=DELAY))
    start = time.monotonic()
    with pytest.raises(StorageError, match=words) as told:
        place.fs.cat_file(f"{place.path}/a", start=0, end=2)
    first = time.monotonic() - start
    with pytest.raises(StorageError):
        place.files()
    assert "\n" not in str(told.value)
    wanted = 0 if kind == "expired" else TIMES["give_up_after"]
    assert wanted <= first < 10
    # it is waited for once, and not by each request
    assert time.monotonic() - start - first < max(1, first)


def made_as_delta(url, content, *, overwrite=False, then=None):
    """Commit a small table; `then` is called when its files are written."""
    with committed(drafts.place_of(url), "overwrite" if overwrite else "error") as draft:
        rows = pa.table({"content": [content.decode()]})
        draft.accept(rows.schema, Columns("content", ("content",), present=("content",)))
        with draft.location.fs.open(draft.location.path_of(draft.part(0)), "wb") as file:
            pq.write_table(rows, file)
        (size,) = draft.written().values()
        draft.finish({"files": [{"path": draft.part(0), "rows": 1, "bytes": size}]})
        if then:
            then(draft)


def content_of_delta(url):
    table = open_snapshot(Location(url)).table.to_pyarrow_table()
    return table["content"].to_pylist()[0].encode()


# what publishes, what is there then, what is left, what an error says where nobody can tell
PUBLISHED = {
    "parquet": (
        drafts.make_draft,
        drafts.content_of,
        lambda url: drafts.left_over(url.rpartition("/")[0]),
        "brings to its end",
    ),
    "delta": (
        made_as_delta,
        content_of_delta,
        faulty_store.left_of_delta,
        "not known whether",
    ),
}


@pytest.mark.parametrize("kind", ["500", "503", "reset after", "reset before", "expired", "delay"])
def test_a_log_of_delta_that_is_out_of_reach(arena, proxy, kind):
    url = f"{arena.place}/{next(NUMBERS)}"
    made_as_delta(url, b"old")
    proxy.reset(Fault(kind, 0, math.inf, seconds=DELAY, where="_delta_log/0"))
    with pytest.raises((StorageError, InputError)) as told:
        open_snapshot(Location(url, TIMES))
    text = str(told.value)
    assert type(told.value) is StorageError, text
    assert "run the job again" in text
    assert "\x1b" not in text
    assert "\n" not in text


# of three requests in a row to Parquet, one lists: four goes through all of them
@pytest.mark.parametrize(("kind", "step"), [("parquet", 4), ("delta", 1)])
def test_a_store_that_fails_for_good_from_any_request_on(arena, proxy, monkeypatch, kind, step):
    # an error of a published result would be taken for that of one that is not
    monkeypatch.setitem(drafts.OPTIONS, "s3", TIMES)
    monkeypatch.setattr(drafts, "N_PARTS", 1)
    make, found_at, left_at, unknown = PUBLISHED[kind]
    ends = Counter()
    for fault in (Fault("expired", number, math.inf) for number in count(step=step)):
        url = f"{arena.place}/{next(NUMBERS)}/out"
        make(url, b"old")
        told = None
        try:
            make(url, b"new", overwrite=True, then=lambda _, fault=fault: proxy.reset(fault))
        except OSError as error:
            told = str(error)
        n_struck = len(proxy.struck)
        proxy.reset(None)
        found = found_at(url)
        ends[found, told is not None] += 1
        assert (found, told is None) in {(b"old", False), (b"new", True)} or unknown in told
        if found != b"old":
            make(url, b"next", overwrite=True)
            assert (found_at(url), left_at(url)) == (b"next", [])
        if not n_struck:
            break
    assert {(b"old", True), (b"new", False)} <= ends.keys()
    # not only where it did not fail
    assert ends[b"new", False] > 1


@pytest.mark.parametrize("n_attempts", [1, 3])
def test_retries_that_a_user_asks_for(arena, proxy, n_attempts):
    own = {"give_up_after": 0, "config_kwargs": {"retries": {"total_max_attempts": n_attempts}}}
    place = Location(fresh(arena, PATIENT).url, own)
    proxy.reset(Fault("500", 0, math.inf))
    with pytest.raises(StorageError, match="The store fails"):
        place.fs.ls(place.path)
    assert len(proxy.struck) == n_attempts


@pytest.mark.parametrize("given", ["soon", None, []])
def test_a_time_that_is_none(given):
    with pytest.raises(ParameterError, match="can't be used"):
        _ = Location("s3://bucket/table", {"give_up_after": given}).fs


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("AWS_ACCESS_KEY_ID", '"key"'),
        ("aws_secret_access_key", '"secret"'),
        ("AWS_SESSION_TOKEN", '"token"'),
        ("AWS_ENDPOINT_URL", '"endpoint_url"'),
        ("endpoint", '"endpoint_url"'),
        ("AWS_REGION", '"client_kwargs": {"region_name": ...}'),
        ("region", '"client_kwargs": {"region_name": ...}'),
        ("AWS_ALLOW_HTTP", "nothing: leave it out"),
    ],
)
def test_names_that_deltalake_has_for_options(name, own):
    with pytest.raises(ParameterError) as told:
        _ = Location("s3://bucket/table", {name: "given-value", "endpoint_url": "http://here"}).fs
    assert f"{name!r} is {own}." in str(told.value)
    assert "given-value" not in str(told.value)


def test_an_upload_that_breaks_off_is_removed_with_its_folder(arena, proxy):
    place = fresh(arena, PATIENT | {"give_up_after": 1})
    proxy.reset(Fault("500", 0, math.inf, where="partNumber=2"))
    with pytest.raises(StorageError):
        upload(place)
    proxy.reset(None)
    assert uploads_to(place) == ["d"]
    clear(place)
    assert uploads_to(place) == []


def uploads_to(place):
    bucket, _, key = place.path.partition("/")
    found = [upload["Key"] for upload in place.fs.list_multipart_uploads(bucket)]
    return [name.removeprefix(f"{key}/") for name in found if name.startswith(f"{key}/")]


@pytest.mark.parametrize("log", ["_delta_log", "metadata", ".hoodie"])
def test_a_log_that_is_not_seen_is_not_taken_for_none(arena, proxy, log):
    table = fresh(arena, PATIENT | {"give_up_after": 1})
    table.fs.copy(f"{arena.place}/source/part-0.parquet", f"{table.path}/year=2026/part-0.parquet")
    source = table / "year=2026"
    assert list(open_source(source).files) == ["part-0.parquet"]
    proxy.reset(Fault("500", 0, math.inf, where=log))
    with pytest.raises(StorageError):
        open_source(source)


def job_on_arrays(place):
    X, y = make_imbalanced(400, 3, 0.1)
    da.to_zarr(da.from_array(X, chunks=(100, 3)), f"{place}/in.zarr", component="X")
    da.to_zarr(da.from_array(y, chunks=100), f"{place}/in.zarr", component="label")
    places = f"{place}/in.zarr", f"{place}/out.zarr"
    return ["resample", *places, "--target", "label", "--seed", "0"]


@pytest.mark.parametrize("options", [[], ["--workers", "1"]])
def test_no_client_is_left_open_in_the_end(bucket, options):
    program = Path(sys.executable).parent / "dask-kmsmote"
    command = [program, *job_on_arrays(bucket), "--quiet", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("kind", ["500", "reset after", "cut"])
@pytest.mark.parametrize("length", [1, math.inf])
def test_arrays_on_a_store_that_fails(arena, proxy, kind, length):
    place = f"{arena.place}/{next(NUMBERS)}"
    options = PATIENT if length == 1 else PATIENT | {"give_up_after": 1}
    command = [*job_on_arrays(place), "--storage-options", json.dumps(options)]
    proxy.reset(Fault(kind, 0, length, where="/X/c/"))
    done = CliRunner().invoke(cli, command)
    assert proxy.struck
    proxy.reset(None)
    if length == 1:
        assert done.exit_code == 0, done.output
        labels = da.from_zarr(f"{place}/out.zarr", component="label").compute()
        assert np.bincount(labels).tolist() == [360, 360]
    else:
        assert (done.exit_code, "run the job again" in done.stderr) == (5, True), done.output
