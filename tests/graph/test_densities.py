"""Tasks that the densities of small groups take, and what they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from dask_kmsmote.graph.dask.tasks import Tasks, _flat_graph
from dask_kmsmote.graph.density import measure
from dask_kmsmote.graph.gather import Group
from dask_kmsmote.kernels.groups.pieces import GroupRows
from dask_kmsmote.kernels.rows.metric import Metric
from dask_kmsmote.planning.cuts import cut


def some_group(tasks, rows, size, cluster_id=0):
    blocks = [
        tasks("block", GroupRows, rows[start:stop], np.arange(start, stop))
        for start, stop in cut(len(rows), size)
    ]
    return Group((1, cluster_id), len(rows), size, rows.shape[1], blocks)


@pytest.mark.parametrize(
    ("m", "size", "n_tasks"),
    # a pair of ranges, a range, and all together are a task each
    [
        (2, 100, 1),
        (100, 100, 1),
        (101, 200, 3 + 2 + 1),
        (100, 50, 3 + 2 + 1),
        (250, 250, 6 + 3 + 1),
    ],
)
def test_a_group_of_one_range_is_one_task(monkeypatch, m, size, n_tasks):
    monkeypatch.setattr(measure, "QUERY_ROWS", 100)
    tasks, rows = Tasks("test"), np.random.default_rng(m).normal(size=(m, 3))
    metric = tasks("metric", Metric)
    density = measure._from_pairs(tasks, some_group(tasks, rows, size), metric, 1)
    assert sum("density" in key[0] for key in _flat_graph([density])) == n_tasks
    found = density.compute(scheduler="synchronous")
    assert found.mean_distance == pytest.approx(pdist(rows).mean(), rel=1e-12)
    apart = ((rows[:, np.newaxis] - rows) ** 2).sum(axis=2)
    np.fill_diagonal(apart, np.inf)
    assert found.neighbors[:, 0].tolist() == apart.argmin(axis=1).tolist()


def test_means_of_small_groups_come_together():
    sizes = [50] * 100 + [measure.QUERY_ROWS + 1] + [measure.QUERY_ROWS - 10] * 3
    tasks = Tasks("test")
    metric = tasks("metric", Metric)
    rows = [np.random.default_rng(m).normal(size=(9, 2)) for m in range(len(sizes))]
    groups = [some_group(tasks, own, 10, number) for number, own in enumerate(rows)]
    densities = [measure._from_pairs(tasks, group, metric, 1) for group in groups]
    stated = [replace(group, n_rows=m) for group, m in zip(groups, sizes, strict=True)]
    means = measure._means(tasks, stated, densities)
    assert [mean for mean, _ in means] == pytest.approx([pdist(own).mean() for own in rows])
    # 100 small ones, 25 to a task, and four that are alone
    assert tasks._made["density-mean"] == 8
