"""A destination that is a Delta table: files that no version names, and one commit that does.

A store takes a version once, so that of two runs one wins, and a reader sees all of a version or
nothing of it. A run has a note below the table, which says from which version on the log may name
its files, `_kmsmote/<run>-<version>`:

    1. load the newest version     2. leave the note     3. workers write files
    4. list the notes of others, and, unless they had committed by step 1, their files
    5. commit                      6. remove what 4 has listed, and the own note

Step 6 removes nothing that a version names: all runs commit a transaction of one application, so
that who has committed between 1 and 5 makes 5 fail, and 5 makes fail who has not by then. That one
removes its own files; where it is killed before it can, `vacuum` does.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from ....errors import DestinationError, InputError, ParameterError, StorageError
from ....process import uninterrupted
from ...columns import Columns
from ..drafts.draft import writing_to
from ..folders import type_of
from ..location import Location
from ..manifest import RUN, manifest_of
from .log import Snapshot, deltalake, first_line, has_log, open_snapshot, options_of, url_of
from .runs import APPLICATION, commits, content_of
from .types import require_columns_of, schema_of_delta

_NOTES = "_kmsmote"
_NOTE = re.compile(rf"{_NOTES}/(?P<run>{RUN.pattern})-(?P<version>\d+)")
_OF_RUNS = re.compile(rf"{_NOTE.pattern}|(.*/)?part-\d{{6,}}-{RUN.pattern}\.parquet")
# features that a table may have where it makes no use of them for rules, which are named below
_WRITTEN = {
    *("appendOnly", "timestampNtz", "deletionVectors", "v2Checkpoint", "vacuumProtocolCheck"),
    *("domainMetadata", "clustering", "changeDataFeed", "invariants", "checkConstraints"),
    *("columnMapping", "generatedColumns", "identityColumns", "rowTracking"),
}
_RULES = re.compile(r"delta\.(constraints\.|columnMapping\.mode|enableRowTracking|appendOnly)")
_RULES_OF_COLUMNS = {"delta.invariants", "delta.generationExpression", "delta.identity.start"}


@contextmanager
def committed(destination: Location, mode: str) -> Iterator[DeltaDraft]:
    """Files of a Delta table, committed as one version when the body is done.

    Where the body fails, they are removed, and the table stays as it was.

    Parameters
    ----------
    destination
        The table, or where there is to be one.
    mode
        "error" where there must be none, "overwrite" or "append".

    Raises
    ------
    DestinationError
        There is a table already, or something else, or another writer commits meanwhile.
    ParameterError
        The table has rules for its rows that are not checked here.
    """
    draft = DeltaDraft(destination, mode)
    try:
        with writing_to(destination):
            draft.open()
        yield draft
        with uninterrupted():
            draft.commit()
    except BaseException as error:
        with suppress(OSError):  # the first error counts; what stays has a note
            draft.clear()
        if isinstance(error, OSError) and type(error) is not StorageError:
            # its files may be gone because another run has committed
            draft.require_first(error)
        raise


class DeltaDraft:
    """What a run writes to a table.

    Attributes
    ----------
    destination, location
        The table, where its files are, too.
    run
        Name of the run.
    partition_by
        Columns whose values a file shares.
    """

    def __init__(self, destination: Location, mode: str) -> None:
        self.destination = self.location = destination
        self.mode = mode
        self.run = uuid4().hex
        url_of(destination)
        self.snapshot = self._opened()
        self._require_free()
        if self.snapshot is not None:
            _require_no_rules(self.snapshot, mode)
        self.partition_by: tuple[str, ...] = ()
        self._manifest: dict[str, Any] = {}
        self._schema: Any = None
        self._is_in_doubt = False

    def _opened(self) -> Snapshot | None:
        try:
            return open_snapshot(self.destination) if has_log(self.destination) else None
        except InputError as error:
            raise DestinationError(f"{error} Or name another destination.") from error

    def _require_free(self) -> None:
        shown = self.destination.shown
        if self.snapshot is not None and self.mode == "error":
            raise DestinationError(
                f"The Delta table {shown!r} exists already, at version {self.snapshot.version}: "
                "name another, replace what it holds with --mode overwrite, or add new rows to it "
                "with --mode append --only-synthetic."
            )
        # a run that died before there was a table may have left some
        if self.snapshot is None and not all(map(_OF_RUNS.fullmatch, self.destination.files())):
            raise DestinationError(
                f"The destination {shown!r} exists already, and is no Delta table: name another, "
                "or remove it yourself."
            )

    @property
    def _note(self) -> str:
        return f"{_NOTES}/{self.run}-{self._before + 1}"

    @property
    def _before(self) -> int:
        return -1 if self.snapshot is None else self.snapshot.version

    def open(self) -> None:
        """Leave a note of the run."""
        place, fs = self.destination, self.destination.fs
        fs.makedirs(place.path_of(_NOTES), exist_ok=True)
        text = "A run of dask-kmsmote. Of a dead one, the next run that commits removes this.\n"
        fs.pipe_file(place.path_of(self._note), text.encode())

    def part(self, number: int) -> str:
        """The name of a file."""
        return f"part-{number:06d}{_ending(self.run)}"

    def accept(self, schema: Any, columns: Columns) -> Any:
        """Take columns, as `Drafted` has it; a table that is there keeps its own, and its parts."""
        own = schema_of_delta(schema, self.destination)
        self.partition_by = columns.partition_by
        if self.snapshot is not None:
            self.partition_by = _partition_of(self.snapshot, columns.partition_by)
            own = require_columns_of(self.snapshot.schema, own, columns, self.destination)
        self._require_parts(own)
        # an error of delta-rs comes before the work
        self._schema = deltalake().Schema.from_arrow(own)
        return own

    def _require_parts(self, schema: Any) -> None:
        odd = [name for name in self.partition_by if type_of(str(schema.field(name).type)) is None]
        if odd:
            raise InputError(
                f"The Delta table {self.destination.shown!r} is partitioned by {odd}, whose values "
                "can't name folders: name another destination."
            )

    def written(self) -> dict[str, int]:
        """Files that the run has written, and their bytes."""
        files, own = self.destination.files(), _ending(self.run)
        return {name: int(info["size"]) for name, info in files.items() if name.endswith(own)}

    def finish(self, content: dict[str, Any]) -> dict[str, Any]:
        """Keep the manifest for the commit, and return it."""
        self._manifest = manifest_of({"run": self.run, **content})
        return self._manifest

    def commit(self) -> None:
        """Make what was written a version.

        Raises
        ------
        DestinationError
            Another writer was first.
        """
        delta = deltalake()
        left = self._left()
        self._is_in_doubt = True
        try:
            with self.destination.reached():
                self._commit(delta)
        except (delta.exceptions.DeltaError, StorageError) as error:
            self._settle(error)
        with suppress(OSError):  # what stays has a note, for the next run
            self._remove([*left, self._note])

    def require_first(self, error: Exception) -> None:
        """Raise `DestinationError` where another run has committed since this one began."""
        if set(self._runs() or ()) - {self.run}:
            raise self._late() from error

    def _late(self) -> DestinationError:
        return DestinationError(
            f"Another writer changed the Delta table {self.destination.shown!r} meanwhile: what it "
            "committed stays, and nothing of this run. Run the job again."
        )

    @property
    def version(self) -> int | None:
        """The version that it was committed as; None where it was not, or nobody can tell."""
        return (self._runs() or {}).get(self.run)

    def _settle(self, error: Exception) -> None:
        """Go on where a commit was made all the same, or raise `DestinationError`."""
        runs = self._runs()
        if runs is not None and self.run in runs:
            # the answer was lost, and the next try found the version taken
            return
        if runs is None or isinstance(error, StorageError):
            # what is on its way may arrive yet: its files stay, with the note
            raise DestinationError(
                f"{first_line(str(error))}. It is not known whether the result was committed to "
                f"{self.destination.shown!r}: look with dask-kmsmote report before the job is run "
                "again."
            ) from error
        self._is_in_doubt = False
        raise self._late() from error

    def _runs(self) -> dict[str, int] | None:
        """Runs that have committed since, and versions; None where the log can't be read."""
        try:
            if not has_log(self.destination):
                return {}
            found = commits(open_snapshot(self.destination), self._before + 1)
            return {run: number for number, text in found if (run := content_of(text).get("run"))}
        except (OSError, InputError):
            return None

    def _commit(self, delta: Any) -> None:
        from deltalake.transaction import create_table_with_add_actions

        number = 1
        if self.snapshot is not None:
            number += self.snapshot.table.transaction_version(APPLICATION) or 0
        properties = delta.CommitProperties(
            custom_metadata={"kmsmote": json.dumps(self._manifest)},
            # what is appended may come after other commits; what replaces all may not
            max_commit_retries=None if self.mode == "append" else 0,
            app_transactions=[delta.Transaction(APPLICATION, number)],
        )
        actions, by = self._actions(), list(self.partition_by)
        if self.snapshot is None:
            create_table_with_add_actions(
                url_of(self.destination),
                self._schema,
                actions,
                mode="error",
                partition_by=by,
                storage_options=options_of(self.destination),
                commit_properties=properties,
            )
        else:
            table = self.snapshot.table
            # with its notes of columns
            table.create_write_transaction(
                actions, self.mode, table.schema(), by, commit_properties=properties
            )

    def _actions(self) -> list[Any]:
        from deltalake.transaction import AddAction

        now = time.time_ns() // 1_000_000
        return [
            AddAction(
                file["path"],
                file["bytes"],
                file.get("partition", {}),
                now,
                data_change=True,
                stats=json.dumps({"numRecords": file["rows"]}),
            )
            for file in self._manifest["files"]
        ]

    def _left(self) -> list[str]:
        """Files of other runs that have not committed, and the notes of all others."""
        found = map(_NOTE.fullmatch, self.destination.names_in(_NOTES))
        notes = {note["run"]: note for note in found if note and note["run"] != self.run}
        first = {run: int(note["version"]) for run, note in notes.items()}
        done = dict(commits(self.snapshot, min(first.values()))) if self.snapshot and notes else {}
        # where the log does not reach back to, nobody can tell
        oldest = min(done, default=self._before + 1)
        dead = {run for run in notes if first[run] >= oldest}
        dead -= {content_of(text).get("run") for text in done.values()}
        files = self.destination.files() if dead else []
        endings = tuple(map(_ending, dead))
        return [
            *(name for name in files if name.endswith(endings)),
            *(note[0] for note in notes.values()),
        ]

    def _remove(self, names: Collection[str]) -> None:
        for name in names:
            with suppress(FileNotFoundError):  # another run removes the same
                self.destination.fs.rm_file(self.destination.path_of(name))
        if self.destination.is_local:
            with suppress(OSError):  # there are notes of others
                self.destination.fs.rmdir(self.destination.path_of(_NOTES))

    def clear(self) -> None:
        """Remove what the run has written, unless a version may name it."""
        if self._is_in_doubt:
            return
        names = list(self.written())
        self._remove([*names, self._note])
        if self.destination.is_local:
            self._remove_folders(names)

    def _remove_folders(self, names: list[str]) -> None:
        """Remove folders that are empty now: those of files, and of a new table all."""
        root = Path(self.destination.path)
        folders = {parent for name in names for parent in (root / name).parents if parent > root}
        if self.snapshot is None:
            folders |= {root, *(path for path in root.rglob("*") if path.is_dir())}
        for folder in sorted(folders, reverse=True):
            with suppress(OSError):  # files of others are there
                folder.rmdir()


def _ending(run: str) -> str:
    """What the names of all files of a run end in."""
    return f"-{run}.parquet"


def _partition_of(snapshot: Snapshot, wanted: tuple[str, ...]) -> tuple[str, ...]:
    there = tuple(snapshot.partition_by)
    if wanted and wanted != there:
        raise ParameterError(
            f"The Delta table {snapshot.location.shown!r} is partitioned by {list(there)}, and not "
            f"by {list(wanted)}: leave out --partition-by, or name another destination."
        )
    return there


def _require_no_rules(snapshot: Snapshot, mode: str) -> None:
    """Raise `ParameterError` where a table asks of its writers what is not done here."""
    asked = set(snapshot.table.protocol().writer_features or ()) - _WRITTEN
    on = {
        name
        for name, value in snapshot.configuration.items()
        if _RULES.match(name) and value.lower() not in {"none", "false"}
    }
    if mode == "append":
        on -= {"delta.appendOnly"}
    found = sorted(asked | on | (snapshot.notes_of_columns & _RULES_OF_COLUMNS))
    if found:
        raise ParameterError(
            f"The Delta table {snapshot.location.shown!r} has {', '.join(found)}, which asks more "
            "of a writer than is done here: name another destination, and let what writes this "
            "table take the rows from there."
        )
