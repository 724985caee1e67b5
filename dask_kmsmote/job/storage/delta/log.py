"""One version of a Delta table, as its log says: columns, files, and the rows that are deleted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import unquote

import numpy as np

from ....errors import InputError, MissingPackageError, ParameterError
from ..location import GIVE_UP_AFTER, Location

LOG = "_delta_log"
_MOST_READER = 3
# of protocols; what is left out either changes how rows are read, or is not known yet
_READ = {
    *("deletionVectors", "columnMapping", "timestampNtz", "v2Checkpoint", "vacuumProtocolCheck"),
    *("typeWidening", "typeWidening-preview"),
}
# fsspec's options of S3, and what object_store calls them
_OPTIONS = {
    "key": "AWS_ACCESS_KEY_ID",
    "secret": "AWS_SECRET_ACCESS_KEY",
    "token": "AWS_SESSION_TOKEN",
    "endpoint_url": "AWS_ENDPOINT_URL",
    "region_name": "AWS_REGION",
}
_READ_TIMEOUT, _CONNECT_TIMEOUT = 15.0, 5.0  # seconds, those of s3fs
_ESCAPED = re.compile("%[0-9A-Fa-f]{2}")
_COLOURS = re.compile("\x1b\\[[0-9;]*m")


@dataclass(frozen=True)
class DataFile:
    """A file of a version.

    Attributes
    ----------
    path
        Relative to the table.
    n_bytes
        As it is stored.
    modified
        Milliseconds since 1970.
    partition
        Value of each column that its rows share.
    deleted
        A bit for each row up to the last that is deleted, packed; None where none is.
    """

    path: str
    n_bytes: int
    modified: int
    partition: Mapping[str, Any]
    deleted: np.ndarray | None = None


@dataclass(frozen=True)
class Snapshot:
    """A version of a table.

    Attributes
    ----------
    location
        Of the table.
    table
        The `deltalake.DeltaTable` of the version.
    """

    location: Location
    table: Any

    @property
    def version(self) -> int:
        """Its number."""
        return int(self.table.version())

    @cached_property
    def _fields(self) -> list[dict[str, Any]]:
        fields: list[dict[str, Any]] = json.loads(self.table.schema().to_json())["fields"]
        return fields

    @cached_property
    def schema(self) -> Any:
        """Columns in their Arrow types."""
        import pyarrow as pa

        return pa.schema(self.table.schema().to_arrow())

    @cached_property
    def stored(self) -> dict[str, str]:
        """The name of each column within the files: after a rename, another than its own."""
        key = "delta.columnMapping.physicalName"
        mapped = self.configuration.get("delta.columnMapping.mode", "none") != "none"
        return {
            own["name"]: own["metadata"].get(key, own["name"]) if mapped else own["name"]
            for own in self._fields
        }

    @property
    def configuration(self) -> dict[str, str]:
        """Properties of the table."""
        return dict(self.table.metadata().configuration)

    @property
    def partition_by(self) -> list[str]:
        """Columns whose values all rows of a file share."""
        return list(self.table.metadata().partition_columns)

    @cached_property
    def files(self) -> list[DataFile]:
        """Its files, in one order."""
        import pyarrow as pa

        with reading(self.location):
            actions = pa.table(self.table.get_add_actions()).to_pylist()
            deleted = dict(self._deleted())
        files = [
            DataFile(
                # an URL by the protocol: %20 is a space
                path := unquote(own["path"]),
                own["size_bytes"],
                own["modification_time"],
                own.get("partition") or {},
                deleted.get(path),
            )
            for own in actions
        ]
        return sorted(files, key=lambda file: file.path)

    def _deleted(self) -> Iterator[tuple[str, np.ndarray]]:
        import pyarrow as pa

        # where there are none, all files would be looked at for them
        if "deletionVectors" not in (self.table.protocol().reader_features or ()):
            return
        root = str(self.table.table_uri).rstrip("/") + "/"
        for batch in pa.RecordBatchReader.from_stream(self.table.deletion_vectors()):
            for path, kept in zip(batch["filepath"], batch["selection_vector"], strict=True):
                mask = kept.values.to_numpy(zero_copy_only=False)
                yield unquote(path.as_py().removeprefix(root)), np.packbits(~mask)

    @property
    def notes_of_columns(self) -> set[str]:
        """What the log notes of columns."""
        return {key for own in self._fields for key in own["metadata"]}


def files_gone(snapshot: Snapshot) -> InputError:
    """What is said where a version names files that are removed."""
    return InputError(
        f"Files of version {snapshot.version} of the Delta table {snapshot.location.shown!r} are "
        "gone, as a vacuum removes those of old versions: leave out --version to read the newest, "
        "or let vacuum keep versions for longer than a run takes."
    )


def has_log(location: Location) -> bool:
    """Whether there is the log of a Delta table."""
    with location.reached():
        location.fs.invalidate_cache()
        return bool(location.names_in(LOG))


def open_snapshot(location: Location, version: int | None = None) -> Snapshot:
    """Load a version; the newest for None.

    Raises
    ------
    InputError
        The version is not there, or the log is damaged, or has a feature that is not read.
    MissingPackageError
        `deltalake` is not installed.
    """
    snapshot = Snapshot(location, _loaded(location, version))
    protocol = snapshot.table.protocol()
    features = set(protocol.reader_features or ())
    if protocol.min_reader_version > _MOST_READER or features - _READ:
        what = ", ".join(sorted(features - _READ)) or f"version {protocol.min_reader_version}"
        raise InputError(
            f"The Delta table {location.shown!r} needs a reader of {what}, which this is not: "
            "write what is to be read to another table, without that feature, by what wrote this."
        )
    return snapshot


def _loaded(location: Location, version: int | None) -> Any:
    with reading(location):
        delta = deltalake()
        options = options_of(location)
        try:
            return delta.DeltaTable(url_of(location), version=version, storage_options=options)
        except delta.exceptions.DeltaError as error:
            # the kernel's error is the same for a version that never was and a damaged log
            if version is None:
                raise
            newest = delta.DeltaTable(url_of(location), storage_options=options).version()
            if version > newest:
                raise InputError(
                    f"The Delta table {location.shown!r} has no version {version}: the newest is "
                    f"{newest}. Name one that is there with --version, or none for the newest."
                ) from error
            raise InputError(
                f"The Delta table {location.shown!r} has version {version} no more, as its log is "
                "cleaned up or damaged there: name a newer one with --version, or none for the "
                f"newest, {newest}."
            ) from error


def deltalake() -> Any:
    """The package, where it is installed.

    Raises
    ------
    MissingPackageError
        It is not.
    """
    try:
        import deltalake
        import deltalake.exceptions
    except ImportError as error:
        raise MissingPackageError(
            "Delta tables need deltalake: pip install 'dask-kmsmote[delta]'."
        ) from error
    return deltalake


@contextmanager
def reading(location: Location) -> Iterator[None]:
    """Name the table where its log can't be read.

    Raises
    ------
    InputError
        There is no log, or a damaged one.
    StorageError
        The store refuses.
    """
    delta = deltalake()
    try:
        with location.reached(), _plain_errors():
            yield
    except delta.exceptions.TableNotFoundError as error:
        raise InputError(
            f"{location.shown!r} is no Delta table, or one without a version: check the path."
        ) from error
    except delta.exceptions.DeltaError as error:
        text = first_line(location.masked(error))
        raise InputError(
            f"The log of the Delta table {location.shown!r} can't be read: {text}. If it is "
            f"damaged, mend {LOG}/ there; to read, name an older version with --version."
        ) from error


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Take stacks and colours of delta-rs from what a store says."""
    try:
        yield
    except OSError as error:
        if type(error) is not OSError:
            raise
        raise OSError(first_line(str(error))) from error


def first_line(text: str) -> str:
    """What an error of delta-rs says, without the stack of its own functions and its colours."""
    lines = [line.strip(" ↳") for line in _COLOURS.sub("", text).splitlines()]
    said = [line for line in lines if line and not re.match(r"\d+: |at [./]|Stack|Help", line)]
    return " ".join(said).rstrip(".")[:300]


def url_of(location: Location) -> str:
    """Where `deltalake` finds the table.

    Raises
    ------
    ParameterError
        It would find another one.
    """
    if _ESCAPED.search(location.path):
        raise ParameterError(
            f"The Delta table {location.shown!r} has a % with two digits in its path, which "
            "readers of Delta take for another sign: name another path."
        )
    # beside a path, an URL would be one of percent signs
    return location.path if location.is_local else location.url


def options_of(location: Location) -> dict[str, str]:
    """The options of its store as `deltalake` calls them.

    Raises
    ------
    ParameterError
        One of them is for fsspec alone.
    """
    if location.is_local:
        return {}
    import os

    given = dict(location.options)
    given |= given.pop("client_kwargs", {})
    waits = given.pop("config_kwargs", {})
    seconds = {
        "retry_timeout": given.pop("give_up_after", GIVE_UP_AFTER),
        "timeout": waits.get("read_timeout", _READ_TIMEOUT),
        "connect_timeout": waits.get("connect_timeout", _CONNECT_TIMEOUT),
    }
    odd = [name for name, value in given.items() if not isinstance(value, str | int | float | bool)]
    if odd:
        raise ParameterError(
            f"{location.shown!r} is a Delta table, for which the storage option {odd[0]!r} can't "
            "be used: give it as an environment variable of the store."
        )
    options = {_OPTIONS.get(name, name): str(value) for name, value in given.items()}
    endpoint = options.get("AWS_ENDPOINT_URL", os.environ.get("AWS_ENDPOINT_URL", ""))
    if endpoint.startswith("http://"):
        options["AWS_ALLOW_HTTP"] = "true"
    # as long as files are waited for
    return {name: f"{round(1000 * value)}ms" for name, value in seconds.items()} | options
