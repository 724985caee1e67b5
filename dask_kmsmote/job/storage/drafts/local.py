"""Drafts on a local disk, published by a rename, under a lock.

A draft is a hidden folder beside the destination. Where it replaces a result, the two folders swap
their names in one step, so that who opens the path finds the old one or the new.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ....errors import DestinationError
from ..location import Location
from ..manifest import RUN, manifest_text
from .draft import Draft
from .exchange import exchange


class LocalDraft(Draft):
    """A folder beside the destination."""

    def _place(self) -> Location:
        self.final = Path(self.destination.path)
        # beside it, so on the same disk: nothing is renamed to another, and a copy can break off
        self.folder = self.final.parent / f".{self.final.name}.kmsmote-{self.run}"
        self.made: list[Path] = []
        return Location(str(self.folder))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold a lock that ends with the process."""
        import fcntl

        # innermost first, in which order `rmdir` can remove them
        folders = (self.final.parent, *self.final.parent.parents)
        self.made = [folder for folder in folders if not folder.exists()]
        self.final.parent.mkdir(parents=True, exist_ok=True)
        path = self.final.parent / f".{self.final.name}.kmsmote-lock"
        while True:
            handle = path.open("a")
            try:
                # freed by the kernel however the process ends: a file alone, left by a dead run,
                # would keep all later ones out
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                handle.close()
                raise DestinationError(
                    f"Another run writes to {self.destination.shown!r} now: wait for it to end."
                ) from error
            # between `open` and `flock` the run before may have removed the file: then a lock on
            # it keeps nobody out who makes it anew
            if path.exists() and os.path.samestat(path.stat(), os.fstat(handle.fileno())):
                break
            handle.close()
        try:
            yield
        finally:
            # while it is locked: after that, it could be the file that another run has locked
            path.unlink()
            handle.close()
            for folder in self.made:
                with suppress(OSError):  # it holds the result, or what others put there
                    folder.rmdir()

    def open(self) -> None:
        """Make the folder."""
        self.folder.mkdir()

    def recover(self) -> bool:
        """Finish or remove what dead runs left: the lock says that they are dead."""
        left = self._left()
        whole = [folder for folder in left if _is_whole(folder)]
        published = bool(whole) and not self.final.exists()
        if published:
            # a death between the renames of `publish` leaves two: the draft and the old result
            newest = max(whole, key=lambda folder: folder.stat().st_mtime)
            newest.rename(self.final)
        self.clear()
        return published

    def publish(self) -> None:
        """Swap the draft with what it replaces, which `clear` removes."""
        if self.final.exists() and not exchange(self.folder, self.final):
            # a rename replaces no folder that has files: for a moment there is none
            self.final.rename(self.folder.with_name(f"{self.folder.name}-old"))
        if self.folder.exists() and not self.final.exists():
            self.folder.rename(self.final)

    def clear(self) -> None:
        """Remove all drafts, which nobody else writes while the lock is held."""
        import shutil

        for folder in self._left():
            shutil.rmtree(folder, ignore_errors=True)

    def _left(self) -> list[Path]:
        start = f".{self.final.name}.kmsmote-"
        # in full: for "out", the lock and the drafts of "out.kmsmote-b" begin alike
        names = re.compile(f"{re.escape(start)}{RUN.pattern}(-old)?")
        found = self.final.parent.iterdir()
        return [path for path in found if names.fullmatch(path.name) and path.is_dir()]


def _is_whole(folder: Path) -> bool:
    try:
        return isinstance(json.loads(manifest_text(Location(str(folder))) or ""), dict)
    except (OSError, ValueError):  # none, or half of one: the run died while it wrote it
        return False
