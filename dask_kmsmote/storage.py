"""Tables on disk: read in partitions, written whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from .errors import DestinationError, InputError


def read_table(source: str) -> Any:
    """A Parquet file or folder as a Dask frame.

    Raises
    ------
    InputError
        There is nothing there.
    """
    import dask.dataframe as dd

    require_local(source)
    if not Path(source).exists():
        raise InputError(f"The source {source!r} does not exist: check its path.")
    try:
        table = dd.read_parquet(source)
        index = table.index.name  # the first look at the files
    except (ValueError, OSError) as error:
        raise InputError(f"The source {source!r} can't be read as Parquet: {error}") from error
    if index is not None:
        raise InputError(
            f"The source has the index {index!r}, which synthetic rows can't have: "
            "write it as a column, frame.reset_index(), or leave it out, to_parquet(index=False)."
        )
    return table


def require_local(path: str) -> None:
    """Raise `InputError` for a path on a remote store."""
    if "://" in path:
        raise InputError(f"{path!r} is not a local path: copy the table here, or mount its store.")


def require_absent(destination: str) -> None:
    """Raise `DestinationError` where something is at the destination already."""
    require_local(destination)
    if os.path.lexists(destination):
        raise DestinationError(
            f"The destination {destination!r} exists already: name another, or remove it first."
        )


@contextmanager
def whole_or_absent(destination: str) -> Iterator[Path]:
    """A folder beside the destination, which takes its name when the body is done.

    Where the body fails, the folder is removed and the destination stays absent.
    """
    require_absent(destination)
    final = Path(destination)
    draft = final.parent / f".{final.name}.kmsmote-{uuid4().hex}"
    made = [folder for folder in (final.parent, *final.parent.parents) if not folder.exists()]
    try:
        draft.mkdir(parents=True)
        yield draft
        require_absent(destination)
        draft.rename(final)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        for folder in made:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def part_name(number: int) -> str:
    """Name of a part, such that names sort as the parts do."""
    return f"part-{number:06d}.parquet"


def write_table(frame: Any, folder: Path, n_rows: int) -> int:
    """Write a Dask frame as Parquet, a file for each partition, and count what was written.

    Returns
    -------
    int
        Bytes of the files.

    Raises
    ------
    DestinationError
        The files do not hold `n_rows` rows.
    """
    import pyarrow.parquet as pq

    frame.to_parquet(folder, write_index=False, name_function=part_name)
    files = sorted(folder.glob("*.parquet"))
    written = sum(pq.read_metadata(file).num_rows for file in files)
    if written != n_rows:
        raise DestinationError(
            f"{written} rows were written instead of {n_rows}: the source changed meanwhile. "
            "Run the job again when it is at rest."
        )
    return sum(file.stat().st_size for file in files)
