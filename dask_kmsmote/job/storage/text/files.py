"""A table of text: its header, the types of all its rows, and a Dask frame of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple
from uuid import uuid4

from ....errors import InputError
from ....events import Callback
from ....graph.dask.tasks import Tasks, compute
from ....graph.dask.watch import stage
from ....kernels.rows.columns import is_whole_in_arrow
from ....planning.cuts import bundle
from ...columns import as_option
from ..location import Location
from ..schema import empty_frame, selected, to_pandas
from ..source import Source
from ..table import MOST_FILES, Table, from_parts, require_names_once
from .quotes import Quotes, quotes_in
from .spans import Span, TextFormat, as_one, header_of, lines_of, spans_of, undecodable, values_of
from .types import Evidence, added, converted, evidence_of

_HEADER_THREADS = 16
_MEMORY_RATIO = 2  # about what values take in memory of what they take as text
_NAMELESS = re.compile(r"Unnamed: \d+(\.\d+)*")
_SEPARATORS = ";", "\t", "|", ","


class Found(NamedTuple):
    """What a span holds.

    Attributes
    ----------
    quotes, n_rows
        Where it ends, and its rows.
    columns
        What speaks for the type of each column.
    fault
        Why it can't be read.
    """

    quotes: Quotes = Quotes()
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
        """Columns without a name, as pandas writes the index, and what it calls them."""
        return [name for name in self.names if _NAMELESS.fullmatch(name)]

    @property
    def unread(self) -> list[str]:
        """Nothing: of text, an index is a column."""
        return []

    def n_bytes(self, columns: Sequence[str]) -> int:  # noqa: ARG002 - text tells no columns apart
        """About what the values of all files take in memory."""
        return _MEMORY_RATIO * sum(span.n_bytes for span in self._spans)

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
            own.name
            for own in schema
            if is_whole_in_arrow(own.type) and evidence[own.name].has_missing
        )
        args = self.source.location, self.form, self.names, schema, nullable
        meta = empty_frame(schema, nullable)
        frame = from_parts(_read, self._parts(spans), meta, args, self.source)
        return Table(frame, schema, self.n_bytes(columns))

    @property
    def _spans(self) -> list[Span]:
        source = self.source
        name, size = source.location.name, self.partition_bytes
        return list(spans_of(source.files, name, self.form, size))

    def _scanned(self, columns: Sequence[str]) -> tuple[list[Span], list[Found]]:
        """Spans that begin and end with a row, and what they hold."""
        spans = self._spans
        with stage("types", [self.callback]):
            found = self._scan(spans, columns)
            whole = list(_joined(spans, found))
            if len(whole) < len(spans):
                spans, found = whole, self._scan(whole, columns)
        faults = [own.fault for own in found if own.fault]
        if faults:
            raise InputError(faults[0])
        return spans, found

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
        odd = {name: own.odd for name, own in evidence.items() if own.is_doubtful}
        texts = []
        if commas:
            texts.append(
                f"{commas} are numbers with a comma in them: where it is the decimal mark, "
                "--decimal ','."
            )
        if odd:
            texts.append(
                f"{list(odd)} are numbers but for some values, such as "
                f"{', '.join(map(repr, odd.values()))}: mend these."
            )
        if texts:
            listed = as_option([*commas, *odd])
            raise InputError(
                f"Of the columns of {self.source.location.shown!r}, {' '.join(texts)} Or take such "
                f"columns along as text, --keep {listed}; leave them out, --drop {listed}; or "
                "name all columns that are categories in --categorical."
            )


def open_text(
    source: Source, form: TextFormat, partition_bytes: int, callback: Callback
) -> TextFiles:
    """Read the headers of all files.

    Raises
    ------
    InputError
        A file has no header, a column twice, or others than the first; it is separated or encoded
        otherwise; or its folder names a column.
    """

    def read(path: str) -> list[str]:
        return header_of(source.location, path, form)

    _require_no_folders(source)
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
    return TextFiles(source, form, tuple(_named(names)), partition_bytes, callback)


def _require_no_folders(source: Source) -> None:
    named = {part for path in source.files for part in path.split("/")[:-1] if "=" in part}
    if named:
        raise InputError(
            f"The files of {source.location.shown!r} lie in folders that name a column, such as "
            f"{min(named)!r}, which is read of Parquet alone: write the table as Parquet, or name "
            "one folder as the source."
        )


def _named(header: Sequence[str]) -> Iterator[str]:
    """The names in a header; those that are missing as pandas has them."""
    for place, name in enumerate(header):
        own = name or f"Unnamed: {place}"
        # a frame that was written with its index twice has both: ",Unnamed: 0,x"
        while not name and own in header:
            own += ".1"
        yield own


def _joined(spans: Sequence[Span], found: Sequence[Found]) -> Iterator[Span]:
    """The spans, joined where a quoted value goes on from one to the next.

    Raises
    ------
    InputError
        A quote is never closed.
    """
    both = zip(spans, found, strict=True)
    for path, of_file in groupby(both, key=lambda each: each[0].path):
        held: list[Span] = []
        is_within, value = False, ""
        for span, own in of_file:
            held.append(span)
            is_within, value = own.quotes.ends_within[is_within], own.quotes.value or value
            if not is_within:
                yield as_one(held)
                held = []
        if held:
            raise InputError(
                f"{path or 'The file'} has a quote that is never closed, before {value!r}: close "
                "it, or put quotes around the value and double those in it."
            )


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
    quotes = Quotes()
    try:
        lines = lines_of(span, location, form)
        quotes = quotes_in(lines, form.separator)
        table = values_of(lines, span, form, names, columns)
    except InputError:
        raise
    except (ValueError, UnicodeError) as error:  # Arrow's are a ValueError
        return Found(quotes, fault=_fault(span, form, error))
    found = {name: evidence_of(table[name], form.decimal) for name in columns}
    return Found(quotes, table.num_rows, found)


def _fault(span: Span, form: TextFormat, error: Exception) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    where = f"{span.path!r}" if span.path else "The file"
    if isinstance(error, UnicodeError) or "invalid UTF8" in text:
        return f"{where} {undecodable(form, text)}."
    after = f", after byte {span.start}" if span.start else ""
    return (
        f"{where} can't be read as csv{after}: {text}. Every line needs as many values as the "
        "header has names; values that hold a separator or a line's end need quotes."
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

    wanted = selected(schema, columns)
    tables = []
    for span in part:
        try:
            lines = lines_of(span, location, form)
            text = values_of(lines, span, form, names, wanted.names)
            values = [converted(text[own.name], own.type, form.decimal) for own in wanted]
        except InputError:
            raise
        except (ValueError, UnicodeError) as error:
            raise InputError(
                f"{span.path or location.name!r} has changed meanwhile ({error}): run the job "
                "again when it is at rest."
            ) from error
        tables.append(pa.table(values, wanted))
    return to_pandas(pa.concat_tables(tables), nullable)
