"""Hosts on one machine, and faults of the links between them, by Linux network namespaces.

python links.py SCHEDULER_FILE FOLDER FAULTS runs the workload as a client, and strikes as stages
start; FAULTS is JSON, a list of fault, stage and host. It prints the outcome.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

FAULTS = ("slow link", "cut link", "link away for 3 s")
SCHEDULER = "10.77.0.1"
BIN = Path(sys.executable).parent
# the least that Dask accepts is above 10 s; the default is 30 s
TIMEOUT = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "11s"}


def ip(*args):
    """Run `ip`."""
    subprocess.run(["ip", *args], check=True, capture_output=True, text=True)


def missing():
    """Why there can be no namespaces here; empty where there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    name = f"k{os.getpid()}t"
    try:
        ip("netns", "add", name)
        ip("-n", name, "link", "add", "br0", "type", "bridge")
        ip("netns", "del", name)
    except FileNotFoundError:
        return "network namespaces need iproute2"
    except subprocess.CalledProcessError as error:
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        return f"no network namespaces here: {error.stderr.strip()}"
    return ""


@contextmanager
def hosts(n):
    """Names of a scheduler's namespace and n workers' ones, on a bridge of their own."""
    prefix = f"k{os.getpid()}"
    scheduler, workers = f"{prefix}s", [f"{prefix}w{number}" for number in range(n)]
    made = []
    try:
        for name in (scheduler, *workers):
            ip("netns", "add", name)
            made.append(name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", scheduler, "link", "add", "br0", "type", "bridge")
        ip("-n", scheduler, "addr", "add", f"{SCHEDULER}/24", "dev", "br0")
        ip("-n", scheduler, "link", "set", "br0", "up")
        for number, name in enumerate(workers):
            port = f"v{number}"
            ip("link", "add", port, "netns", scheduler, "type", "veth",
               "peer", "name", "eth0", "netns", name)  # fmt: skip
            ip("-n", scheduler, "link", "set", port, "master", "br0", "up")
            ip("-n", name, "addr", "add", f"10.77.0.{10 + number}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
        yield scheduler, workers
    finally:
        for name in made:
            ip("netns", "del", name)


@contextmanager
def cluster_on(scheduler, workers, folder):
    """Scheduler and workers (each with a nanny) as processes on these hosts; the address."""
    file, started = folder / "scheduler.json", []

    def start(host, *command):
        with (folder / f"{host}.log").open("w") as log:
            inside = ["ip", "netns", "exec", host, BIN / "dask", *command]
            options = ["--no-dashboard", "--scheduler-file", file]
            process = subprocess.Popen(
                [*inside, *options], env=os.environ | TIMEOUT, stdout=log, stderr=log
            )
        started.append(process)

    try:
        start(scheduler, "scheduler", "--host", SCHEDULER)
        for host in workers:
            start(host, "worker", "--nthreads", "1", "--death-timeout", "30",
                  "--local-directory", folder)  # fmt: skip
        yield file
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def run_with(faults, folder):
    """Run the workload with a fault, as a stage starts, of the link of each worker but the last.

    Returns the outcome, how many workers were connected at the end, and seconds.
    """
    with (
        hosts(len(faults) + 1) as (scheduler, workers),
        cluster_on(scheduler, workers, folder) as file,
    ):
        plan = [(*fault, host) for fault, host in zip(faults, workers, strict=False)]
        command = [sys.executable, __file__, file, folder, json.dumps(plan)]
        told = subprocess.run(
            ["ip", "netns", "exec", scheduler, *command], env=os.environ | TIMEOUT, check=True,
            timeout=180, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
    outcome, connected, seconds = json.loads(told.stdout)
    return tuple(outcome), connected, seconds


def strike(fault, host):
    """Do this to the link of a host."""
    if fault == "slow link":
        # 144 kB of data in chunks of 24 kB; what does not fit into the queue is lost and sent again
        shape = ["rate", "2mbit", "burst", "16kb", "latency", "50ms"]
        device = ["qdisc", "replace", "dev", "eth0", "root", "tbf", *shape]
        subprocess.run(["tc", "-n", host, *device], check=True)
        return
    ip("-n", host, "link", "set", "eth0", "down")
    if fault == "link away for 3 s":
        threading.Timer(3, ip, ("-n", host, "link", "set", "eth0", "up")).start()


def main(file, folder, faults):
    """As the client: print the outcome, the workers at the end, and the seconds that it took."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from distributed import Client

    import workload
    from dask_kmsmote.events import StageStarted

    waiting = [(StageStarted(stage), fault, host) for fault, stage, host in json.loads(faults)]

    def callback(event):
        for one in [one for one in waiting if one[0] == event]:
            strike(*one[1:])
            waiting.remove(one)

    with Client(scheduler_file=file) as client:
        client.wait_for_workers(len(waiting) + 1, timeout=60)
        start = time.perf_counter()
        outcome = workload.run(Path(folder), [callback])
        seconds = time.perf_counter() - start
        connected = len(client.scheduler_info(n_workers=-1)["workers"])
    if waiting:
        raise AssertionError(f"no such stage has started: {waiting}")
    print(json.dumps([outcome, connected, seconds]))


if __name__ == "__main__":
    main(*sys.argv[1:])
