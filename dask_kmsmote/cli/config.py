"""Settings of a job from a TOML file: the defaults of the options of the same names."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from pathlib import Path
from textwrap import wrap
from typing import Any

from ..errors import ParameterError, nearest
from ..job.storage.masking import masked_url

ENVIRONMENT = "DASK_KMSMOTE__"
_MOST_BYTES = 2**20
_WIDTH = 98  # of a remark


def load(path: str, known: Iterable[str], flags: Iterable[str]) -> dict[str, Any]:
    """Settings by option name.

    Parameters
    ----------
    path
        Of the file.
    known, flags
        Names of all options, and of those that are true or false.

    Raises
    ------
    ParameterError
        The file can't be read, has a key that no option has or one key twice, or a flag that is
        neither true nor false.
    """
    try:
        content = tomllib.loads(_read(path))
    except OSError as error:
        path = masked_url(path)
        raise ParameterError(
            f"The configuration {path!r} can't be read: {error.strerror or type(error).__name__}."
        ) from error
    except (ValueError, RecursionError) as error:
        raise ParameterError(f"The configuration {path!r} can't be read: {error}") from error
    settings = {key.replace("-", "_"): value for key, value in content.items()}
    where = f"The configuration {path!r}"
    _require_known(settings, known, where)
    if len(settings) < len(content):
        raise ParameterError(f"{where} has one key twice, with - and with _: keep one of them.")
    for name in set(flags) & set(settings):
        # click takes the default of a flag for text: quiet = 2 would be an AttributeError
        if not isinstance(settings[name], bool):
            raise ParameterError(f"{where} has {name} = {settings[name]!r}: it is true or false.")
    return settings


def write(path: str, settings: dict[str, Any], remarks: Iterable[str]) -> None:
    """Write settings that `load` reads, below some remarks.

    Raises
    ------
    ParameterError
        The file can't be written.
    """
    lines = [f"# {line}" for remark in remarks for line in wrap(remark, _WIDTH)]
    lines += [f"{name.replace('_', '-')} = {_as_toml(own)}" for name, own in settings.items()]
    try:
        Path(path).write_text("\n".join([*lines, ""]), encoding="utf-8")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ParameterError(f"The configuration {path!r} can't be written: {reason}.") from error


def _as_toml(value: Any) -> str:
    if isinstance(value, dict):
        pairs = [f"{_as_toml(str(key))} = {_as_toml(own)}" for key, own in value.items()]
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_as_toml(own) for own in value)}]"
    # numbers, true and false, and text but for one sign are written as in JSON
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _read(path: str) -> str:
    with Path(path).open("rb") as file:
        # one more than allowed tells that there are more; /dev/zero has no end
        text = file.read(_MOST_BYTES + 1)
    if len(text) > _MOST_BYTES:
        raise ValueError(f"it has more than {_MOST_BYTES} bytes.")
    # editors of Windows put a mark first, which TOML refuses
    return text.decode("utf-8-sig")


def _require_known(names: Iterable[str], known: Iterable[str], where: str) -> None:
    """Raise `ParameterError` for a name that no option has, with the nearest that one has."""
    known = list(known)
    for name in names:
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean {near!r}?" if near else f"it may have {', '.join(known)}."
            raise ParameterError(f"{where} has the unknown key {name!r}: {hint}")


def require_known_environment(environment: Iterable[str], known: Iterable[str]) -> None:
    """The same for the variables that begin with `ENVIRONMENT`."""
    names = [key[len(ENVIRONMENT) :] for key in environment if key.startswith(ENVIRONMENT)]
    known = [name.upper() for name in known]
    _require_known(names, known, f"The environment ({ENVIRONMENT}...)")
