"""Families: sets of one origin, which count together as at most four.

The twenty ecoli sets are one table with other classes in the minority; counted by set, they would
decide the comparison.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

LIMIT = 4  # sets that a family counts as
NASA = {"kc", "pc", "cm"}  # defects in programs, the same measures of each


def family_of(name: str) -> str:
    """The letters that the name starts with: ecoli of ecoli_0_1_vs_5; nasa of kc1, pc1 and cm1."""
    letters = re.match("[a-z]*", name.lower())
    prefix = letters.group() if letters else ""
    return "nasa" if prefix in NASA else prefix or name


def weights_of(names: Iterable[str]) -> dict[str, float]:
    """Weight of each set: 1, or less where its family has more than `LIMIT` of these sets."""
    families = {name: family_of(name) for name in names}
    sizes = Counter(families.values())
    return {name: min(1.0, LIMIT / sizes[family]) for name, family in families.items()}
