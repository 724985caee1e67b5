"""Whether a line's end lies within a quoted value, and so ends no row.

A quote opens a value where it is the first sign of one; within, two of them are one sign. What
follows from a span depends on how it begins, which only those before it tell: both are found.

    x,y / 1,"a / b" / 2,5" c       the second line ends within quotes, the last one does not
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ....kernels.compiled import compiled

_QUOTE, _LINE, _RETURN = ord('"'), ord("\n"), ord("\r")
_SHOWN = 40  # bytes of a value in a message


class Quotes(NamedTuple):
    """Where a span ends.

    Attributes
    ----------
    ends_within
        Whether within a quoted value, where it begins outside of one, and where within.
    value
        What it then begins with, if it begins in the span.
    """

    ends_within: tuple[bool, bool] = (False, True)
    value: str = ""


def quotes_in(data: bytes, separator: str) -> Quotes:
    """Where a span of text in UTF-8 ends."""
    if b'"' not in data:
        return Quotes()
    signs = np.frombuffer(data, dtype=np.uint8)
    within, opened = _end_of(signs, ord(separator), False)
    other, opened_later = _end_of(signs, ord(separator), True)
    start = opened if within else opened_later
    value = data[start : start + _SHOWN].decode("utf-8", "replace") if start >= 0 else ""
    return Quotes((bool(within), bool(other)), value)


@compiled
def _end_of(signs: NDArray[np.uint8], separator: int, is_within: bool) -> Any:
    """Whether the end is within quotes, and where they were opened; -1 where not in the span."""
    opened, is_start, at = -1, not is_within, 0
    while at < len(signs):
        sign = signs[at]
        if is_within:
            if sign == _QUOTE:
                if at + 1 < len(signs) and signs[at + 1] == _QUOTE:
                    at += 1
                else:
                    is_within = False
        elif sign == _QUOTE and is_start:
            is_within, is_start, opened = True, False, at
        else:
            is_start = sign in (separator, _LINE, _RETURN)
        at += 1
    return is_within, opened
