"""Parts of a file of text that begin and end with a row, and the values in them.

A file is cut at ends of lines, by bytes, so that each part is read alone; one that is compressed,
or in an encoding of wide signs, is a part as a whole. Whatever the encoding, what is read is UTF-8.
"""

from __future__ import annotations

import codecs
import csv
import io
import lzma
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from gzip import BadGzipFile
from typing import Any, NamedTuple
from zipfile import BadZipFile

from ....errors import InputError
from ....planning.cuts import cut
from ..location import Location
from ..source import is_compressed

_HEADER_BYTES = 2**18  # stores fetch a block, which is 50 MiB by default
_COMPRESSED_RATIO = 8  # about what a compressed file holds of its own size
_BOM = "\ufeff"
_DAMAGED = EOFError, BadGzipFile, BadZipFile, zlib.error, lzma.LZMAError
# the longer marks first, as they begin with the shorter ones
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class TextFormat:
    """How a table is written down: what separates columns, the decimal mark, and the encoding."""

    separator: str = ","
    decimal: str = "."
    encoding: str = "utf-8"

    @property
    def is_utf_8(self) -> bool:
        """Whether bytes are what they are read as."""
        return codecs.lookup(self.encoding).name == "utf-8"

    @property
    def can_be_cut(self) -> bool:
        """Whether the byte of a line's end is nothing else."""
        return "\n".encode(self.encoding) == b"\n"

    @property
    def blank_lines(self) -> re.Pattern[bytes]:
        """Lines without a value, before the header."""
        space = rb"[ ]*" if self.separator == "\t" else rb"[ \t]*"
        return re.compile(rb"(?:" + space + rb"(?:\r\n|\n|\r))+")


class Span(NamedTuple):
    """Consecutive lines of a file, by its bytes; all of it where there is no stop."""

    path: str
    start: int
    stop: int | None
    n_bytes: int


def spans_of(
    files: Mapping[str, Mapping[str, Any]], name: str, form: TextFormat, n_bytes: int
) -> Iterator[Span]:
    """The spans of files, of at most so many bytes; `name` is that of a file without a path."""
    for path, info in files.items():
        size = int(info.get("size") or 0)
        if is_compressed(path or name):
            yield Span(path, 0, None, _COMPRESSED_RATIO * size)
        elif form.can_be_cut:
            for start, stop in cut(size, n_bytes):
                yield Span(path, start, stop, stop - start)
        else:
            yield Span(path, 0, None, size)


def as_one(spans: Sequence[Span]) -> Span:
    """Spans that follow one another, joined."""
    return spans[0]._replace(stop=spans[-1].stop, n_bytes=sum(span.n_bytes for span in spans))


@contextmanager
def _open(path: str, location: Location, **how: Any) -> Iterator[Any]:
    try:
        with location.fs.open(path, "rb", compression="infer", **how) as file:
            yield file
    except _DAMAGED as error:
        raise InputError(
            f"{path!r} can't be read, as the compressed file is damaged: {error}."
        ) from error


def header_of(location: Location, name: str, form: TextFormat) -> list[str]:
    """The names in the first line that is not blank.

    Raises
    ------
    InputError
        There is none, or it is of another encoding.
    """
    path, size = location.path_of(name), _HEADER_BYTES
    while True:
        with _open(path, location, block_size=_HEADER_BYTES) as file:
            head = file.read(size)
        is_all = len(head) < size
        _require_encoding(path, head, form)
        try:
            # signs of several bytes may be cut
            text = codecs.getincrementaldecoder(form.encoding)().decode(head, is_all)
        except UnicodeError as error:
            raise InputError(f"{path!r} {undecodable(form, error)}.") from error
        lines = io.StringIO(text.removeprefix(_BOM), newline="")
        rows = (row for row in csv.reader(lines, delimiter=form.separator) if not _is_blank(row))
        header = next(rows, None)
        # a second row is the end of the first
        if is_all or next(rows, None) is not None:
            break
        size *= 8
    if header is not None and len("".join(header)) < 6 and header[0].lower().startswith("sep="):
        raise InputError(
            f"{path!r} begins with a line for Excel, 'sep=', which is no header: leave it out of "
            "the file, and name the sign with --separator."
        )
    if header is None:
        raise InputError(f"{path!r} has no line of column names: write one, or leave it out.")
    return header


def _is_blank(row: Sequence[str]) -> bool:
    return len(row) < 2 and not "".join(row).strip()


def _require_encoding(path: str, head: bytes, form: TextFormat) -> None:
    if not form.can_be_cut or b"\0" not in head:
        return
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), None)
    # of a text in Latin letters, every second byte is 0
    sides = head[0::2].count(0), head[1::2].count(0)
    is_wide = 4 * max(sides) > len(head) / 2
    guessed = "utf-16-le" if sides[1] > sides[0] else "utf-16-be"
    if not (marked or is_wide):
        raise InputError(
            f"{path!r} has the byte 0 at {head.index(0)}, which is no text: is the file damaged? "
            "Write it anew."
        )
    raise InputError(
        f"{path!r} is no {form.encoding}, but looks like {(marked or guessed).upper()}: name the "
        f"encoding with --encoding {marked or guessed}."
    )


def undecodable(form: TextFormat, error: object) -> str:
    """What is said of bytes that are none of an encoding."""
    # which has the signs of latin-1, and where that has none of its own a euro sign, or none
    other = "cp1252" if form.is_utf_8 else "utf-8"
    if form.encoding.lower().startswith("utf-16"):
        other = "utf-16-le"
    return (
        f"can't be read as {form.encoding} ({error}): name its encoding, such as --encoding {other}"
    )


def lines_of(span: Span, location: Location, form: TextFormat) -> bytes:
    """The rows of a span in UTF-8; the first of a file is its header.

    Raises
    ------
    UnicodeError
        They are not in their encoding.
    """
    from fsspec.utils import read_block

    with _open(location.path_of(span.path), location) as file:
        data: bytes = (
            file.read()
            if span.stop is None
            else read_block(file, span.start, span.stop - span.start, b"\n")
        )
    if not form.is_utf_8:
        data = data.decode(form.encoding).encode()
    if span.start == 0:
        data = data.removeprefix(codecs.BOM_UTF8)
        blank = form.blank_lines.match(data)
        data = data[blank.end() :] if blank else data
    return _ended(data)


def _ended(data: bytes) -> bytes:
    """The same with an end of its last line, and without signs that some editors put behind it."""
    bare = data.rstrip(b" \x1a")
    data = bare if not bare or bare.endswith((b"\n", b"\r")) else data
    return data if not data or data.endswith((b"\n", b"\r")) else data + b"\n"


def values_of(
    lines: bytes, span: Span, form: TextFormat, names: Sequence[str], columns: Sequence[str]
) -> Any:
    """Some columns of the rows of a span, as text.

    Raises
    ------
    pyarrow.ArrowInvalid
        A row has not as many values as there are names; or what is read is no UTF-8.
    """
    import pyarrow as pa
    import pyarrow.csv as reader

    kinds = dict.fromkeys(columns, pa.string())
    if not lines.strip():
        return pa.schema(list(kinds.items())).empty_table()
    return reader.read_csv(
        io.BytesIO(lines),
        reader.ReadOptions(
            use_threads=False,
            block_size=min(len(lines) + 1, 2**30),
            column_names=list(names),
            skip_rows_after_names=int(span.start == 0),  # the header
        ),
        reader.ParseOptions(delimiter=form.separator, newlines_in_values=True),
        reader.ConvertOptions(column_types=kinds, include_columns=list(columns)),
    )
