"""Drafts on an object store, published by copies within it, under a record.

A store has no rename, and no lock that ends with a process. A draft lies beside the destination,
under names that readers of tables skip (``_kmsmote-out-…/part-000000-1a2b3c4d.parquet.draft``), or
below one that is a whole bucket. A run commits it by the record of `commit`:

    draft whole -> record put -> old files removed -> new ones copied -> draft and record removed
                   (by one run) (that with the manifest first)  (last)

Every step after the record can be done again, by any run: what a dead one has begun, the next ends.
Parts are named by their run, so that no step of a slow run removes a file of a later one, and who
has listed the old result gets it or an error. Arrays of Zarr have no such names: their metadata are
removed before chunks, and copied after them; a run that stalls just then, until another has brought
its result to its end, can still remove metadata, and that result is to be made anew.

The store tells runs apart by a conditional put (S3, Google Cloud Storage and Azure have it; fsspec
looks and then puts for those that have none, where two runs within milliseconds may both take
themselves for the first: then the record that stands last decides, and both obey it).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import suppress
from functools import cached_property, partial

from ....errors import DestinationError
from ..commit import RECORD, Record, is_record, read_record
from ..location import Location
from ..manifest import DRAFT, DRAFT_ENDING, RUN, keeper, published, run_of
from .draft import Draft

_METADATA = {"zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata"}
_TRIES = 3


class StoreDraft(Draft):
    """A prefix beside the destination, with files that readers of tables skip."""

    ending = DRAFT_ENDING

    def _place(self) -> Location:
        return self._place_of(self.run)

    def _place_of(self, run: str) -> Location:
        return self._folder / f"{self._start}{run}"

    @cached_property
    def _folder(self) -> Location:
        """Where drafts lie: a bucket has nothing beside it."""
        return next(self.destination.above(), self.destination)

    @property
    def _start(self) -> str:
        return DRAFT if self._folder is self.destination else f"{DRAFT}{self.destination.name}-"

    def parts(self) -> list[str]:
        """Files but for drafts and records."""
        below = re.compile(f"{DRAFT}{RUN.pattern}/")
        files = self.destination.files()
        return [name for name in files if not below.match(name) and not is_record(name)]

    def is_taken(self) -> bool:
        """Whether there is anything but drafts."""
        return bool(self.parts())

    def recover(self) -> bool:
        """Bring to its end what a run was publishing, dead or not: both may."""
        with self.destination.reached():
            record = read_record(self.destination)
            if record is None:
                self._unmark()
                return False
            return self._end(record) == record.run

    def publish(self) -> None:
        """Commit by the record, and do what it says.

        Raises
        ------
        DestinationError
            Another run was first; or the store fails, and the next run ends what is begun.
        """
        try:
            with self.destination.reached():
                # before the record: what comes after it may be of a run that is first the next time
                others = self._drafts()
                self._commit(Record(self.run, self.before, self.parts(), self._sizes(self.run)))
                for place in others:
                    with suppress(OSError):  # the result is whole; the next run removes them
                        self._remove_all(place)
        except OSError as error:
            if isinstance(error, DestinationError):
                raise
            raise DestinationError(
                f"The store failed while the result was published at {self.destination.shown!r}: "
                f"{self.destination.masked(error)} Then run the job again: it first brings to its "
                "end what this one has begun."
            ) from error

    def _commit(self, record: Record) -> None:
        refusal: Exception | None = None
        for _ in range(_TRIES):
            refusal = self._put(record)
            found = read_record(self.destination)
            if found is not None and found.run != self.run and self._is_valid(found):
                break
            now = run_of(self.destination) if found is None else self._end(found)
            if now == self.run:
                return
            if now not in {None, record.before}:
                break
        else:
            self.clear()
            raise DestinationError(
                f"The result can't be published at {self.destination.shown!r}: "
                f"{self.destination.masked(refusal)}. Look who else writes there, and run the job "
                "again."
            ) from refusal
        self.clear()
        raise DestinationError(
            f"Another run finished {self.destination.shown!r} meanwhile: its result stays."
        )

    def _put(self, record: Record) -> Exception | None:
        """Put the record where there is none, and return what the store says against it."""
        try:
            path = self.destination.path_of(RECORD)
            self.destination.fs.pipe_file(path, record.text, mode="create")
        except Exception as error:  # noqa: BLE001 - each store says in its own way that it is there
            # also to a client that lost the answer, and asked again: the record says who was first
            return error
        return None

    def _stands(self, record: Record) -> bool:
        found = read_record(self.destination)
        return found is not None and found.run == record.run

    def _is_valid(self, record: Record) -> bool:
        """Whether the run of a record was in time, and all is there that it needs."""
        # first the draft: where it is gone because all is done, then the manifest is there
        is_whole = self._is_whole(record)
        now = run_of(self.destination)
        return now == record.run or (is_whole and now in {None, record.before})

    def _is_whole(self, record: Record) -> bool:
        return self._sizes(record.run) == record.new

    def _sizes(self, run: str) -> dict[str, int]:
        """Bytes of the files of a draft, by the path where they are published."""
        files = self._place_of(run).files().items()
        return {published(name): int(info["size"]) for name, info in files}

    def _end(self, record: Record) -> str | None:
        """Publish the draft of a record, or give it up where it came too late; remove both.

        Returns
        -------
        str or None
            The run whose result is there.
        """
        if self._is_valid(record):
            self._move(record)
        # before the record goes: a store that fails after that is no reason for an error
        now = run_of(self.destination)
        if self._stands(record):
            self._remove_all(self._place_of(record.run))
        found = read_record(self.destination)
        if found is None or found.run == record.run:
            self._unmark()
            # last, as it leads to the draft
            self._remove([RECORD] if found else [])
        return now

    def _move(self, record: Record) -> None:
        """Put the files of a draft in the destination's place, unless that is done."""
        now = run_of(self.destination)
        if now == record.run:
            return
        rows, metadata, first = _in_order(record.old)
        # where the manifest is gone, another run may have put its own under the same name
        kept = set(record.new) if now is None else set()
        steps = [
            partial(self._mark, record),
            *(partial(self._remove, sorted({*names} - kept)) for names in (metadata, first)),
            partial(self._remove, sorted({*rows} - record.new.keys())),
            *(partial(self._copy, record, names) for names in _in_order(record.new)),
            partial(self._check, record),
        ]
        try:
            for step in steps:
                if not self._stands(record):
                    return  # another run has brought it to its end
                step()
        except FileNotFoundError:
            if self._stands(record) and run_of(self.destination) != record.run:
                raise

    def _mark(self, record: Record) -> None:
        """Copies of the record where readers of one folder alone find it."""
        marks = [f"{folder}/{RECORD}" for folder in record.folders]
        if marks:
            paths = map(self.destination.path_of, marks)
            self.destination.fs.pipe(dict.fromkeys(paths, record.text))

    def _unmark(self) -> None:
        marks = [name for name in self.destination.files() if is_record(name) and name != RECORD]
        self._remove(marks)

    def _copy(self, record: Record, names: list[str]) -> None:
        draft = self._place_of(record.run)
        drafted = {published(name): name for name in draft.files()}
        if not drafted.keys() >= {*names}:
            raise FileNotFoundError(draft.shown)
        if names:
            sources = [draft.path_of(drafted[name]) for name in names]
            targets = [self.destination.path_of(name) for name in names]
            self.destination.fs.copy(sources, targets, on_error="raise")

    def _check(self, record: Record) -> None:
        there = {name: info["size"] for name, info in self.destination.files().items()}
        is_there = record.new.items() <= there.items()
        left = there.keys() & {*record.old} - record.new.keys()
        is_ours = run_of(self.destination) == record.run
        if self._stands(record) and (left or not is_there or not is_ours):
            raise DestinationError(
                f"Another program wrote to {self.destination.shown!r} at the same moment: look "
                "which, and run the job again, with --overwrite."
            )

    def _remove(self, names: list[str]) -> None:
        if names:
            with suppress(FileNotFoundError):  # another run removes the same
                self.destination.fs.rm([self.destination.path_of(name) for name in names])

    def _remove_all(self, place: Location) -> None:
        with suppress(FileNotFoundError):  # as above
            self.destination.fs.invalidate_cache()
            self.destination.fs.rm(place.path, recursive=True)

    def _drafts(self) -> list[Location]:
        """Drafts of all runs to the destination; those below it are of a bucket, or of before."""
        found = []
        for place, start in ((self._folder, self._start), (self.destination, DRAFT)):
            of_runs = re.compile(re.escape(start) + RUN.pattern)
            names = (name.lstrip("/") for name in place.names_in(""))
            found += [place / name for name in names if of_runs.fullmatch(name)]
        # some stores list folders that have been emptied
        return [place for place in found if any(place.files())]

    def clear(self) -> None:
        """Remove this draft; those of other runs may be alive."""
        self._remove_all(self.location)


def _in_order(names: Collection[str]) -> tuple[list[str], list[str], list[str]]:
    """Files of rows, metadata of Zarr, and the file with the manifest: as they are put."""
    last = keeper(names)
    metadata = [name for name in names if name.rpartition("/")[2] in _METADATA and name != last]
    rows = [name for name in names if name != last and name not in set(metadata)]
    return rows, metadata, [] if last is None else [last]
