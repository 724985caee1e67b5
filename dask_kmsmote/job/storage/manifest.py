"""The manifest of a finished destination, which says what is there and why.

It is JSON, kept where a table has room for texts of others: in the footer of the first Parquet
part (of those in folders, the first by path), or in the attributes of the Zarr group, by the key
"kmsmote". A file of its own would be in the way of readers: polars takes every file of a folder for
a part, Zarr warns of those that it does not know, and a Parquet file without rows is an empty
partition to Dask.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from contextlib import suppress
from io import BytesIO
from typing import Any

from ...errors import InputError
from .commit import being_published, read_record
from .delta.log import has_log, open_snapshot
from .delta.runs import manifests
from .folders import type_of
from .location import Location, lies_within

_MANIFEST_VERSION = 1
_KEY = "kmsmote"
DRAFT = "_kmsmote-"  # begins the names of drafts on object stores
# ends those of their parts: Dask and DuckDB look into folders of any name, but for .parquet alone
DRAFT_ENDING = ".draft"
# a file of its own is of a run before there was another place
_KEEPERS = "_kmsmote.json", "zarr.json", ".zattrs"
# there, or in folders of a table that is partitioned; parts of earlier runs do not name theirs
_FIRST_PART = re.compile(r"([^/]*=[^/]*/)*part-000000(-[0-9a-f]{8})?\.parquet(\.draft)?")
# as `uuid4().hex` is: _kmsmote-notes.txt is no draft, but a file of others
RUN = re.compile("[0-9a-f]{32}")
_KINDS: dict[str, type | tuple[type, ...]] = {
    "run": str,
    "finished": str,
    "seconds": (int, float),
    "bytes": int,
    "files": list,
    "classes": dict,
    "source": dict,
    "plan": dict,
    "plan_text": str,
    "folder_types": dict,
}
# what earlier runs did not tell
_LATER = {"plan_text", "folder_types"}


def _load_strictly(text: str | bytes) -> Any:
    """JSON as `json.loads` has it, but for NaN and infinity, which are a ValueError."""
    return json.loads(text, parse_constant=_refuse)


def _refuse(name: str) -> None:
    raise ValueError(f"it has {name}")


def part_name(number: int, run: str) -> str:
    """The name of a part: by its run, so that one of another never opens in its place."""
    return f"part-{number:06d}-{run[:8]}.parquet"


def published(name: str) -> str:
    """The name that a file of a draft is published by."""
    return name.removesuffix(DRAFT_ENDING)


def keeper(names: Collection[str]) -> str | None:
    """The file, of those of a finished destination, that keeps its manifest."""
    alone = next((name for name in _KEEPERS if name in names), None)
    return alone or min(filter(_FIRST_PART.fullmatch, names), default=None)


def manifest_text(location: Location) -> str | bytes | None:
    """The manifest of a destination as it is written; None where there is none."""
    with location.reached():
        location.fs.invalidate_cache()
        for name in _KEEPERS:
            with suppress(FileNotFoundError, NotADirectoryError):
                return _read_text(location, name)
        # a second time where another result was put in its place meanwhile
        for _ in range(2):
            with suppress(FileNotFoundError):
                first = keeper(location.files())
                return None if first is None else _read_text(location, first)
    return None


def run_of(location: Location) -> str | None:
    """The run that finished a destination; None where there is no manifest."""
    manifest = read_manifest(location)
    return None if manifest is None else str(manifest.get("run"))


def _read_text(location: Location, name: str) -> str | bytes | None:
    with location.fs.open(location.path_of(name)) as file:
        if name not in _KEEPERS:
            return _of_footer(file, published(name))
        text: bytes = file.read()
    return text if name == "_kmsmote.json" else _of_attributes(text)


def _of_footer(file: Any, name: str) -> bytes | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        texts: dict[bytes, bytes] = pq.read_metadata(file).metadata or {}
    except pa.ArrowInvalid:  # no Parquet: whoever reads the rows says so
        return None
    text = texts.get(_KEY.encode())
    return None if text is None or _is_of_another(text, name) else text


def _is_of_another(text: bytes, own: str) -> bool:
    """Whether a manifest is that of a folder that its file's place lies in, or holds."""
    try:
        paths = [f"/{part['path']}" for part in json.loads(text)["files"]]
    except (ValueError, RecursionError, TypeError, KeyError):
        return False
    own = f"/{own}"
    return own not in paths and any(own.endswith(path) or path.endswith(own) for path in paths)


def _of_attributes(text: bytes) -> str | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):  # as above
        return None
    if isinstance(found, dict):
        found = found.get("attributes", found)  # in Zarr 2 they are a file of their own
    found = found.get(_KEY) if isinstance(found, dict) else None
    return found if isinstance(found, str) else None


def read_manifest(location: Location) -> dict[str, Any] | None:
    """The manifest of a destination; None where there is none.

    Raises
    ------
    InputError
        It is not one: what it holds is told apart by type, and nothing in it is run.
    """
    text = manifest_text(location)
    return None if text is None else _checked(text, location)


def _checked(text: str | bytes, location: Location) -> dict[str, Any]:
    try:
        content = _load_strictly(text)
    except (ValueError, RecursionError) as error:
        raise _not_ours(location, f"is not JSON ({error})") from error
    if not isinstance(content, dict) or content.get("manifest_version") != _MANIFEST_VERSION:
        raise _not_ours(location, f"has no manifest_version {_MANIFEST_VERSION}")
    for name, kind in _KINDS.items():
        value = content.get(name)
        # 1e400 is read as infinity without `_refuse`, and 10**400 overflows when it is shown
        wide = isinstance(value, int | float) and not abs(value) < 2**63
        if name in content and (wide or not isinstance(value, kind)):
            raise _not_ours(location, f"has another kind of {name!r}")
    return content


def part_paths(manifest: dict[str, Any], location: Location) -> set[str]:
    """Paths of the files that a manifest names, relative to its place and within it.

    Raises
    ------
    InputError
        It names none, or one that lies elsewhere.
    """
    parts = manifest.get("files")
    if not parts or not all(isinstance(p, dict) and isinstance(p.get("path"), str) for p in parts):
        raise _not_ours(location, "does not name its files")
    paths = {part["path"] for part in parts}
    for path in sorted(paths):
        if not lies_within(path):
            raise _not_ours(location, f"names a file outside of its place, {path!r}")
    return paths


def folder_types(manifest: dict[str, Any], location: Location) -> dict[str, str]:
    """Of columns that folders name, texts of their types.

    Raises
    ------
    InputError
        A type is none of those.
    """
    types: dict[str, str] = manifest.get("folder_types", {})
    for name, text in types.items():
        if not isinstance(text, str) or type_of(text) is None:
            raise _not_ours(location, f"has another type for {name!r}")
    return types


def _not_ours(location: Location, what: str) -> InputError:
    return InputError(
        f"The manifest of {location.shown!r} {what}: it was edited, or written by another "
        "version of dask-kmsmote. Name another place, or remove this one yourself."
    )


def manifest_of(content: dict[str, Any]) -> dict[str, Any]:
    """What a manifest has, with its version."""
    return {"manifest_version": _MANIFEST_VERSION, **content}


def write_manifest(location: Location, content: dict[str, Any]) -> dict[str, Any]:
    """Write the manifest of a table that is there, and return it."""
    manifest = manifest_of(content)
    text, name = json.dumps(manifest), keeper(location.files())
    if name is None or name in _KEEPERS:
        _into_attributes(location, text)
    else:
        _into_footer(location, location.path_of(name), text)
    return manifest


def _into_footer(location: Location, path: str, text: str) -> None:
    import pyarrow.parquet as pq

    # a footer can't be changed: the file is written anew, by row groups to take little memory
    old = pq.ParquetFile(BytesIO(location.fs.cat_file(path)))
    with location.fs.open(path, "wb") as file, pq.ParquetWriter(file, old.schema_arrow) as new:
        for number in range(old.num_row_groups):
            new.write_table(old.read_row_group(number))
        # beside the schema and not within it, where copies of the table would inherit it
        new.add_key_value_metadata({_KEY: text})


def _into_attributes(location: Location, text: str) -> None:
    import zarr

    zarr.open_group(location.zarr_store, mode="a").attrs[_KEY] = text


def require_manifest(location: Location, version: int | None = None) -> dict[str, Any]:
    """The manifest of a finished destination.

    Parameters
    ----------
    location
        The destination.
    version
        Of a Delta table: the newest manifest is that of this version or of one before.

    Raises
    ------
    InputError
        There is none, something is left out of it, or another is being published.
    """
    if has_log(location) or version is not None:
        manifest = _of_log(location, version)
    else:
        if read_record(location) is not None:
            raise being_published(location)
        manifest = read_manifest(location)
    if manifest is None:
        when = "" if version is None else f" at or before version {version}"
        raise InputError(
            f"{location.shown!r} has no manifest: no run has finished there{when}. Check the path."
        )
    if not _KINDS.keys() - _LATER <= manifest.keys() or not _tells_counts(manifest):
        raise _not_ours(location, "is incomplete")
    return manifest


def _of_log(location: Location, version: int | None) -> dict[str, Any] | None:
    found = next(manifests(open_snapshot(location, version)), None)
    if found is None:
        return None
    number, text = found
    return {**_checked(text, location), "version": number}


def _tells_counts(manifest: dict[str, Any]) -> bool:
    counts = manifest["classes"].values()
    told = all(isinstance(count, dict) and {"before", "after"} <= count.keys() for count in counts)
    return told and isinstance(manifest["source"].get("url"), str)
