"""What can go wrong, named by what went wrong.

Every class derives from the built-in exception that imbalanced-learn raises in the same
place, so that code written for it catches ours too.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that a wrong one is closest to, if any: but for case, or a similar one."""
    known = list(known)
    same = [own for own in known if own.lower() == name.lower()]
    return next(iter(same or get_close_matches(name, known, 1)), None)


class InputError(ValueError):
    """The data can't be resampled: the message says where, how many, and a hint."""


class InputTypeError(InputError, TypeError):
    """The data have types that can't be resampled; a TypeError as well, as scikit-learn has it."""


class ParameterError(ValueError):
    """A parameter does not fit the data or the other parameters."""


class NoClusterError(RuntimeError):
    """No cluster qualifies for a class that rows should be made for."""


class TooFewRowsError(InputError, NoClusterError):
    """A class has too few rows for its neighbours; caught as either parent."""


class UnsoundPlanError(RuntimeError):
    """The plan of a strict job has warnings.

    Attributes
    ----------
    plan
        The plan.
    """

    def __init__(self, message: str, plan: Any) -> None:
        super().__init__(message)
        self.plan = plan


class UnsupportedDaskError(RuntimeError):
    """A Dask setting is on under which the arrays can't be taken apart."""


class StorageError(OSError):
    """A place of a job can't be reached: the message names it, and a hint."""


class DestinationError(StorageError):
    """The destination of a job exists already or can't be written."""


class ClusterError(OSError):
    """The cluster of a run can't be reached, can't do the work, or does nothing for too long."""


class LostRowsError(RuntimeError):
    """A lazy result is computed where the rows that it refers to are gone."""


class PlanWarning(UserWarning):
    """Something about a plan to look at before rows are made; the message says what mends it."""


class ConcentrationWarning(PlanWarning):
    """Most of the new rows of a class come from few of its rows."""


class UnscaledWarning(PlanWarning):
    """Distances follow the widest features alone."""


class ManyCategoriesWarning(PlanWarning):
    """A feature has so many categories that it looks like an id."""


class FewNeighborsWarning(PlanWarning):
    """Some clusters have fewer rows of a class than the wanted neighbours."""


class LowRecallWarning(PlanWarning):
    """An approximate search found fewer of the nearest rows than it should."""


class IncompatibleVersionError(ImportError):
    """A dependency lacks what is needed of it; the message names the wanted version."""


class MissingPackageError(ImportError):
    """An optional package is needed; the message names the extra that brings it."""
