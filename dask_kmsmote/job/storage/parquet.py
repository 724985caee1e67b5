"""Parquet files as one table: the types of all files, and parts of them as tasks; and back.

The footers of all files are read first, here, several at a time. From them come the union of the
schemas, whether an integer is missing anywhere, and the parts: small files together, and large ones
by their row groups. Folders such as ``month=2026-01`` are a column, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise
from typing import Any, NamedTuple
from urllib.parse import unquote
from uuid import uuid4

from ...errors import DestinationError, InputError
from ...graph.dask.tasks import Tasks, compute
from ...kernels.rows.columns import is_whole_in_arrow
from ...planning.cuts import bundle
from ..columns import as_option
from .draft import Draft
from .location import Location
from .manifest import published
from .schema import empty_frame, selected, to_arrow, to_pandas, widest
from .source import Source
from .table import MOST_FILES, Table, from_parts, require_names_once

_FOOTER_THREADS = 16
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
_WHOLE_NUMBER = re.compile(r"0|-?[1-9]\d{0,17}")  # "01" is none, as it would come back as 1
_NAMELESS_INDEX = re.compile(r"__index_level_\d+__")


class Piece(NamedTuple):
    """A row group of a file, the values that its folders name, and its bytes in memory."""

    path: str
    row_group: int
    n_rows: int
    folders: Mapping[str, str | None]
    n_bytes: int


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
            path: {name: value for name, value in _folders_of(path) if name not in self._stored}
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
        """An empty frame of some columns in their types, as if nothing were missing in them."""
        return empty_frame(self._schema_of(columns), ())

    def typed(self, columns: Sequence[str], *_: Sequence[str]) -> Table:
        """Some columns; reads nothing.

        Raises
        ------
        InputError
            A column is absent in a file, or of types without one that holds all their values.
        """
        schema = self._schema_of(columns)
        nullable = frozenset(
            f.name for f in schema if is_whole_in_arrow(f.type) and self._has_nulls(f.name)
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
        values = {folders[column] for folders in self._folders.values()} - {None}
        is_number = values and all(_WHOLE_NUMBER.fullmatch(str(value)) for value in values)
        return pa.dictionary(pa.int32(), pa.int64() if is_number else pa.string())

    def _has_nulls(self, column: str) -> bool:
        # of a column without statistics anything may be missing
        return any(_n_nulls(footer, column) != 0 for footer in self.footers.values())

    def _pieces(self, schema: Any) -> list[Piece]:
        return [
            Piece(path, group, own.num_rows, self._folders[path], _n_bytes(own, schema))
            for path, footer in self.footers.items()
            for group, own in enumerate(map(footer.row_group, range(footer.num_row_groups)))
            if own.num_rows
        ]

    def _parts(self, schema: Any) -> list[list[Piece]]:
        pieces = self._pieces(schema)
        # the order of categories is that of a file: the engine joins those of several
        if any(getattr(field.type, "ordered", False) for field in schema):
            return [list(own) for _, own in groupby(pieces, key=lambda piece: piece.path)]
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


def _folders_of(path: str) -> list[tuple[str, str | None]]:
    """What the folders of a file name: of ``month=5/city=__HIVE_DEFAULT_PARTITION__/x``, two."""
    named = [part.split("=", 1) for part in path.split("/")[:-1] if "=" in part]
    values = [(name, None if value == _NO_VALUE else unquote(value)) for name, value in named]
    return [(unquote(name), value) for name, value in values]


def _n_nulls(footer: Any, name: str) -> int | None:
    places = [j for j in range(footer.num_columns) if footer.schema.column(j).path == name]
    total = 0
    for group in range(footer.num_row_groups):
        for place in places:
            found = footer.row_group(group).column(place).statistics
            if found is None or found.null_count is None:
                return None
            total += found.null_count
    return total


def _n_bytes(row_group: Any, schema: Any) -> int:
    """About what some columns of a row group take in memory."""
    columns = map(row_group.column, range(row_group.num_columns))
    names = set(schema.names)
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
    by_file = groupby(part, key=lambda piece: piece.path)
    # without a name, so that columns are freed as pandas takes them
    frame = to_pandas(
        pa.concat_tables(
            _read_file(list(pieces), location, wanted) for _, pieces in by_file
        ).unify_dictionaries(),
        nullable,
    )
    _free()
    return frame


def _free() -> None:
    """Give back what Arrow keeps for later: 180 MB of a worker that reads parts of 36 MB."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()


def _read_file(pieces: Sequence[Piece], location: Location, schema: Any) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path, folders = pieces[0].path, pieces[0].folders
    in_file = [own.name for own in schema if own.name not in folders]
    groups = [piece.row_group for piece in pieces]
    # together from a store, which takes its time for each request; else one by one: together, they
    # take three times the memory that they need in the end
    together = [[name] for name in in_file] if location.is_local else [in_file]
    read: dict[str, Any] = {}
    # not a fragment of a dataset, which forgets the order of its row groups
    with location.fs.open(location.path_of(path)) as file:
        opened = pq.ParquetFile(file, pre_buffer=not location.is_local)
        for names in together:
            # with one thread, as a worker has others
            found = opened.read_row_groups(groups, names, use_threads=False)
            read |= {name: found[name] for name in names}
    n_rows = sum(piece.n_rows for piece in pieces)
    columns = [
        _repeated(folders[own.name], own.type, n_rows)
        if own.name in folders
        else _cast(read[own.name], own, path)
        for own in schema
    ]
    return pa.table(columns, schema)


def _cast(values: Any, field: Any, path: str) -> Any:
    import pyarrow as pa

    try:
        return values if values.type == field.type else values.cast(field.type)
    except pa.ArrowInvalid as error:
        raise InputError(
            f"The column {field.name!r} of {path!r} can't be read as {field.type}, which other "
            f"files have: {error}. Write the files anew with one schema."
        ) from error


def _repeated(value: str | None, arrow_type: Any, n: int) -> Any:
    import pyarrow as pa

    of_value = pa.array([value]).cast(arrow_type.value_type).dictionary_encode()
    return of_value.take(pa.array([0] * n, pa.int32())).cast(arrow_type)


def write_table(frame: Any, draft: Draft, schema: Any, n_rows: int) -> list[dict[str, Any]]:
    """Write a Dask frame as Parquet; computes.

    Parameters
    ----------
    frame
        Of known divisions, its index 0 ... n - 1.
    draft, schema
        Where, and in which types.
    n_rows
        Most rows of a file, unless a partition has more.

    Returns
    -------
    list of dict
        Path where it is published, rows and bytes of each file.

    Raises
    ------
    DestinationError
        What lies there is not what was written.
    """
    location, tasks = draft.location, Tasks(uuid4().hex)
    location.fs.makedirs(location.path, exist_ok=True)
    files = compute(
        *[
            tasks("write", _write, parts, location, draft.part(number), schema)
            for number, parts in enumerate(_runs(frame, n_rows))
        ]
    )
    sizes = {name: int(info["size"]) for name, info in location.files().items()}
    if sizes != {file["path"]: file["bytes"] for file in files}:
        raise DestinationError(
            f"What lies at {draft.destination.shown!r} is not what was written: look who else "
            "writes there, and run the job again."
        )
    return [file | {"path": published(file["path"])} for file in files]


def _runs(frame: Any, n_rows: int) -> list[list[Any]]:
    """The partitions of each file, as tasks."""
    parts, starts = frame.to_delayed(), frame.divisions
    # the last division is that of the last row
    lengths = [stop - start for start, stop in pairwise((*starts[:-1], starts[-1] + 1))]
    return [parts[low:high] for low, high in bundle(lengths, n_rows, len(lengths))]


def _write(parts: Sequence[Any], location: Location, name: str, schema: Any) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    # row groups are cut anew: those of small parts would be small
    table = pa.concat_tables([to_arrow(part, schema) for part in parts])
    with location.fs.open(location.path_of(name), "wb") as file:
        pq.write_table(table.unify_dictionaries(), file)
        n_bytes = file.tell()
    n_rows = table.num_rows
    del table
    _free()
    return {"path": name, "rows": n_rows, "bytes": n_bytes}


def require_rows(n_written: int, n_rows: int) -> None:
    """Raise `DestinationError` where what was written is not what was planned."""
    if n_written != n_rows:
        raise DestinationError(
            f"{n_written} rows were written instead of {n_rows}: the source changed meanwhile. "
            "Run the job again when it is at rest."
        )
