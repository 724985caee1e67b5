"""How many rows to generate for each class.

imbalanced-learn's ``check_sampling_strategy`` counts an array of labels; here the counts are
already known (from a census), and the labels may be too many for one machine.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from numbers import Integral, Real
from typing import Any

from ..errors import InputError, ParameterError

Label = Any
# a ratio, a name, final counts, or a function of y that gives them
Strategy = Any
# rows of the minority, from a ratio and the rows of the majority
RatioRule = Callable[[Any, int], int]

_STRATEGIES = ("all", "auto", "minority", "not majority", "not minority")


class ByText(dict[str, int]):
    """Final counts by the text of the label: a string as it is, others as JSON or Python has it."""

    def by_label(self, labels: Iterable[Label]) -> dict[Label, int]:
        """The counts by label; a text that is no label's stays as it is."""
        labels = list(labels)
        texts = {str(x): x for x in labels}
        # of a string that reads as another label's text, the string
        texts |= {x if isinstance(x, str) else json.dumps(x, default=str): x for x in labels}
        texts |= {x: x for x in labels if isinstance(x, str)}
        return {texts.get(text, text): n for text, n in self.items()}


def resolve_strategy(
    strategy: Strategy, counts: Mapping[Label, int], y: Any, of_ratio: RatioRule
) -> dict[Label, int]:
    """Rows to generate for each targeted class.

    Parameters
    ----------
    strategy
        A ratio in (0, 1], one of `_STRATEGIES`, the final count of each targeted class, or a
        function of `y` that returns such counts.
    counts
        Rows of each class, in label order.
    y
        What a function is called with: the target as the user gave it.
    of_ratio
        Rows of the minority that a ratio asks for: a recipe's.

    Returns
    -------
    dict
        Number of rows to generate (>= 0) by class label, in label order.

    Raises
    ------
    InputError, ParameterError
        One class only, or a strategy that the counts do not allow.
    """
    if len(counts) < 2:
        raise InputError(
            f"The target 'y' needs to have more than 1 class. Got {len(counts)} class instead: "
            f"{list(counts)}. Add rows of another class, or leave the data as they are."
        )
    if callable(strategy):
        strategy = strategy(y)
    if isinstance(strategy, str):
        amounts = _from_name(strategy, counts)
    elif isinstance(strategy, ByText):
        amounts = _from_final_counts(strategy.by_label(counts), counts)
    elif isinstance(strategy, Mapping):
        amounts = _from_final_counts(strategy, counts)
    elif isinstance(strategy, Real):
        amounts = _from_ratio(strategy, counts, of_ratio)
    else:
        raise ParameterError(
            "'sampling_strategy' can be a float, a string, a dict or a function that returns a "
            f"dict, but not a {type(strategy).__name__}: give the final counts as a dict."
        )
    return {label: int(amounts[label]) for label in counts if label in amounts}


def _from_name(name: str, counts: Mapping[Label, int]) -> dict[Label, int]:
    if name == "majority":
        raise ParameterError("'sampling_strategy'='majority' cannot be used with over-sampler.")
    if name not in _STRATEGIES:
        raise ParameterError(
            f"When 'sampling_strategy' is a string, it needs to be one of {_STRATEGIES}. "
            f"Got '{name}' instead."
        )
    # of equal counts the first label: "auto" leaves out one class, though others are as large
    largest, smallest = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    targeted = {
        "all": set(counts),
        "auto": set(counts) - {largest},
        "not majority": set(counts) - {largest},
        "not minority": set(counts) - {smallest},
        "minority": {smallest},
    }[name]
    return {label: counts[largest] - n for label, n in counts.items() if label in targeted}


def _from_final_counts(final: Mapping[Label, int], counts: Mapping[Label, int]) -> dict[Label, int]:
    unknown = [label for label in final if label not in counts]
    if unknown:
        raise ParameterError(
            f"The {unknown} target class is/are not present in the data: 'y' has {list(counts)}."
        )
    no_counts = {label: n for label, n in final.items() if not _is_whole(n)}
    if no_counts:
        raise ParameterError(
            f"'sampling_strategy' must give whole numbers of rows, and has {no_counts}: give the "
            "final count of each class."
        )
    negative = {label: n for label, n in final.items() if n < 0}
    if negative:
        raise ParameterError(
            "The number of samples in a class cannot be negative. 'sampling_strategy' contains "
            f"some negative value: {negative}"
        )
    for label, n in final.items():
        if n < counts[label]:
            raise ParameterError(
                "With over-sampling methods, the number of samples in a class should be greater "
                f"or equal to the original number of samples. Originally, there is "
                f"{counts[label]} samples of class {label!r} and {n} samples are asked: ask for "
                f"{counts[label]} or more, or leave the class out."
            )
    return {label: int(n) - counts[label] for label, n in final.items()}


def _is_whole(n: Any) -> bool:
    # True is 1 to Python; as a final count it is a slip
    if type(n) is bool or not isinstance(n, Real):
        return False
    return isinstance(n, Integral) or float(n).is_integer()


def nearest_to_ratio(ratio: Any, n_majority: int) -> int:
    """The whole number nearest to a ratio of the majority; of two, the larger.

    The ratio is taken as it is written: as a float 0.29 is a little less, and of 100 rows, 28.99.
    """
    return math.floor(Fraction(str(+ratio)) * n_majority + Fraction(1, 2))


def cut_to_ratio(ratio: Any, n_majority: int) -> int:
    """imbalanced-learn's: the product of floats, cut, so that of 100 rows 0.29 are 28."""
    return int(n_majority * float(ratio))


def _from_ratio(ratio: Any, counts: Mapping[Label, int], of_ratio: RatioRule) -> dict[Label, int]:
    if not 0 < ratio <= 1:
        raise ParameterError(
            "When 'sampling_strategy' is a float, it should be in the range (0, 1]. "
            f"Got {ratio} instead."
        )
    if len(counts) != 2:
        raise ParameterError(
            '"sampling_strategy" can be a float only when the type of target is binary. For '
            f"multi-class, use a dict. 'y' has {len(counts)} classes: {list(counts)[:10]}."
        )
    majority = max(counts, key=counts.__getitem__)
    asked = of_ratio(ratio, counts[majority])
    amounts = {label: asked - n for label, n in counts.items() if label != majority}
    for label, n in amounts.items():
        if n <= 0:
            raise ParameterError(
                "The specified ratio required to remove samples from the minority class while "
                f"trying to generate new samples. Please increase the ratio: class {label!r} has "
                f"{counts[label] / counts[majority]:.4g} of the majority's rows already."
            )
    return amounts
