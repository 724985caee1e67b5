"""The tree shows the picture: one order of the stages, one place that asks for the mode."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dask_kmsmote
from dask_kmsmote.events import STAGES

PACKAGE = Path(dask_kmsmote.__file__).parent
README = (PACKAGE.parent / "README.md").read_text()
MODULES = sorted(PACKAGE.rglob("*.py"))
# the call that is each stage in the two halves of `pipeline.run`
CALLS = {
    "take_census": "census",
    "learn_clusters": "clustering",
    "take_survey": "survey",
    "_kept": "choose",
    "gather": "gather",
    "measure_densities": "density",
    "_allocate": "allocate",
    "synthesize": "synthesis",
}


def tree_of(path):
    return ast.parse(path.read_text())


def test_the_pipeline_calls_the_stages_in_their_order():
    tree = tree_of(PACKAGE / "pipeline.py")
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    called = []
    for half in ("explore", "decide"):
        names = [node for node in ast.walk(functions[half]) if isinstance(node, ast.Name)]
        names.sort(key=lambda name: (name.lineno, name.col_offset))
        called += [CALLS[name.id] for name in names if name.id in CALLS]
    assert called == list(STAGES)
    drawn = re.search(r"^    (census -> .*)$", ast.get_docstring(tree), re.MULTILINE).group(1)
    assert drawn.split(" -> ") == list(STAGES)


def test_the_readme_draws_the_stages_in_their_order():
    picture = re.search(r"```\nX, y \(Dask.*?```", README, re.DOTALL).group()
    drawn = re.findall(r"^  [│▼] (\w+) ", picture, re.MULTILINE)
    assert drawn == list(STAGES)


def test_a_worker_imports_neither_estimators_nor_frames_of_dask():
    # what its tasks run: each of these is 20 to 60 MB of its memory
    names = [
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        for path in MODULES
        if path.is_relative_to(PACKAGE / "kernels") and path.name != "__init__.py"
    ]
    code = f"import sys, {', '.join(names)}\nprint(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    rooms = {name.partition(".")[0] for name in done.stdout.split()}
    assert "numba" in rooms
    assert not rooms & {"sklearn", "imblearn", "dask_ml", "distributed", "joblib"}
    assert "dask.dataframe" not in done.stdout.split()


def test_each_stage_that_computes_is_a_module_or_a_room():
    for stage in set(STAGES) - {"choose", "allocate"}:
        assert (PACKAGE / "graph" / f"{stage}.py").exists() or (PACKAGE / "graph" / stage).is_dir()
    for stage in ("choose", "allocate"):
        assert (PACKAGE / "planning" / f"{stage}.py").exists()


def test_every_task_is_named_after_a_stage():
    names = [
        node.args[0].value
        for path in MODULES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("tasks", "self.tasks", "tasks.tree", "wanted.run.tasks")
        and isinstance(node.args[0], ast.Constant)
    ]
    assert len(names) > 50
    # a job has stages of its own; a result that is looked into later is sampled, by none
    assert {name.partition("-")[0] for name in names} <= {
        *STAGES,
        "types",
        "write",
        "input",
        "sample",
    }


def test_the_mode_is_asked_for_where_a_recipe_is_chosen_alone():
    asked = []
    for path in MODULES:
        for node in ast.walk(tree_of(path)):
            name = getattr(node, "attr", getattr(node, "id", ""))
            if name == "compat" and isinstance(getattr(node, "ctx", None), ast.Load):
                asked.append(path.relative_to(PACKAGE).as_posix())
    # the plan shows it; the sampler stores the parameter, by which its recipe is looked up
    assert sorted(asked) == ["parameters.py", "planning/plan.py", "sampler.py"]


def test_what_is_inside_of_dask_is_known_in_one_folder():
    inside = ("dask._task_spec", "dask.highlevelgraph")
    knows = {
        path.relative_to(PACKAGE).parent.as_posix()
        for path in MODULES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ImportFrom) and str(node.module) in inside
    }
    assert knows == {"graph/dask"}


def test_packages_say_their_design():
    for path in PACKAGE.rglob("__init__.py"):
        lines = ast.get_docstring(tree_of(path)).splitlines()
        assert 10 <= len(lines) <= 25, path


@pytest.mark.parametrize("room", sorted(p.parent.name for p in PACKAGE.glob("*/__init__.py")))
def test_rooms_have_tests_and_stand_in_the_readme(room):
    assert (PACKAGE.parent / "tests" / room).is_dir()
    tree = README[README.index("dask_kmsmote/\n") :].partition("```")[0]
    assert f" {room}/ " in tree
