"""The source of a job: the files that there are, and their format."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from ...errors import DestinationError, InputError, ParameterError, StorageError
from .commit import being_published, is_record
from .delta.log import LOG, Snapshot, files_gone, has_log, open_snapshot
from .delta.runs import n_made
from .location import Location, fingerprint
from .manifest import DRAFT, RUN, folder_types, part_paths, read_manifest

# of tables that are more than their files: the log, by its path, and how to read what it says
_LOGS = {
    "Delta": (rf"(^|/){LOG}/", None),
    "Iceberg": (
        r"(^|/)metadata/[^/]*\.metadata\.json$",
        "pyiceberg.table.StaticTable.from_metadata({path!r}).scan().to_pandas()",
    ),
    "Hudi": (r"(^|/)\.hoodie/", "spark.read.format('hudi').load({path!r}).toPandas()"),
}
_LOG_FOLDERS = LOG, "metadata", ".hoodie"
FORMATS = {
    "parquet": (".parquet", ".parq", ".pq"),
    "csv": (".csv", ".tsv", ".txt"),
    "zarr": (".zarr",),
    "delta": (".delta",),
}
# below a destination, as in a bucket; that of another beside it is hidden alone
_DRAFT = re.compile(f"{DRAFT}{RUN.pattern}/")
_COMPRESSED = ".gz", ".bz2", ".xz", ".zip", ".zst"  # of text


@dataclass(frozen=True)
class Source:
    """Where rows come from.

    Attributes
    ----------
    location, format
        The place, and a key of `FORMATS`.
    files
        Paths relative to the place, and what is known of each.
    ignored
        Others there, which are of another format.
    folder_types
        Of columns that folders name, texts of their types, where a manifest notes them.
    n_made
        Rows of them that a run has made, by its manifest.
    snapshot
        The version of a Delta table that they are of.
    """

    location: Location
    format: str
    files: dict[str, dict[str, Any]]
    ignored: tuple[str, ...] = ()
    folder_types: dict[str, str] = field(default_factory=dict)
    n_made: int = 0
    snapshot: Snapshot | None = None

    @property
    def version(self) -> int | None:
        """The version of a table that has some."""
        return None if self.snapshot is None else self.snapshot.version

    @cached_property
    def warnings(self) -> list[str]:
        """What is to be looked at before rows are made from it."""
        # not when a source is opened, as that would read the log
        made = self.n_made if self.snapshot is None else n_made(self.snapshot)
        if not made:
            return []
        earlier = " or an earlier --version of it" if self.snapshot is not None else ""
        text = (
            f"{made} rows of the source {self.location.shown!r} were made by earlier runs, "
            "and count as originals here. To make new rows from originals alone, name the table "
            f"that has no others{earlier}, and keep new rows apart, with --only-synthetic and "
            "another destination."
        )
        return [text]

    @property
    def n_bytes(self) -> int:
        """Bytes of all files."""
        return sum(int(info.get("size") or 0) for info in self.files.values())

    @property
    def fingerprint(self) -> str:
        """Changes with the files."""
        return fingerprint(self.files)


def guess_format(location: Location, given: str | None) -> str:
    """The format, from what is given or from the end of the path; else Parquet."""
    if given is not None:
        return given
    return next((kind for kind in FORMATS if _ends_as(location.path, kind)), "parquet")


def is_compressed(name: str) -> bool:
    """Whether a file of text is compressed, by its name."""
    return name.lower().endswith(_COMPRESSED)


def _ends_as(name: str, kind: str) -> bool:
    name = name.lower()
    if kind == "csv" and is_compressed(name):
        name = name.rpartition(".")[0]
    return name.endswith(FORMATS[kind])


def open_source(location: Location, given: str | None = None, version: int | None = None) -> Source:
    """Look what files there are.

    Parameters
    ----------
    location, given
        The place, and the format as the user calls it.
    version
        Of a Delta table; the newest for None.

    Raises
    ------
    InputError
        There is nothing, or no file of the format, or no such version; its files are those of an
        Iceberg or Hudi table, or of a part of a Delta table; a name reads as a pattern; a file is
        gone that a manifest names, or lies elsewhere; or a result is being published there.
    ParameterError
        A version of what has none.
    """
    if not location.exists():
        is_pattern = location.reads_as_pattern()
        hint = "name the folder, as patterns are not read" if is_pattern else "check its path"
        raise InputError(f"The source {location.shown!r} does not exist: {hint}.")
    if given == "delta" or (given is None and has_log(location)):
        return _of_version(open_snapshot(location, version))
    if version is not None and not has_log(location):
        raise ParameterError(
            f"--version is of Delta tables, and the source {location.shown!r} is none: leave it "
            "out."
        )
    return _of_files(location, given)


def _of_files(location: Location, given: str | None) -> Source:
    manifest, files = read_manifest(location), location.files()
    record = next(filter(is_record, files), None)
    if record is not None:
        raise being_published(location, record)
    kind = _kind_of(location, files, given)
    ignored: tuple[str, ...] = ()
    types: dict[str, str] = {}
    if manifest is None:
        _require_no_log(location, files, kind)
        _require_no_empty_log(location)
    if manifest is not None and kind == "parquet":
        wanted = part_paths(manifest, location)
        gone = sorted(wanted - files.keys())
        if gone:
            raise InputError(
                f"The source {location.shown!r} is not whole: {gone[0]!r} and {len(gone) - 1} more "
                "files that its manifest names are gone. Make it anew."
            )
        files = {name: files[name] for name in sorted(wanted)}
        types = folder_types(manifest, location)
    else:
        # without a manifest, parts of an old and a new result may be side by side
        if any(_DRAFT.match(name) for name in files):
            raise InputError(
                f"The source {location.shown!r} is the destination of a run that has not finished: "
                "wait for it, or run it again."
            )
        visible = [name for name in files if _is_visible(name, kind)]
        named = _of_format(visible, kind, is_given=given is not None)
        ignored = tuple(name for name in visible if name not in set(named))
        files = {name: files[name] for name in named}
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
    made = (manifest or {}).get("synthetic_rows", 0)
    return Source(location, kind, files, ignored, types, made if isinstance(made, int) else 0)


def _of_version(snapshot: Snapshot) -> Source:
    files = {file.path: {"size": file.n_bytes, "mtime": file.modified} for file in snapshot.files}
    return Source(snapshot.location, "delta", files, snapshot=snapshot)


def _kind_of(location: Location, files: Collection[str], given: str | None) -> str:
    kind = guess_format(location, given)
    if given is not None or any(_is_visible(name, kind) and _ends_as(name, kind) for name in files):
        return kind
    # a folder of text alone
    is_text = any(_is_visible(name, "csv") and _ends_as(name, "csv") for name in files)
    return "csv" if is_text else kind


def _of_format(names: Sequence[str], kind: str, *, is_given: bool) -> list[str]:
    named = [name for name in names if not name or kind == "zarr" or _ends_as(name, kind)]
    if named or not is_given:
        return named
    # what the user calls so may end otherwise: 0.part, 000000_0
    return [name for name in names if not any(_ends_as(name, own) for own in FORMATS)]


def _require_no_log(location: Location, files: Collection[str], kind: str) -> None:
    """Raise `InputError` where a log, there or above, says which rows of the files count."""
    _require_none_among(location, location, files)
    # text that lies within such a table is none of it
    for folder in location.above() if kind == "parquet" else ():
        for name in _LOG_FOLDERS:
            # a store may let a job see less than it reads; one that fails has a log all the same
            with suppress(PermissionError):
                _require_none_among(location, folder, folder.names_in(name))


def _require_no_empty_log(location: Location) -> None:
    """Raise `InputError` where a disk has the folder of a log, and nothing in it."""
    if location.is_local and location.fs.isdir(location.path_of(LOG)):
        raise InputError(
            f"The source {location.shown!r} is a Delta table whose log is empty, so that nobody "
            f"can tell which rows of its files are left: bring back {LOG}/ from a backup, or "
            "remove that folder if all rows of all files count."
        )


def _require_none_among(source: Location, place: Location, files: Collection[str]) -> None:
    for kind, (log, reader) in _LOGS.items():
        found = [name for name in files if re.search(log, name)]
        # others have metadata, too
        if kind == "Iceberg":
            found = sorted(filter(partial(_is_of_iceberg, place), found), key=_version_in)
        if found:
            # the newest metadata of Iceberg; else the folder that has the log
            path = f"{place.shown}/{found[-1] if kind == 'Iceberg' else re.split(log, found[0])[0]}"
            path = path.rstrip("/")
            mend = (
                f"Name the table, {path!r}, and no --format but delta."
                if reader is None
                else f"Write what is left to Parquet: {reader.format(path=path)}"
                ".to_parquet('table.parquet')."
            )
            raise InputError(
                f"The source {source.shown!r} is of a table of {kind}, whose files have rows that "
                f"are deleted or replaced: only its log says which. {mend}"
            )


def _is_of_iceberg(place: Location, name: str) -> bool:
    try:
        content = json.loads(place.fs.cat_file(place.path_of(name)))
    except (FileNotFoundError, PermissionError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and "format-version" in content


def _version_in(name: str) -> tuple[int, str]:
    # v9 is older than v13, as 00009-... is than 00013-...
    number = re.search(r"\d+", name.rpartition("/")[2])
    return (int(number[0]) if number else -1), name


def _is_visible(name: str, kind: str) -> bool:
    # _temporary/0/part.parquet is of a writer that has not finished, or died
    hidden = any(part.startswith(("_", ".")) for part in name.split("/"))
    return kind == "zarr" or not hidden


@contextmanager
def at_rest(source: Source) -> Iterator[None]:
    """Raise `DestinationError` where a source is another after the body, also if that fails."""
    changed = DestinationError(
        f"The source {source.location.shown!r} changed meanwhile: run the job again when it is at "
        "rest."
    )
    # the engine compares X and y; a table to be written has columns that it has never seen
    try:
        yield
    except Exception as error:
        # a store that fails need not be asked
        if type(error) is not StorageError and _is_changed(source):
            raise changed from error
        if source.snapshot is not None and isinstance(error, FileNotFoundError):
            raise files_gone(source.snapshot) from error
        raise
    if _is_changed(source):
        raise changed


def _is_changed(source: Source) -> bool:
    try:
        now = open_source(source.location, source.format, source.version)
    except InputError:  # nothing is left of it
        return True
    return now.fingerprint != source.fingerprint
