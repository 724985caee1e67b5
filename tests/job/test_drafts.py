"""Drafts without a run: what dead runs leave is brought to its end, or removed, by the next one."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dask_kmsmote.errors import InputError, ParameterError
from dask_kmsmote.job.storage.drafts.local import LocalDraft
from dask_kmsmote.job.storage.drafts.store import StoreDraft
from dask_kmsmote.job.storage.location import Location
from dask_kmsmote.job.storage.manifest import keeper, manifest_text, part_name, read_manifest
from dask_kmsmote.job.storage.source import open_source
from drafts import N_PARTS, N_ROWS, content_of, files_of, left_over, make_draft, put

pytestmark = pytest.mark.cluster


def dead_draft(out):
    draft = (LocalDraft if out.is_local else StoreDraft)(out)
    draft.open()
    return draft


def finish(draft, **content):
    return draft.finish({"files": files_of(draft), **content})


def test_a_whole_draft_of_a_dead_run(place):
    out = Location(f"{place}/out")
    dead = dead_draft(out)
    put(dead, b"whol")
    finish(dead)
    if out.is_local:  # the lock says that it is dead
        with pytest.raises(OSError, match="exists already"):
            make_draft(out.url, b"next")
        assert content_of(out.url) == b"whol"
    else:  # it has not committed
        make_draft(out.url, b"next")
        assert content_of(out.url) == b"next"
    assert left_over(place) == []


def test_parts_of_a_dead_run_are_no_result(place):
    out = Location(f"{place}/out")
    put(dead_draft(out), b"half")
    assert content_of(out.url) is None
    make_draft(out.url, b"whol")
    assert content_of(out.url) == b"whol"
    assert left_over(place) == []


@pytest.mark.parametrize("name", ["part", "_kmsmote.json"])
@pytest.mark.parametrize("n_bytes", [0, 3, 40, -1])
def test_half_a_manifest_of_a_dead_run_is_no_result(tmp_path, name, n_bytes):
    out = Location(str(tmp_path / "out"))
    dead = dead_draft(out)
    put(dead, b"whol")
    finish(dead)
    path = Path(dead.location.path) / (dead.part(0) if name == "part" else name)
    if name == "_kmsmote.json":
        path.write_bytes(manifest_text(dead.location))
    path.write_bytes(path.read_bytes()[:n_bytes])
    make_draft(out.url, b"next")
    assert content_of(out.url) == b"next"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_whole_draft_of_another_version_is_not_removed(tmp_path):
    out = Location(str(tmp_path / "out"))
    dead = dead_draft(out)
    put(dead, b"whol")
    dead.finish({"manifest_version": 99})
    with pytest.raises(InputError, match="another version"):
        make_draft(out.url, b"next")
    assert json.loads(manifest_text(out)) == {"run": dead.run, "manifest_version": 99}


def rename_parts(out):
    """As runs of before named them, which named no run."""
    names = {name: name[: len("part-000000")] + ".parquet" for name in out.files()}
    for name, plain in names.items():
        out.fs.mv(out.path_of(name), out.path_of(plain))
    return sorted(names.values())


@pytest.mark.parametrize("has_file", [False, True])
def test_results_of_before(place, has_file):
    out = Location(f"{place}/out")
    make_draft(out.url, b"old.")
    files = [{"path": f"part-{number:06d}.parquet"} for number in range(N_PARTS)]
    text = json.dumps({**read_manifest(out), "files": files})
    names = rename_parts(out)
    table = pa.table({"content": [b"old."] * N_ROWS})
    with (
        out.fs.open(out.path_of(names[0]), "wb") as file,
        pq.ParquetWriter(file, table.schema) as new,
    ):
        new.write_table(table)
        if not has_file:
            new.add_key_value_metadata({"kmsmote": text})
    if has_file:
        assert content_of(out.url) is None
        out.fs.pipe_file(out.path_of("_kmsmote.json"), text.encode())
    assert content_of(out.url) == b"old."
    assert list(open_source(out).files) == names
    with pytest.raises(OSError, match="exists already, finished at now"):
        make_draft(out.url, b"new.")
    make_draft(out.url, b"new.", overwrite=True)
    assert content_of(out.url) == b"new."
    assert keeper(out.files()) == part_name(0, read_manifest(out)["run"])


@pytest.mark.parametrize("folder", ["", "below"])
def test_results_within_a_table(place, folder):
    # each is a result of its own, and the table has no manifest
    for day in range(2):
        make_draft(f"{place}/table/{folder}/day={day}".replace("//d", "/d"), b"old.")
    table = Location(f"{place}/table")
    assert read_manifest(table) is None
    assert len(open_source(table).files) == 2 * N_PARTS


def test_two_runs_one_after_the_other(place):
    out = f"{place}/out"

    def second(_):
        make_draft(out, b"2nd.")

    with pytest.raises(OSError, match="Another run"):
        make_draft(out, b"1st.", then=second)
    assert content_of(out) == (None if Location(place).is_local else b"2nd.")
    assert left_over(place) == []


@pytest.mark.parametrize("late", [False, True])
def test_files_of_others_are_not_replaced(place, late):
    out = Location(f"{place}/out")
    make_draft(out.url, b"old.")

    def add(_=None):
        out.fs.makedirs(f"{out.path}/below", exist_ok=True)
        out.fs.pipe_file(f"{out.path}/below/notes.txt", b"mine")

    if not late:
        add()
    with pytest.raises(OSError, match=r"'below/notes.txt' .* did not write: move them away"):
        make_draft(out.url, b"new.", overwrite=True, then=add if late else None)
    assert content_of(out.url) == b"old."
    assert out.fs.cat_file(f"{out.path}/below/notes.txt") == b"mine"
    out.fs.rm(f"{out.path}/below", recursive=True)
    make_draft(out.url, b"new.", overwrite=True)
    assert content_of(out.url) == b"new."


def test_drafts_of_destinations_whose_names_begin_alike(place):
    out = Location(f"{place}/out.kmsmote-b")

    def other(_):
        make_draft(f"{place}/out", b"othr")

    make_draft(out.url, b"mine", then=other)
    assert (content_of(out.url), content_of(f"{place}/out")) == (b"mine", b"othr")


def test_names_that_only_begin_like_drafts(place):
    out = Location(f"{place}/out")
    make_draft(out.url, b"old.")
    out.fs.pipe_file(f"{out.path}/_kmsmote-notes.txt", b"mine")
    with pytest.raises(OSError, match=r"'_kmsmote-notes.txt' .* did not write"):
        make_draft(out.url, b"new.", overwrite=True)
    assert out.fs.cat_file(f"{out.path}/_kmsmote-notes.txt") == b"mine"


def test_an_object_in_the_place_itself(place):
    out = Location(f"{place}/out")
    out.fs.pipe_file(out.path, b"mine")
    with pytest.raises(OSError, match="no result of dask-kmsmote"):
        make_draft(out.url, b"new.")
    assert out.fs.cat_file(out.path) == b"mine"


def test_slashes_that_stores_tell_apart(bucket):
    with pytest.raises(ParameterError, match="'//' within its path"):
        make_draft(f"{bucket}//out", b"new.")
