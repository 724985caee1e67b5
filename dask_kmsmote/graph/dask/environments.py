"""Whether the processes of a cluster can do the work: what they have, before anything is computed.

A worker that can't import what a task calls leaves at its first task, and the client waits on
(distributed issues 1341, 5419); a scheduler that can't refuses the graph. What is sent to another
minor version of Python, or another version of Dask, is read wrongly or not at all.

Versions are asked for by a message of Dask's own, as a function that travels by value is of one
Python; then those of the same versions are asked to import. A process is asked once, unless it is
at fault, and a worker that does not answer in time is left to Dask.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from ...dependencies import distribution_of
from ...errors import ClusterError
from .questions import ask, ask_versions, imports

_US, _SCHEDULER = "dask_kmsmote", "the scheduler"
_DASK = ("dask", "distributed")  # of these, the same version
# what tasks call; first what that stands on, so that all that is missing is named
_NEEDED = (
    "numba", "numpy", "pandas", "scipy", "threadpoolctl",
    # here, as it fails where two threads of a worker import it at once
    "dask.dataframe",
    "dask_kmsmote.graph.dask.tasks", "dask_kmsmote.data.unchanged", "dask_kmsmote.order.mixing",
)  # fmt: skip
_LOOKED_FOR = ("sklearn",)  # 60 MB of a process, and one of all learns clusters
_IMPORTS = 30.0  # seconds to import all, on a machine that has other work
_asked: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()


class _Fault(NamedTuple):
    """A process, a package of it, and what it has of that, in words."""

    process: str
    package: str
    there: str


def require_same_environment(client: Any, workers: Iterable[str], seconds: float) -> None:
    """Ask the scheduler and the workers what they have, unless they were asked before.

    Raises
    ------
    ClusterError
        Who lacks what, what they have, what is here, and what mends it.
    OSError
        The scheduler does not answer in time.
    """
    asked = _asked.setdefault(client, set())
    new = [name for name in (_SCHEDULER, *workers) if name not in asked]
    if not new:
        return
    faults = _faults(client, new, min(seconds, _IMPORTS))
    asked.update(set(new) - {fault.process for fault in faults})
    if faults:
        raise ClusterError(_message(client.scheduler.address, faults))


def _faults(client: Any, names: Sequence[str], seconds: float) -> list[_Fault]:
    if _SCHEDULER in names:
        told = client.sync(client.scheduler.versions, callback_timeout=seconds)
        faults = _other_versions({_SCHEDULER: told})
        # it could not read the questions that follow
        if faults:
            return faults
    workers = [name for name in names if name != _SCHEDULER]
    versions = ask_versions(client, seconds, workers)
    faults = _other_versions(versions)
    # of those that have answered: the next question is put to all at once
    same = set(versions) - {fault.process for fault in faults}
    return faults + _lacking(client, [name for name in workers if name in same])


def _other_versions(told: Mapping[str, Any]) -> list[_Fault]:
    from distributed.versions import get_versions

    here = _versions(get_versions())
    return [
        _Fault(process, package, f"{package} {there}")
        for process, answer in told.items()
        for package, there in _versions(answer).items()
        if there != here[package]
    ]


def _versions(answer: Any) -> dict[str, str]:
    packages = answer["packages"]
    minor = ".".join(packages["python"].split(".")[:2])
    return {"Python": minor, **{name: str(packages[name]) for name in _DASK}}


def _lacking(client: Any, workers: Sequence[str]) -> list[_Fault]:
    question, told = imports(_NEEDED, _LOOKED_FOR), {}
    # who takes longer is left to Dask
    with suppress(TimeoutError):
        told[_SCHEDULER] = ask(client, _IMPORTS, question)
        told |= client.run(question, workers=workers, on_error="ignore", callback_timeout=_IMPORTS)
    faults = []
    for name, (failed, ours) in told.items():
        faults += [_Fault(name, of, f"no {of} ({error})") for of, error in failed.items()]
        if ours not in (None, _ours()):
            faults.append(_Fault(name, _US, f"{_US} {ours}"))
    return faults


def _message(address: str, faults: Sequence[_Fault]) -> str:
    processes: dict[tuple[str, str], list[str]] = {}
    for fault in faults:
        processes.setdefault(fault[1:], []).append(fault.process)
    here = {package: _version_here(package) for _, package, _ in faults}
    found = [
        f"{', '.join(names)} {'has' if len(names) == 1 else 'have'} {there}; here it is "
        f"{here[package]}"
        for (package, there), names in processes.items()
    ]
    python = here.pop("Python", None)
    wanted = [f"'{distribution_of(package)}=={number}'" for package, number in here.items()]
    mends = [f"run them with Python {python}"] if python else []
    mends += [f"pip install {' '.join(wanted)} there"] if wanted else []
    return (
        f"The cluster at {address} can't do this work: {'. '.join(found)}. Give its processes the "
        f"environment of this one, {' and '.join(mends)}, and start them again."
    )


def _version_here(package: str) -> str:
    if package == "Python":
        from platform import python_version

        return ".".join(python_version().split(".")[:2])
    if package == _US:
        return str(_ours())
    try:
        return version_of(distribution_of(package))
    except PackageNotFoundError:
        return "not installed"


def _ours() -> str | None:
    # as the others are asked: metadata are missing where a package is uploaded
    version: str | None = imports(())()[1]
    return version
