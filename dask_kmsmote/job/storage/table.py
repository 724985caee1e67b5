"""A table in files, whatever their format: its columns, and a Dask frame of known types.

A table is opened first, which tells its columns, and read when it is known which of them are used:
what is not used is not looked at. Parquet files say their types; of text, all rows have to be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ...errors import InputError
from .source import Source

# of a partition, as its rows lie in memory: what is read by a task
PARTITION_BYTES = 64 * 2**20
MOST_FILES = 64  # of a partition: to open one on a store takes some 50 ms


@dataclass(frozen=True)
class Table:
    """Some columns of all files.

    Attributes
    ----------
    frame
        A Dask frame in types that hold all values, and nulls.
    schema
        The same columns as Arrow has them.
    n_bytes
        About what they take in memory.
    """

    frame: Any
    schema: Any
    n_bytes: int


class Files(Protocol):
    """The files of a table."""

    @property
    def names(self) -> Sequence[str]:
        """All columns, in their order."""

    @property
    def index(self) -> Sequence[str]:
        """Those that were the index of a frame, or have no name."""

    @property
    def unread(self) -> Sequence[str]:
        """What was an index of row numbers, or one without a name, and is left out."""

    def n_bytes(self, columns: Sequence[str]) -> int:
        """About what some columns of all files take in memory."""

    def declared(self, columns: Sequence[str]) -> Any:
        """The Arrow schema of some columns; None where all rows have to be seen."""

    def typed(self, columns: Sequence[str], as_text: Sequence[str], judged: Sequence[str]) -> Table:
        """Some columns.

        Where files say no types, those of all rows, but text for `as_text`; those `judged` must
        be clear, as nobody has said what they are.
        """


def from_parts(
    read: Callable[..., Any], parts: Sequence[Any], meta: Any, args: Sequence[Any], source: Source
) -> Any:
    """A Dask frame of a task for each part: ``read(part, *args, columns=None)``."""
    import dask
    import dask.dataframe as dd

    # two versions of a file are two keys
    label = f"kmsmote-read-{source.fingerprint[:8]}"
    # lists and structs are objects, and no strings
    with dask.config.set({"dataframe.convert-string": False}):
        return dd.from_map(read, parts, args=list(args), meta=meta, label=label)


def require_names_once(source: Source, names: Sequence[str]) -> None:
    """Raise `InputError` where two columns of a file have one name."""
    twice = [name for name in names if name and names.count(name) > 1]
    if twice:
        raise InputError(
            f"The source {source.location.shown!r} has two columns {twice[0]!r}: rename one."
        )
