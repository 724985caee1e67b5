"""The same plan, rows and files over links that are slow, cut, or away for a while."""

from __future__ import annotations

import dask
import pytest

import links
import workload

pytestmark = [pytest.mark.cluster, pytest.mark.faults]


def test_slow_away_and_cut(tmp_path):
    reason = links.missing()
    if reason:
        pytest.skip(reason)
    with dask.config.set(scheduler="synchronous"):
        expected = workload.run(tmp_path)
    faults = [("slow link", "census"), ("link away for 3 s", "clustering"), ("cut link", "survey")]
    outcome, connected, _ = links.run_with(faults, tmp_path)
    assert outcome == expected
    assert connected == len(faults)
