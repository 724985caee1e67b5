"""No text makes a parser fail in another way than by a named error."""

from __future__ import annotations

import json
from collections import Counter
from copy import deepcopy

from hypothesis import given, settings
from hypothesis import strategies as st
from parsers import (
    TYPES,
    example,
    parse_config,
    parse_manifest,
    parse_option,
    parse_strategy,
)

in_ci = settings(max_examples=200, deadline=None, derandomize=True, database=None)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["0", "1", "a", "2.5", "auto", 10**400, 1e308, -1, 0]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
TEXTS = st.text(max_size=40) | VALUES.map(json.dumps)


@st.composite
def manifests(draw):
    """A manifest, some of whose entries were exchanged, taken away or added."""
    content = deepcopy(example())
    for _ in range(draw(st.integers(0, 3))):
        place = content
        while isinstance(place, dict | list) and place:
            key = draw(
                st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place)))
            )
            if not isinstance(place[key], dict | list) or draw(st.integers(0, 2)) == 0:
                break
            place = place[key]
        else:
            continue
        how = draw(st.sampled_from(["exchange", "exchange", "remove", "add"]))
        if how == "remove":
            del place[key]
        elif how == "add" and isinstance(place, dict):
            place[draw(st.text(max_size=5))] = draw(VALUES)
        else:
            place[key] = draw(VALUES)
    return json.dumps(content)


@in_ci
@given(manifests() | TEXTS)
def test_manifests(text):
    parse_manifest(text)


@in_ci
@given(TEXTS | st.dictionaries(st.sampled_from(["0", "1", "a", "2.5"]), VALUES).map(json.dumps))
def test_strategies(text):
    parse_strategy(text)


@in_ci
@given(st.sampled_from(sorted(TYPES)), TEXTS | VALUES.filter(lambda value: value is not None))
def test_options(kind, value):
    parse_option(kind, value)


NAMES = st.sampled_from(["target", "seed", "quiet", "json", "bad", "Seed", "se-ed", '""'])
LINES = st.builds("{} = {}".format, NAMES, TEXTS | st.sampled_from(["true", "1", "'t'", "1.5"]))


@settings(in_ci, max_examples=100)
@given(st.lists(LINES, max_size=3).map(lambda x: "\n".join(x).encode()) | st.binary(max_size=40))
def test_configurations(content):
    parse_config(content)


def test_the_parsers_take_what_is_good():
    found = Counter(
        [
            parse_manifest(json.dumps(example())),
            parse_strategy('{"1": 50, "2.5": 7}'),
            parse_strategy('"auto"'),
            parse_option("bytes", "64MiB"),
            parse_config(b"seed = 1\nquiet = true"),
        ]
    )
    assert found == {"right": 5}
