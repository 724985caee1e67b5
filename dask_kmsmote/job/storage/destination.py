"""A destination that is whole or absent.

A run writes to a draft, its manifest last, and then publishes the draft: on a local disk by a
rename (`local`), on an object store by a record that commits it, and copies (`store`). A run that
died while it published is mended by the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from ...errors import DestinationError, ParameterError, StorageError
from ...process import uninterrupted
from .drafts.draft import Draft, writing_to
from .drafts.local import LocalDraft
from .drafts.store import StoreDraft
from .location import Location
from .manifest import keeper, read_manifest


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
        draft.before = _require_free(draft, overwrite, recovered)
        try:
            draft.open()
            yield draft
            # again, as hours may have passed: a store has no lock, and anybody can put files there
            draft.require_same_run()
            _require_ours(draft, read_manifest(destination))
        except BaseException as error:
            with suppress(StorageError):  # the first error counts; the next run removes the draft
                draft.clear()
            if isinstance(error, OSError) and type(error) is not StorageError:
                # its parts may be gone because another run has finished
                draft.require_same_run()
            raise
        # from here on the draft is whole: a death is mended by the next run
        with uninterrupted():
            draft.publish()
            with suppress(OSError):  # the result is whole; the next run removes the draft
                draft.clear()


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
