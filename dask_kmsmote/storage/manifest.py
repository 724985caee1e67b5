"""The manifest of a finished destination: its last file, which says what is there and why."""

from __future__ import annotations

import json
from typing import Any

from ..errors import InputError
from .location import Location

MANIFEST = "_kmsmote.json"
MANIFEST_VERSION = 1
DRAFT = "_kmsmote-"  # begins the names of drafts on object stores


def read_manifest(location: Location) -> dict[str, Any] | None:
    """The manifest of a destination; None where there is none."""
    try:
        with location.reached():
            location.fs.invalidate_cache()
            text = location.fs.cat_file(f"{location.path}/{MANIFEST}")
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        content = json.loads(text)
    except ValueError as error:
        raise _not_ours(location, f"is not JSON ({error})") from error
    if not isinstance(content, dict) or content.get("manifest_version") != MANIFEST_VERSION:
        raise _not_ours(location, f"has no manifest_version {MANIFEST_VERSION}")
    return content


def _not_ours(location: Location, what: str) -> InputError:
    return InputError(
        f"The manifest {location.url}/{MANIFEST} {what}: it was edited, or written by another "
        "version of dask-kmsmote. Name another place, or remove this one yourself."
    )


def write_manifest(location: Location, content: dict[str, Any]) -> dict[str, Any]:
    """Write the manifest in one piece, and return it."""
    manifest = {"manifest_version": MANIFEST_VERSION, **content}
    text = json.dumps(manifest, indent=1)
    location.fs.pipe_file(f"{location.path}/{MANIFEST}", text.encode())
    return manifest


def require_manifest(location: Location) -> dict[str, Any]:
    """The manifest of a finished destination.

    Raises
    ------
    InputError
        There is none.
    """
    manifest = read_manifest(location)
    if manifest is None:
        raise InputError(
            f"{location.url!r} has no {MANIFEST}: no run has finished there. Check the path."
        )
    return manifest
