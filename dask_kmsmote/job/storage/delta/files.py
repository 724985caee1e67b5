"""The files of a version of a Delta table as one table: Parquet, in the types of the log.

What a file holds is found by the names that the log has for its columns. A column that came later
than a file has no value there; rows that are deleted are left out as a part is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, groupby
from typing import Any

import numpy as np

from ....errors import InputError
from ...columns import as_option
from ..parquet import ParquetFiles, Piece, StoredFile, as_bits, n_nulls, path_of, read_footers
from ..schema import widest
from ..source import Source
from .log import Snapshot, files_gone


@dataclass(frozen=True)
class DeltaFiles(ParquetFiles):
    """Files of a version.

    Attributes
    ----------
    snapshot
        The version.
    """

    snapshot: Snapshot

    @cached_property
    def names(self) -> list[str]:
        """Columns of the version."""
        return list(self.snapshot.schema.names)

    @property
    def index(self) -> list[str]:
        """None: a table has no index, whatever frame was written to it."""
        return []

    @property
    def unread(self) -> list[str]:
        """None, as above."""
        return []

    @cached_property
    def _files(self) -> dict[str, StoredFile]:
        found = {}
        for file in self.snapshot.files:
            there = set(self._schemas[file.path].names)
            stored = {
                name: own
                for name, own in self.snapshot.stored.items()
                if own in there and name not in file.partition
            }
            found[file.path] = StoredFile(file.path, file.partition, stored, int96="us")
        return found

    def _file(self, path: str) -> StoredFile:
        return self._files[path]

    def _type_of(self, column: str) -> Any:
        import pyarrow as pa

        found = widest([self.snapshot.schema.field(column).type])
        if pa.types.is_nested(found) and self.snapshot.stored[column] != column:
            raise InputError(
                f"The column {column!r} of {self.source.location.shown!r} is a {found} in a table "
                "whose columns are mapped, and its parts have other names in the files: leave it "
                f"out with --drop {as_option([column])}."
            )
        return found

    def _has_nulls(self, column: str) -> bool:
        return any(
            file.shared.get(column) is None
            if column not in file.stored
            else n_nulls(self.footers[path], file.stored[column]) != 0
            for path, file in self._files.items()
        )

    def _pieces(self, schema: Any) -> list[Piece]:
        pieces = super()._pieces(schema)
        deleted = {own.path: own.deleted for own in self.snapshot.files if own.deleted is not None}
        return [
            piece._replace(deleted=bits)
            for path, of_file in groupby(pieces, key=path_of)
            for piece, bits in _with_deleted(list(of_file), deleted.get(path))
        ]


def _with_deleted(
    pieces: list[Piece], deleted: np.ndarray | None
) -> Iterator[tuple[Piece, bytes | None]]:
    """All pieces of a file, with their own part of what is deleted of it."""
    if deleted is None:
        yield from ((piece, None) for piece in pieces)
        return
    # after the last that is deleted, the log says no more
    bits = np.unpackbits(deleted, count=sum(piece.n_rows for piece in pieces))
    starts = accumulate((piece.n_rows for piece in pieces), initial=0)
    for start, piece in zip(starts, pieces, strict=False):
        yield piece, as_bits(bits[start : start + piece.n_rows])


def open_delta(source: Source, snapshot: Snapshot, partition_bytes: int) -> DeltaFiles:
    """Read the footers of all files.

    Raises
    ------
    InputError
        A file is gone or not Parquet, or there are no rows.
    """
    location = source.location
    if not snapshot.files:
        raise InputError(
            f"The Delta table {location.shown!r} has no rows in version {snapshot.version}."
        )
    paths = list(source.files)
    try:
        footers = read_footers(location, paths)
    except FileNotFoundError as error:
        raise files_gone(snapshot) from error
    return DeltaFiles(source, dict(zip(paths, footers, strict=True)), partition_bytes, snapshot)
