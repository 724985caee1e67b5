"""Zarr groups: an array of features and one of labels, as Dask arrays, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ...errors import InputError, ParameterError
from .drafts.draft import Drafted
from .source import Source

_METADATA = ".zarray", "zarr.json"


def read_arrays(source: Source, features: str, target: str) -> tuple[Any, Any]:
    """Two arrays of a Zarr group: features, shape (n_rows, n_features), and labels."""
    import dask.array as da

    _require_zarr()
    store, arrays = source.location.zarr_store, []
    for name in (features, target):
        if not any(path.startswith(f"{name}/") for path in source.files):
            there = sorted({path.partition("/")[0] for path in source.files if "/" in path})
            raise InputError(
                f"The source {source.location.shown!r} has no array {name!r}: it has {there}. Name "
                "one of them with --features or --target."
            )
        _require_plain_codecs(source, name)
        arrays.append(da.from_zarr(store, component=name))
    return arrays[0], arrays[1]


def _require_plain_codecs(source: Source, name: str) -> None:
    """Raise `InputError` where an array of a Zarr group is made of pickled Python objects."""
    location = source.location
    for path in (f"{name}/{file}" for file in _METADATA):
        if path not in source.files:
            continue
        try:
            names = set(_names(json.loads(location.fs.cat_file(location.path_of(path)))))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path!r} of {location.shown!r} is not JSON: {error}") from error
        if any("pickle" in name for name in names):
            raise InputError(
                f"The array {name!r} of {location.shown!r} is stored by pickle, which could run "
                "anything when it is read: write it anew as an array of numbers or text."
            )


def _names(metadata: Any) -> Iterator[str]:
    if isinstance(metadata, dict):
        for key, value in metadata.items():
            # codecs have an id in Zarr 2, a name in Zarr 3; attributes are texts of the user
            if key in ("id", "name") and isinstance(value, str):
                yield value.lower()
            elif key != "attributes":
                yield from _names(value)
    elif isinstance(metadata, list):
        for value in metadata:
            yield from _names(value)


def _require_zarr() -> None:
    try:
        import zarr  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise ParameterError(
            "Zarr groups need another package: pip install 'dask-kmsmote[zarr]'."
        ) from error


def write_arrays(arrays: dict[str, Any], rows: int, draft: Drafted) -> list[dict[str, Any]]:
    """Write Dask arrays as a Zarr group, in chunks of so many rows; computes."""
    import dask

    _require_zarr()
    location = draft.location
    store = location.zarr_store
    jobs = [
        array.rechunk({0: rows}).to_zarr(store, component=name, compute=False)
        for name, array in arrays.items()
    ]
    dask.compute(*jobs)
    return [{"path": name, "bytes": int(info["size"])} for name, info in location.files().items()]
