"""KMeans-SMOTE over-sampling on Dask collections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .planning.plan import SamplingPlan
    from .sampler import KMeansSMOTE

__version__ = "0.1.0"
__all__ = ["KMeansSMOTE", "SamplingPlan", "__version__"]

_HOMES = {"KMeansSMOTE": "sampler", "SamplingPlan": "planning.plan"}


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
