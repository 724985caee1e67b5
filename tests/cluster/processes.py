"""Schedulers and workers as processes of their own, with environments that may lack something."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from distributed import Client

BIN = Path(sys.executable).parent
# what a process does before anything else, as `sitecustomize`
MISSING = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "{0}":
            raise ModuleNotFoundError("No module named '{0}'", name="{0}")
sys.meta_path.insert(0, Missing())
"""
OTHER = """
import distributed.versions as versions
versions.get_package_info = (lambda told: lambda packages: told(packages) | {{"{0}": "{1}"}})(
    versions.get_package_info
)
"""
OTHER_OURS = """
import dask_kmsmote
dask_kmsmote.__version__ = "{0}"
"""


class Processes:
    """A scheduler, and workers without a nanny, of one thread each."""

    def __init__(self, folder):
        self.folder, self.file, self.started = folder, folder / "scheduler.json", []
        self.scheduler = None

    def start_scheduler(self, first=""):
        options = ["scheduler", "--host", "127.0.0.1", "--port", "0"]
        self.scheduler = self._start("scheduler", options, first)
        while not (self.file.exists() and self.file.read_text().endswith("}")):
            assert self.scheduler.poll() is None
            time.sleep(0.05)

    def start_worker(self, name="worker", first="", *options):
        """A worker that runs this code first."""
        given = ["--no-nanny", "--nthreads", "1", "--name", name, "--local-directory", self.folder]
        return self._start(name, ["worker", *given, *options], first)

    def _start(self, name, command, first):
        environment = dict(os.environ)
        if first:
            (self.folder / f"before {name}").mkdir()
            (self.folder / f"before {name}" / "sitecustomize.py").write_text(first)
            paths = [str(self.folder / f"before {name}"), environment.get("PYTHONPATH", "")]
            environment["PYTHONPATH"] = os.pathsep.join(paths)
        with (self.folder / f"{name}.log").open("w") as log:
            process = subprocess.Popen(
                [BIN / "dask", *command, "--scheduler-file", self.file, "--no-dashboard"],
                env=environment,
                stdout=log,
                stderr=log,
            )
        self.started.append(process)
        return process

    def log(self, name):
        return (self.folder / f"{name}.log").read_text()

    def stop(self):
        for process in reversed(self.started):
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


@contextmanager
def processes(folder, scheduler="", **workers):
    """A scheduler and workers by name, each with the code that it runs first."""
    made = Processes(folder)
    try:
        made.start_scheduler(scheduler)
        for name, first in workers.items():
            made.start_worker(name, first)
        with Client(scheduler_file=str(made.file), set_as_default=False) as client:
            if workers:
                client.wait_for_workers(len(workers), timeout=60)
        yield made
    finally:
        made.stop()


def addresses(client):
    """The addresses of the workers by their names."""
    info = client.scheduler_info(n_workers=-1)["workers"]
    return {worker["name"]: address for address, worker in info.items()}
