"""A destination that is whole or absent.

A run writes to a draft, its manifest last, and then publishes the draft. On a local disk the draft
is a hidden folder beside the destination, and is published by a rename. An object store has no
rename: there the draft lies below the destination, under names that readers of tables skip
(``_kmsmote-…/part-000000.parquet.draft``; polars, which skips none, refuses two endings), and is
published by copies within the store, the file with the manifest last. A draft with a manifest whose
run died while publishing is published by the next run.
"""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from ...errors import DestinationError, ParameterError, StorageError
from ...process import STOP_SIGNALS
from .location import Location
from .manifest import (
    DRAFT,
    DRAFT_ENDING,
    RUN,
    keeper,
    manifest_text,
    read_manifest,
    write_manifest,
)

# by text: what comes back from a worker, or from Arrow, may have lost its number
_HINTS = {
    os.strerror(errno.ENOSPC): "Make room there, or name another destination.",
    os.strerror(errno.EDQUOT): "Make room there, or name another destination.",
    os.strerror(errno.EACCES): "Allow the user that runs the job, and its workers, to write there.",
    os.strerror(errno.EROFS): "Name a destination that can be written.",
}


@contextmanager
def whole_or_absent(destination: Location, overwrite: bool) -> Iterator[Draft]:
    """A draft of the destination, published when the body is done.

    Where the body fails, the draft is removed and the destination stays as it was.

    Raises
    ------
    DestinationError
        It is finished already and `overwrite` is off, is nothing that a run has made or has files
        that none has, or another run writes or wrote there meanwhile.
    ParameterError
        Its name reads as a pattern.
    """
    if destination.reads_as_pattern():
        raise ParameterError(
            f"The destination {destination.shown!r} has one of the characters * ? [, which readers "
            "take for patterns: name another."
        )
    kind = LocalDraft if destination.is_local else StoreDraft
    draft = kind(destination)
    with ExitStack() as stack:
        with writing_to(destination):
            stack.enter_context(draft.alone())
        # first: what a dead run left whole is a finished destination, and needs `overwrite`
        recovered = draft.recover()
        before = _require_free(draft, overwrite, recovered)
        try:
            draft.open()
            yield draft
            # again, as hours may have passed: a store has no lock, and anybody can put files there
            _require_same_run(destination, before)
            _require_ours(draft, read_manifest(destination))
        except BaseException as error:
            with suppress(StorageError):  # the first error counts; the next run removes the draft
                draft.clear()
            if isinstance(error, OSError) and type(error) is not StorageError:
                # its parts may be gone because another run has finished
                _require_same_run(destination, before)
            raise
        # from here on the draft is whole: a death is mended by the next run
        with _uninterrupted(), _finished_later(destination):
            draft.publish(draft.location)
            draft.clear()


@contextmanager
def _finished_later(destination: Location) -> Iterator[None]:
    """Say that the next run finishes what a store that fails cuts off."""
    try:
        yield
    except DestinationError:
        raise
    except OSError as error:
        raise DestinationError(
            f"{destination.masked(error)} The result is whole, and the next run to "
            f"{destination.shown!r} publishes what is left of it."
        ) from error


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ignore signals that stop a job while the body runs: it is short, and all but done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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


def _run_of(destination: Location) -> str | None:
    manifest = read_manifest(destination)
    return None if manifest is None else str(manifest.get("run"))


def _run_of_draft(name: str) -> str | None:
    """The run of the draft that a file of a store is in."""
    folder = name.partition("/")[0]
    run = folder.removeprefix(DRAFT)
    return run if run != folder and RUN.fullmatch(run) else None


def _published(name: str) -> str:
    return name.removesuffix(DRAFT_ENDING)


def _require_same_run(destination: Location, before: str | None) -> None:
    now = _run_of(destination)
    if now is None and before is not None:
        raise DestinationError(
            f"The destination {destination.shown!r} lost its manifest meanwhile: another run "
            "publishes there, or it was removed. Run the job again when it is at rest."
        )
    if now != before:
        raise DestinationError(
            f"Another run finished {destination.shown!r} meanwhile: its result stays."
        )


def _require_free(draft: Draft, overwrite: bool, recovered: bool) -> str | None:
    destination = draft.destination
    manifest = read_manifest(destination)
    if manifest is not None and not overwrite:
        how = ", by a run that died and was published now" if recovered else ""
        raise DestinationError(
            f"The destination {destination.shown!r} exists already, finished at "
            f"{manifest.get('finished', '?')}{how}: use it, name another, or replace it with "
            "--overwrite."
        )
    if manifest is None and draft.is_taken():
        raise DestinationError(
            f"The destination {destination.shown!r} exists already and is no result of "
            "dask-kmsmote: name another, or remove it yourself."
        )
    _require_ours(draft, manifest)
    return None if manifest is None else str(manifest.get("run"))


def _require_ours(draft: Draft, manifest: dict[str, Any] | None) -> None:
    """Raise `DestinationError` where a finished result has files of others, which would be lost."""
    if manifest is None:
        return
    # an edited manifest may have any JSON here, and a list or a dict can't be in a set
    paths = [part.get("path") for part in manifest.get("files", ()) if isinstance(part, dict)]
    there = draft.parts()
    strange = {*there} - {keeper(there), *(path for path in paths if isinstance(path, str))}
    if strange:
        raise DestinationError(
            f"The destination {draft.destination.shown!r} has {min(strange)!r} and "
            f"{len(strange) - 1} more files that the run did not write: move them away, or name "
            "another destination."
        )


class Draft:
    """What a run writes.

    Attributes
    ----------
    destination
        Where it is published.
    run
        Name of the run.
    location
        Where it is until then.
    ending
        What the names of its Parquet files end in until then.
    """

    ending = ""

    def __init__(self, destination: Location) -> None:
        self.destination = destination
        self.run = uuid4().hex
        self.location = self._place()

    def _place(self) -> Location:
        raise NotImplementedError

    def finish(self, content: dict[str, Any]) -> dict[str, Any]:
        """Write the manifest, and return it: the draft is whole."""
        with writing_to(self.destination):
            return write_manifest(self.location, {"run": self.run, **content})

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
        """Publish a whole draft of a dead run, and remove others where that is safe.

        Returns
        -------
        bool
            Whether there was one.
        """
        raise NotImplementedError

    def publish(self, draft: Location) -> None:
        """Put a whole draft in the destination's place."""
        raise NotImplementedError

    def clear(self) -> None:
        """Remove what is left of the draft."""
        raise NotImplementedError


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

    def publish(self, draft: Location) -> None:
        """Rename the draft; what it replaces is moved aside first."""
        if self.final.exists():
            # a rename replaces no folder that has files; `clear` removes this one
            self.final.rename(self.folder.with_name(f"{self.folder.name}-old"))
        Path(draft.path).rename(self.final)

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


class StoreDraft(Draft):
    """A prefix below the destination that readers of tables skip."""

    ending = DRAFT_ENDING

    def _place(self) -> Location:
        return self.destination / f"{DRAFT}{self.run}"

    def parts(self) -> list[str]:
        """Files but for drafts."""
        return [name for name in self.destination.files() if not _run_of_draft(name)]

    def is_taken(self) -> bool:
        """Whether there is anything but drafts."""
        return bool(self.parts())

    def recover(self) -> bool:
        """Publish what a run was publishing when it died."""
        if read_manifest(self.destination) is not None:
            return False
        # one without a manifest may be of a run that lives, as a store has no lock: it stays until
        # a run publishes, and then its own run finds it gone, and gives up
        for name in self._drafts():
            if read_manifest(self.destination / name) is not None:
                with _uninterrupted():
                    self.publish(self.destination / name)
                return True
        return False

    def publish(self, draft: Location) -> None:
        """Copy within the store: the file with the old manifest goes first, the new comes last."""
        fs, path = self.destination.fs, self.destination.path
        old, new = self.parts(), list(draft.files())
        first, last = keeper(old), keeper(new)
        if first is not None:
            fs.rm_file(f"{path}/{first}")
        gone = [f"{path}/{name}" for name in old if name != first]
        if gone:
            fs.rm(gone)
        for names in [name for name in new if name != last], [name for name in new if name == last]:
            sources = [f"{draft.path}/{name}" for name in names]
            targets = [f"{path}/{_published(name)}" for name in names]
            if names:
                fs.copy(sources, targets, on_error="raise")
        # while the draft is there: to compare with, and for the next run where this one dies
        self._check(draft)
        for name in self._drafts():
            fs.rm(f"{path}/{name}", recursive=True)

    def _check(self, draft: Location) -> None:
        there, wanted = self.destination.files(), draft.files()
        if _run_of(self.destination) != draft.name.removeprefix(DRAFT) or any(
            there.get(_published(name), {}).get("size") != info.get("size")
            for name, info in wanted.items()
        ):
            raise DestinationError(
                f"Another run wrote to {self.destination.shown!r} at the same moment: run one of "
                "them again, with --overwrite."
            )

    def clear(self) -> None:
        """Remove this draft; those of other runs may be alive."""
        with suppress(FileNotFoundError):  # nothing is written yet, or it is published
            self.destination.fs.invalidate_cache()
            self.destination.fs.rm(self.location.path, recursive=True)

    def _drafts(self) -> list[str]:
        names = {name.partition("/")[0] for name in self.destination.files()}
        return sorted(name for name in names if _run_of_draft(name))
