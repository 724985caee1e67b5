"""`airflow standalone`, its DAG run through its REST API."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from datetime import datetime

from scene import ABSENT, DAYS, LONG, ROWS, tell, wait_for

DAG = "resample_flights"
ENDED = ("success", "failed")


class Airflow:
    """A server, and what it says of runs."""

    def __init__(self, address):
        self.address = address
        self.token = None

    def ask(self, path, content=None, method=None):
        """The answer, as JSON; None where there is none yet."""
        request = urllib.request.Request(f"{self.address}{path}", method=method)  # noqa: S310
        if content is not None:
            request.data = json.dumps(content).encode()
            request.add_header("Content-Type", "application/json")
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise RuntimeError(f"{path}: {error.read().decode()}") from error
        except OSError:
            return None

    def dag(self, path="", content=None, method=None):
        return self.ask(f"/api/v2/dags/{DAG}{path}", content, method)

    def trigger(self, day, name, time="02:31"):
        # no two runs of a DAG have one logical date
        run = {"dag_run_id": name, "logical_date": f"{day}T{time}:00Z"}
        return self.dag("/dagRuns", run)["dag_run_id"]

    def task(self, name, rest="", content=None, method=None):
        return self.dag(f"/dagRuns/{name}/taskInstances/resample{rest}", content, method)

    def state(self, name):
        return (self.task(name) or {}).get("state")

    def ended(self, name):
        return wait_for(lambda: self.state(name) in ENDED and self.task(name), 600)

    def log(self, name, number):
        answer = self.task(name, f"/logs/{number}?full_content=true")
        return [line.get("event", "") for line in answer["content"]]

    def tell(self, case, name, *parts):
        """Print how a run ended, with the lines of its log that hold some words."""
        task = self.ended(name)
        tell(case, task["state"], task["try_number"], task["duration"])
        for number in range(1, task["try_number"] + 1):
            for line in self.log(name, number):
                if any(part in line for part in parts):
                    print(f"      try {number}: {line[:200]}", flush=True)
        return task


@contextmanager
def standalone(scene, python):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = scene.environment() | {
        "PATH": f"{python.parent}:{os.environ['PATH']}",
        "AIRFLOW_HOME": str(scene.folder / "home"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(scene.folder / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "2",
        "AIRFLOW__SCHEDULER__TRIGGERER": "1",
    }
    del environment["PYTHONPATH"]
    airflow = Airflow(f"http://127.0.0.1:{port}")
    with (scene.folder / "log").open("w") as log:
        server = subprocess.Popen(
            [python.with_name("airflow"), "standalone"],
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        airflow.token = wait_for(lambda: airflow.ask("/auth/token"))["access_token"]
        wait_for(airflow.dag)
        yield airflow, environment
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)
        # what has not heard it
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)


def run(scene, python):
    scene.adapt("airflow/dag.py", scene.folder / "dags/dag.py")
    with standalone(scene, python) as (airflow, environment):
        airflow.dag(content={"is_paused": False}, method="PATCH")
        start_on_schedule(airflow, scene)
        succeed(airflow, scene)
        fail(airflow, scene)
        stop(airflow, scene)
        run_out_of_time(airflow, scene)
        backfill(airflow, python, environment)


def start_on_schedule(airflow, scene):
    """The run that last night was missed: of a day that has no table here."""

    def found():
        return airflow.dag("/dagRuns?run_type=scheduled")["dag_runs"]

    name = wait_for(found, 60)[0]["dag_run_id"]
    assert airflow.tell("missed last night", name, "Error:")["state"] == "failed"
    assert scene.exit_code() == 3


def succeed(airflow, scene):
    # two at once: the second waits
    names = [airflow.trigger(day, f"done-{day}") for day in DAYS[:2]]
    first, second = [airflow.tell("done", name, "exited with") for name in names]
    assert [first["state"], second["state"]] == ["success"] * 2
    assert datetime.fromisoformat(first["end_date"]) < datetime.fromisoformat(second["start_date"])
    told = airflow.task(names[0], "/xcomEntries/return_value")["value"]
    told = json.loads(told) if isinstance(told, str) else told
    print(f"      XCom: {told}")
    assert {name: told[name] for name in ROWS} == ROWS
    assert scene.exit_code() == 0


def fail(airflow, scene):
    before = scene.content()
    name = airflow.trigger(ABSENT, "absent")
    task = airflow.tell("no source: exit code 3", name, "Error:", "exited with", "second try")
    assert (task["state"], task["try_number"], scene.exit_code()) == ("failed", 1, 3)
    assert airflow.task(name, "/xcomEntries/return_value") is None
    assert scene.content() == before
    with scene.broken_store():
        name = airflow.trigger(DAYS[2], "broken")
        wait_for(lambda: airflow.state(name) == "up_for_retry", 120)
        print("  after its first try, a run with exit code 5 is up_for_retry", flush=True)
        task = airflow.tell("store that fails once: exit code 5", name, "Error:", "exited with")
    assert (task["state"], task["try_number"], scene.exit_code()) == ("success", 2, 0)


def stop(airflow, scene):
    scene.finish(DAYS[0])
    before = scene.content()
    name = airflow.trigger(LONG, "stopped", "02:32")
    # the task hears of it with its next heartbeat, up to 5 s later
    wait_for(scene.has_draft)
    airflow.task(name, content={"new_state": "failed"}, method="PATCH")
    start = time.monotonic()
    wait_for(lambda: not scene.jobs())
    print(f"  no process of the job is left after {time.monotonic() - start:.1f} s")
    task = airflow.tell("marked as failed while it runs", name, "Interrupted", "exited with")
    assert (task["state"], task["try_number"], scene.exit_code()) == ("failed", 1, 130)
    assert scene.content() == before


def run_out_of_time(airflow, scene):
    before = scene.content()
    scene.adapt("airflow/dag.py", scene.folder / "dags/dag.py", limit=10)
    name = airflow.trigger(LONG, "slow", "02:33")
    wait_for(lambda: airflow.state(name) == "up_for_retry")
    wait_for(lambda: not scene.jobs())
    assert scene.content() == before
    scene.adapt("airflow/dag.py", scene.folder / "dags/dag.py")
    task = airflow.tell("out of time, then not", name, "timed out", "Sending SIGTERM")
    assert (task["state"], task["try_number"]) == ("success", 2)


def backfill(airflow, python, environment):
    command = [python.with_name("airflow"), "backfill", "create", "--dag-id", DAG]
    span = ["--from-date", DAYS[0], "--to-date", DAYS[-1]]
    subprocess.run([*command, *span], env=environment, check=True, stdout=subprocess.DEVNULL)

    def runs():
        found = airflow.dag("/dagRuns?run_type=backfill")["dag_runs"]
        return len(found) >= 2 and all(run["state"] in ENDED for run in found) and found

    found = sorted(wait_for(runs, 600), key=lambda run: run["logical_date"])
    for run in found:
        airflow.tell(f"backfill {run['logical_date']}", run["dag_run_id"], "exited with")
    assert [run["state"] for run in found] == ["success"] * len(found)
