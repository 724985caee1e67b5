"""The types that Delta has, and those that columns of other types are written in.

Delta has no unsigned integers, no categories, no times of day and no spans of time:

    uint8, uint32, uint64         short, long, decimal(20, 0)
    dictionary<int32, string>     string
    timestamp[ns]                 timestamp_ntz, of microseconds: a value that has more is an error
    timestamp[us, Europe/Berlin]  timestamp, the same moment without the name of the zone
    time64, duration, null        none: such columns are refused
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from ....errors import InputError
from ...columns import Columns, as_option
from ..location import Location
from ..schema import widest

_MOST_DIGITS = 38


def schema_of_delta(schema: Any, destination: Location) -> Any:
    """The Arrow types that a table of Delta has for some columns.

    Raises
    ------
    InputError
        It has none for some of them.
    """
    import pyarrow as pa

    _require_told_apart(schema.names, destination)
    found = {own.name: _written_as(own.type) for own in schema}
    odd = [name for name, own in found.items() if own is None]
    if odd:
        listed = ", ".join(f"{name!r} of {schema.field(name).type}" for name in odd)
        raise InputError(
            f"The Delta table {destination.shown!r} can't hold {listed}, as Delta has no such "
            f"types: leave columns out with --drop {as_option(odd)}, or write Parquet to another "
            "destination."
        )
    return pa.schema(list(found.items()))


def _require_told_apart(names: Sequence[str], destination: Location) -> None:
    """Raise `InputError` where names differ in case alone, which Delta takes for one."""
    counts = Counter(name.lower() for name in names)
    alike = [name for name in names if counts[name.lower()] > 1]
    if alike:
        raise InputError(
            f"The Delta table {destination.shown!r} can't hold the columns {alike}, which differ "
            f"in case alone: leave some out, such as --drop {as_option(alike[1:])}, or rename them."
        )


def _written_as(arrow_type: Any) -> Any:
    """The Arrow type that Delta has for all values of another; None where it has none."""
    import pyarrow as pa
    import pyarrow.types as of

    own = widest([arrow_type])
    if of.is_dictionary(own):
        return _written_as(own.value_type)
    if of.is_nested(own):
        return _written_as_nested(own)
    if of.is_decimal(own):
        fits = own.precision <= _MOST_DIGITS and 0 <= own.scale <= own.precision
        return pa.decimal128(own.precision, own.scale) if fits else None
    if of.is_timestamp(own):
        return pa.timestamp("us", tz=own.tz and "UTC")
    return next((wide for kinds, wide in _plain_types() if own in kinds), None)


def _plain_types() -> list[tuple[set[Any], Any]]:
    import pyarrow as pa

    return [
        *[({own}, own) for own in (pa.bool_(), pa.int8(), pa.float64())],
        ({pa.int16(), pa.uint8()}, pa.int16()),
        ({pa.int32(), pa.uint16()}, pa.int32()),
        ({pa.int64(), pa.uint32()}, pa.int64()),
        ({pa.uint64()}, pa.decimal128(20, 0)),
        ({pa.float32(), pa.float16()}, pa.float32()),
        ({pa.string(), pa.large_string()}, pa.string()),
        ({pa.binary(), pa.large_binary()}, pa.binary()),
        ({pa.date32(), pa.date64()}, pa.date32()),
    ]


def _written_as_nested(own: Any) -> Any:
    import pyarrow as pa
    import pyarrow.types as of

    if of.is_struct(own):
        parts = {field.name: _written_as(field.type) for field in own}
        return None if None in parts.values() else pa.struct(list(parts.items()))
    if of.is_map(own):
        key, item = _written_as(own.key_type), _written_as(own.item_type)
        return None if None in (key, item) else pa.map_(key, item)
    value = _written_as(own.value_type)
    return None if value is None else pa.list_(value)


def require_columns_of(table: Any, schema: Any, columns: Columns, destination: Location) -> Any:
    """The types of a table, for columns that are to be written to it.

    Parameters
    ----------
    table, schema
        Arrow schemas: of the table, and of what is to be written.
    columns
        What is done with columns.
    destination
        The table, for messages.

    Raises
    ------
    InputError
        Columns are other ones, or of types that hold other values, or must not be null.
    """
    import pyarrow as pa

    told = [
        *_of_strange([name for name in schema.names if name not in table.names], columns),
        *_of_absent([name for name in table.names if name not in schema.names], table, columns),
        *_of_types(table, schema),
        *_of_nulls([own.name for own in table if not own.nullable and own.name in columns.keep]),
    ]
    if told:
        raise InputError(
            f"What is to be written to the Delta table {destination.shown!r} has "
            f"{'; and '.join(told)}. Or name another destination."
        )
    return pa.schema([table.field(name) for name in schema.names])


def _of_strange(names: list[str], columns: Columns) -> Iterator[str]:
    others = [name for name in names if name != columns.mark]
    if others:
        yield f"{others}, which it has not: leave them out with --drop {as_option(others)}"
    if len(others) < len(names):
        yield f"the mark {columns.mark!r}, which it has not: leave out --mark-synthetic"


def _of_absent(names: list[str], table: Any, columns: Columns) -> Iterator[str]:
    import pyarrow as pa

    here = [name for name in names if name in columns.present]
    if here:
        yield (
            f"no {here}, which it has: take them along with --keep {as_option(here)}, and name "
            "them in no --drop"
        )
    others = [name for name in names if name not in columns.present]
    if len(others) == 1 and table.field(others[0]).type == pa.bool_() and columns.mark is None:
        yield f"no {others[0]!r}, which it has: mark new rows with --mark-synthetic {others[0]!r}"
    elif others:
        yield f"no {others}, which it has, and the source has not: add them to the source"


def _of_types(table: Any, schema: Any) -> Iterator[str]:
    others = [
        f"{own.name!r} of {own.type} for {table.field(own.name).type}"
        for own in schema
        if own.name in table.names and not _holds(table.field(own.name).type, own.type)
    ]
    if others:
        yield f"other types, {', '.join(others)}: cast those of the source, or widen the table's"


def _of_nulls(names: list[str]) -> Iterator[str]:
    if names:
        yield (
            f"no values for {names} in new rows, and the table has them NOT NULL: make rows by "
            "them, with fewer names in --keep, or allow nulls in the table"
        )


def _holds(wide: Any, own: Any) -> bool:
    return bool(widest([wide, own]) == widest([wide]))
