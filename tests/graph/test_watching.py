"""A plan to look at, stages to watch: nothing shown computes, and events tell what happens."""

from __future__ import annotations

import io
import json
import logging
from dataclasses import FrozenInstanceError
from html.parser import HTMLParser

import dask
import dask.array as da
import numpy as np
import pytest
from distributed import Client, LocalCluster

from conftest import make_imbalanced
from dask_kmsmote import KMeansSMOTE, events
from dask_kmsmote.events import (
    StageFailed,
    StageFinished,
    StageProgressed,
    StageStarted,
    Warned,
)
from dask_kmsmote.listeners import EventLogger, JsonLines, ProgressBar
from dask_kmsmote.planning.groups import GroupPlan
from dask_kmsmote.planning.plan import SamplingPlan


def on_dask(X, y):
    return da.from_array(X, chunks=(300, -1)), da.from_array(y, chunks=300)


@pytest.fixture
def fitted():
    X, y = make_imbalanced()
    return KMeansSMOTE(random_state=0).fit(*on_dask(X, y))


class Page(HTMLParser):
    """Tags, texts and attributes of a page; it fails where tags do not match."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.words, self.given = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.append(tag)
        self.given += [name for name, _ in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_a_plan_as_html(fitted):
    page = Page(fitted.plan_._repr_html_())
    for group in fitted.plan_.groups:
        assert f"{group.n_class_rows:,}" in page.words
        if group.kept:
            assert f"{group.n_synthetic:,}" in page.words
        else:
            assert group.reason in page.words
    assert page.tags.count("tr") == 1 + len(fitted.plan_.groups)
    # no script, nothing to fetch, no colours of its own: it takes those of the page
    assert not {"script", "link", "img", "style"} & set(page.tags)
    assert not {"src", "href"} & set(page.given)
    assert "#" not in fitted.plan_._repr_html_()


def test_a_plan_in_a_terminal(fitted):
    assert repr(fitted.plan_) == str(fitted.plan_)
    assert "exponent" in str(fitted.plan_)
    assert "KiB" in str(fitted.plan_)
    assert fitted.plan_.n_bytes == 1800 * 6 * 8
    assert repr(fitted) == "KMeansSMOTE(random_state=0)"


def test_labels_are_escaped():
    X, y = make_imbalanced()
    labels = np.array(["<script>alert(1)</script>", "b&b"])[1 - y]
    page = Page(KMeansSMOTE(random_state=0).fit(X, labels).plan_._repr_html_())
    assert "script" not in page.tags


def test_many_clusters_are_cut_short():
    groups = tuple(
        GroupPlan(1, place, 100, 50, 0.5, 0.1, kept=True, reason="", mean_distance=1.0,
                  mean_distance_se=0.0, exponent=1.0, weight=place / 19_900, n_synthetic=place)
        for place in range(200)
    )  # fmt: skip
    content = KMeansSMOTE(random_state=0).fit(*make_imbalanced()).plan_
    plan = SamplingPlan(
        ((0, 1), (1, 2)), ((1, 19_900),), groups, 2, 0, None, 6, 5, content.clustering, 48
    )
    assert "150 more clusters, 150 of them kept: 11,175 new rows" in str(plan)
    assert len(str(plan).splitlines()) < 60
    assert Page(plan._repr_html_()).tags.count("tr") == 51


@pytest.mark.parametrize("scale", [None, "standard"])
@pytest.mark.parametrize(("width", "warned"), [(1.0, False), (27.0, False), (1 / 40, True)])
def test_unlike_scales(width, warned, scale):
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (2000, 3)) * [width, 1, 1]
    y = (rng.random(2000) < 0.2).astype(int)
    told = []
    sampler = KMeansSMOTE(random_state=0, scale=scale, callbacks=[told.append])
    plan = sampler.fit(*on_dask(X, y)).plan_
    widest, narrowest = sorted(X.std(axis=0))[::-2]
    assert plan.features.spread.widest_spread == pytest.approx(widest)
    assert plan.features.spread.narrowest_spread == pytest.approx(narrowest)
    found = [text for text in plan.warnings if "StandardScaler" in text]
    assert bool(found) == (warned and scale is None)
    assert [event.message for event in told if isinstance(event, Warned)] == list(plan.warnings)


def test_what_is_shown_computes_nothing(fitted):
    def refuse(*_, **__):
        raise AssertionError("computed")

    X_res, _ = KMeansSMOTE(random_state=0).fit_resample(*on_dask(*make_imbalanced()))
    with dask.config.set(scheduler=refuse):
        repr(fitted)
        str(fitted.plan_)
        fitted.plan_._repr_html_()
        fitted.report_._repr_html_()
        fitted._repr_html_()
        repr(fitted.provenance_)
        repr(X_res)


COMPUTED = ["census", "clustering", "survey", "gather", "density"]


def stages_of(told, kind):
    return [event.stage for event in told if isinstance(event, kind)]


def check_events(told):
    assert stages_of(told, StageStarted) == stages_of(told, StageFinished) == COMPUTED
    for event in told:
        if isinstance(event, StageProgressed):
            assert 0 <= event.n_done <= event.n_tasks


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_events_of_local_schedulers(monkeypatch, scheduler):
    monkeypatch.setattr("dask_kmsmote.graph.dask.watch.INTERVAL", 0.0)
    told = []
    with dask.config.set(scheduler=scheduler):
        KMeansSMOTE(random_state=0, callbacks=[told.append]).fit(*on_dask(*make_imbalanced()))
    check_events(told)
    assert set(stages_of(told, StageProgressed)) == set(COMPUTED)
    last = {event.stage: event for event in told if isinstance(event, StageProgressed)}
    assert all(event.n_done == event.n_tasks for event in last.values())


@pytest.mark.cluster
def test_events_and_spans_of_a_cluster(monkeypatch):
    monkeypatch.setattr("dask_kmsmote.graph.dask.stuck.INTERVAL", 0.01)
    told = []
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster,
        Client(cluster),
    ):
        KMeansSMOTE(random_state=0, callbacks=[told.append]).fit(*on_dask(*make_imbalanced()))
        spans = cluster.scheduler.extensions["spans"].spans.values()
        named = {span.name[-1]: {group.name for group in span.groups} for span in spans}
    check_events(told)
    assert stages_of(told, StageProgressed)
    for stage in COMPUTED:
        groups = named[f"kmsmote-{stage}"]
        foreign = {n for n in groups if not n.startswith(("kmsmote-", "finalize"))}
        assert not foreign, (stage, foreign)


def test_a_stage_that_fails():
    X, y = make_imbalanced()
    X[3, 2] = np.nan
    told = []
    with pytest.raises(ValueError, match="NaN"):
        KMeansSMOTE(callbacks=[told.append]).fit(*on_dask(X, y))
    assert stages_of(told, StageFailed) == ["census"]
    assert stages_of(told, StageFinished) == []


def test_events_are_frozen():
    for event in (StageStarted("a"), StageProgressed("a", 1, 2), Warned("x")):
        with pytest.raises(FrozenInstanceError):
            setattr(event, next(iter(event.__slots__)), "b")
    assert len({StageStarted("a"), StageStarted("a")}) == 1


ALL = (
    StageStarted("census"),
    StageProgressed("census", 3, 10),
    StageProgressed("census", 9, 10),
    StageFinished("census", 1.5),
    Warned("look"),
    StageStarted("survey"),
    StageProgressed("survey", 1, 4),
    StageFailed("survey", 0.5),
)


def test_json_lines():
    stream = io.StringIO()
    listener = JsonLines(stream)
    for event in ALL:
        listener(event)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == [type(event).__name__ for event in ALL]
    assert lines[1]["n_done"] == 3
    assert [line["level"] for line in lines][3:5] == ["info", "warning"]


def test_a_logger(caplog):
    with caplog.at_level(logging.INFO, "dask_kmsmote"):
        for event in ALL:
            EventLogger()(event)
    levels = [record.levelname for record in caplog.records]
    assert levels == ["INFO", "INFO", "WARNING", "INFO", "ERROR"]
    assert "census done in 1.5 s" in caplog.text


def test_bars():
    stream = io.StringIO()
    bar = ProgressBar(stream)
    for event in ALL:
        bar(event)
    drawn = stream.getvalue()
    assert "census" in drawn
    assert "90%" in drawn
    assert "100%" in drawn
    assert "survey" in drawn
    assert bar._bar is None


def test_progress_is_off_by_default_and_on_when_asked(monkeypatch, capsys):
    monkeypatch.setattr("dask_kmsmote.graph.dask.watch.INTERVAL", 0.0)
    X, y = make_imbalanced()
    KMeansSMOTE(random_state=0).fit(X, y)
    assert capsys.readouterr() == ("", "")
    KMeansSMOTE(random_state=0, progress=True).fit(X, y)
    assert "survey" in capsys.readouterr().err


def test_a_stage_tells_callbacks_in_order():
    told = []
    with events.stage("x", [told.append, lambda event: told.append(("second", event))]):
        told.append("body")
    assert told[0] == told[1][1] == StageStarted("x")
    assert told[2] == "body"
