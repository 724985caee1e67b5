"""The record by which a result on an object store is committed, before its files are moved.

A store has no rename. So a run whose draft is whole puts a record into the destination, which says
what goes and what comes, and whoever finds it can bring that to its end, any number of times. Two
runs that put one at the same moment are told apart by the store, which makes a file but once.

While the files are moved the record lies among them. Its name ends as that of a table, sorts before
those of the parts, and what is in it is none: plain readers raise, rather than read a part.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from ...errors import InputError
from .location import Location, lies_within

RECORD = "0-kmsmote-publishing.parquet"
_WORDS = (
    "This is no table. A result of dask-kmsmote is being published in this folder, and its files "
    "are moved: read them when this file is gone. If it stays, the run has died: run the job again "
    "to the same destination, which brings it to its end.\n"
)


@dataclass(frozen=True)
class Record:
    """What is being published.

    Attributes
    ----------
    run, before
        The run whose result comes, and that whose result goes; None where there is none.
    old
        Paths of the files that were there.
    new
        Bytes of the files that come, by path.
    """

    run: str
    before: str | None
    old: list[str]
    new: dict[str, int]

    @property
    def text(self) -> bytes:
        """What the file has in it: what it is, in words, and a line of JSON."""
        return (_WORDS + json.dumps(asdict(self)) + "\n").encode()

    @property
    def folders(self) -> set[str]:
        """Folders within the destination whose Parquet files are moved."""
        parts = (path for path in (*self.old, *self.new) if path.endswith(".parquet"))
        return {path.rpartition("/")[0] for path in parts} - {""}


def is_record(path: str) -> bool:
    """Whether a file is the record, or a copy of it in a folder below."""
    return path.rpartition("/")[2] == RECORD


def read_record(location: Location) -> Record | None:
    """The record of a destination; None where nothing is being published.

    Raises
    ------
    InputError
        It is damaged, or names files elsewhere.
    """
    with location.reached():
        location.fs.invalidate_cache()
        try:
            text = location.fs.cat_file(location.path_of(RECORD))
        except (FileNotFoundError, NotADirectoryError):
            return None
    try:
        record = Record(**json.loads(text.splitlines()[-1]))
        sizes = all(isinstance(size, int) for size in record.new.values())
        is_ours = sizes and all(map(lies_within, [record.run, *record.old, *record.new]))
    except (ValueError, TypeError, AttributeError, IndexError, RecursionError):
        is_ours = False
    if not is_ours:
        raise InputError(
            f"The file {RECORD!r} of {location.shown!r} is damaged, or was written by another "
            "version of dask-kmsmote: look what lies there, and remove that file yourself."
        )
    return record


def being_published(location: Location, path: str = RECORD) -> InputError:
    """What to raise where a file of a place says that others are being moved."""
    return InputError(
        f"A result is being published in {location.shown!r} now, or a run has died while it "
        f"published, as {path!r} says: read it when that file is gone, or run the job that writes "
        "there again, which brings it to its end."
    )
