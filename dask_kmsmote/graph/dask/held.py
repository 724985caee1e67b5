"""Keys that a cluster holds, in graphs that may be computed when it is gone.

Dask's own future is a key of its cluster. Where a graph with it is computed after the cluster was
closed, Dask misses the key, and says no more than that. The reference here stands for a future, and
says what is wrong where it is followed: by local threads, or on the scheduler of another cluster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dask._task_spec import TaskRef
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph, MaterializedLayer
from dask.utils import ensure_dict

from ...errors import LostRowsError


class Held(TaskRef):  # type: ignore[misc] # Dask has no types
    """A future as a reference to its key; without a future, one to a key that is gone."""

    def __init__(self, future: Any = None) -> None:
        self.future = future

    @property
    def key(self) -> Any:
        """The key that the cluster holds.

        Raises
        ------
        LostRowsError
            It holds it no longer.
        """
        if self.is_lost:
            raise self.error
        return self.future.key

    @property
    def error(self) -> LostRowsError:
        """What is said where it is lost."""
        return LostRowsError(
            "A lazy result refers to rows in the memory of the cluster that was active when it "
            "was made, and that was closed or restarted. Compute or write a result before its "
            "cluster is closed; or make it anew, X_resampled, y_resampled = "
            "sampler.fit_resample(X, y)."
        )

    @property
    def is_lost(self) -> bool:
        """Whether no cluster holds it."""
        return self.future is None or bool(self.future.cancelled())

    # where it is sent to, the future is not known; and an error here would be one of pickle
    def __reduce__(self) -> tuple[Any, ...]:
        return (Held, ()) if self.is_lost else (TaskRef, (self.key,))


def held(parts: Sequence[Delayed]) -> list[Delayed]:
    """The tasks, in graphs that refer to what a cluster holds for them."""
    # the chunks of a collection share one graph, and do so still
    graphs = {id(part.dask): part.dask for part in parts}
    referring = {number: _referring(ensure_dict(graph)) for number, graph in graphs.items()}
    return [Delayed(part.key, referring[id(part.dask)]) for part in parts]


def with_held(graph: HighLevelGraph) -> HighLevelGraph:
    """The graph, which refers to what a cluster holds for it."""
    layers = {
        name: _referring(layer) if isinstance(layer, MaterializedLayer) else layer
        for name, layer in graph.layers.items()
    }
    return HighLevelGraph(layers, graph.dependencies)


def require_held(graph: Mapping[Any, Any]) -> None:
    """Raise `LostRowsError` where a graph refers to what no cluster holds any more."""
    # here: on the scheduler of another cluster, it would be one error of many
    lost = next((node for node in graph.values() if isinstance(node, Held) and node.is_lost), None)
    if lost is not None:
        raise lost.error


def _referring(graph: Mapping[Any, Any]) -> dict[Any, Any]:
    return {
        key: Held(node) if isinstance(node, TaskRef) and hasattr(node, "cancelled") else node
        for key, node in graph.items()
    }
