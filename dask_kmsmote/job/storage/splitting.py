"""An Arrow table by the folders that some of its columns name, one folder at a time.

What a folder can't say so that all readers have it back is refused: a text that is empty, or the
word for a missing value, is null to Hive, Spark and Delta.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...errors import InputError
from ..columns import as_option
from .folders import NO_VALUE
from .schema import without

MOST_FOLDERS = 10_000


def split(table: Any, names: Sequence[str]) -> Iterator[tuple[dict[str, str | None], Any]]:
    """The rows of each folder, one folder at a time.

    Parameters
    ----------
    table
        Of Arrow.
    names
        Columns that name folders; the whole table is one without them.

    Yields
    ------
    dict, table
        Its values as text, None where they are missing; and its rows without these columns.

    Raises
    ------
    InputError
        There are too many, or a text can't be told from a missing value.
    """
    if not names:
        yield {}, table
        return
    groups = _grouped(table, names)
    require_few(names, groups.num_rows, f"in {table.num_rows:,} rows alone")
    rows = groups["row_list"].combine_chunks()
    batches = without(table, names).to_batches()
    for number, texts in enumerate(zip(*groups.columns[: len(names)], strict=True)):
        values = {name: text.as_py() for name, text in zip(names, texts, strict=True)}
        _require_told_apart(values)
        yield values, _taken(batches, rows[number].values.to_numpy())


def require_few(names: Sequence[str], n_folders: int, where: str) -> None:
    """Raise `InputError` where columns name too many folders."""
    if n_folders > MOST_FOLDERS:
        raise InputError(
            f"--partition-by {as_option(names)} makes {n_folders:,} folders {where}, and "
            f"{MOST_FOLDERS:,} are the most: name columns of fewer values, or leave it out."
        )


def _grouped(table: Any, names: Sequence[str]) -> Any:
    """Of each folder, in the order in which they come: values as text, and numbers of rows."""
    import numpy as np
    import pyarrow as pa

    texts = [_as_text(table[name]) for name in names]
    keys = [str(place) for place in range(len(names))]
    numbered = pa.table([*texts, pa.array(np.arange(table.num_rows))], [*keys, "row"])
    # by several threads, the order would be another each time
    groups = numbered.group_by(keys, use_threads=False).aggregate([("row", "list")])
    return groups.select([*keys, "row_list"])


def _as_text(column: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.cast(pa.large_string())


def _require_told_apart(values: Mapping[str, str | None]) -> None:
    for name, text in values.items():
        if text in ("", NO_VALUE):
            raise InputError(
                f"The column {name!r} of --partition-by has the text {text!r}, which is a missing "
                "value to Hive, Spark and Delta where a folder names it: leave the column out "
                "there, or write another text."
            )


def _taken(batches: Sequence[Any], rows: Any) -> Any:
    """Some rows of a table by their numbers, which ascend."""
    import numpy as np
    import pyarrow as pa

    starts = np.cumsum([0, *(batch.num_rows for batch in batches)])
    cuts = np.searchsorted(rows, starts)
    return pa.Table.from_batches(
        _taken_of(batch, rows[low:high] - start)
        for batch, start, low, high in zip(batches, starts[:-1], cuts[:-1], cuts[1:], strict=True)
        if high > low
    )


def _taken_of(batch: Any, rows: Any) -> Any:
    import pyarrow as pa

    # side by side they are no copy, as in a table that was sorted
    if rows[-1] - rows[0] + 1 == len(rows):
        return batch.slice(rows[0], len(rows))
    return batch.take(pa.array(rows))
