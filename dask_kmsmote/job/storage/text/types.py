"""The type of a column of text, from all of its values, and the values in it.

A column is the first of these that fits all of its values, words such as NA left out:

    true, False                   boolean
    7, -12                        int64, or else uint64
    1.5, 7e-3, inf                float64
    007, 2026-01-01, 20 digits    text, in which only a blank is missing

What speaks for and against is gathered in parts, as `Evidence`, and added.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

# what pandas takes for missing; in text it may be a value: NA is Namibia
_MISSING = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
)  # fmt: skip
_TRUE, _FALSE = ("True", "TRUE", "true"), ("False", "FALSE", "false")
_WHOLE, _CODE = "^-?[0-9]+$", "^[+-]?0[0-9]+$"
_ALONE = "^[+-]?[0-9]+$"  # digits
# also with a mark between thousands, and of either decimal mark
_LIKE_NUMBERS = (
    r"^[+-]?([0-9]+[.,]?[0-9]*|[.,][0-9]+|[0-9]{1,3}([.,][0-9]{3})+([.,][0-9]+)?)(e[+-]?[0-9]+)?$"
    r"|^[+-]?inf(inity)?$"
)
_WIDE, _COMMA = "wide", "comma"  # whole numbers of any length; numbers with a decimal comma
_TYPES = "bool", "int64", "uint64"  # from the narrowest; then float64, then text
_ALL = frozenset({*_TYPES, "float64", _WIDE, _COMMA})
_DIGITS = 15  # that a float64 holds
_MOST = 0.9  # share of values like numbers, from which on a column looks like numbers


class Evidence(NamedTuple):
    """What some values of a column say of its type.

    Attributes
    ----------
    fits
        The types that all of them fit.
    n_values, n_like, n_digits
        Those that are there; those of them that look like numbers; and those of digits alone.
    n_long
        Whole numbers of more digits than a float64 holds.
    odd
        One of them that is no number as numbers are written; beside long ones, no whole number.
    has_missing
        Some are missing.
    """

    fits: frozenset[str] = _ALL
    n_values: int = 0
    n_like: int = 0
    n_digits: int = 0
    n_long: int = 0
    odd: str | None = None
    has_missing: bool = False

    @property
    def kind(self) -> str:
        """The type of the column, by Arrow's name."""
        if not self.n_values:
            return "float64"
        found = next((kind for kind in _TYPES if kind in self.fits), None)
        is_text = _WIDE in self.fits or "float64" not in self.fits
        return found or ("string" if is_text else "float64")

    @property
    def has_commas(self) -> bool:
        """All values are numbers, if a comma in them is a decimal mark."""
        return self.kind == "string" and _COMMA in self.fits and _WIDE not in self.fits

    @property
    def is_doubtful(self) -> bool:
        """Nearly all values look like numbers, and are no codes of digits alone.

        So are ids among which one is 1,23E+18: as numbers they would lose their last digits.
        """
        if self.kind == "float64" and self.n_long:
            return True
        is_code = self.n_digits == self.n_values
        looks = self.n_like >= _MOST * self.n_values
        return self.kind == "string" and looks and not (is_code or self.has_commas)


def added(parts: Sequence[Evidence]) -> Evidence:
    """What several parts of a column say together."""
    return Evidence(
        fits=_ALL.intersection(*(part.fits for part in parts)),
        n_values=sum(part.n_values for part in parts),
        n_like=sum(part.n_like for part in parts),
        n_digits=sum(part.n_digits for part in parts),
        n_long=sum(part.n_long for part in parts),
        odd=next((part.odd for part in parts if part.odd is not None), None),
        has_missing=any(part.has_missing for part in parts),
    )


def evidence_of(column: Any, decimal: str) -> Evidence:
    """What the values of a column say, which are text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pc.utf8_trim_whitespace(column)
    is_missing = pc.is_in(text, pa.array(_MISSING))
    values = text.filter(pc.invert(is_missing))
    fits = _ALL
    # of words a few values tell
    for some in (values[:100], values):
        fits = _types_of(some, decimal) if fits and len(some) else fits
    is_whole = pc.match_substring_regex(values, _WHOLE)
    if "float64" in fits:
        n_like, odd = len(values), values.filter(pc.invert(is_whole))
    else:
        like = pc.match_substring_regex(values, _LIKE_NUMBERS, ignore_case=True)
        n_like, odd = _count(like), _odd_among(values, decimal)
    return Evidence(
        fits=fits,
        n_values=len(values),
        n_like=n_like,
        n_digits=_count(pc.match_substring_regex(values, _ALONE)),
        n_long=_count(pc.and_(is_whole, pc.greater(pc.utf8_length(values), _DIGITS))),
        odd=odd[0].as_py() if len(odd) else None,
        has_missing=len(values) < len(column),
    )


def _count(flags: Any) -> int:
    import pyarrow.compute as pc

    return pc.sum(flags).as_py() or 0


def _odd_among(values: Any, decimal: str) -> Any:
    import pyarrow.compute as pc

    mark = re.escape(decimal)
    plain = rf"^[+-]?([1-9][0-9]*|0)({mark}[0-9]+)?(e[+-]?[0-9]+)?$"
    return values.filter(pc.invert(pc.match_substring_regex(values, plain, ignore_case=True)))


def _types_of(values: Any, decimal: str) -> frozenset[str]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pc.all(pc.is_in(values, pa.array((*_TRUE, *_FALSE)))).as_py():
        return frozenset({"bool"})
    if pc.any(pc.match_substring_regex(values, _CODE)).as_py():
        return frozenset()
    fits = set()
    if pc.all(pc.match_substring_regex(values, _WHOLE)).as_py():
        fits = {_WIDE, *(kind for kind in ("int64", "uint64") if _casts(values, kind))}
    if _casts(_with_points(values, decimal), "float64"):
        return frozenset({*fits, "float64", _COMMA})
    return frozenset({_COMMA} if _casts(_with_points(values, ","), "float64") else ())


def _with_points(values: Any, decimal: str) -> Any:
    """Numbers with a decimal point; what has a point already, beside another mark, is none."""
    import pyarrow.compute as pc

    if decimal == ".":
        return values
    # 1.234 of thousands would be 1.234
    pointed = pc.replace_substring(values, ".", "no point")
    return pc.replace_substring(pointed, decimal, ".")


def _casts(values: Any, kind: str) -> bool:
    import pyarrow as pa

    try:
        values.cast(pa.type_for_alias(kind))
    except pa.ArrowInvalid:
        return False
    return True


def converted(column: Any, arrow_type: Any, decimal: str) -> Any:
    """Text in the type that all of it fits; text itself as it is, but for blanks.

    Raises
    ------
    pyarrow.ArrowInvalid
        It does not fit.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    nothing = pa.scalar(None, pa.string())
    if pa.types.is_string(arrow_type):
        return pc.if_else(pc.equal(column, ""), nothing, column)
    text = pc.utf8_trim_whitespace(column)
    text = pc.if_else(pc.is_in(text, pa.array(_MISSING)), nothing, text)
    if pa.types.is_boolean(arrow_type):
        is_true = pc.is_in(text, pa.array(_TRUE))
        return pc.if_else(pc.is_null(text), pa.scalar(None, pa.bool_()), is_true)
    if pa.types.is_floating(arrow_type):
        text = _with_points(text, decimal)
    return text.cast(arrow_type)
