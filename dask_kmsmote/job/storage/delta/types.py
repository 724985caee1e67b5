"""The types that Delta has, and those that columns of other types are written in.

Delta has no unsigned integers, no categories, no times of day and no spans of time:

    uint8, uint32, uint64         short, long, decimal(20, 0)
    dictionary<int32, string>     string
    timestamp[ns]                 timestamp_ntz, of microseconds: a value that has more is an error
    timestamp[us, Europe/Berlin]  timestamp, the same moment without the name of the zone
    time64, duration, null        none: such columns are refused
"""

from __future__ import annotations

from typing import Any

from ....errors import InputError
from ...columns import as_option
from ..location import Location
from ..schema import widest
from .log import Snapshot, url_of


def schema_of_delta(schema: Any, destination: Location) -> Any:
    """The Arrow types that a table of Delta has for some columns.

    Raises
    ------
    InputError
        It has none for some of them.
    """
    import pyarrow as pa

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


_MOST_DIGITS = 38


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


def require_feature_for(schema: Any, snapshot: Snapshot) -> None:
    """Raise `InputError` where a table lacks what these types ask of its readers."""
    import pyarrow as pa

    local = [own.name for own in schema if _has(own.type, pa.timestamp("us"))]
    if local and "timestampNtz" not in (snapshot.table.protocol().reader_features or ()):
        path = url_of(snapshot.location)
        raise InputError(
            f"The Delta table {snapshot.location.shown!r} can't hold {local}, which are times "
            f'without a zone, until it has the feature for them: python -c "from deltalake import '
            f"DeltaTable, TableFeatures as F; DeltaTable({path!r}).alter.add_feature("
            'F.TimestampWithoutTimezone, allow_protocol_versions_increase=True)". Or leave them '
            f"out with --drop {as_option(local)}."
        )


def _has(arrow_type: Any, wanted: Any) -> bool:
    """Whether a type is another one, or has parts of it."""
    parts = (arrow_type.field(number).type for number in range(arrow_type.num_fields))
    return arrow_type == wanted or any(_has(part, wanted) for part in parts)


def require_columns_of(table: Any, schema: Any, destination: Location) -> Any:
    """The types of a table, for columns that are to join it.

    Parameters
    ----------
    table, schema
        Arrow schemas: of the table, and of what is to join it.
    destination
        The table, for messages.

    Raises
    ------
    InputError
        Columns are other ones, or of types that hold other values.
    """
    import pyarrow as pa

    strange = [name for name in schema.names if name not in table.names]
    absent = [name for name in table.names if name not in schema.names]
    others = [
        f"{own.name!r} of {own.type} for {table.field(own.name).type}"
        for own in schema
        if own.name in table.names and not _holds(table.field(own.name).type, own.type)
    ]
    told = [
        *(
            [f"{strange}, which it has not: leave them out with --drop {as_option(strange)}"]
            * bool(strange)
        ),
        *(
            [f"no {absent}, which it has: take them along with --keep {as_option(absent)}"]
            * bool(absent)
        ),
        *([f"other types, {', '.join(others)}: append to another table"] * bool(others)),
    ]
    if told:
        raise InputError(
            f"What is to be appended to the Delta table {destination.shown!r} has "
            f"{'; and '.join(told)}."
        )
    return pa.schema([table.field(name) for name in schema.names])


def _holds(wide: Any, own: Any) -> bool:
    return bool(widest([wide, own]) == widest([wide]))
