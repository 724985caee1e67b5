"""What the census found, judged: the first thing wrong is an error that says where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import InputError, ParameterError, TooFewRowsError
from .strategy import Label

_SHOWN = 10
_MOST_BLOCKS = 1_000_000  # of synthetic rows, at least a task each


def check_dimensions(shape: Sequence[float]) -> None:
    """X has rows and columns."""
    if len(shape) != 2 or shape[1] == 0:
        hint = "X.reshape(-1, 1)" if len(shape) < 3 else "X.reshape(len(X), -1)"
        raise InputError(
            f"Found array with dim {len(shape)} and shape {tuple(shape)}: X needs rows and at "
            f"least one column of features, e.g. {hint}."
        )


def check_lengths(n_rows: Sequence[int], n_labels: Sequence[int]) -> None:
    """Every chunk has as many labels as rows, and there are some."""
    # chunk by chunk: of 3 and 5 rows with 4 and 4 labels, the sums agree and the rows do not
    for chunk, (rows, labels) in enumerate(zip(n_rows, n_labels, strict=True)):
        if rows != labels:
            raise InputError(
                f"X and y have inconsistent numbers of samples: chunk {chunk} has {rows} rows and "
                f"{labels} labels (in all {sum(n_rows)} and {sum(n_labels)}). Take both from the "
                "same frame, or select the same rows of both."
            )
    if sum(n_rows) == 0:
        raise InputError(
            "Found array with 0 sample(s) while a minimum of 1 is required: X has no rows. "
            "Check the source and its filters."
        )


def check_finite(
    n_nan: Sequence[int], n_inf: Sequence[int], n_huge: Sequence[int], names: Sequence[Any]
) -> None:
    """No value of X is missing, infinite, or so large that its square overflows."""
    # "Input X contains NaN" are scikit-learn's words: whoever looks for those finds ours
    for counts, word, hint in (
        (n_nan, "NaN", "Fill or drop them first, e.g. X = X.fillna(X.mean())."),
        (n_inf, "infinity", "Clip or drop them first, e.g. X = X.clip(-1e100, 1e100)."),
        (
            n_huge,
            "values beyond 1e150, whose squared distances overflow",
            "Rescale X, e.g. with sklearn.preprocessing.StandardScaler, or clip it.",
        ),
    ):
        columns = [column for column, count in enumerate(counts) if count]
        if columns:
            listed = ", ".join(f"column {names[c]!r} has {counts[c]}" for c in columns[:_SHOWN])
            more = f" and {len(columns) - _SHOWN} columns more" if len(columns) > _SHOWN else ""
            raise InputError(f"Input X contains {word}: {listed}{more}. {hint}")


def check_labels(n_missing: int, n_continuous: int, n_not_one_hot: int) -> None:
    """Every row has a class."""
    if n_missing:
        raise InputError(
            f"Input y contains NaN: {n_missing} labels are missing. Drop those rows of X and y."
        )
    if n_continuous:
        raise InputError(
            f"Unknown label type: continuous. {n_continuous} labels are no whole numbers: y must "
            "hold classes, e.g. y = y > threshold."
        )
    if n_not_one_hot:
        raise InputError(
            "y is two-dimensional and not one-vs-all: Multilabel and multioutput targets are not "
            f"supported. {n_not_one_hot} rows do not have exactly one 1. Pass one column of labels."
        )


def sum_counts(parts: Sequence[Mapping[Label, int]]) -> dict[Label, int]:
    """Rows of each class in all chunks, in label order."""
    total: dict[Label, int] = {}
    for part in parts:
        for label, n in part.items():
            total[label] = total.get(label, 0) + n
    try:
        # the order gives each class its number, which keys its random streams
        return {label: total[label] for label in sorted(total)}
    except TypeError as error:
        kinds = sorted({type(label).__name__ for label in total})
        raise InputError(
            f"y mixes labels of the types {kinds}, which have no order. Use one type, "
            "e.g. y = y.astype(str)."
        ) from error


def check_sizes(
    counts: Mapping[Label, int],
    amounts: Mapping[Label, int],
    n_clusters: int,
    learning_rows: int | None,
    least_rows: int,
) -> None:
    """There are rows enough for the clusters, and in each class to generate.

    `learning_rows` are the most that clusters are learned from; None where that has no bound. A
    class needs `least_rows`: two, or k + 1 where a recipe wants all k neighbours.
    """
    n = sum(counts.values())
    if n_clusters > n:
        raise ParameterError(
            f"n_clusters={n_clusters} is more than the {n} rows of X: pass kmeans_estimator={n} "
            "or fewer."
        )
    if learning_rows is not None and n_clusters > learning_rows:
        raise ParameterError(
            f"n_clusters={n_clusters} can't be learned from learning_rows={learning_rows}: pass "
            f"learning_rows={n_clusters} or more, or fewer clusters."
        )
    few = [label for label, n in amounts.items() if n > 0 and counts[label] < least_rows]
    if few:
        raise TooFewRowsError(_too_few(few, counts, amounts, least_rows))


def _too_few(
    few: Sequence[Label], counts: Mapping[Label, int], amounts: Mapping[Label, int], least_rows: int
) -> str:
    listed = ", ".join(f"{label!r} has {counts[label]}" for label in few[:_SHOWN])
    more = f" and {len(few) - _SHOWN} classes more" if len(few) > _SHOWN else ""
    needed = f"; {least_rows} are needed for k_neighbors={least_rows - 1}"
    head = f"Too few rows to join to one another: class {listed}{more}"
    head += f"{needed}." if least_rows > 2 else "; 2 are needed."
    hints = []
    least = min(counts[label] for label in few)
    if least > 1:
        hints.append(f"pass k_neighbors={least - 1} or fewer")
    # final counts, as `sampling_strategy` takes them
    rest = {x: counts[x] + n for x, n in amounts.items() if n > 0 and x not in few}
    if rest:
        shown = dict(list(rest.items())[:_SHOWN])
        dots = f" and {len(rest) - _SHOWN} classes more" if len(rest) > _SHOWN else ""
        hints.append(f"leave out what is too small: sampling_strategy={shown!r}{dots}")
    hints.append("add rows, or drop those of the class" if not rest else "add rows")
    text = "; or ".join(hints)
    return f"{head} {text[0].upper()}{text[1:]}."


def check_blocks(n_synthetic: int, block_rows: int) -> None:
    """The synthetic rows are no more than a scheduler can be asked for."""
    if n_synthetic > _MOST_BLOCKS * block_rows:
        raise ParameterError(
            f"sampling_strategy asks for {n_synthetic:,} synthetic rows, more than "
            f"{_MOST_BLOCKS:,} blocks of {block_rows:,}: is one of its counts a slip?"
        )
