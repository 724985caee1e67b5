"""Frozen dataclasses from what JSON holds: built field by field, of the types they are noted with.

Nothing but numbers, texts, truth values, tuples of them and these dataclasses comes of it.
"""

from __future__ import annotations

import json
import math
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from ..errors import ParameterError

SCALARS = bool, int, float, str, NoneType
WIDEST = 2**256  # of integers: seeds have less, and floats hold it


def parse(text: str | bytes) -> Any:
    """Strict JSON: no NaN and no infinity.

    Raises
    ------
    ParameterError
        It is none, or nested too deeply.
    """
    try:
        return load_strictly(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise ParameterError(f"This is no JSON: {error}.") from error


def load_strictly(text: str | bytes) -> Any:
    """JSON as `json.loads` has it, but for NaN and infinity, which are a ValueError."""
    return json.loads(text, parse_constant=_refuse)


def _refuse(name: str) -> None:
    raise ValueError(f"it has {name}")


def build(kind: Any, value: Any, where: str) -> Any:
    """The value as a type says: an int is not negative, a float that is null is NaN.

    Parameters
    ----------
    kind
        A dataclass, a tuple, a union with None, int, float, bool, str, or Any for a scalar.
    value
        What JSON holds.
    where
        Begins the message of the error.

    Raises
    ------
    ParameterError
        The value is of another type.
    """
    if is_dataclass(kind):
        return _build_fields(kind, value, where)
    if get_origin(kind) is tuple:
        return _build_tuple(get_args(kind), value, where)
    if isinstance(kind, UnionType):
        inner = next(part for part in get_args(kind) if part is not NoneType)
        return None if value is None else build(inner, value, where)
    if kind is float and value is None:
        return math.nan
    allowed = SCALARS if kind is Any else (int, float) if kind is float else (kind,)
    wide = type(value) is int and abs(value) >= WIDEST
    if type(value) not in allowed or wide or (kind is int and value < 0):
        raise ParameterError(f"{where} can't be {str(value)[:40]!r}.")
    return value


def _build_fields(kind: Any, value: Any, where: str) -> Any:
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]
    if not isinstance(value, dict) or set(value) != set(names):
        found = sorted(map(str, value)) if isinstance(value, dict) else type(value).__name__
        raise ParameterError(f"{where} needs the entries {names}, and has {found}.")
    return kind(**{name: build(hints[name], value[name], f"{where}.{name}") for name in names})


def _build_tuple(kinds: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ParameterError(f"{where} can't be {str(value)[:40]!r}: it is a list.")
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise ParameterError(f"{where} needs {len(kinds)} entries, and has {len(value)}.")
    parts = enumerate(zip(kinds, value, strict=True))
    return tuple(build(kind, part, f"{where}[{number}]") for number, (kind, part) in parts)
