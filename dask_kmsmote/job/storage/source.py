"""The source of a job: the files that there are, and their format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...errors import InputError
from .location import Location, fingerprint
from .manifest import DRAFT, part_paths, read_manifest

FORMATS = {"parquet": (".parquet", ".parq", ".pq"), "csv": (".csv", ".csv.gz"), "zarr": (".zarr",)}


@dataclass(frozen=True)
class Source:
    """Where rows come from.

    Attributes
    ----------
    location, format
        The place, and a key of `FORMATS`.
    files
        Paths relative to the place, and what is known of each.
    """

    location: Location
    format: str
    files: dict[str, dict[str, Any]]

    @property
    def n_bytes(self) -> int:
        """Bytes of all files."""
        return sum(int(info.get("size") or 0) for info in self.files.values())

    @property
    def fingerprint(self) -> str:
        """Changes with the files."""
        return fingerprint(self.files)

    @property
    def urls(self) -> list[str]:
        """URLs of the files."""
        fs, path = self.location.fs, self.location.path
        return [fs.unstrip_protocol(f"{path}/{name}".rstrip("/")) for name in self.files]


def guess_format(location: Location, given: str | None) -> str:
    """The format, from what is given or from the end of the path; else Parquet."""
    if given is not None:
        return given
    for name, endings in FORMATS.items():
        if location.path.endswith(endings):
            return name
    return "parquet"


def open_source(location: Location, given: str | None = None) -> Source:
    """Look what files there are.

    Raises
    ------
    InputError
        There is nothing, or no file of the format; a name reads as a pattern; or a file is gone
        that a manifest names, or lies elsewhere.
    """
    if not location.exists():
        raise InputError(f"The source {location.shown!r} does not exist: check its path.")
    manifest, files = read_manifest(location), location.files()
    kind = guess_format(location, given)
    if given is None and not any(_is_data(name, kind) for name in files if name):
        # a folder of CSV files alone
        kind = "csv" if any(_is_data(name, "csv") for name in files if name) else kind
    if manifest is not None and kind == "parquet":
        wanted = part_paths(manifest, location)
        gone = sorted(wanted - files.keys())
        if gone:
            raise InputError(
                f"The source {location.shown!r} is not whole: {gone[0]!r} and {len(gone) - 1} more "
                "files that its manifest names are gone. Make it anew."
            )
        files = {name: files[name] for name in sorted(wanted)}
    else:
        # without a manifest, parts of an old and a new result may be side by side
        if any(name.startswith(DRAFT) for name in files):
            raise InputError(
                f"The source {location.shown!r} is the destination of a run that has not finished: "
                "wait for it, or run it again."
            )
        files = {name: info for name, info in files.items() if _is_data(name, kind)}
    if not files:
        raise InputError(
            f"The source {location.shown!r} has no {kind} files: check its path, or name the "
            "format with --format."
        )
    odd = next((name for name in files if location.reads_as_pattern(name)), None)
    if odd is not None:
        raise InputError(
            f"The source {location.shown!r} has one of the characters * ? [ in its path, or in the "
            f"name of a file{f', {odd!r}' if odd else ''}: readers take them for patterns. Rename "
            "it."
        )
    return Source(location, kind, files)


def _is_data(name: str, kind: str) -> bool:
    if kind == "zarr" or not name:
        return True
    # _temporary/0/part.parquet is of a writer that has not finished, or died
    hidden = any(part.startswith(("_", ".")) for part in name.split("/"))
    return name.endswith(FORMATS[kind]) and not hidden
