"""KMeans-SMOTE over-sampling on Dask collections, and in memory through the same engine.

    cli          the command line
    job          a table in, the resampled table out, a manifest of what was done
    selection    search: does over-sampling help, and with which settings?
    sampler      KMeansSMOTE: the estimator                        plots       pictures of it
    parameters   its parameters as the settings of one run         inspection  is a result right?
    data         X and y in, the result out, Dask and memory side by side
    pipeline     the stages in their order; the one place that decides when one computes
    graph        a module for each stage: Dask graphs that wire kernels together
    recipes      what one over-sampler decides                     order       where rows go
    kernels      what runs in a task: numpy, numba, scikit-learn on one block
    planning     decisions on small tables, pure

A room (a package, or a module beside them) imports only from rooms below it in this list, as
import-linter holds; `errors`, `events`, `listeners`, `process`, `threads`, `libraries` and
`dependencies` are the ground. A run goes down the list, and its result back up to `data`: a sampler
makes settings of its parameters and an input of X and y, the pipeline runs the stages and leaves a
plan and lazy synthetic rows, and the input makes a result of them, of the kind that it came as. A
search is many such runs, on parts of the rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .planning.plan import SamplingPlan
    from .sampler import KMeansSMOTE
    from .selection.search import search

__version__ = "0.1.0"
__all__ = ["KMeansSMOTE", "SamplingPlan", "__version__", "search"]

_HOMES = {
    "KMeansSMOTE": "sampler",
    "SamplingPlan": "planning.plan",
    "search": "selection.search",
}


def __getattr__(name: str) -> Any:
    # scikit-learn and imbalanced-learn take a second to import: only when the sampler is wanted
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    try:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    except ImportError as error:
        from .dependencies import explained

        raise explained(error) from error


def __dir__() -> list[str]:
    return sorted(__all__)
