"""The flow under `prefect_test_harness`, and in a process of its own that is told to stop."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from prefect import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import Artifact
from prefect.settings import PREFECT_API_URL
from prefect.testing.utilities import prefect_test_harness
from scene import ABSENT, DAYS, LONG, ROWS, Scene, tell, wait_for

DEPLOYMENT = "resample-flights/resample-flights"
CALL = "import sys, datetime, flow; flow.resample_flights(datetime.date.fromisoformat(sys.argv[1]))"


def module(scene, name="flow", **limits):
    """The file of deploy/, in this folder."""
    path = scene.folder / f"{name}.py"
    scene.adapt("prefect/flow.py", path, **limits)
    spec = importlib.util.spec_from_file_location(name, path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


async def tasks_of(flow_run_id):
    chosen = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))
    async with get_client() as client:
        return await client.read_task_runs(flow_run_filter=chosen)


async def artifacts() -> list[Artifact]:
    async with get_client() as client:
        return await client.read_artifacts()


def run(flow, day, case):
    """A flow run of a day, to its end: its state, the task's runs."""
    start = time.monotonic()
    state = flow.resample_flights(day, return_state=True)
    run_id = state.state_details.flow_run_id
    (task,) = wait_for(lambda: asyncio.run(tasks_of(run_id)))
    tell(case, state.name, task.run_count, time.monotonic() - start, state.message or "")
    return state, task.run_count


def succeed_and_fail(scene):
    flow = module(scene)
    state, tries = run(flow, DAYS[0], "done")
    told = state.result()
    print(f"      returned: {told}")
    assert ({name: told[name] for name in ROWS}, tries, scene.exit_code()) == (ROWS, 1, 0)
    (artifact,) = asyncio.run(artifacts())
    print(f"      artifact: {artifact.key}: {artifact.data[:120]}")
    before = scene.content()
    state, tries = run(flow, ABSENT, "no source: exit code 3")
    assert (state.is_failed(), tries, scene.exit_code()) == (True, 1, 3)
    assert scene.content() == before
    with scene.broken_store():
        state, tries = run(flow, DAYS[1], "store that fails once: exit code 5")
    assert (state.is_completed(), tries, scene.exit_code()) == (True, 2, 0)


def run_out_of_time(scene):
    scene.finish(DAYS[0])
    before = scene.content()
    state, tries = run(module(scene, "hasty", limit=8), LONG, "out of time, each time")
    assert (state.is_failed(), tries, scene.exit_code()) == (True, 3, 130)
    assert (scene.content(), scene.jobs()) == (before, [])


def stop(scene):
    before = scene.content()
    flow = subprocess.Popen([sys.executable, "-c", CALL, LONG], cwd=scene.folder)
    wait_for(scene.is_writing)
    flow.send_signal(signal.SIGTERM)
    start = time.monotonic()
    code = flow.wait(120)
    tell("SIGTERM while it writes", f"exit code {code}", 1, time.monotonic() - start)
    assert (scene.content(), scene.jobs(), scene.exit_code()) == (before, [], 130)


def prefect(*words):
    program = Path(sys.executable).with_name("prefect")
    done = subprocess.run([program, *words], check=True, capture_output=True, text=True)
    return done.stdout


def deployed(day):
    """Start a run of the deployment; its id."""
    shown = prefect("deployment", "run", DEPLOYMENT, "--param", f"day={day}")
    return re.search(r"UUID: (\S+)", shown)[1]


async def flow_run(run_id):
    async with get_client() as client:
        return await client.read_flow_run(run_id)


def ended(run_id):
    def found():
        run = asyncio.run(flow_run(run_id))
        return run if run.state.is_final() else None

    return wait_for(found, 600)


def serve(scene):
    """The deployment: two runs at once, of which one waits, and one that is cancelled."""
    with (scene.folder / "serve.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "flow.py"], cwd=scene.folder, stdout=log, stderr=log
        )
    try:
        wait_for(lambda: "being served" in (scene.folder / "serve.log").read_text(), 60)
        runs = sorted(map(ended, [deployed(day) for day in DAYS[:2]]), key=lambda r: r.start_time)
        for run in runs:
            tell("served", run.state.name, run.run_count, run.total_run_time.total_seconds())
        assert all(run.state.is_completed() for run in runs)
        assert runs[0].end_time <= runs[1].start_time
        before = scene.content()
        run_id = deployed(LONG)
        wait_for(scene.is_writing)
        prefect("flow-run", "cancel", run_id)
        run = ended(run_id)
        wait_for(lambda: not scene.jobs())
        tell("cancelled while it writes", run.state.name, 1, run.total_run_time.total_seconds())
        assert scene.content() == before
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(60)


if __name__ == "__main__":
    scene = Scene(sys.argv[1])
    with prefect_test_harness():
        # what `prefect` and served runs find the server by
        os.environ["PREFECT_API_URL"] = PREFECT_API_URL.value()
        succeed_and_fail(scene)
        run_out_of_time(scene)
        stop(scene)
        serve(scene)
