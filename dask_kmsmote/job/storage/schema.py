"""Arrow types: the one that holds all values of several, and the pandas type that holds all of it.

Files of one table may have other types for a column: a file that has no value in it says null, and
pandas writes the smallest index that holds a file's categories.

    null, string                  string
    int32, int64                  int64
    dictionary<int8>, string      string
    int64, double                 none: an int64 may be no double
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from ...kernels.rows.columns import type_with_nulls, type_without_nulls
from ..columns import Columns
from .folders import require_nameable


def widest(types: Sequence[Any]) -> Any:
    """The Arrow type that holds all values of some; None where there is none."""
    import pyarrow as pa

    known = [own for own in dict.fromkeys(map(_plain, types)) if not pa.types.is_null(own)]
    if len(known) < 2:
        return known[0] if known else pa.null()
    if any(map(_is_text, known)) and any(map(pa.types.is_dictionary, known)):
        known = [own.value_type if pa.types.is_dictionary(own) else own for own in known]
    if len(set(map(_kind_of, known))) > 1:
        return None
    if pa.types.is_nested(known[0]):
        return _widest_nested(known)
    schemas = [pa.schema([("column", own)]) for own in known]
    try:
        found = pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return None
    # a uint64 becomes an int64 to Arrow
    return None if pa.uint64() in known and found != pa.uint64() else found


def _plain(arrow_type: Any) -> Any:
    """The type that Arrow computes with, of the same values."""
    import pyarrow as pa

    if pa.types.is_dictionary(arrow_type):
        # each file has an index for its own categories, and the result for those of all
        return pa.dictionary(pa.int32(), _plain(arrow_type.value_type), arrow_type.ordered)
    if pa.types.is_string_view(arrow_type):
        return pa.string()
    if pa.types.is_binary_view(arrow_type):
        return pa.binary()
    return _widest_nested([arrow_type]) if pa.types.is_nested(arrow_type) else arrow_type


def _widest_nested(types: Sequence[Any]) -> Any:
    """Of lists, structs or maps of one kind: such of the widest parts."""
    import pyarrow as pa

    first, of = types[0], pa.types
    if of.is_struct(first):
        names = dict.fromkeys(own.field(n).name for own in types for n in range(own.num_fields))
        parts = {
            name: widest([own.field(name).type for own in types if own.get_field_index(name) >= 0])
            for name in names
        }
        return None if None in parts.values() else pa.struct(list(parts.items()))
    if of.is_map(first):
        key, item = (widest([getattr(own, part) for own in types]) for part in _PARTS_OF_MAP)
        return None if None in (key, item) else pa.map_(key, item)
    if not (of.is_list(first) or of.is_large_list(first)):
        return first if len(set(types)) == 1 else None
    value = widest([own.value_type for own in types])
    make = pa.list_ if of.is_list(first) else pa.large_list
    return None if value is None else make(value)


def _is_text(arrow_type: Any) -> bool:
    import pyarrow.types as of

    return bool(of.is_string(arrow_type) or of.is_large_string(arrow_type))


def _kind_of(arrow_type: Any) -> Any:
    """Equal for types of which the wider holds all values of the other."""
    import pyarrow.types as of

    for kind in (of.is_integer, of.is_floating, of.is_decimal, _is_text):
        if kind(arrow_type):
            return kind
    return arrow_type.id, getattr(arrow_type, "tz", None), getattr(arrow_type, "ordered", None)


def selected(schema: Any, columns: Sequence[str] | None) -> Any:
    """Some columns of a schema; all for None."""
    import pyarrow as pa

    return schema if columns is None else pa.schema([schema.field(name) for name in columns])


def to_pandas(table: Any, nullable: Collection[str]) -> Any:
    """An Arrow table as a frame, in types that hold all values.

    pandas' own do not: an int64 column with nulls becomes float64, and a float column has NaN for
    them. `nullable` are the columns that need another: of integers and booleans some values of
    which are missing in the whole table, and of floats whose NaN is to stay one.
    """
    wide = [name for name in table.column_names if name in nullable]
    frame = table.drop_columns(wide).to_pandas(types_mapper=type_without_nulls, **_AS_IT_IS)
    if not wide:
        return frame
    others = table.select(wide).to_pandas(types_mapper=type_with_nulls, **_AS_IT_IS)
    return frame.join(others)[table.column_names]


_FLOATS = {"float[pyarrow]": "float32", "double[pyarrow]": "float64"}
_PARTS_OF_MAP = "key_type", "item_type"
# what pandas noted in a file of its own types, and of the index; columns as Arrow holds them, as
# blocks of several would be copies; and no thread of Arrow's, which may outlive the interpreter
_AS_IT_IS = {
    "ignore_metadata": True,
    "split_blocks": True,
    "self_destruct": True,
    "use_threads": False,
}


def empty_frame(schema: Any, nullable: Collection[str]) -> Any:
    """A frame of no rows in the types of a schema; categories are unknown until they are read."""
    import pyarrow.types as of
    from dask.dataframe.utils import clear_known_categories

    meta = to_pandas(schema.empty_table(), nullable)
    return clear_known_categories(meta, [f.name for f in schema if of.is_dictionary(f.type)])


def to_arrow(frame: Any, schema: Any) -> Any:
    """A frame as an Arrow table, with a note for pandas of such types alone as it reads back."""
    import pyarrow as pa

    table = pa.Table.from_pandas(frame, schema, preserve_index=False, nthreads=1)
    note = json.loads(table.schema.metadata[b"pandas"])
    for column in note["columns"]:
        # who reads the result has the floats of pandas
        column["numpy_type"] = _FLOATS.get(column["numpy_type"], column["numpy_type"])
        if not _is_read_by_pandas(column["numpy_type"]):
            column["numpy_type"] = "object"
    return table.replace_schema_metadata({"pandas": json.dumps(note)})


def without(table: Any, names: Sequence[str]) -> Any:
    """A table without some columns, also in a note for pandas."""
    left, metadata = table.drop_columns(names), table.schema.metadata or {}
    if b"pandas" not in metadata:
        return left
    note = json.loads(metadata[b"pandas"])
    note["columns"] = [own for own in note["columns"] if own["name"] not in names]
    return left.replace_schema_metadata({**metadata, b"pandas": json.dumps(note)})


def _is_read_by_pandas(name: str) -> bool:
    from pandas.api.types import pandas_dtype

    try:
        pandas_dtype(name)
    except (TypeError, ValueError, NotImplementedError):  # list<item: int64>[pyarrow]
        return False
    return True


def schema_of_result(schema: Any, columns: Columns) -> Any:
    """The Arrow schema of a result: some columns of the source, all of them with nulls, and a mark.

    Nothing else knows the types: the rows that a partition has may have no value in a column.

    Raises
    ------
    InputError
        A column that is to name folders can't.
    """
    import pyarrow as pa

    found = pa.schema(
        pa.field(name, pa.bool_())
        if name == columns.mark
        else schema.field(name).with_nullable(True)
        for name in columns.written
    )
    require_nameable(found, columns.partition_by)
    return found
