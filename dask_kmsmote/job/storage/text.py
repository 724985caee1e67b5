"""Delimited text (CSV) as one table, whose types are those of all rows.

Text says no types, and its first rows may mislead: 15 whole numbers, and then decimals; a blank
that makes floats of ids. So all rows are seen once before they are used, in parts, on the cluster.
Files are cut at the ends of lines. A quoted value may hold such an end, so a cut is one only where
an even number of quotes stands before it:

    x,y / 1,"a / b" / 2,c         not between a and b
"""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from gzip import BadGzipFile
from io import BytesIO
from itertools import groupby
from typing import Any, NamedTuple
from uuid import uuid4

from ...errors import InputError
from ...events import Callback
from ...graph.dask.tasks import Tasks, compute
from ...graph.dask.watch import stage
from ...planning.cuts import bundle, cut
from .location import Location
from .schema import empty_frame, is_whole, to_pandas
from .source import Source
from .table import MOST_FILES, Table, from_parts, require_names_once
from .text_types import Evidence, added, converted, evidence_of

_HEADER_THREADS = 16
_HEADER_BYTES = 2**18  # stores fetch a block, which is 50 MiB by default
_UTF_16 = codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE
_SEPARATORS = ";", "\t", "|", ","
_COMPRESSED_RATIO = 8  # about what a .gz holds of its own size


@dataclass(frozen=True)
class TextFormat:
    """How a table is written down: what separates columns, the decimal mark, and the encoding."""

    separator: str = ","
    decimal: str = "."
    encoding: str = "utf-8"

    @property
    def can_be_cut(self) -> bool:
        """Whether the byte of a line's end, or of a quote, is nothing else."""
        return '\n"'.encode(self.encoding) == b'\n"'


class Span(NamedTuple):
    """Consecutive bytes of a file, from the start of a line; all of it where there is no stop."""

    path: str
    start: int
    stop: int | None
    n_bytes: int


class Found(NamedTuple):
    """What a span holds.

    Attributes
    ----------
    n_quotes, n_rows
        Numbers of quotes and of rows.
    columns
        What speaks for the type of each column.
    fault
        Why it can't be read.
    """

    n_quotes: int
    n_rows: int = 0
    columns: Mapping[str, Evidence] = {}
    fault: str | None = None


@dataclass(frozen=True)
class TextFiles:
    """Text files of one table.

    Attributes
    ----------
    source, form
        Where they are, and how they are written.
    names
        The columns; one without a name is "Unnamed: 0", and so on.
    partition_bytes
        Most bytes of a partition.
    callback
        Told of the stage "types".
    """

    source: Source
    form: TextFormat
    names: tuple[str, ...]
    partition_bytes: int
    callback: Callback

    @property
    def index(self) -> list[str]:
        """Columns without a name: pandas writes the index so."""
        return [name for place, name in enumerate(self.names) if name == _nameless(place)]

    def declared(self, columns: Sequence[str]) -> None:
        """Nothing: text says no types."""

    def typed(self, columns: Sequence[str], as_text: Sequence[str], judged: Sequence[str]) -> Table:
        """Some columns in the types of all rows; reads them once, on the active scheduler.

        Raises
        ------
        InputError
            A file can't be read so; there are no rows; or some of those `judged` are numbers but
            for a few words, or have commas that no option explains.
        """
        import pyarrow as pa

        spans, found = self._scanned(columns)
        if not sum(own.n_rows for own in found):
            raise InputError(f"The source {self.source.location.shown!r} has no rows.")
        evidence = {name: added([own.columns[name] for own in found]) for name in columns}
        self._require_clear({name: evidence[name] for name in judged})
        kinds = {name: "string" if name in as_text else evidence[name].kind for name in columns}
        schema = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in kinds.items()])
        nullable = frozenset(
            own.name for own in schema if is_whole(own.type) and evidence[own.name].has_missing
        )
        args = self.source.location, self.form, self.names, schema, nullable
        meta = empty_frame(schema, nullable)
        return Table(from_parts(_read, self._parts(spans), meta, args, self.source), schema)

    def _scanned(self, columns: Sequence[str]) -> tuple[list[Span], list[Found]]:
        """Spans that begin and end with a row, and what they hold."""
        spans = list(self._cut())
        with stage("types", [self.callback]):
            found = self._scan(spans, columns)
            whole = list(_joined(spans, found))
            if len(whole) < len(spans):
                spans, found = whole, self._scan(whole, columns)
        faults = [own.fault for own in found if own.fault]
        if faults:
            raise InputError(faults[0])
        return spans, found

    def _cut(self) -> Iterator[Span]:
        for path, info in self.source.files.items():
            size = int(info.get("size") or 0)
            if _is_compressed(path or self.source.location.name):
                yield Span(path, 0, None, _COMPRESSED_RATIO * size)
            elif not self.form.can_be_cut:
                yield Span(path, 0, None, size)
            else:
                for start, stop in cut(size, self.partition_bytes):
                    yield Span(path, start, stop, stop - start)

    def _parts(self, spans: Sequence[Span]) -> list[list[Span]]:
        runs = bundle([span.n_bytes for span in spans], self.partition_bytes, MOST_FILES)
        return [list(spans[low:high]) for low, high in runs]

    def _scan(self, spans: Sequence[Span], columns: Sequence[str]) -> list[Found]:
        tasks = Tasks(uuid4().hex)
        args = self.source.location, self.form, self.names, tuple(columns)
        return [
            found
            for part in compute(*[tasks("types", _look, own, *args) for own in self._parts(spans)])
            for found in part
        ]

    def _require_clear(self, evidence: Mapping[str, Evidence]) -> None:
        commas = [name for name, own in evidence.items() if own.has_commas]
        words = {name: own.word for name, own in evidence.items() if own.has_few_words}
        listed = ",".join([*commas, *words])
        texts = []
        if commas:
            texts.append(
                f"{commas} are numbers with a comma in them: where it is the decimal mark, "
                "--decimal ','."
            )
        if words:
            texts.append(
                f"{list(words)} are numbers but for a few words, such as "
                f"{', '.join(map(repr, words.values()))}: mend these values."
            )
        if texts:
            raise InputError(
                f"Of the columns of {self.source.location.shown!r}, {' '.join(texts)} Or take such "
                f"columns along as text, --keep '{listed}'; leave them out, --drop '{listed}'; or "
                "name all columns that are categories in --categorical."
            )


def open_text(
    source: Source, form: TextFormat, partition_bytes: int, callback: Callback
) -> TextFiles:
    """Read the headers of all files.

    Raises
    ------
    InputError
        A file has no header, a column twice, or others than the first; or it is separated or
        encoded otherwise.
    """

    def read(path: str) -> list[str]:
        return _header(source.location, path, form)

    with ThreadPoolExecutor(_HEADER_THREADS) as threads:
        headers = list(threads.map(read, source.files))
    names = headers[0]
    require_names_once(source, names)
    for path, header in zip(source.files, headers, strict=True):
        if header != names:
            raise InputError(
                f"The files of {source.location.shown!r} differ: {path!r} has the columns "
                f"{header}, {next(iter(source.files))!r} {names}. Write them anew with one header."
            )
    other = next((sign for sign in _SEPARATORS if len(names) == 1 and sign in names[0]), None)
    if other is not None:
        raise InputError(
            f"The files of {source.location.shown!r} have one column, {names[0]!r}: say what "
            f"separates columns, --separator {'tab' if other == chr(9) else repr(other)}."
        )
    own = tuple(name or _nameless(place) for place, name in enumerate(names))
    return TextFiles(source, form, own, partition_bytes, callback)


def _nameless(place: int) -> str:
    return f"Unnamed: {place}"


def _is_compressed(path: str) -> bool:
    return path.endswith(".gz")


def _header(location: Location, path: str, form: TextFormat) -> list[str]:
    import pandas as pd

    full = f"{location.path}/{path}".rstrip("/")
    with _open(full, location, block_size=_HEADER_BYTES) as file:
        head = file.read(_HEADER_BYTES)
    if form.can_be_cut and (head[:2] in _UTF_16 or b"\0" in head):
        raise InputError(
            f"{full!r} is no {form.encoding}, but looks like UTF-16: name the encoding with "
            "--encoding utf-16."
        )
    # as a row: of a header x,x pandas makes x and x.1, which would hide the double. And a column
    # may be called NA.
    how: dict[str, Any] = {"header": None, "nrows": 1, "dtype": str, "keep_default_na": False}
    try:
        read = pd.read_csv(BytesIO(head), sep=form.separator, encoding=form.encoding, **how)
    except UnicodeError as error:
        raise InputError(f"{full!r} {_undecodable(form, error)}") from error
    except ValueError as error:
        raise InputError(f"{full!r} has no line of column names: {error}.") from error
    return [str(name).removeprefix("\ufeff") for name in read.iloc[0]]


def _undecodable(form: TextFormat, error: object) -> str:
    other = "latin-1" if form.encoding.lower().replace("-", "") == "utf8" else "utf-8"
    return (
        f"can't be read as {form.encoding} ({error}): name its encoding, such as --encoding {other}"
    )


def _joined(spans: Sequence[Span], found: Sequence[Found]) -> Iterator[Span]:
    """The spans, joined where a quoted value goes on from one to the next."""
    both = zip(spans, found, strict=True)
    for _, of_file in groupby(both, key=lambda each: each[0].path):
        held: list[Span] = []
        n_quotes = 0
        for span, own in of_file:
            held.append(span)
            n_quotes += own.n_quotes
            if n_quotes % 2 == 0:
                yield _as_one(held)
                held = []
        if held:
            yield _as_one(held)


def _as_one(spans: Sequence[Span]) -> Span:
    return spans[0]._replace(stop=spans[-1].stop, n_bytes=sum(span.n_bytes for span in spans))


def _look(part: Sequence[Span], *args: Any) -> list[Found]:
    """What spans of a table hold."""
    return [_look_into(span, *args) for span in part]


def _look_into(
    span: Span,
    location: Location,
    form: TextFormat,
    names: Sequence[str],
    columns: Sequence[str],
) -> Found:
    data = _bytes_of(span, location)
    n_quotes = data.count(b'"')
    try:
        table = _parsed(data, span, form, names, columns)
    except (ValueError, UnicodeError) as error:  # Arrow's are a ValueError
        return Found(n_quotes, fault=_fault(span, form, error))
    found = {name: evidence_of(table[name], form.decimal) for name in columns}
    return Found(n_quotes, table.num_rows, found)


def _fault(span: Span, form: TextFormat, error: Exception) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    where = f"{span.path!r}" if span.path else "The file"
    if isinstance(error, UnicodeError) or "invalid UTF8" in text:
        return f"{where} {_undecodable(form, text)}."
    after = f", after byte {span.start}" if span.start else ""
    return (
        f"{where} can't be read as csv{after}: {text}. Every line needs as many values as the "
        "header has names; values that hold a separator or a line's end need quotes."
    )


@contextmanager
def _open(path: str, location: Location, **how: Any) -> Iterator[Any]:
    try:
        with location.fs.open(path, "rb", compression="infer", **how) as file:
            yield file
    except (EOFError, BadGzipFile, zlib.error) as error:
        raise InputError(f"{path!r} can't be read, as it is a damaged .gz: {error}.") from error


def _bytes_of(span: Span, location: Location) -> bytes:
    from fsspec.utils import read_block

    path = f"{location.path}/{span.path}".rstrip("/")
    with _open(path, location) as file:
        if span.stop is None:
            whole: bytes = file.read()
            return whole
        lines: bytes = read_block(file, span.start, span.stop - span.start, b"\n")
        return lines


def _parsed(
    data: bytes, span: Span, form: TextFormat, names: Sequence[str], columns: Sequence[str]
) -> Any:
    """Some columns of a span, as text."""
    import pyarrow as pa
    from pyarrow import csv

    kinds = dict.fromkeys(columns, pa.string())
    if not data.strip():
        return pa.schema(list(kinds.items())).empty_table()
    return csv.read_csv(
        BytesIO(data),
        csv.ReadOptions(
            use_threads=False,
            block_size=min(len(data) + 1, 2**30),
            column_names=list(names),
            skip_rows_after_names=int(span.start == 0),  # the header
            encoding=form.encoding,
        ),
        csv.ParseOptions(delimiter=form.separator, newlines_in_values=True),
        csv.ConvertOptions(column_types=kinds, include_columns=list(columns)),
    )


def _read(
    part: Sequence[Span],
    location: Location,
    form: TextFormat,
    names: Sequence[str],
    schema: Any,
    nullable: frozenset[str],
    columns: Sequence[str] | None = None,
) -> Any:
    """A part of a table as a frame."""
    import pyarrow as pa

    wanted = schema if columns is None else pa.schema([schema.field(name) for name in columns])
    tables = []
    for span in part:
        try:
            text = _parsed(_bytes_of(span, location), span, form, names, wanted.names)
            values = [converted(text[own.name], own.type, form.decimal) for own in wanted]
        except (ValueError, UnicodeError) as error:
            raise InputError(
                f"{span.path or location.name!r} has changed meanwhile ({error}): run the job "
                "again when it is at rest."
            ) from error
        tables.append(pa.table(values, wanted))
    return to_pandas(pa.concat_tables(tables), nullable)
