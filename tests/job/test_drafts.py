"""Drafts without a run: a death at any step of publishing is mended by the next one."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dask_kmsmote.errors import InputError, ParameterError
from dask_kmsmote.job.storage.destination import LocalDraft, StoreDraft, whole_or_absent
from dask_kmsmote.job.storage.location import Location
from dask_kmsmote.job.storage.manifest import PART, keeper, manifest_text, read_manifest
from dask_kmsmote.job.storage.source import open_source

pytestmark = pytest.mark.cluster
STEPS = "rm_file", "rm", "copy"


FILES = {"files": [{"path": PART.format(number)} for number in range(2)]}


def make_draft(destination, content, *, overwrite=False, die=None):
    with whole_or_absent(Location(destination), overwrite) as draft:
        put(draft, content)
        if die:
            die(draft)
        draft.finish({**FILES, "finished": "now"})


def put(draft, content):
    for number in range(2):
        path = f"{draft.location.path}/{PART.format(number)}{draft.ending}"
        with draft.location.fs.open(path, "wb") as file:
            pq.write_table(pa.table({"content": [content]}), file)


def content_of(destination):
    location = Location(destination)
    if read_manifest(location) is None:
        return None
    parts = [
        pq.read_table(f"{location.path}/{part['path']}", filesystem=location.fs)
        for part in FILES["files"]
    ]
    (content,) = {row.as_py() for part in parts for row in part["content"]}
    return content


class Death(BaseException):
    """As if the process were killed: nothing cleans up."""


@pytest.mark.parametrize("n_steps", range(8))
def test_death_at_any_step_of_publishing(place, monkeypatch, n_steps):
    out = f"{place}/out"
    make_draft(out, b"old")
    left = [n_steps]
    monkeypatch.setattr(LocalDraft, "clear", dying(LocalDraft.clear, left))
    monkeypatch.setattr(Path, "rename", dying(Path.rename, left))
    kind = type(Location(place).fs)
    for name in STEPS:
        if not Location(place).is_local:
            monkeypatch.setattr(kind, name, dying(getattr(kind, name), left))
    try:
        make_draft(out, b"new", overwrite=True)
        died = False
    except Death:
        died = True
    monkeypatch.undo() if Location(place).is_local else [
        monkeypatch.setattr(kind, name, getattr(kind, name).alive)
        for name in ("rm_file", "rm", "copy")
    ]
    assert content_of(out) in ((None, b"old", b"new") if died else (b"new",))
    make_draft(out, b"newer", overwrite=True)
    assert content_of(out) == b"newer"
    names = [name for name in Location(place).files() if "kmsmote-" in name]
    assert names == []


def dying(function, left):
    def step(*args, **kwargs):
        left[0] -= 1
        if left[0] < 0:
            raise Death
        return function(*args, **kwargs)

    step.alive = function
    return step


def test_whole_draft_of_a_dead_run_is_published(place):
    out = Location(f"{place}/out")
    kind = LocalDraft if out.is_local else StoreDraft
    dead = kind(out)
    if out.is_local:
        dead.open()
    put(dead, b"whole")
    dead.finish(FILES)
    with pytest.raises(OSError, match="exists already"):
        make_draft(out.url, b"newer")
    assert content_of(out.url) == b"whole"


def test_parts_of_a_dead_run_are_no_result(place):
    out = Location(f"{place}/out")
    dead = (LocalDraft if out.is_local else StoreDraft)(out)
    if out.is_local:
        dead.open()
    put(dead, b"half")
    assert content_of(out.url) is None
    make_draft(out.url, b"whole")
    assert content_of(out.url) == b"whole"
    assert not [name for name in Location(place).files() if "kmsmote-" in name]


@pytest.mark.parametrize("name", [PART.format(0), "_kmsmote.json"])
@pytest.mark.parametrize("n_bytes", [0, 3, 40, -1])
def test_half_a_manifest_of_a_dead_run_is_no_result(tmp_path, name, n_bytes):
    out = Location(str(tmp_path / "out"))
    dead = LocalDraft(out)
    dead.open()
    put(dead, b"whole")
    dead.finish(FILES)
    place = Path(dead.location.path)
    if name == "_kmsmote.json":
        (place / name).write_bytes(manifest_text(dead.location))
    (place / name).write_bytes((place / name).read_bytes()[:n_bytes])
    make_draft(out.url, b"newer")
    assert content_of(out.url) == b"newer"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_whole_draft_of_another_version_is_not_removed(tmp_path):
    out = Location(str(tmp_path / "out"))
    dead = LocalDraft(out)
    dead.open()
    put(dead, b"whole")
    dead.finish({"manifest_version": 99})
    with pytest.raises(InputError, match="another version"):
        make_draft(out.url, b"newer")
    assert json.loads(manifest_text(out)) == {"run": dead.run, "manifest_version": 99}


def test_results_whose_manifest_is_a_file(place):
    out = Location(f"{place}/out")
    make_draft(out.url, b"old")
    text = manifest_text(out)
    with out.fs.open(f"{out.path}/{PART.format(0)}", "wb") as file:
        pq.write_table(pa.table({"content": [b"old"]}), file)
    assert content_of(out.url) is None
    out.fs.pipe_file(f"{out.path}/_kmsmote.json", text)
    assert content_of(out.url) == b"old"
    assert list(open_source(out).files) == [PART.format(number) for number in range(2)]
    with pytest.raises(OSError, match="exists already, finished at now"):
        make_draft(out.url, b"new")
    make_draft(out.url, b"new", overwrite=True)
    assert content_of(out.url) == b"new"
    assert keeper(out.files()) == PART.format(0)


def test_two_runs_at_once(place):
    out = f"{place}/out"

    def second(_):
        make_draft(out, b"second")

    with pytest.raises(OSError, match="Another run"):
        make_draft(out, b"first", die=second)
    assert content_of(out) == (None if Location(place).is_local else b"second")


@pytest.mark.parametrize("late", [False, True])
def test_files_of_others_are_not_replaced(place, late):
    out = Location(f"{place}/out")
    make_draft(out.url, b"old")

    def add(_=None):
        out.fs.makedirs(f"{out.path}/below", exist_ok=True)
        out.fs.pipe_file(f"{out.path}/below/notes.txt", b"mine")

    if not late:
        add()
    with pytest.raises(OSError, match=r"'below/notes.txt' .* did not write: move them away"):
        make_draft(out.url, b"new", overwrite=True, die=add if late else None)
    assert content_of(out.url) == b"old"
    assert out.fs.cat_file(f"{out.path}/below/notes.txt") == b"mine"
    out.fs.rm(f"{out.path}/below", recursive=True)
    make_draft(out.url, b"new", overwrite=True)
    assert content_of(out.url) == b"new"


def test_drafts_of_destinations_whose_names_begin_alike(place):
    out = Location(f"{place}/out.kmsmote-b")

    def other(_):
        make_draft(f"{place}/out", b"other")

    make_draft(out.url, b"mine", die=other)
    assert (content_of(out.url), content_of(f"{place}/out")) == (b"mine", b"other")


def test_names_that_only_begin_like_drafts(place):
    out = Location(f"{place}/out")
    make_draft(out.url, b"old")
    out.fs.pipe_file(f"{out.path}/_kmsmote-notes.txt", b"mine")
    with pytest.raises(OSError, match=r"'_kmsmote-notes.txt' .* did not write"):
        make_draft(out.url, b"new", overwrite=True)
    assert out.fs.cat_file(f"{out.path}/_kmsmote-notes.txt") == b"mine"


def test_an_object_in_the_place_itself(place):
    out = Location(f"{place}/out")
    out.fs.pipe_file(out.path, b"mine")
    with pytest.raises(OSError, match="no result of dask-kmsmote"):
        make_draft(out.url, b"new")
    assert out.fs.cat_file(out.path) == b"mine"


def test_slashes_that_stores_tell_apart(bucket):
    with pytest.raises(ParameterError, match="'//' within its path"):
        make_draft(f"{bucket}//out", b"new")
