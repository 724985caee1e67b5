"""The files of deploy/airflow, prefect and dagster, run for real by the tools that they are for.

    python tests/deploy/orchestrators FOLDER [airflow] [prefect] [dagster]

Each tool gets an environment of its own in FOLDER (some 100 MB, installed from the package index
where it is not there yet), runs the job of this environment, and logs to FOLDER/TOOL/log. Outside
of CI: minutes.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import on_airflow
from scene import ROOT, Scene

PACKAGES = {"airflow": "apache-airflow", "prefect": "prefect", "dagster": "dagster"}


def installed(tool, folder):
    """The Python of a tool's environment."""
    python = folder / f"{tool}-venv" / "bin" / "python"
    if not python.exists():
        venv.create(python.parents[1], with_pip=True)
        install = [python, "-m", "pip", "install", "--quiet", PACKAGES[tool]]
        subprocess.run(install, check=True)
    show = [python, "-m", "pip", "show", PACKAGES[tool]]
    shown = subprocess.run(show, check=True, capture_output=True, text=True).stdout
    print(*shown.splitlines()[:2], flush=True)
    return python


def run(tool, folder):
    python, scene = installed(tool, folder), Scene(folder / tool)
    scene.lay(folder / "flights.parquet", Path(sys.executable).with_name("dask-kmsmote"))
    if tool == "airflow":
        on_airflow.run(scene, python)
    else:
        script = [python, "-u", Path(__file__).with_name(f"on_{tool}.py"), scene.folder]
        # where the tool's own log goes
        with (scene.folder / "log").open("w") as log:
            subprocess.run(script, check=True, env=scene.environment(), stderr=log)


if __name__ == "__main__":
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(exist_ok=True)
    make = [sys.executable, ROOT / "examples/flights.py", folder / "flights.parquet"]
    if not (folder / "flights.parquet").exists():
        subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
    for tool in sys.argv[2:] or PACKAGES:
        run(tool, folder)
