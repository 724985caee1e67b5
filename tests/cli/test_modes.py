"""What is done with a destination that is there: of flags, environment and file the nearer."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from dask_kmsmote.cli import cli
from dask_kmsmote.job import run as job

CASES = {  # flags, environment, file; the mode, or None for a usage error
    "nothing": ([], {}, "", "error"),
    "a flag": (["--overwrite"], {}, "", "overwrite"),
    "a mode": (["--mode", "append"], {}, "", "append"),
    "both alike": (["--overwrite", "--mode", "overwrite"], {}, "", "overwrite"),
    "both": (["--overwrite", "--mode", "error"], {}, "", None),
    "both otherwise": (["--overwrite", "--mode", "append"], {}, "", None),
    "file": ([], {}, "overwrite = true", "overwrite"),
    "file, mode": ([], {}, 'mode = "append"', "append"),
    "both in the file": ([], {}, 'overwrite = true\nmode = "error"', None),
    "flag before file": (["--mode", "error"], {}, "overwrite = true", "error"),
    "append before file": (["--mode", "append"], {}, "overwrite = true", "append"),
    "overwrite before file": (["--overwrite"], {}, 'mode = "append"', "overwrite"),
    "environment before file": ([], {"MODE": "error"}, "overwrite = true", "error"),
    "environment": ([], {"OVERWRITE": "true"}, "", "overwrite"),
    "both in the environment": ([], {"OVERWRITE": "true", "MODE": "error"}, "", None),
    "flag before environment": (["--mode", "error"], {"OVERWRITE": "true"}, "", "error"),
    "not": ([], {"OVERWRITE": "false"}, 'mode = "append"', "append"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_nearer_counts(tmp_path, monkeypatch, name):
    flags, environment, file, wanted = CASES[name]
    found = []

    def run(asked, _):
        found.append(asked.mode)
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "run", run)
    (tmp_path / "job.toml").write_text(file)
    arguments = ["resample", "in", "out", "--target", "y", "--config", str(tmp_path / "job.toml")]
    env = {f"DASK_KMSMOTE__{key}": value for key, value in environment.items()}
    done = CliRunner().invoke(cli, [*arguments, *flags], env=env)
    if wanted is None:
        assert done.exit_code == 2
        assert "--overwrite and --mode" in done.stderr
    else:
        assert found == [wanted], done.output
