"""The asset by `materialize`, and by `dagster asset materialize` in a process told to stop."""

from __future__ import annotations

import importlib.util
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dagster import DagsterEventType, DagsterInstance, RunsFilter, materialize
from scene import ABSENT, DAYS, LONG, ROWS, Scene, tell, wait_for


def module(scene, **limits):
    """The file of deploy/, in this folder."""
    path = scene.folder / "assets.py"
    scene.adapt("dagster/assets.py", path, **limits)
    spec = importlib.util.spec_from_file_location("assets", path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def run(assets, instance, day, case):
    """A run of a day, to its end: its result, and how often the job was tried."""
    start = time.monotonic()
    result = materialize(
        [assets.balanced_flights], partition_key=day, instance=instance, raise_on_error=False
    )
    starts = (DagsterEventType.STEP_START, DagsterEventType.STEP_RESTARTED)
    tries = sum(event.event_type in starts for event in result.all_events)
    state = instance.get_run_by_id(result.run_id).status.value
    told = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    text = told[0].user_failure_data.description if told and told[0].user_failure_data else ""
    tell(case, state, tries, time.monotonic() - start, text)
    return result, tries


def succeed_and_fail(scene, assets, instance):
    result, tries = run(assets, instance, DAYS[0], "done")
    (made,) = result.asset_materializations_for_node("balanced_flights")
    told = {name: value.value for name, value in made.metadata.items()}
    print(f"      metadata: {told}")
    assert ({name: told[name] for name in ROWS}, tries, scene.exit_code()) == (ROWS, 1, 0)
    before = scene.content()
    result, tries = run(assets, instance, ABSENT, "no source: exit code 3")
    assert (result.success, tries, scene.exit_code()) == (False, 1, 3)
    assert scene.content() == before
    with scene.broken_store():
        result, tries = run(assets, instance, DAYS[1], "store that fails once: exit code 5")
    assert (result.success, tries, scene.exit_code()) == (True, 2, 0)


def run_out_of_time(scene, instance):
    scene.finish(DAYS[0])
    before = scene.content()
    result, tries = run(module(scene, limit=8), instance, LONG, "out of time, each time")
    assert (result.success, tries, scene.exit_code()) == (False, 3, 130)
    assert (scene.content(), scene.jobs()) == (before, [])


def dagster(*words, program="dagster"):
    return [Path(sys.executable).with_name(program), *words]


def stop(scene, instance, how, number):
    before = scene.content()
    select = ["asset", "materialize", "-f", "assets.py", "--select", "balanced_flights"]
    with (scene.folder / f"{how}.log").open("w") as log:
        run = subprocess.Popen(
            dagster(*select, "--partition", LONG), cwd=scene.folder, stdout=log, stderr=log
        )
        wait_for(scene.is_writing)
        run.send_signal(number)
        start = time.monotonic()
        run.wait(120)
    (newest,) = instance.get_runs(limit=1)
    tell(f"{how} while it writes", newest.status.value, 1, time.monotonic() - start)
    assert (scene.content(), scene.jobs(), scene.exit_code()) == (before, [], 130)


def backfill(scene, instance):
    """All days at once under the daemon, and one job at a time."""
    limit = dagster("instance", "concurrency", "set", "dask_kmsmote", "1")
    subprocess.run(limit, check=True, stdout=subprocess.DEVNULL)
    with (scene.folder / "daemon.log").open("w") as log:
        daemon = subprocess.Popen(
            dagster("run", "-f", "assets.py", program="dagster-daemon"),
            cwd=scene.folder,
            stdout=log,
            stderr=log,
        )
    try:
        days = ["--from", DAYS[0], "--to", DAYS[-1]]
        start = dagster("job", "backfill", "-f", "assets.py", "-j", "resample_flights", *days)
        quiet = {"stdout": subprocess.DEVNULL, "cwd": scene.folder}
        subprocess.run([*start, "--noprompt"], check=True, **quiet)

        def steps():
            runs = instance.get_runs(RunsFilter(job_name="resample_flights"))
            found = [step for run in runs for step in instance.get_run_step_stats(run.run_id)]
            return len(found) == len(DAYS) and all(step.end_time for step in found) and found

        found = sorted(wait_for(steps, 600), key=lambda step: step.start_time)
        for step in found:
            seconds = step.end_time - step.start_time
            tell("backfill", step.status.value, step.attempts, seconds)
        assert {step.status.value for step in found} == {"SUCCESS"}
        assert all(a.end_time <= b.start_time for a, b in itertools.pairwise(found))
    finally:
        daemon.send_signal(signal.SIGINT)
        daemon.wait(120)


if __name__ == "__main__":
    scene = Scene(sys.argv[1])
    with tempfile.TemporaryDirectory() as home:
        os.environ["DAGSTER_HOME"] = home
        with DagsterInstance.get() as instance:
            succeed_and_fail(scene, module(scene), instance)
            run_out_of_time(scene, instance)
            module(scene)
            for how, number in (("SIGTERM", signal.SIGTERM), ("SIGINT", signal.SIGINT)):
                stop(scene, instance, how, number)
            backfill(scene, instance)
