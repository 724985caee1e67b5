"""What a run writes, until it is published."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from uuid import uuid4

from ....errors import DestinationError
from ...columns import Columns
from ..location import Location
from ..manifest import part_name, run_of, write_manifest

# by text: what comes back from a worker, or from Arrow, may have lost its number
_HINTS = {
    os.strerror(errno.ENOSPC): "Make room there, or name another destination.",
    os.strerror(errno.EDQUOT): "Make room there, or name another destination.",
    os.strerror(errno.EACCES): "Allow the user that runs the job, and its workers, to write there.",
    os.strerror(errno.EROFS): "Name a destination that can be written.",
    "bucket does not exist": "Make the bucket, or name another destination.",
}


@contextmanager
def writing_to(destination: Location) -> Iterator[None]:
    """Name the destination, and a hint, where the disk or its owner refuses.

    Raises
    ------
    DestinationError
        For those errors of the operating system.
    """
    try:
        yield
    except OSError as error:
        text = destination.masked(error)
        hint = next((hint for word, hint in _HINTS.items() if word in text), None)
        if hint is None or isinstance(error, DestinationError):
            raise
        raise DestinationError(
            f"The destination {destination.shown!r} can't be written: {text}. {hint}"
        ) from error


class Drafted(Protocol):
    """What a run writes until it is published.

    Attributes
    ----------
    destination, location
        Where it is published, and where it is until then.
    partition_by
        Columns that name folders, from the outermost; once they are taken.
    """

    destination: Location
    location: Location
    partition_by: tuple[str, ...]

    def accept(self, schema: Any, columns: Columns) -> Any:
        """Take columns.

        Parameters
        ----------
        schema
            Their Arrow types.
        columns
            What is done with them.

        Returns
        -------
        Schema
            The types that they are stored in.

        Raises
        ------
        InputError, ParameterError
            It can't hold them.
        """

    def part(self, number: int) -> str:
        """The name of a file."""

    def written(self) -> dict[str, int]:
        """Files that the run has written, and their bytes."""

    def finish(self, content: dict[str, Any]) -> dict[str, Any]:
        """Keep what is to be said of the run, and return it: what was written is whole."""

    @property
    def version(self) -> int | None:
        """The version of a table that it was published as; None of what has no versions."""


class Draft:
    """What a run writes.

    Attributes
    ----------
    destination
        Where it is published.
    run
        Name of the run.
    before
        That whose result it replaces; None where there is none.
    location
        Where it is until then.
    ending
        What the names of its Parquet files end in until then.
    """

    ending = ""

    def __init__(self, destination: Location) -> None:
        self.destination = destination
        self.run = uuid4().hex
        self.before: str | None = None
        self.partition_by: tuple[str, ...] = ()
        self.location = self._place()

    def _place(self) -> Location:
        raise NotImplementedError

    def accept(self, schema: Any, columns: Columns) -> Any:
        """Take columns, in the same types."""
        self.partition_by = columns.partition_by
        return schema

    @property
    def version(self) -> int | None:
        """None: files have no versions."""
        return None

    def part(self, number: int) -> str:
        """The name of a Parquet file of the draft."""
        return part_name(number, self.run) + self.ending

    def written(self) -> dict[str, int]:
        """Files that the run has written, and their bytes."""
        return {name: int(info["size"]) for name, info in self.location.files().items()}

    def finish(self, content: dict[str, Any]) -> dict[str, Any]:
        """Write the manifest, and return it: the draft is whole."""
        with writing_to(self.destination):
            return write_manifest(self.location, {"run": self.run, **content})

    def require_same_run(self) -> None:
        """Raise `DestinationError` where the destination is not as it was when the run began."""
        now = run_of(self.destination)
        if now is None and self.before is not None:
            raise DestinationError(
                f"The destination {self.destination.shown!r} lost its manifest meanwhile: another "
                "run publishes there, or it was removed. Run the job again when it is at rest."
            )
        if now != self.before:
            raise DestinationError(
                f"Another run finished {self.destination.shown!r} meanwhile: its result stays."
            )

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other runs from the destination, where the store can."""
        yield

    def is_taken(self) -> bool:
        """Whether there is anything in the destination's place."""
        return self.destination.exists()

    def parts(self) -> list[str]:
        """Files in the destination's place."""
        return list(self.destination.files())

    def open(self) -> None:
        """Make the place of the draft."""

    def recover(self) -> bool:
        """Bring to its end what a dead run was publishing.

        Returns
        -------
        bool
            Whether there was one, whose result is published now.
        """
        raise NotImplementedError

    def publish(self) -> None:
        """Put the draft, which is whole, in the place of what was there before.

        Raises
        ------
        DestinationError
            Another run was first; then the draft is removed.
        """
        raise NotImplementedError

    def clear(self) -> None:
        """Remove what is left of the draft."""
        raise NotImplementedError
