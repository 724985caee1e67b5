"""Hostile labels."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

PAIRS = {
    "negative": [-1, -(2**40)],
    "huge": [2**62, 2**63 - 1],
    "words": ["common", "rare"],
    "unicode": ["ß\u0000x", "日本\U0001f600"],
    "bool": [False, True],
    "floats": [0.0, 7.0],
    "empty word": ["", " "],
    "bytes": [b"a", b"bb"],
    "inf": [0.0, np.inf],
    "complex": [1j, 2j],
    "int8": np.array([-128, 127], "i1"),
    "float16": np.array([1, 2], "f2"),
    "longdouble": np.array([1, 2], "g"),
    "uint64": np.array([2**64 - 1, 2**64 - 2], "u8"),
    "dates": np.array(["2020-01-01", "2021-01-01"], "M8[D]"),
}
OBJECTS = {
    "beyond": [2**70, -(2**80)],
    "mixed": ["a", 1],
    "int and bool": [1, True],
    "none": ["a", None],
    "tuples": [(1, 2), (3, 4)],
    "object ints": [3, 5],
    "decimals": [Decimal(1), Decimal("2.5")],
}
OTHERS = {
    "three": lambda code, rng: code + (rng.random(len(code)) < 0.3),
    "nan": lambda code, rng: np.where(rng.random(len(code)) < 0.1, np.nan, code),
    "all nan": lambda code, rng: np.full(len(code), np.nan),
    "continuous": lambda code, rng: code + rng.random(len(code)),
    "1,000": lambda code, rng: rng.integers(0, 1000, len(code)),
    "each": lambda code, rng: np.arange(len(code)),
    "one class": lambda code, rng: 0 * code,
    "one-hot": lambda code, rng: np.eye(3, dtype=int)[code + (rng.random(len(code)) < 0.2)],
    "multilabel": lambda code, rng: np.column_stack([code, 1 - code, 0 * code + 1]),
    "column": lambda code, rng: code[:, None],
}
LABELS = [*PAIRS, *OBJECTS, *OTHERS]


def labels(kind, n, rng):
    """N labels as a numpy array, two classes of 7:3 where the kind says no other."""
    code = (rng.random(n) < 0.3).astype(int)
    code[: min(n, 4)] = 1
    if kind in PAIRS:
        return np.array(PAIRS[kind])[code]
    if kind in OBJECTS:
        known = np.empty(2, object)
        known[:] = OBJECTS[kind]
        return known[code]
    return OTHERS.get(kind, lambda code, rng: code)(code, rng)
