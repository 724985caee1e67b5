"""Parquet files as one table: the types of all files, and parts of them as tasks; and back.

The footers of all files are read first, here, several at a time. From them come the union of the
schemas, whether an integer is missing anywhere, and the parts: small files together, and large ones
by their row groups. Folders such as ``month=2026-01`` are a column, too.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from ...errors import InputError
from ...kernels.rows.columns import is_whole_in_arrow
from ...planning.cuts import bundle
from ..columns import as_option
from .folders import folders_of, repeated, require_same, type_of
from .location import Location
from .schema import empty_frame, selected, to_pandas, widest
from .source import Source
from .table import MOST_FILES, Table, from_parts, require_names_once

_FOOTER_THREADS = 16
_WHOLE_NUMBER = re.compile(r"0|-?[1-9]\d{0,17}")  # "01" is none, as it would come back as 1
_NAMELESS_INDEX = re.compile(r"__index_level_\d+__")


@dataclass(frozen=True)
class StoredFile:
    """A file, and where its columns are.

    Attributes
    ----------
    path
        Relative to the table.
    shared
        Columns that all its rows have one value of, which is not in it.
    stored
        The names of the others within it; what is in neither has no value in this file.
    int96
        What a timestamp of 96 bits is read in: in "ns", some 600 years can be told apart.
    """

    path: str
    shared: Mapping[str, Any]
    stored: Mapping[str, str]
    int96: str = "ns"


class Piece(NamedTuple):
    """A row group of a file, its bytes in memory, and which of its rows are deleted, as bits."""

    file: StoredFile
    row_group: int
    n_rows: int
    n_bytes: int
    deleted: bytes | None = None


@dataclass(frozen=True)
class ParquetFiles:
    """Parquet files of one table.

    Attributes
    ----------
    source
        Where they are.
    footers
        Of each file, by its path there.
    partition_bytes
        Most bytes of a partition; a row group is never cut.
    """

    source: Source
    footers: Mapping[str, Any]
    partition_bytes: int

    @cached_property
    def _schemas(self) -> dict[str, Any]:
        return {path: footer.schema.to_arrow_schema() for path, footer in self.footers.items()}

    @cached_property
    def _stored(self) -> dict[str, None]:
        """Columns of all files, in their order."""
        return dict.fromkeys(name for schema in self._schemas.values() for name in schema.names)

    @cached_property
    def _folders(self) -> dict[str, dict[str, str | None]]:
        """What folders say by file, of columns that no file has."""
        return {
            path: {
                name: value for name, value in folders_of(path).items() if name not in self._stored
            }
            for path in self.footers
        }

    @cached_property
    def names(self) -> list[str]:
        """Columns of all files and of their folders, in the order in which they come."""
        folders = [name for folders in self._folders.values() for name in folders]
        found = dict.fromkeys([*self._stored, *folders])
        return [name for name in found if not _NAMELESS_INDEX.fullmatch(name)]

    @cached_property
    def _noted_index(self) -> list[Any]:
        """The index as pandas notes it: names of columns, and ranges, which have none."""
        notes = {(schema.metadata or {}).get(b"pandas") for schema in self._schemas.values()}
        return [own for note in notes if note for own in json.loads(note)["index_columns"]]

    @property
    def index(self) -> list[str]:
        """Columns that were the index of a pandas frame."""
        return [name for name in self.names if name in self._noted_index]

    @property
    def unread(self) -> list[str]:
        """What was an index of row numbers, or one without a name: it is left out."""
        ranges = [own["name"] for own in self._noted_index if isinstance(own, dict)]
        nameless = [name for name in self._stored if _NAMELESS_INDEX.fullmatch(name)]
        return sorted({*nameless, *(str(name) for name in ranges if name is not None)})

    def n_bytes(self, columns: Sequence[str]) -> int:
        """About what some columns of all files take in memory."""
        return sum(piece.n_bytes for piece in self._pieces(self._schema_of(columns)))

    def declared(self, columns: Sequence[str]) -> Any:
        """The Arrow schema of some columns."""
        return self._schema_of(columns)

    def typed(self, columns: Sequence[str], kept: Sequence[str] = (), *_: Sequence[str]) -> Table:
        """Some columns, those that are `kept` with NaN beside null; reads nothing.

        Raises
        ------
        InputError
            A column is absent in a file, or of types without one that holds all their values.
        """
        import pyarrow as pa

        schema = self._schema_of(columns)
        nullable = frozenset(
            f.name
            for f in schema
            if (is_whole_in_arrow(f.type) and self._has_nulls(f.name))
            or (pa.types.is_floating(f.type) and f.name in kept)
        )
        args, meta = (self.source.location, schema, nullable), empty_frame(schema, nullable)
        frame = from_parts(_read, self._parts(schema), meta, args, self.source)
        return Table(frame, schema, self.n_bytes(columns))

    def _schema_of(self, columns: Sequence[str]) -> Any:
        import pyarrow as pa

        return pa.schema([(name, self._type_of(name)) for name in columns])

    def _type_of(self, column: str) -> Any:
        types: dict[Any, str] = {}
        for path, schema in self._schemas.items():
            # a file without rows has types of nothing
            if self.footers[path].num_rows:
                own = schema.field(column).type if column in schema.names else None
                types.setdefault(own, path)
        if list(types) == [None]:
            return self._type_of_folders(column)
        found = None if None in types else widest(list(types))
        if found is None:
            listed = ", ".join(
                f"{own or 'absent'} in {path!r}" for own, path in list(types.items())[:3]
            )
            raise InputError(
                f"The files of {self.source.location.shown!r} differ: the column {column!r} is "
                f"{listed}. A column that is no target can be "
                f"left out: name it in no option but --drop {as_option([column])}. Or write them "
                "anew with one schema."
            )
        return found

    def _type_of_folders(self, column: str) -> Any:
        import pyarrow as pa

        without = [path for path, folders in self._folders.items() if column not in folders]
        if without:
            raise InputError(
                f"The files of {self.source.location.shown!r} differ: {without[0]!r} lies in no "
                f"folder that names {column!r}. Name it in no option but --drop "
                f"{as_option([column])}, or move them."
            )
        if column in self.source.folder_types:
            return type_of(self.source.folder_types[column])
        values = {folders[column] for folders in self._folders.values()} - {None}
        is_number = values and all(_WHOLE_NUMBER.fullmatch(str(value)) for value in values)
        return pa.dictionary(pa.int32(), pa.int64() if is_number else pa.string())

    def _has_nulls(self, column: str) -> bool:
        if column not in self._stored:
            return None in {folders[column] for folders in self._folders.values()}
        # of a column without statistics anything may be missing
        return any(n_nulls(footer, column) != 0 for footer in self.footers.values())

    def _file(self, path: str) -> StoredFile:
        stored = self._schemas[path].names
        return StoredFile(path, self._folders[path], dict(zip(stored, stored, strict=True)))

    def _pieces(self, schema: Any) -> list[Piece]:
        return [
            Piece(file, group, own.num_rows, _n_bytes(own, file, schema))
            for path, footer in self.footers.items()
            for file in [self._file(path)]
            for group, own in enumerate(map(footer.row_group, range(footer.num_row_groups)))
            if own.num_rows
        ]

    def _parts(self, schema: Any) -> list[list[Piece]]:
        pieces = self._pieces(schema)
        # the order of categories is that of a file: the engine joins those of several
        if any(getattr(field.type, "ordered", False) for field in schema):
            return [list(own) for _, own in groupby(pieces, key=path_of)]
        runs = bundle([piece.n_bytes for piece in pieces], self.partition_bytes, MOST_FILES)
        return [pieces[low:high] for low, high in runs]


def open_parquet(source: Source, partition_bytes: int) -> ParquetFiles:
    """Read the footers of all files.

    Raises
    ------
    InputError
        A file is not Parquet or has two columns of one name, or there are no rows.
    """
    footers = read_footers(source.location, list(source.files))
    for footer in footers:
        require_names_once(source, footer.schema.to_arrow_schema().names)
    if sum(footer.num_rows for footer in footers) == 0:
        raise InputError(f"The source {source.location.shown!r} has no rows.")
    return ParquetFiles(source, dict(zip(source.files, footers, strict=True)), partition_bytes)


def read_footers(location: Location, names: Sequence[str]) -> list[Any]:
    """The metadata of Parquet files, several at a time.

    Raises
    ------
    InputError
        A file is not Parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    def read(name: str) -> Any:
        path = location.path_of(name)
        try:
            with location.fs.open(path) as file:
                return pq.read_metadata(file)
        except pa.ArrowInvalid as error:
            raise InputError(f"{path!r} can't be read as Parquet: {error}") from error

    with ThreadPoolExecutor(_FOOTER_THREADS) as threads:
        return list(threads.map(read, names))


def n_nulls(footer: Any, name: str) -> int | None:
    """Values of a column of a file that are missing; None where it does not say."""
    places = [j for j in range(footer.num_columns) if footer.schema.column(j).path == name]
    total = 0
    for group in range(footer.num_row_groups):
        for place in places:
            found = footer.row_group(group).column(place).statistics
            if found is None or found.null_count is None:
                return None
            total += found.null_count
    return total


def path_of(piece: Piece) -> str:
    """The path of its file."""
    return piece.file.path


def _n_bytes(row_group: Any, file: StoredFile, schema: Any) -> int:
    """About what some columns of a row group take in memory."""
    columns = map(row_group.column, range(row_group.num_columns))
    names = {file.stored[name] for name in schema.names if name in file.stored}
    encoded: int = sum(
        column.total_uncompressed_size
        for column in columns
        if column.path_in_schema.partition(".")[0] in names
    )
    # a million equal numbers are a few bytes in the file
    return max(encoded, 8 * int(row_group.num_rows) * len(schema))


def _read(
    part: Sequence[Piece],
    location: Location,
    schema: Any,
    nullable: frozenset[str],
    columns: Sequence[str] | None = None,
) -> Any:
    """A part of a table as a frame."""
    import pyarrow as pa

    wanted = selected(schema, columns)
    by_file = groupby(part, key=path_of)
    # without a name, so that columns are freed as pandas takes them
    frame = to_pandas(
        pa.concat_tables(
            _read_file(list(pieces), location, wanted) for _, pieces in by_file
        ).unify_dictionaries(),
        nullable,
    )
    free()
    return frame


def free() -> None:
    """Give back what Arrow keeps for later: 180 MB of a worker that reads parts of 36 MB."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()


def _read_file(pieces: Sequence[Piece], location: Location, schema: Any) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file_of = pieces[0].file
    path, shared = file_of.path, file_of.shared
    stored = {own.name: file_of.stored[own.name] for own in schema if own.name in file_of.stored}
    groups = [piece.row_group for piece in pieces]
    # together from a store, which takes its time for each request; else one by one: together, they
    # take three times the memory that they need in the end
    in_file = list(stored.values())
    together = [[name] for name in in_file] if location.is_local else [in_file]
    read: dict[str, Any] = {}
    # not a fragment of a dataset, which forgets the order of its row groups
    with location.fs.open(location.path_of(path)) as file:
        opened = pq.ParquetFile(
            file, pre_buffer=not location.is_local, coerce_int96_timestamp_unit=file_of.int96
        )
        for names in together:
            # with one thread, as a worker has others
            found = opened.read_row_groups(groups, names, use_threads=False)
            read |= {name: found[name] for name in names}
    n_rows = sum(piece.n_rows for piece in pieces)
    for name, found in read.items():
        require_same(found, name, path)
    columns = [
        _cast(read[stored[own.name]], own, path)
        if own.name in stored
        else repeated(shared.get(own.name), own.type, n_rows)
        for own in schema
    ]
    table = pa.table(columns, schema)
    return table.filter(_kept(pieces)) if any(piece.deleted for piece in pieces) else table


def _kept(pieces: Sequence[Piece]) -> Any:
    """For each row of some pieces, whether it is not deleted."""
    import pyarrow as pa

    return pa.array(np.concatenate([~is_deleted(piece.deleted, piece.n_rows) for piece in pieces]))


def as_bits(is_deleted: np.ndarray) -> bytes | None:
    """Which rows of a piece are deleted, as it has them: packed and compressed; None for none."""
    # it travels in a task: of a million rows, every hundredth of them deleted, 17 KB
    return zlib.compress(np.packbits(is_deleted).tobytes()) if is_deleted.any() else None


def is_deleted(bits: bytes | None, n_rows: int) -> np.ndarray:
    """For each row of a piece, whether it is deleted."""
    if bits is None:
        return np.zeros(n_rows, bool)
    return np.unpackbits(np.frombuffer(zlib.decompress(bits), np.uint8))[:n_rows].astype(bool)


def _cast(values: Any, field: Any, path: str) -> Any:
    import pyarrow as pa

    try:
        return values if values.type == field.type else values.cast(field.type)
    except pa.ArrowInvalid as error:
        raise InputError(
            f"The column {field.name!r} of {path!r} can't be read as {field.type}, which other "
            f"files have: {error}. Write the files anew with one schema."
        ) from error
