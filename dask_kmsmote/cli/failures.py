"""How a job that failed ends: its exit code, and one line for the user."""

from __future__ import annotations

import ast
import json
import re
import shlex

from ..errors import (
    IncompatibleVersionError,
    InputError,
    MissingPackageError,
    NoClusterError,
    ParameterError,
    PlanWarning,
    UnsoundPlanError,
    UnsupportedDaskError,
)

_DEFECT, USAGE, _INPUT, _PLAN, _RESOURCE, _INTERRUPTED = 1, 2, 3, 4, 5, 130

# the first that fits: a TooFewRowsError is an InputError as well, and that a ValueError. Other
# ValueErrors are of what refuses data, such as pandas and Arrow.
_EXIT_CODES = (
    (NoClusterError, _PLAN),
    (UnsoundPlanError, _PLAN),
    (PlanWarning, _PLAN),
    (InputError, _INPUT),
    (ParameterError, USAGE),
    (ValueError, _INPUT),
    (UnsupportedDaskError, USAGE),
    (MissingPackageError, USAGE),
    (IncompatibleVersionError, USAGE),
    (OSError, _RESOURCE),
    (MemoryError, _RESOURCE),
)
# whose exceptions, such as KilledWorker or NoCredentialsError, have no base class of their own
_RESOURCE_PACKAGES = {"distributed", "botocore", "aiobotocore", "aiohttp", "s3fs", "fsspec"}
_OPTIONS = {  # of what messages name
    "sampling_strategy": "--strategy",
    "kmeans_estimator": "--clusters",
    "k_neighbors": "--k-neighbors",
    "cluster_balance_threshold": "--threshold",
    "density_exponent": "--exponent",
    "max_ratio": "--max-ratio",
    "count_exponent": "--count-exponent",
    "scale": "--scale",
    "exact_rows": "--exact-rows",
    "learning_rows": "--learning-rows",
    "categorical_features": "--categorical",
    "categorical_weight": "--categorical-weight",
    "missing": "--missing",
    "passthrough": "--keep",
    "X.drop": "--drop",
    "memory_limit": "--memory-limit",
    "scoring": "--scoring",
    "cv": "--folds",
    "n_rows": "--rows",
    "blocksize": "--partition-size",
    "kmsmote.worker-timeout": "--wait-for-workers",
}
_WORDS = ("scale", "missing")  # which are named by messages that mean no parameter
# of what others raise, by the name of the exception
_HINTS = {
    "PermissionError": "Check the credentials, and that the user of the job and of its workers may "
    "read there.",
    "KilledWorker": "Often they lack memory: raise --memory-limit, or lower --workers.",
    "UnicodeDecodeError": "Is it text of another encoding? Name it with --encoding.",
}
# a dict, a list, a text, or a number or word
_VALUE = r"""\{.*?\}|\[.*?\]|"[^"]*"|'[^']*'|[\w.+-]*\w"""


def failure_message(error: BaseException) -> str:
    """One line on what went wrong."""
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted: the destination is as it was."
    if exit_code(error) == _DEFECT:
        return (
            f"Unexpected {type(error).__name__}: {text}. Run again with --verbose, and report it."
        )
    names = [kind.__name__ for kind in type(error).__mro__]
    for name in _HINTS.keys() & names:
        return f"{text.rstrip('.')}. {_HINTS[name]}"
    return with_options(text)


def with_options(text: str) -> str:
    """A message, and the options that mean the parameters that it names, with their values."""
    found = {}
    for name, option in _OPTIONS.items():
        sign = r"\(columns=" if name == "X.drop" else "="
        given = re.search(rf"\b{re.escape(name)}{sign}({_VALUE})", text)
        if given:
            end = ")" if name == "X.drop" else ""
            found[f"{given[0]}{end}"] = f"{option} {_as_argument(given[1])}"
        elif name not in _WORDS and name in text:
            found[name] = option
    meant = [f"{name} is {option}" for name, option in found.items()]
    return f"{text} ({', '.join(meant)})" if meant else text


def _as_argument(value: str) -> str:
    """A value of Python as the command line takes it: counts as JSON, lists with commas, none."""
    try:
        content = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value
    if isinstance(content, dict):
        texts = {str(label): n for label, n in content.items()}
        return shlex.quote(json.dumps(texts))
    if isinstance(content, list):
        return shlex.quote(",".join(map(str, content)))
    return "none" if content is None else str(content)


def exit_code(error: BaseException) -> int:
    """The exit code that an error means."""
    if isinstance(error, KeyboardInterrupt):
        return _INTERRUPTED
    ours = isinstance(error, InputError)
    if not ours and isinstance(error, ValueError) and isinstance(error, TypeError):
        return USAGE  # scikit-learn's InvalidParameterError
    for kind, code in _EXIT_CODES:
        if isinstance(error, kind):
            return code
    modules = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    return _RESOURCE if modules & _RESOURCE_PACKAGES else _DEFECT
