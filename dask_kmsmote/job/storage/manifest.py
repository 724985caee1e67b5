"""The manifest of a finished destination: its last file, which says what is there and why."""

from __future__ import annotations

import json
import re
from typing import Any

from ...errors import InputError
from .location import Location

MANIFEST = "_kmsmote.json"
_MANIFEST_VERSION = 1
DRAFT = "_kmsmote-"  # begins the names of drafts on object stores
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


def read_manifest(location: Location) -> dict[str, Any] | None:
    """The manifest of a destination; None where there is none.

    Raises
    ------
    InputError
        It is not one: what it holds is told apart by type, and nothing in it is run.
    """
    try:
        with location.reached():
            location.fs.invalidate_cache()
            text = location.fs.cat_file(f"{location.path}/{MANIFEST}")
    except (FileNotFoundError, NotADirectoryError):
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
        f"The manifest {location.shown}/{MANIFEST} {what}: it was edited, or written by another "
        "version of dask-kmsmote. Name another place, or remove this one yourself."
    )


def write_manifest(location: Location, content: dict[str, Any]) -> dict[str, Any]:
    """Write the manifest in one piece, and return it."""
    manifest = {"manifest_version": _MANIFEST_VERSION, **content}
    text = json.dumps(manifest, indent=1)
    location.fs.pipe_file(f"{location.path}/{MANIFEST}", text.encode())
    return manifest


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
            f"{location.shown!r} has no {MANIFEST}: no run has finished there. Check the path."
        )
    # runs of the first version told the plan in numbers alone
    if not _KINDS.keys() - {"plan_text"} <= manifest.keys() or not _tells_counts(manifest):
        raise _not_ours(location, "is incomplete")
    return manifest


def _tells_counts(manifest: dict[str, Any]) -> bool:
    counts = manifest["classes"].values()
    told = all(isinstance(count, dict) and {"before", "after"} <= count.keys() for count in counts)
    return told and isinstance(manifest["source"].get("url"), str)
