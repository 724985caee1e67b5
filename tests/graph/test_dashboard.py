"""What a browser shows of the dashboard while a run is on."""

from __future__ import annotations

import shutil
import time

import dask.array as da
import pytest
from distributed import Client, LocalCluster

from conftest import make_imbalanced
from dask_kmsmote import KMeansSMOTE

pytestmark = pytest.mark.cluster
SWITCHES = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--window-size=1400,1000",
)  # fmt: skip
# the words that the page has drawn, in Bokeh's own models
TEXTS = """
const found = new Set();
for (const doc of Bokeh.documents)
  for (const model of doc._all_models.values())
    if (model.type == "ColumnDataSource")
      for (const [name, column] of model.data instanceof Map ? model.data
                                   : Object.entries(model.data))
        if (["name", "all"].includes(name) && column)
          for (const value of column) found.add(String(value));
return Array.from(found);
"""


@pytest.fixture
def browser(tmp_path):
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        pytest.skip("needs a browser: apt-get install chromium chromium-driver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path}"):
        options.add_argument(switch)
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    with webdriver.Chrome(options, service) as driver:
        driver.set_page_load_timeout(60)
        yield driver


def shown_within(browser, seconds, wanted):
    """The texts once the wanted ones are there, or those of the last look."""
    end = time.monotonic() + seconds
    while True:
        try:
            texts = set(browser.execute_script(TEXTS))
        except Exception as error:  # noqa: BLE001 - the page is not there yet
            texts = {str(error)}
        if wanted <= texts or time.monotonic() > end:
            return texts
        time.sleep(0.2)


def test_the_dashboard_names_the_stages(browser, tmp_path):
    X, y = make_imbalanced(40_000, 6, 0.1, seed=3)
    X, y = da.from_array(X, chunks=(4000, -1)), da.from_array(y, chunks=4000)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        browser.get(cluster.dashboard_link)
        made = KMeansSMOTE(random_state=0).fit_resample(X, y)
        kept = client.persist(made)
        # what is in memory, or led there, stays on the progress page, where long names are cut
        wanted = {"kmsmote-survey", "kmsmote-density"}
        texts = shown_within(browser, 60, wanted)
        browser.save_screenshot(str(tmp_path / "dashboard.png"))
        assert wanted <= texts, texts
        # the task stream remembers all of them
        browser.get(cluster.dashboard_link.replace("/status", "/individual-task-stream"))
        wanted |= {"kmsmote-census", "kmsmote-clustering-lloyd", "kmsmote-gather"}
        texts = shown_within(browser, 60, wanted)
        browser.save_screenshot(str(tmp_path / "stream.png"))
        assert wanted <= texts, texts
        # in the result, distributed joins the names of the tasks that it fuses
        assert any(text.startswith("kmsmote-synthesis") for text in texts)
        foreign = {text for text in texts if text.startswith(("sum", "_centers", "truediv"))}
        assert not foreign
        del kept
