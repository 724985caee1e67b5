"""The source of a job: the files that there are, and their format."""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ...errors import InputError
from .location import Location, fingerprint
from .manifest import DRAFT, part_paths, read_manifest

# of tables that are more than their files: the log, by its path, and how to read what it says
_LOGS = {
    "Delta": (r"(^|/)_delta_log/", "deltalake.DeltaTable({path!r}).to_pandas()"),
    "Iceberg": (
        r"(^|/)metadata/[^/]*\.metadata\.json$",
        "pyiceberg.table.StaticTable.from_metadata({path!r}).scan().to_pandas()",
    ),
    "Hudi": (r"(^|/)\.hoodie/", "spark.read.format('hudi').load({path!r}).toPandas()"),
}
_LOG_FOLDERS = "_delta_log", "metadata", ".hoodie"
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
        There is nothing, or no file of the format; its files are those of a Delta, Iceberg or Hudi
        table; a name reads as a pattern; or a file is gone that a manifest names, or lies
        elsewhere.
    """
    if not location.exists():
        raise InputError(f"The source {location.shown!r} does not exist: check its path.")
    manifest, files = read_manifest(location), location.files()
    _require_no_log(location, files)
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


def _require_no_log(location: Location, files: Collection[str]) -> None:
    """Raise `InputError` where a log, there or above, says which rows of the files count."""
    _require_none_among(location, location, files)
    for folder in location.above():
        for name in _LOG_FOLDERS:
            # a store may let a job see less than it reads
            with suppress(OSError):
                _require_none_among(location, folder, folder.names_in(name))


def _require_none_among(source: Location, place: Location, files: Collection[str]) -> None:
    for kind, (log, reader) in _LOGS.items():
        found = sorted(name for name in files if re.search(log, name))
        if found:
            # the newest metadata of Iceberg; else the folder that has the log
            path = f"{place.shown}/{found[-1] if kind == 'Iceberg' else re.split(log, found[0])[0]}"
            raise InputError(
                f"The source {source.shown!r} is of a table of {kind}, whose files have rows that "
                "are deleted or replaced: only its log says which. Write what is left to Parquet: "
                f"{reader.format(path=path.rstrip('/'))}.to_parquet('table.parquet')."
            )


def _is_data(name: str, kind: str) -> bool:
    if kind == "zarr" or not name:
        return True
    # _temporary/0/part.parquet is of a writer that has not finished, or died
    hidden = any(part.startswith(("_", ".")) for part in name.split("/"))
    return name.endswith(FORMATS[kind]) and not hidden
