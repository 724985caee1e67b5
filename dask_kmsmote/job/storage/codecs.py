"""Codecs of Zarr arrays: none that runs what it reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ...errors import InputError
from .source import Source

METADATA = ".zarray", "zarr.json"


def require_plain_codecs(source: Source, name: str) -> None:
    """Raise `InputError` where an array of a Zarr group is made of pickled Python objects."""
    place = source.location
    for path in (f"{name}/{file}" for file in METADATA):
        if path not in source.files:
            continue
        try:
            names = set(_names(json.loads(place.fs.cat_file(f"{place.path}/{path}"))))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path!r} of {place.shown!r} is not JSON: {error}") from error
        if any("pickle" in name for name in names):
            raise InputError(
                f"The array {name!r} of {place.shown!r} is stored by pickle, which could run "
                "anything when it is read: write it anew as an array of numbers or text."
            )


def _names(metadata: Any) -> Iterator[str]:
    if isinstance(metadata, dict):
        for key, value in metadata.items():
            if key in ("id", "name") and isinstance(value, str):
                yield value.lower()
            elif key != "attributes":
                yield from _names(value)
    elif isinstance(metadata, list):
        for value in metadata:
            yield from _names(value)
