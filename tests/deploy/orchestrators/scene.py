"""A folder in place of a store, a file of deploy/ that works in it, and what runs leave there.

Standard library alone, as the tools' own environments import it.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import threading
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[3]
DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")
# of so many rows that a run can be stopped before its end
LONG = "2026-01-04"
ABSENT = "2026-02-01"
ROWS = {"rows": 336_776, "synthetic_rows": 320_266}
DELAY = 5
_MARK = "KMSMOTE_SCENE"


class Scene:
    """A folder with `data/` in place of the bucket, and the metrics."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.balanced = self.folder / "data/flights-balanced"
        self.metrics = self.folder / "dask_kmsmote.prom"

    def lay(self, flights, program):
        """Make it anew, with the flights of some days and the program."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.balanced.mkdir(parents=True)
        for day in DAYS:
            shutil.copytree(flights, self.folder / f"data/flights/{day}.parquet")
        for copy in range(16):
            shutil.copytree(flights, self.folder / f"data/flights/{LONG}.parquet/{copy}")
        (self.folder / "program").write_text(str(program))

    def finish(self, day):
        """Have a finished result where the day with many rows goes."""
        shutil.copytree(self.balanced / f"{day}.parquet", self.balanced / f"{LONG}.parquet")

    def environment(self):
        """Variables of processes that `jobs` finds."""
        return {**os.environ, _MARK: str(self.folder), "PYTHONPATH": str(ROOT)}

    def adapt(self, path, target, limit=14400):
        """Copy a file of deploy/, with the places of this folder and less patience."""
        text = (ROOT / "deploy" / path).read_text()
        for old, new in {
            "/opt/dask-kmsmote/bin/dask-kmsmote": (self.folder / "program").read_text(),
            "s3://data": f"{self.folder}/data",
            "/var/lib/prometheus/node-exporter": str(self.folder),
            "=600": f"={DELAY}",
            "=14400": f"={limit}",
        }.items():
            assert old in text, (path, old)
            text = text.replace(old, new)
        target.parent.mkdir(exist_ok=True)
        target.write_text(text)

    def exit_code(self):
        """What the metrics say of the last run."""
        if not self.metrics.exists():
            return None
        text = self.metrics.read_text()
        return int(float(re.search(r"last_run_exit_code\{.*\} (\S+)", text)[1]))

    @contextmanager
    def broken_store(self):
        """Have no run write, until one has failed."""
        self.metrics.unlink(missing_ok=True)
        aside = self.balanced.with_name("aside")
        self.balanced.rename(aside)
        self.balanced.touch()
        ended = threading.Event()

        def mend():
            while self.exit_code() != 5 and not ended.is_set():
                time.sleep(0.1)
            self.balanced.unlink()
            aside.rename(self.balanced)

        thread = threading.Thread(target=mend)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def content(self):
        """Path -> digest of all results, of hidden files, too."""
        paths = (path for path in self.balanced.rglob("*") if path.is_file())
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}

    def has_draft(self):
        """Whether a run is on its way."""
        return any(self.balanced.glob(".*/"))

    def is_writing(self):
        """Whether a run has written some rows."""
        return any(path.stat().st_size for path in self.balanced.glob(".*/*.parquet"))

    def jobs(self):
        """Ids of processes of the job that run."""
        environment = Path((self.folder / "program").read_text()).parent
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                ours = f"{_MARK}={self.folder}".encode() in (path / "environ").read_bytes()
                words = (path / "cmdline").read_bytes()
            except OSError:
                continue
            if ours and str(environment).encode() in words:
                found.append(path.name)
        return found


def wait_for(condition, seconds=300):
    """What a condition says, as soon as that is true."""
    stop = time.monotonic() + seconds
    while time.monotonic() < stop:
        if found := condition():
            return found
        time.sleep(0.05)
    raise TimeoutError(condition)


def tell(case, state, tries, seconds, text=""):
    print(f"  {case:<34} {state:<14} {tries} tries {seconds:6.1f} s  {text}", flush=True)
