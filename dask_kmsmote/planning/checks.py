"""What the census found, judged: what is wrong of a kind is one error that says where."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import InputError, ParameterError, TooFewRowsError
from .strategy import Label

_SHOWN = 10
_MOST_BLOCKS = 1_000_000  # of synthetic rows, at least a task each


def check_dimensions(shape: Sequence[float]) -> None:
    """X has rows and columns."""
    if len(shape) != 2 or shape[1] == 0:
        # lengths that are not known have to be, where an array is given another shape
        known = "" if len(shape) < 3 or shape[0] == shape[0] else ".compute_chunk_sizes()"
        mends = {1: ": X = X[:, None]", 3: f": X = X{known}.reshape(len(X), -1)"}
        raise InputError(
            f"Found array with dim {len(shape)} and shape {tuple(shape)}: X needs rows and at "
            f"least one column of features{mends.get(min(len(shape), 3), '')}."
        )


def unequal(chunk: int, n_rows: int, n_labels: int, in_all: str = "") -> InputError:
    """What is said of a chunk with more or fewer labels than rows."""
    return InputError(
        f"X and y have inconsistent numbers of samples: chunk {chunk} has {n_rows} rows and "
        f"{n_labels} labels{in_all}. Take both from the same frame, or select the same rows of "
        "both."
    )


def check_lengths(n_rows: Sequence[int], n_labels: Sequence[int]) -> None:
    """Every chunk has as many labels as rows, and there are some."""
    # chunk by chunk: of 3 and 5 rows with 4 and 4 labels, the sums agree and the rows do not
    for chunk, (rows, labels) in enumerate(zip(n_rows, n_labels, strict=True)):
        if rows != labels:
            raise unequal(chunk, rows, labels, f" (in all {sum(n_rows)} and {sum(n_labels)})")
    if sum(n_rows) == 0:
        raise InputError(
            "Found array with 0 sample(s) while a minimum of 1 is required: X has no rows. "
            "Check the source and its filters."
        )


class FoundCategories(NamedTuple):
    """What a census found of a feature of categories.

    Attributes
    ----------
    n
        Categories.
    kinds
        Of which types, as a user calls them.
    is_guessed
        Nobody said that it is one: objects of a frame that had no rows yet.
    """

    n: int
    kinds: frozenset[str]
    is_guessed: bool


def check_categories(found: Mapping[Any, FoundCategories], most: int, holder: str) -> None:
    """Categories of a feature are of one type, and not more than `most`."""
    faults = {
        name: fault for name, own in found.items() if (fault := _fault_of(name, own, most, holder))
    }
    if faults:
        names = list(faults)
        text = " ".join(list(faults.values())[:_SHOWN])
        if holder in FRAMES:
            text += (
                f" Or take them along, null in new rows: passthrough={names!r}; or drop them: "
                f"{drop_of(names, holder)}."
            )
        raise InputError(f"X has columns that can't be categories: {text}")


def _fault_of(name: Any, own: FoundCategories, most: int, holder: str) -> str:
    kinds = sorted(own.kinds)
    if own.n > most:
        return f"{name!r} has more than {most:,} categories, as an id has."
    where = f"X[{name!r}]" if holder in FRAMES else f"X[:, {name!r}]"
    if len(kinds) > 1:
        return (
            f"{name!r} has {' and '.join(kinds)} (perhaps by partition). Give it one type: "
            f"{where} = {where}.astype('string')."
        )
    if own.is_guessed and kinds and kinds[0] not in ("text", "booleans"):
        if kinds[0] in ("numbers", "Decimal"):
            return f"{name!r} holds numbers as objects: {where} = {where}.astype('float64')."
        return f"{name!r} holds objects of type {kinds[0]}, which are no features."
    return ""


def check_values(
    names: Sequence[Any],
    n_missing: Sequence[int],
    n_inf: Sequence[int],
    n_huge: Sequence[int],
    holder: str,
    *,
    keeps_missing: bool,
    may_keep: bool,
    fillable: Container[Any],
) -> None:
    """No value of X is infinite, or so large that its square overflows; or missing, if so asked.

    All of them are told in one error. `may_keep` says whether missing values may be asked for, and
    `fillable` which features a mean can be filled into.
    """
    mends = _MENDS[holder]
    # "Input X contains NaN" are scikit-learn's words: whoever looks for those finds ours
    missing = _with_any(names, [] if keeps_missing else n_missing)
    texts = []
    if missing:
        ways = ["take it as it is: missing='keep'"] if may_keep else []
        if mends.fill and all(name in fillable for name in missing):
            ways.append(f"fill it: {mends.fill.format(columns=list(missing))}")
        text = "; or ".join(ways or ["fill it, or drop those rows"])
        texts.append(f"Input X contains NaN: {_counted(missing)}. {text[0].upper()}{text[1:]}.")
    infinite, huge = _with_any(names, n_inf), _with_any(names, n_huge)
    if infinite:
        texts.append(f"Input X contains infinity: {_counted(infinite)}.")
    if huge:
        texts.append(
            "Input X contains values beyond 1e150, whose squared distances overflow: "
            f"{_counted(huge)}."
        )
    if infinite or huge:
        columns = list(dict.fromkeys([*infinite, *huge]))
        how = mends.clip.format(columns=columns)
        texts.append(f"Clip them: {how}." if how else "Clip them, or drop those rows.")
        if holder in FRAMES:
            texts.append(f"Or drop the columns: {drop_of(columns, holder)}.")
    if texts:
        raise InputError(" ".join(texts))


class _Mends(NamedTuple):
    """Lines that mend a value of X, which run as they are."""

    fill: str
    clip: str


_FILL_OBJECTS = (
    "X = pd.DataFrame(X).infer_objects().pipe(lambda X: X.fillna(X.mean(numeric_only=True)))"
    ".to_numpy()"
)
_OF_FRAMES = _Mends(
    fill="X = X.fillna(X.mean(numeric_only=True))",
    clip="X[{columns}] = X[{columns}].clip(-1e30, 1e30)",
)
_MENDS = {
    "numpy": _Mends(
        fill="X = np.where(np.isnan(X), np.nanmean(X, axis=0), X)",
        clip="X = np.clip(X, -1e30, 1e30)",
    ),
    "sparse": _Mends(
        fill="X.data[np.isnan(X.data)] = 0", clip="X.data = np.clip(X.data, -1e30, 1e30)"
    ),
    "dask array": _Mends(
        fill="X = da.where(da.isnan(X), da.nanmean(X, axis=0), X)", clip="X = X.clip(-1e30, 1e30)"
    ),
    "dask array of sparse blocks": _Mends(
        fill="X = X.map_blocks(lambda b: type(b)((np.where(np.isnan(b.data), 0, b.data), "
        "b.indices, b.indptr), b.shape), meta=X._meta)",
        clip="X = X.map_blocks(lambda b: type(b)((np.clip(b.data, -1e30, 1e30), b.indices, "
        "b.indptr), b.shape), meta=X._meta)",
    ),
    # of lists in a matrix, or of pairs, there is no line
    "sparse of objects": _Mends(fill="", clip=""),
    "numbers as objects": _Mends(
        fill=_FILL_OBJECTS, clip="X = np.clip(np.asarray(X, dtype=float), -1e30, 1e30)"
    ),
    "array of objects": _Mends(fill=_FILL_OBJECTS, clip=""),
    "polars": _Mends(
        fill="X = X.with_columns(pl.col({columns}).fill_nan(None).fill_null(strategy='mean'))",
        clip="X = X.with_columns(pl.col({columns}).clip(-1e30, 1e30))",
    ),
    "pandas": _OF_FRAMES,
    "dask frame": _OF_FRAMES,
}
FRAMES = ("pandas", "dask frame", "polars")


def drop_of(names: Sequence[Any], holder: str) -> str:
    """A line that drops columns of a frame."""
    columns = f"{names!r}" if holder == "polars" else f"columns={names!r}"
    return f"X = X.drop({columns})"


def _with_any(names: Sequence[Any], counts: Sequence[int]) -> dict[Any, int]:
    # not strict: categories, the last of the features, can't be infinite
    return {name: n for name, n in zip(names, counts, strict=False) if n}


def _counted(found: Mapping[Any, int]) -> str:
    listed = ", ".join(f"column {name!r} has {n}" for name, n in list(found.items())[:_SHOWN])
    more = f" and {len(found) - _SHOWN} columns more" if len(found) > _SHOWN else ""
    return f"{listed}{more}"


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
