"""The manifest of a finished destination, which says what is there and why.

It is JSON, kept where a table has room for texts of others: in the footer of the first Parquet
part, or in the attributes of the Zarr group, by the key "kmsmote". A file of its own would be in
the way of readers: polars takes every file of a folder for a part, Zarr warns of those that it does
not know, and a Parquet file without rows is an empty partition to Dask.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from io import BytesIO
from typing import Any

from ...errors import InputError
from .location import Location

_MANIFEST_VERSION = 1
_KEY = "kmsmote"
PART = "part-{:06d}.parquet"
DRAFT = "_kmsmote-"  # begins the names of drafts on object stores
# ends those of their parts: Dask and DuckDB look into folders of any name, but for .parquet alone
DRAFT_ENDING = ".draft"
_FIRST_PARTS = PART.format(0), PART.format(0) + DRAFT_ENDING
# a file of its own is of a run before there was another place
_KEEPERS = "_kmsmote.json", "zarr.json", ".zattrs", *_FIRST_PARTS
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
}
# the place itself; absolute paths, also of Windows; URLs and chains of them; parts . and ..
_OUTSIDE = re.compile(r"^$|^/|^[A-Za-z]:|\\|://|::|(^|/)\.\.?(/|$)")


def _load_strictly(text: str | bytes) -> Any:
    """JSON as `json.loads` has it, but for NaN and infinity, which are a ValueError."""
    return json.loads(text, parse_constant=_refuse)


def _refuse(name: str) -> None:
    raise ValueError(f"it has {name}")


def keeper(names: Collection[str]) -> str | None:
    """The file, of those of a finished destination, that keeps its manifest."""
    return next((name for name in _KEEPERS if name in names), None)


def manifest_text(location: Location) -> str | bytes | None:
    """The manifest of a destination as it is written; None where there is none."""
    with location.reached():
        location.fs.invalidate_cache()
        for name in _KEEPERS:
            try:
                with location.fs.open(f"{location.path}/{name}") as file:
                    return _read_text(file, name)
            except (FileNotFoundError, NotADirectoryError):
                continue
    return None


def _read_text(file: Any, name: str) -> str | bytes | None:
    if name in _FIRST_PARTS:
        return _of_footer(file)
    text: bytes = file.read()
    return _of_attributes(text) if name in {"zarr.json", ".zattrs"} else text


def _of_footer(file: Any) -> bytes | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        texts: dict[bytes, bytes] = pq.read_metadata(file).metadata or {}
    except pa.ArrowInvalid:  # no Parquet: whoever reads the rows says so
        return None
    return texts.get(_KEY.encode())


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
    if text is None:
        return None
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
        if _OUTSIDE.search(path):
            raise _not_ours(location, f"names a file outside of its place, {path!r}")
    return paths


def _not_ours(location: Location, what: str) -> InputError:
    return InputError(
        f"The manifest of {location.shown!r} {what}: it was edited, or written by another "
        "version of dask-kmsmote. Name another place, or remove this one yourself."
    )


def write_manifest(location: Location, content: dict[str, Any]) -> dict[str, Any]:
    """Write the manifest of a table that is there, and return it."""
    manifest = {"manifest_version": _MANIFEST_VERSION, **content}
    text, name = json.dumps(manifest), keeper(location.files())
    if name in _FIRST_PARTS:
        _into_footer(location, f"{location.path}/{name}", text)
    else:
        _into_attributes(location, text)
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


def require_manifest(location: Location) -> dict[str, Any]:
    """The manifest of a finished destination.

    Raises
    ------
    InputError
        There is none, or something is left out of it.
    """
    manifest = read_manifest(location)
    if manifest is None:
        raise InputError(
            f"{location.shown!r} has no manifest: no run has finished there. Check the path."
        )
    # runs of the first version told the plan in numbers alone
    if not _KINDS.keys() - {"plan_text"} <= manifest.keys() or not _tells_counts(manifest):
        raise _not_ours(location, "is incomplete")
    return manifest


def _tells_counts(manifest: dict[str, Any]) -> bool:
    counts = manifest["classes"].values()
    told = all(isinstance(count, dict) and {"before", "after"} <= count.keys() for count in counts)
    return told and isinstance(manifest["source"].get("url"), str)
