"""What runs have committed to a Delta table, as its log tells."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .log import LOG, Snapshot

# whose transactions runs commit, so that of two one conflicts
APPLICATION = "dask-kmsmote"
_RECENT = 100  # commits


def commits(snapshot: Snapshot, first: int = 0) -> Iterator[tuple[int, str | None]]:
    """Versions from a snapshot's back to the first, and their manifests; None of other writers.

    It ends where the log does, whose old commits are cleaned up.
    """
    location = snapshot.location
    # `history` of deltalake 1.6 numbers the commits as if none came after this version
    for number in range(snapshot.version, first - 1, -1):
        try:
            with location.reached():
                content = location.fs.cat_file(location.path_of(f"{LOG}/{number:020d}.json"))
        except FileNotFoundError:
            return
        yield number, next(filter(None, map(_manifest_in, content.splitlines())), None)


def manifests(snapshot: Snapshot) -> Iterator[tuple[int, str]]:
    """Versions that runs have committed, and their manifests, from a snapshot's back."""
    return ((number, text) for number, text in commits(snapshot) if text is not None)


def recent_manifests(snapshot: Snapshot) -> dict[int, dict[str, Any]]:
    """What runs say that are among the newest commits, by version; the newest first."""
    # most tables have none, whose log need not be read
    if snapshot.table.transaction_version(APPLICATION) is None:
        return {}
    found = commits(snapshot, max(0, snapshot.version + 1 - _RECENT))
    told = ((number, content_of(text)) for number, text in found)
    return {number: content for number, content in told if _tells_files(content)}


def has_all_of(snapshot: Snapshot, manifest: dict[str, Any]) -> bool:
    """Whether no file of a run has been replaced or deleted since."""
    return _paths_in(manifest) <= _paths_of(snapshot)


def n_made(snapshot: Snapshot) -> int:
    """Rows that runs among the newest commits have made, as far as their files are there."""
    there, recent = _paths_of(snapshot), recent_manifests(snapshot).values()
    return sum(own["synthetic_rows"] for own in recent if there & _paths_in(own))


def content_of(manifest: str | None) -> dict[str, Any]:
    """A manifest in a commit as it was; nothing where another program has written what is there."""
    try:
        content = json.loads(manifest or "{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _manifest_in(action: bytes) -> str | None:
    try:
        commit = json.loads(action).get("commitInfo", {})
    except (ValueError, AttributeError):  # of a damaged log, which is not read for it
        return None
    text = commit.get("kmsmote") if isinstance(commit, dict) else None
    return text if isinstance(text, str) else None


def _tells_files(manifest: dict[str, Any]) -> bool:
    # anybody can write to a log
    files = manifest.get("files")
    return (
        isinstance(files, list)
        and all(isinstance(file, dict) and isinstance(file.get("path"), str) for file in files)
        and isinstance(manifest.get("synthetic_rows"), int)
    )


def _paths_in(manifest: dict[str, Any]) -> set[str]:
    return {file["path"] for file in manifest["files"]}


def _paths_of(snapshot: Snapshot) -> set[str]:
    return {file.path for file in snapshot.files}
