"""Graphs under keys of our own: copies of the user's, and names for what other libraries compute.

What the stages keep in cluster memory remembers the tasks that it came from. If the user then
computes X with other tasks fused, some keys come again with another content, which a distributed
scheduler warns of and may hang on (dask issue 9888). So the stages read X through a renamed copy
of its optimised graph. (`dask.graph_manipulation.clone` loses keys of rechunked arrays.)

    user's X    from-array-1a2b, 0, 0   ->   add-3c4d, 0, 0
    copy        kmsmote-input-77f0, 0, 0 ->  kmsmote-input-9e12, 0, 0

What dask-ml computes gets names too, so that a cluster's dashboard reads by stages.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import dask
import dask.array as da
from dask._task_spec import Alias, GraphNode, TaskRef, convert_legacy_graph
from dask.base import tokenize
from dask.core import flatten
from dask.highlevelgraph import HighLevelGraph, MaterializedLayer

from ...process import ProcessSetting
from .watch import active_client


def copy_under_own_keys(array: da.Array, token: str) -> da.Array:
    """The same array, each key of its graph renamed to ``kmsmote-input-…``."""
    keys, given = list(flatten(array.__dask_keys__())), dict(array.__dask_graph__())
    # futures: what a cluster holds is known to it by its key alone; optimizing leaves them out
    held = {key: node for key, node in given.items() if isinstance(node, TaskRef)}
    graph = convert_legacy_graph(dict(array.__dask_optimize__(array.__dask_graph__(), keys)))
    names: dict[str, str] = {}
    renamed = {key: _rename(key, token, names) for key in (*held, *graph)}
    copy: dict[Any, Any] = dict(held)
    copy |= {renamed[key]: Alias(renamed[key], key) for key in held}
    for key, node in graph.items():
        if key not in held:
            copy[renamed[key]] = _substitute(node, renamed, renamed[key])
    name = _name(array.name, token, names)
    return da.Array(copy, name, array.chunks, dtype=array.dtype, meta=array._meta)


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


def _renamed_graph(graph: dict[Any, Any], asked: Iterable[Any], stage: str, token: str) -> Any:
    """A graph whose keys read ``kmsmote-<stage>-…``, but for those that are asked for.

    Keys of ours, and futures, keep theirs.
    """
    # the client fetches results by the keys that it asked for
    given, kept = convert_legacy_graph(graph), set(asked)
    names: dict[str, str] = {}
    renamed = {
        key: _rename(key, token, names, stage)
        for key, node in given.items()
        if not (key in kept or _is_ours(key) or isinstance(node, TaskRef))
    }
    return {
        renamed.get(key, key): _substitute(node, renamed, renamed.get(key, key))
        for key, node in given.items()
    }


def _is_ours(key: Any) -> bool:
    return str(key[0] if isinstance(key, tuple) else key).startswith("kmsmote-")


def _rename(key: Any, token: str, names: dict[str, str], stage: str = "input") -> Any:
    if isinstance(key, tuple):
        return (_name(key[0], token, names, stage), *key[1:])
    return _name(key, token, names, stage)


def _name(name: Any, token: str, names: dict[str, str], stage: str = "input") -> str:
    # one token a name, which all chunks of an array share
    if name not in names:
        names[name] = f"kmsmote-{stage}-{tokenize(name, token)}"
    return names[name]


def _substitute(node: Any, renamed: dict[Any, Any], key: Any) -> Any:
    return node.substitute(renamed, key=key) if isinstance(node, GraphNode) else node


_THREAD = threading.local()


@contextmanager
def named_after(stage: str, token: str) -> Iterator[None]:
    """Tasks that this thread computes on a cluster in the body read ``kmsmote-<stage>-…``."""
    # local schedulers show no names, and `_get` needs a client
    if active_client() is None:
        yield
        return
    with _NAMED:
        _THREAD.name = stage, token
        try:
            yield
        finally:
            del _THREAD.name


def _get(graph: Any, keys: Any, **options: Any) -> Any:
    from distributed import get_client

    if hasattr(_THREAD, "name"):
        content = dict(graph if isinstance(graph, dict) else graph.__dask_graph__())
        graph = _renamed_graph(content, flatten(keys), *_THREAD.name)
    return get_client().get(graph, keys, **options)


# all threads see the setting, so overlapping runs share it
_NAMED = ProcessSetting(partial(dask.config.set, scheduler=_get))
