"""Names for the tasks of other libraries, so that a cluster's dashboard reads by stages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dask.core import flatten

from ...threads import Shared
from .own_keys import renamed_graph
from .watch import active_client

_THREAD = threading.local()


@contextmanager
def named_after(stage: str, token: str) -> Iterator[None]:
    """Tasks that this thread computes on a cluster in the body read ``kmsmote-<stage>-…``."""
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
        graph = renamed_graph(content, flatten(keys), *_THREAD.name)
    return get_client().get(graph, keys, **options)


# all threads see the setting, so overlapping runs share it
_NAMED = Shared(scheduler=_get)
