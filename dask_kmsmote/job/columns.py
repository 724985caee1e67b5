"""Columns of a job's table: which are features, which are taken along, and what a result has."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from ..errors import InputError, ParameterError


@dataclass(frozen=True)
class Columns:
    """What a job does with the columns.

    Attributes
    ----------
    target
        Holds the classes.
    features
        Rows are clustered and made by these; None means all that have no other part.
    categorical
        Those of them that are categories; None where their types say so.
    drop, keep
        Left out; and taken along, null in synthetic rows.
    only_synthetic
        Leave out the originals.
    mark
        A column to add that is true in synthetic rows.
    partition_by
        Columns of the result that name folders, from the outermost.
    present, left_out
        All columns of the source, in their order; and those that no option names, where features
        are named. Once resolved.
    """

    target: str
    features: tuple[str, ...] | None = None
    categorical: tuple[str, ...] | None = None
    drop: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    only_synthetic: bool = False
    mark: str | None = None
    partition_by: tuple[str, ...] = ()
    present: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def resolved(self, present: Sequence[str], index: Sequence[str]) -> Columns:
        """The same with its features by name.

        Parameters
        ----------
        present, index
            The columns, and those that were the index of a frame or have no name.

        Raises
        ------
        InputError
            A column is not there; or one of `index` has no part.
        ParameterError
            A column has two parts, the mark is there already, or folders can't be named.
        """
        spelled = self._spelled_as(present)
        return spelled._resolved(present, index)

    def _spelled_as(self, present: Sequence[str]) -> Columns:
        """The same with names as the source has them: the command line leaves out spaces."""

        def found(names: Sequence[str], option: str) -> tuple[str, ...]:
            return tuple(_found(name, present, option) for name in names)

        return replace(
            self,
            target=found((self.target,), "--target")[0],
            features=None if self.features is None else found(self.features, "--features"),
            categorical=None
            if self.categorical is None
            else found(self.categorical, "--categorical"),
            drop=found(self.drop, "--drop"),
            keep=found(self.keep, "--keep"),
            partition_by=tuple(
                _found(name, [*present, *self._marks], "--partition-by")
                for name in self.partition_by
            ),
        )

    def _resolved(self, present: Sequence[str], index: Sequence[str]) -> Columns:
        taken = [self.target, *self.drop, *self.keep]
        features = self.features or tuple(name for name in present if name not in taken)
        if self.features is None:
            _require_no_index([name for name in index if name in features])
        twice = [name for name in [*taken, *features] if [*taken, *features].count(name) > 1]
        if twice:
            raise ParameterError(
                f"The column {twice[0]!r} has two parts: name it once in --target, --features, "
                "--drop and --keep."
            )
        if self.mark in present:
            raise ParameterError(
                f"The source has a column {self.mark!r} already: name another in --mark-synthetic."
            )
        strange = [name for name in self.categorical or () if name not in features]
        if strange:
            raise ParameterError(
                f"{strange} in --categorical are no features: name them in no other option but "
                "--features."
            )
        if not features:
            raise InputError("No column is left for --features: name fewer in --drop and --keep.")
        left_out = tuple(name for name in present if name not in {*taken, *features})
        found = replace(self, features=features, present=tuple(present), left_out=left_out)
        found._require_folders()
        return found

    def _require_folders(self) -> None:
        named = list(dict.fromkeys(self.partition_by))
        if len(named) < len(self.partition_by):
            raise ParameterError(
                f"A column has two folders: name it once, --partition-by {as_option(named)}."
            )
        absent = [name for name in named if name not in self.written]
        if absent:
            raise ParameterError(
                f"The columns {absent} of --partition-by are not in the result: take them along "
                f"with --keep {as_option([*self.keep, *absent])}."
            )
        if named and len(named) == len(self.written):
            raise ParameterError(
                "All columns name folders, and none is left for the files: say "
                f"--partition-by {as_option(named[:-1])}."
            )

    @property
    def of_result(self) -> list[str]:
        """Columns of the result but for the mark, in the order of the source."""
        parts = {self.target, *(self.features or ()), *self.keep}
        return [name for name in self.present if name in parts]

    @property
    def written(self) -> list[str]:
        """Columns of the result, in their order."""
        return [*self.of_result, *self._marks]

    @property
    def unnamed(self) -> list[str]:
        """Features that nobody has said to be categories."""
        return [name for name in self.features or () if name not in (self.categorical or ())]

    @property
    def passthrough(self) -> list[str]:
        """Columns that are null in new rows: what is kept, and the mark, which tells them."""
        return [*self.keep, *self._marks]

    @property
    def _marks(self) -> list[str]:
        return [] if self.mark is None else [self.mark]

    def split(self, table: Any) -> tuple[Any, Any]:
        """X, with the columns that are taken along, and y."""
        X = table[[name for name in self.of_result if name != self.target]]
        return X.assign(**dict.fromkeys(self._marks, False)), table[self.target]

    def require_labels(self, empty: Any) -> None:
        """Raise `InputError` where the target of a frame of these types holds no classes."""
        import pyarrow as pa

        own = getattr(empty[self.target].dtype, "pyarrow_dtype", pa.null())
        if pa.types.is_nested(own):
            raise InputError(
                f"The target {self.target!r} holds values of the type {own}, which are no classes: "
                "name a column of numbers, text or categories with --target."
            )

    def joined(self, X: Any, y: Any) -> Any:
        """The result as one frame, in the order of the source, then the mark."""
        marked = {mark: X[mark].isna() for mark in self._marks}
        return X.assign(**{self.target: y, **marked})[self.written]


def as_option(names: Sequence[str]) -> str:
    """Names as the options of columns take them: ``'id,"price, EUR"'``."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(names)
    return shlex.quote(text.getvalue())


def _require_no_index(names: Sequence[str]) -> None:
    """Raise `InputError` where a row number, or an id, would be a feature that nobody named."""
    if names:
        listed = as_option(names)
        raise InputError(
            f"The columns {list(names)} were the index of a frame, or have no name: leave them out "
            f"with --drop {listed}, or take them along with --keep {listed}."
        )


def _found(name: str, present: Sequence[str], option: str) -> str:
    """A column by its name, which may have spaces around it in the source."""
    if name in present:
        return name
    spaced = [own for own in present if own.strip() == name.strip()]
    if len(spaced) == 1:
        return spaced[0]
    near = get_close_matches(name, present, 1)
    hint = f"Did you mean {near[0]!r}?" if near else f"It has {list(present)}."
    raise InputError(
        f"The source has no column {name!r} ({option}). {hint} Name one of its columns."
    )
