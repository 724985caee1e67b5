"""The user's graphs under keys of our own.

What the stages keep in cluster memory remembers the tasks that it came from. If the user then
computes X with other tasks fused, some keys come again with another content, which a distributed
scheduler warns of and may hang on (dask issue 9888). So the stages read X through a renamed copy
of its optimised graph. (`dask.graph_manipulation.clone` loses keys of rechunked arrays.)

    user's X    from-array-1a2b, 0, 0   ->   add-3c4d, 0, 0
    copy        kmsmote-input-77f0, 0, 0 ->  kmsmote-input-9e12, 0, 0

What a cluster holds has no tasks left that could differ: it is read under its own key.
"""

from __future__ import annotations

from typing import Any

import dask.array as da
from dask._task_spec import Alias, GraphNode, TaskRef, convert_legacy_graph
from dask.base import tokenize
from dask.core import flatten
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph, MaterializedLayer


def blocks_under_own_keys(array: da.Array, token: str) -> list[Delayed]:
    """A task for each block of one column of them, the keys before it read ``kmsmote-input-…``."""
    keys, given = list(flatten(array.__dask_keys__())), dict(array.__dask_graph__())
    # futures: what a cluster holds is known to it by its key alone; optimizing leaves them out
    held = {key: node for key, node in given.items() if isinstance(node, TaskRef)}
    graph = convert_legacy_graph(dict(array.__dask_optimize__(array.__dask_graph__(), keys)))
    names: dict[str, str] = {}
    renamed = {key: _rename(key, token, names) for key in graph if key not in held}
    copy: dict[Any, Any] = dict(held)
    for key, new in renamed.items():
        copy[new] = _substitute(graph[key], renamed, new)
    return [Delayed(_origin(renamed.get(key, key), copy), copy) for key in keys]


def _origin(key: Any, graph: dict[Any, Any]) -> Any:
    """The key that a chain of aliases leads to, none of which need be a task."""
    while isinstance(graph[key], Alias):
        key = graph[key].target
    return key


def with_known_aliases(array: da.Array) -> da.Array:
    """The same array, made of a frame's partitions; each alias in its graph knows its own key.

    Those of ``dd.from_delayed([part], meta=meta, verify_meta=False)`` do not (Dask 2026.8), and are
    lost when the array is optimized, as with ``frame.to_dask_array()``.
    """
    layers = {
        name: {key: _under(key, node) for key, node in layer.items()}
        if isinstance(layer, MaterializedLayer)
        else layer
        for name, layer in array.dask.layers.items()
    }
    graph = HighLevelGraph(layers, array.dask.dependencies)
    return da.Array(graph, array.name, array.chunks, dtype=array.dtype, meta=array._meta)


def _under(key: Any, node: Any) -> Any:
    return Alias(key, node.target) if isinstance(node, Alias) and node.key != key else node


def _rename(key: Any, token: str, names: dict[str, str]) -> Any:
    if isinstance(key, tuple):
        return (_name(key[0], token, names), *key[1:])
    return _name(key, token, names)


def _name(name: Any, token: str, names: dict[str, str]) -> str:
    # one token a name, which all chunks of an array share
    if name not in names:
        names[name] = f"kmsmote-input-{tokenize(name, token)}"
    return names[name]


def _substitute(node: Any, renamed: dict[Any, Any], key: Any) -> Any:
    return node.substitute(renamed, key=key) if isinstance(node, GraphNode) else node
