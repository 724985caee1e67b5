"""Small results without a run, and a way to stop their publishing at any of its steps."""

from __future__ import annotations

import asyncio
import sys
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dask_kmsmote.job.storage.commit import read_record
from dask_kmsmote.job.storage.destination import whole_or_absent
from dask_kmsmote.job.storage.location import Location
from dask_kmsmote.job.storage.manifest import published, read_manifest

N_PARTS, N_ROWS = 3, 2  # rows of a part
# its file system is another object than that of readers, which no step stops
OPTIONS = {"s3": {"default_block_size": 2**23}}
CHANGES = {"put_object", "delete_object", "delete_objects", "copy_object"}


def place_of(url):
    return Location(url, OPTIONS.get(url.partition(":")[0], {}))


def make_draft(url, content, *, kind="parquet", overwrite=False, then=None):
    """Publish a small result; `then` is called when its draft is whole."""
    with whole_or_absent(place_of(url), overwrite) as draft:
        put(draft, content, kind)
        draft.finish({"files": files_of(draft), "finished": "now"})
        if then:
            then(draft)


def put(draft, content, kind="parquet"):
    if kind == "zarr":
        put_arrays(draft.location, content)
        return
    for number in range(N_PARTS):
        folder = f"day={number % 2}/" if kind == "hive" else ""
        path = f"{draft.location.path}/{folder}{draft.part(number)}"
        draft.location.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        with draft.location.fs.open(path, "wb") as file:
            pq.write_table(pa.table({"content": [content] * N_ROWS}), file)


def put_arrays(location, content):
    import zarr

    options = location.options or None
    group = zarr.open_group(location.url, mode="w", storage_options=options)
    values = np.full(N_PARTS * N_ROWS, int.from_bytes(content[:4], "big"))
    group.create_array("content", data=values, chunks=(N_ROWS,))


def files_of(draft):
    return [{"path": published(name)} for name in draft.location.files()]


def content_of(url):
    """That of a whole result, None where there is none; an AssertionError where it is a part."""
    location = Location(url)
    manifest = read_manifest(location)
    if manifest is None or read_record(location):
        return None
    names = [part["path"] for part in manifest["files"] if part["path"].endswith(".parquet")]
    tables = [pq.read_table(location.path_of(n), filesystem=location.fs) for n in names]
    rows = [value for table in tables for value in table["content"].to_pylist()]
    if not names:
        import zarr

        numbers = zarr.open_group(url, mode="r")["content"][:].tolist()
        rows = [number.to_bytes(4, "big") for number in numbers]
    assert len(rows) == N_PARTS * N_ROWS
    (content,) = set(rows)
    return content


def left_over(url):
    """Names of drafts, locks and records."""
    return [name for name in Location(url).files() if "kmsmote" in name]


class DeathError(Exception):
    """As if the process were killed: nothing cleans up, as all later steps raise it, too."""


@contextmanager
def at_each_change(url, monkeypatch, do):
    """Call `do` before each change that the store or the disk is asked for."""
    location = place_of(url)
    if location.is_local:
        with _on_disk(do):
            yield
        return
    asked = type(location.fs)._call_s3

    async def call(self, method, *args, **kwargs):
        # between two of them the store is the same for all
        if method in CHANGES:
            await asyncio.to_thread(do)  # which may read by the same loop
        return await asked(self, method, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(location.fs, "_call_s3", call.__get__(location.fs), raising=False)
        yield


_watched: list = []
_hooks: list = []  # the one that is there: none can be removed


def _audit(event, arguments):
    is_exchange = event == "ctypes.dlsym" and arguments[1] == "renameat2"
    if _watched and (event in {"os.rename", "os.remove", "os.rmdir", "os.mkdir"} or is_exchange):
        _watched[0]()


@contextmanager
def _on_disk(do):
    if not _hooks:
        sys.addaudithook(_audit)
        _hooks.append(_audit)
    _watched.append(do)
    try:
        yield
    finally:
        _watched.clear()
