"""The classifier that ``--estimator module:name`` means. Nothing is evaluated: it is imported."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import ParameterError

_EXAMPLE = "--estimator model:make, for the function make() in model.py here"


def load_estimator(text: str | None) -> Any:
    """The classifier; None where none is named.

    Parameters
    ----------
    text
        A module, a colon, and in it a classifier, a class of one, or a function that makes one.
        Modules are looked for in the current folder, too.

    Raises
    ------
    ParameterError
        It can't be imported, or is no classifier.
    """
    if text is None:
        return None
    name, _, attribute = text.partition(":")
    if not name or not attribute:
        raise ParameterError(f"--estimator {text!r} names no module and factory: {_EXAMPLE}.")
    found = _attribute(_module(name, text), attribute, text)
    made = found if hasattr(found, "fit") and not isinstance(found, type) else _made(found, text)
    if not hasattr(made, "fit"):
        raise ParameterError(
            f"--estimator {text!r} gives a {type(made).__name__}, which has no fit: it must be a "
            "classifier, or a function that returns one."
        )
    return made


def _module(name: str, text: str) -> Any:
    here = str(Path.cwd())
    # as `python -m` does; the workers of a local cluster look there, too
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return import_module(name)
    except Exception as error:
        raise ParameterError(
            f"--estimator {text!r}: {name!r} can't be imported ({type(error).__name__}: {error}). "
            f"It is looked for in {here} and among installed packages: {_EXAMPLE}."
        ) from error


def _attribute(module: Any, attribute: str, text: str) -> Any:
    if hasattr(module, attribute):
        return getattr(module, attribute)
    names = [name for name in dir(module) if not name.startswith("_")]
    near = get_close_matches(attribute, names, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names[:20]) or 'nothing'}."
    raise ParameterError(f"--estimator {text!r}: {module.__name__!r} has no {attribute!r}: {hint}")


def _made(factory: Any, text: str) -> Any:
    try:
        return factory()
    except Exception as error:
        raise ParameterError(
            f"--estimator {text!r} is called without arguments, and raised "
            f"{type(error).__name__}: {error}"
        ) from error
