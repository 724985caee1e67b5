"""Kinds of values that options take, from a command line, the environment or a file."""

from __future__ import annotations

import csv
import json
from typing import Any

import click

from ..planning.strategy import ByText


class Names(click.ParamType):  # type: ignore[type-arg] # a generic only of late
    """Column names, separated by commas; or one of some words."""

    name = "a,b"

    def __init__(self, *words: str) -> None:
        self.words = words

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """A tuple of the names, or one of the words."""
        if value in self.words:
            return value
        if isinstance(value, str):
            # of a name with a comma in it, 'id,"price, EUR"'
            split = next(csv.reader([value], skipinitialspace=True), [])
            value = [name.strip() for name in split if name.strip()]
        if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
            self.fail(f"{value!r} is no list of column names", param, ctx)
        return tuple(value)


class Json(click.ParamType):  # type: ignore[type-arg] # a generic only of late
    """A JSON object; a configuration file may have it as a table."""

    name = "json"

    def convert(self, value: Any, param: Any, ctx: Any) -> dict[str, Any]:
        """The object as a dict."""
        try:
            content = json.loads(value) if isinstance(value, str) else value
        except (ValueError, RecursionError) as error:  # also a number of thousands of digits
            self.fail(f"is no JSON: {error}", param, ctx)
        if not isinstance(content, dict):
            self.fail("must be a JSON object", param, ctx)
        return content


class Bytes(click.ParamType):  # type: ignore[type-arg] # a generic only of late
    """A number of bytes, such as 64MiB, of at least so many; or a word."""

    name = "bytes"

    def __init__(self, least: int = 1, *words: str) -> None:
        self.least, self.words = least, words

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """The text, which Dask understands."""
        from dask.utils import parse_bytes

        if value in self.words:
            return str(value)
        try:
            n_bytes = parse_bytes(value)
        except (ValueError, TypeError, AttributeError, OverflowError):
            self.fail(f"{value!r} is no number of bytes, such as 64MiB", param, ctx)
        if n_bytes < self.least:
            self.fail(f"{value!r} is less than {self.least} bytes", param, ctx)
        return str(value)


class Strategy(click.ParamType):  # type: ignore[type-arg] # a generic only of late
    """A ratio, a name, or final counts by class as JSON."""

    name = "strategy"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """What the sampler takes."""
        content = value
        if isinstance(value, str):
            try:
                content = json.loads(value)
            except (ValueError, RecursionError):  # also a number of thousands of digits
                return value
        if isinstance(content, dict):
            return ByText(content)
        if isinstance(content, bool) or not isinstance(content, str | int | float):
            self.fail(f"{value!r} is neither a ratio, a name, nor final counts", param, ctx)
        return content


class Sign(click.ParamType):  # type: ignore[type-arg] # a generic only of late
    """One sign, or the word tab."""

    name = "sign"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """The sign."""
        sign = "\t" if value in ("tab", "\\t") else value
        if not isinstance(sign, str) or len(sign) != 1 or not sign.isascii() or sign in '"\n\r':
            self.fail(f"{value!r} is not one sign, such as ';', or tab", param, ctx)
        return sign


class Encoding(click.ParamType):  # type: ignore[type-arg] # a generic only of late
    """The name of an encoding that Python knows."""

    name = "encoding"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """The name."""
        try:
            # also of what are no texts to Python, such as zip
            "\n".encode(value).decode(value)
        except (LookupError, TypeError, ValueError):
            self.fail(f"{value!r} is no encoding that Python knows, such as latin-1", param, ctx)
        return str(value)


class Whole(click.IntRange):
    """A whole number; of a configuration file, too, which may hold others."""

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        """The number."""
        if type(value) not in (str, int):  # True is an int, too
            self.fail(f"{value!r} is no whole number", param, ctx)
        return int(super().convert(value, param, ctx))


class NumberOr(click.ParamType):  # type: ignore[type-arg] # a generic only of late
    """A number, or one of some words."""

    def __init__(self, kind: type, *words: str) -> None:
        self.kind, self.words = kind, words
        self.name = "|".join(["number", *words])

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The number or the word."""
        # --help shows the words in capitals
        if isinstance(value, str) and value.lower() in self.words:
            return value.lower()
        try:
            number = self.kind(value)
        except (TypeError, ValueError, OverflowError):
            number = None
        # a configuration file may have what would be cut to an integer
        if (
            number is None
            or isinstance(value, bool)
            or (isinstance(value, float) and number != value)
        ):
            others = (
                f"neither a number nor one of {list(self.words)}" if self.words else "no number"
            )
            self.fail(f"{value!r} is {others}", param, ctx)
        return number
