"""Every flag, path, image and variable that deploy/ names exists."""

from __future__ import annotations

import ast
import itertools
import re
import tomllib

import click
import pytest
import yaml
from distributed.cli import dask_scheduler, dask_worker
from files import DEPLOY, README, ROOT, calls, documents, flags, mappings, texts, yaml_paths

from dask_kmsmote.cli import cli
from dask_kmsmote.job.cluster import _TLS

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
IMAGES = {f"dask-kmsmote:{PROJECT['version']}", f"dask-kmsmote-notebook:{PROJECT['version']}"}
# from other projects
OTHER_IMAGES = {"docker.io/chrislusf/seaweedfs"}


def options(command):
    """Name on the command line -> parameter."""
    return {name: p for p in command.params if isinstance(p, click.Option) for name in p.opts}


def test_commands_are_found():
    files = {path.name for path, *_ in calls("dask-kmsmote")}
    assert files >= {
        "compose.yaml", "daskjob.yaml", "one-pod.yaml", "many-pods.yaml", "resample.sbatch",
        "dask-kmsmote.service", "dask-kmsmote.cron", "README.md",
        "dag.py", "flow.py", "assets.py",
    }  # fmt: skip


def test_jobs_take_the_flights_as_they_are():
    # what the flights need of a job, as in the README's main command
    main = re.search(r"resample flights.parquet \S+ (.*) --seed", (ROOT / "README.md").read_text())
    wanted = set(main.group(1).split())
    flights = "s3://data/flights"
    jobs = {p.name: set(w) for p, _, w in calls("dask-kmsmote") if any(flights in x for x in w)}
    assert len(jobs) == 7
    assert [name for name, words in jobs.items() if not wanted <= words] == []
    config = tomllib.loads((DEPLOY / "systemd" / "job.toml").read_text())
    assert {"target", "keep", "missing"} <= config.keys()


@pytest.mark.parametrize("call", list(calls("dask-kmsmote")), ids=lambda call: call[0].name)
def test_flags_of_dask_kmsmote(call):
    _, name, words = call
    if name == "--help":
        return
    command = cli.commands[name]
    known = options(command)
    missing = [flag for flag in flags(words) if flag not in {*known, "--help"}]
    assert not missing, f"{name} has no {missing}"
    takes_value = {name for name, option in known.items() if not option.is_flag}
    for flag, value in itertools.pairwise(words):
        # what stands after the flag is a value: neither forgotten nor split in two
        assert flag not in takes_value or not value.startswith("--")


@pytest.mark.parametrize(
    ("name", "command"), [("scheduler", dask_scheduler.main), ("worker", dask_worker.main)]
)
def test_flags_of_dask(name, command):
    known = options(command)
    found = [flag for _, called, words in calls("dask") if called == name for flag in flags(words)]
    assert found
    assert [flag for flag in found if flag not in known] == []


def test_script_hands_over_known_flags():
    tree = ast.parse((DEPLOY / "slurm/jobqueue.py").read_text())
    lists = [node for node in ast.walk(tree) if isinstance(node, ast.List)]
    words = [e.value for node in lists for e in node.elts if isinstance(e, ast.Constant)]
    assert words == ["resample", "--scheduler"]
    assert set(flags(words)) <= set(options(cli.commands["resample"]))


def test_job_file():
    job = tomllib.loads((DEPLOY / "systemd/job.toml").read_text())
    known = {parameter.name for parameter in cli.commands["resample"].params}
    assert {key.replace("-", "_") for key in job} <= known


def test_yaml():
    for path in yaml_paths():
        assert documents(path), path


def test_python():
    for path in DEPLOY.rglob("*.py"):
        compile(path.read_text(), path, "exec")


def test_images():
    used = {
        node["image"]
        for path in yaml_paths()
        for document in documents(path)
        for node in mappings(document)
        if "image" in node
    }
    assert {name for name in used if name.rpartition(":")[0] not in OTHER_IMAGES} == IMAGES
    # a tag for all
    assert all(re.fullmatch(r".+:[\d.]+", name) for name in used)
    written = {
        name
        for text in texts().values()
        for name in re.findall(r"dask-kmsmote[a-z-]*:\d+\.[\w.]*", text)
    }
    assert written == IMAGES


def test_dockerfile():
    text = (DEPLOY / "docker/Dockerfile").read_text()
    stages = re.findall(r"^FROM (\S+) AS (\S+)$", text, re.MULTILINE)
    assert len({source for source, _ in stages if "/" in source}) == 1
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            ignored = (DEPLOY / "docker/Dockerfile.dockerignore").read_text()
            assert f"!{source}\n" in ignored, source
    names = {name for _, name in stages}
    assert set(re.findall(r"--from=(\S+)", text)) <= names
    for extras in re.findall(r'"\.\[([\w,]+)\]"', text):
        assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])
    # the last user that is set is not root
    assert int(re.findall(r"^USER (\d+):\d+$", text, re.MULTILINE)[-1]) > 0
    compose = yaml.safe_load((DEPLOY / "docker/compose.yaml").read_text())
    for service in compose["services"].values():
        if "build" in service:
            build = service["build"]
            assert build["target"] in names
            context = DEPLOY / "docker" / build["context"]
            assert context.resolve() == ROOT
            assert (context / build["dockerfile"]).is_file()


def test_constraints_cover_the_requirements():
    text = (DEPLOY / "docker/constraints.txt").read_text()
    pinned = {normal(name) for name in re.findall(r"^([\w.-]+)==\S+$", text, re.MULTILINE)}
    extras = PROJECT["optional-dependencies"]
    installed = re.findall(r'"\.\[([\w,]+)\]"', (DEPLOY / "docker/Dockerfile").read_text())
    asked = {extra for own in installed for extra in own.split(",")}
    assert asked == {"cli", "delta", "s3", "notebook"}
    needed = [*PROJECT["dependencies"], *(need for extra in asked for need in extras[extra])]
    names = {normal(re.match(r"[\w.-]+", need)[0]) for need in needed}
    assert names - {"dask-kmsmote"} <= pinned


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_paths_in_the_readme():
    text = README.read_text()
    paths = set(re.findall(r"(?<![\w/.])((?:deploy|tests|examples)/[\w./-]*\w)", text))
    assert len(paths) > 8
    assert [path for path in paths if not (ROOT / path).exists()] == []
    for part in (path for path in DEPLOY.iterdir() if path.is_dir()):
        assert f"deploy/{part.name}/" in text, part


def test_every_file_is_in_the_readme():
    text = README.read_text()
    assert [path.name for path in texts() if path != README and path.name not in text] == []


def test_environment():
    """Variables are those of S3, Dask, Python, Slurm, systemd and the options of resample."""
    known = {
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION",
        "DASK_SCHEDULER_ADDRESS", "DASK_WORKER_NAME", "DASK_TEMPORARY_DIRECTORY",
    }  # fmt: skip
    known |= {
        f"DASK_KMSMOTE__{parameter.name.upper()}" for parameter in cli.commands["resample"].params
    }
    known |= set(_TLS.values())
    for path, text in texts().items():
        assert set(re.findall(r"\b(?:AWS|DASK)_[A-Z_]+\b", text)) <= known, path


def test_no_secrets():
    for path, text in texts().items():
        for name, value in re.findall(r"(\w*(?:SECRET|TOKEN|PASSWORD)\w*)[=:] *(\S+)", text):
            assert value.startswith(("$", "...", "http")), f"{path}: {name}"
    kinds = {document.get("kind") for path in yaml_paths() for document in documents(path)}
    assert "Secret" not in kinds


def test_services_cannot_change_themselves():
    """The project's own containers: a read-only root, no capability, no way to get one."""
    compose = yaml.safe_load((DEPLOY / "docker/compose.yaml").read_text())
    ours = {
        name: service
        for name, service in compose["services"].items()
        if service["image"].startswith("dask-kmsmote")
    }
    assert set(ours) == {"scheduler", "worker", "jupyter", "job"}
    for service in ours.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "user" not in service  # the image's, which is not root
        assert not {"privileged", "cap_add", "pid", "network_mode"} & service.keys()
        assert "/tmp" in service["volumes"]  # noqa: S108 - a container's
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_what_is_written_has_a_place():
    """Under a read-only root, compiled kernels and what workers spill go where a volume is."""
    # of the image that runs, not of what builds it
    text = (DEPLOY / "docker/Dockerfile").read_text().partition(" AS base\n")[2]
    for name in ("NUMBA_CACHE_DIR", "DASK_TEMPORARY_DIRECTORY"):
        (value,) = re.findall(rf"\b{name}=(\S+)", text)
        assert value.startswith("/tmp"), name  # noqa: S108 - a container's
        unit = (DEPLOY / "systemd/dask-kmsmote.service").read_text()
        assert f"{name}=/var/cache/dask-kmsmote" in unit
    assert "CacheDirectory=dask-kmsmote\n" in unit
    assert "ProtectSystem=strict\n" in unit


def pods():
    """The pod specs of all manifests."""
    for path in sorted((DEPLOY / "kubernetes").rglob("*.yaml")):
        for document in documents(path):
            for node in mappings(document):
                if isinstance(node.get("containers"), list):
                    yield pytest.param(node, id=f"{path.stem}-{node['containers'][0]['name']}")


@pytest.mark.parametrize("pod", list(pods()))
def test_pods(pod):
    uid = int(
        re.findall(r"^USER (\d+)", (DEPLOY / "docker/Dockerfile").read_text(), re.MULTILINE)[-1]
    )
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] == uid
    assert "automountServiceAccountToken" in pod
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert not any("hostPath" in volume for volume in pod["volumes"])
    writable = [volume["name"] for volume in pod["volumes"] if "emptyDir" in volume]
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"]
        assert not security["allowPrivilegeEscalation"]
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert "privileged" not in security
        if container["command"][0].startswith("dask"):
            mount = {"name": writable[0], "mountPath": "/tmp"}  # noqa: S108 - a container's
            assert mount in container["volumeMounts"]
        assert container["resources"]["limits"]["memory"]
        assert container["resources"]["requests"]["cpu"]
        mounts = {mount["name"] for mount in container["volumeMounts"]}
        assert mounts <= {volume["name"] for volume in pod["volumes"]}


def test_kustomization():
    folder = DEPLOY / "kubernetes/operator"
    (content,) = documents(folder / "kustomization.yaml")
    (config,) = content["configMapGenerator"]
    for name in [*content["resources"], *config["files"]]:
        assert (folder / name).is_file()
    cronjob = (folder / "cronjob.yaml").read_text()
    assert f"configMap: {{name: {config['name']}}}" in cronjob
    for name in config["files"]:
        assert f"/run/daskjob/{name}" in cronjob


def test_alerts_use_known_metrics():
    source = (ROOT / "dask_kmsmote" / "cli" / "metrics.py").read_text()
    for path in (DEPLOY / "prometheus").glob("rules*.yaml"):
        for name in re.findall(r"\bdask_kmsmote_[a-z_]+\b", path.read_text()):
            assert name in source or name.removeprefix("dask_kmsmote_") in source, name
