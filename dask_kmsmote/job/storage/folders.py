"""Folders that name values, as Hive has them: ``day=2026-01-01/city=a%20b/part-000000.parquet``.

A folder says a value as text; its type is noted in the manifest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any
from urllib.parse import unquote

from ...errors import InputError
from ..columns import as_option

NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
_MOST_BYTES = 255  # of a name, on most file systems
# pyarrow decodes names of columns, polars and DuckDB do not; what begins with _ or . is hidden
_PLAIN = re.compile(r"[^\W_][\w .-]*")
# what is not ASCII stays: to Spark each %XX is a character of its own
_QUOTED = re.compile(r"[^A-Za-z0-9_.~\x80-\U0010ffff-]")


def folders_of(path: str) -> dict[str, str | None]:
    """What the folders of a file name: of ``month=5/city=__HIVE_DEFAULT_PARTITION__/x``, two.

    Raises
    ------
    InputError
        Two of them name one column, and other values; or one is no text.
    """
    found: dict[str, str | None] = {}
    for part in path.split("/")[:-1]:
        name, sign, text = part.partition("=")
        name, value = _decoded(name, path), None if text == NO_VALUE else _decoded(text, path)
        if sign and found.setdefault(name, value) != value:
            raise InputError(
                f"{path!r} has two folders of the column {name!r}, and readers differ on which of "
                "them counts: rename one."
            )
    return found


def _decoded(text: str, path: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise InputError(
            f"A folder of {path!r} is no UTF-8 once its %-signs are decoded: rename it."
        ) from error


def path_in(values: Mapping[str, str | None], name: str) -> str:
    """The path of a file in the folders that name some values.

    Raises
    ------
    InputError
        A value is too long.
    """
    folders = [f"{column}={_quoted(value)}" for column, value in values.items()]
    for column, folder in zip(values, folders, strict=True):
        if len(folder.encode()) > _MOST_BYTES:
            raise InputError(
                f"The column {column!r} of --partition-by has a text of {len(folder.encode())} "
                f"bytes as a folder, {folder[:60]!r}…, and file systems take {_MOST_BYTES}: leave "
                "it out there."
            )
    return "/".join([*folders, name])


def _quoted(value: str | None) -> str:
    return NO_VALUE if value is None else _QUOTED.sub(lambda sign: f"%{ord(sign[0]):02X}", value)


@cache
def _types() -> dict[str, Any]:
    """Arrow types of which folders can name the values, by their texts."""
    import pyarrow as pa

    bits = 8, 16, 32, 64
    whole = [getattr(pa, f"{sign}int{n}")() for sign in ("", "u") for n in bits]
    others = [pa.string(), pa.large_string(), pa.bool_(), pa.date32()]
    times = [pa.timestamp(unit) for unit in ("s", "ms", "us", "ns")]
    plain = [*whole, *others, *times]
    return {str(own): own for own in [*plain, *(pa.dictionary(pa.int32(), own) for own in plain)]}


def type_of(text: str) -> Any:
    """The Arrow type of a column of folders by its text; None where none has it."""
    return _types().get(text)


def type_texts(schema: Any, names: Sequence[str]) -> dict[str, str]:
    """Of columns that name folders, the texts of their types, for `type_of`."""
    return {name: str(schema.field(name).type) for name in names}


def require_nameable(schema: Any, names: Sequence[str]) -> None:
    """Raise `InputError` where a folder can't name the columns, or their values."""
    odd = [name for name in names if not _PLAIN.fullmatch(name)]
    if odd:
        raise InputError(
            f"The columns {odd} can't name folders, as readers differ on names with signs, or hide "
            f"them: rename them. {_without(names, odd)}"
        )
    strange = [name for name in names if type_of(str(schema.field(name).type)) is None]
    if strange:
        listed = ", ".join(f"{name!r} is {schema.field(name).type}" for name in strange)
        raise InputError(
            f"The values of some columns in --partition-by can't name folders: {listed}. Integers, "
            "text, booleans, dates, timestamps without a zone and unordered categories of these "
            f"can. {_without(names, strange)}"
        )


def _without(names: Sequence[str], refused: Sequence[str]) -> str:
    left = [name for name in names if name not in refused]
    return f"Say --partition-by {as_option(left)}." if left else "Leave out --partition-by."


def repeated(value: Any, arrow_type: Any, n: int) -> Any:
    """What all rows of a file have in a column that is not in it."""
    import pyarrow as pa

    is_category = pa.types.is_dictionary(arrow_type)
    own = pa.array([value]).cast(arrow_type.value_type if is_category else arrow_type)
    return (own.dictionary_encode() if is_category else own).take(pa.array([0] * n, pa.int32()))


def require_same(column: Any, name: str, path: str) -> None:
    """Raise `InputError` where a file has other values in a column than its folder says.

    To polars, DuckDB and Spark the folder counts; to others the file, or neither.
    """
    said = folders_of(path)
    if name in said and not _is_all(column, said[name]):
        raise InputError(
            f"The column {name!r} of {path!r} has other values than its folder, {said[name]!r}, "
            "and readers differ on which of them count. A column that is no target can be left "
            f"out: name it in no option but --drop {as_option([name])}. Or write the files anew "
            "without it."
        )


def _is_all(column: Any, value: str | None) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    if value is None or column.null_count:
        return value is None and column.null_count == len(column)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        said = pa.scalar(value).cast(column.type)
        return bool(pc.all(pc.equal(column, said)).as_py())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # no such value, or none of a folder
        return False
