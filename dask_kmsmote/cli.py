"""The command line: ``dask-kmsmote resample SOURCE DESTINATION --target COLUMN``."""

from __future__ import annotations

import json as json_format
import signal
import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any

import click

from .errors import InputError, NoClusterError
from .log import Log
from .options import (
    Json,
    cluster_choice,
    cluster_options,
    column_options,
    column_parts,
    option,
    run_options,
    sampler_options,
    sampler_parameters,
    storage_options,
    together,
)

USAGE, INPUT, NO_CLUSTER, RESOURCE, INTERRUPTED = 2, 3, 4, 5, 130

EXIT_CODES = (
    (NoClusterError, NO_CLUSTER),
    (InputError, INPUT),
    (ValueError, USAGE),
    (OSError, RESOURCE),
    (MemoryError, RESOURCE),
)
# whose exceptions, such as KilledWorker or NoCredentialsError, have no base class of their own
RESOURCE_PACKAGES = {"distributed", "botocore", "aiobotocore", "aiohttp", "s3fs", "fsspec"}
CONTEXT = {"help_option_names": ["-h", "--help"]}


@click.group("kmsmote", context_settings=CONTEXT)
@click.version_option(package_name="dask-kmsmote")
def cli() -> None:
    """KMeans-SMOTE over-sampling on Dask."""


@cli.command()
@click.argument("source")
@click.argument("destination")
@together(sampler_options, column_options, storage_options)
@option("--overwrite", is_flag=True, help="Replace a finished destination, once the new is whole.")
@together(cluster_options, run_options)
@option("--metrics", metavar="FILE", help="Write a Prometheus textfile, also of a failed run.")
def resample(source: str, destination: str, **options: Any) -> None:
    """Resample the table SOURCE to DESTINATION: local paths or URLs such as s3://bucket/table."""
    manifests: list[dict[str, Any]] = []

    def work(log: Log) -> dict[str, Any]:
        from .job import run

        manifests.append(run(_job(source, destination, options), log))
        return {**manifests[0], "plan_text": _plan_text(manifests[0])}

    def tell(result: dict[str, Any]) -> None:
        click.echo(result["plan_text"])
        click.echo(
            f"{destination}: {result['rows']} + {result['synthetic_rows']} rows, "
            f"{result['bytes']} bytes, {result['seconds']:.1f} s"
        )

    start = perf_counter()
    code = _carry_out(work, tell, options)
    if options["metrics"]:
        from .metrics import write_metrics

        manifest = manifests[0] if code == 0 else None
        write_metrics(options["metrics"], destination, code, perf_counter() - start, manifest)
    sys.exit(code)


@cli.command()
@click.argument("source")
@together(sampler_options, column_options, storage_options, cluster_options, run_options)
def plan(source: str, **options: Any) -> None:
    """Print what a run on SOURCE would do, with its rows and about its bytes; write nothing."""

    def work(log: Log) -> dict[str, Any]:
        from .job import project

        found = project(_job(source, None, options), log)
        content = json_format.loads(found.plan.to_json())
        return {"plan": content, "rows": found.n_rows, "bytes": found.n_bytes}

    def tell(result: dict[str, Any]) -> None:
        click.echo(_plan_text(result))
        click.echo(f"A run would write {result['rows']} rows, about {result['bytes']} bytes.")

    sys.exit(_carry_out(work, tell, options))


@cli.command()
@click.argument("destination")
@option("--storage-options", type=Json(), default="{}", help="Of fsspec, as JSON.")
@option("--json", "json", is_flag=True, help="Print the manifest on stdout.")
@option("--verbose", is_flag=True, help="Log tracebacks.")
def report(destination: str, **options: Any) -> None:
    """Show what the finished run at DESTINATION did."""

    def work(_: Log) -> dict[str, Any]:
        from .storage.location import Location
        from .storage.manifest import require_manifest

        return require_manifest(Location(destination, options["storage_options"]))

    def tell(manifest: dict[str, Any]) -> None:
        click.echo(_plan_text(manifest))
        for label, counts in manifest["classes"].items():
            click.echo(f"class {label}: {counts['before']} -> {counts['after']} rows")
        click.echo(
            f"{len(manifest['files'])} files, {manifest['bytes']} bytes, from "
            f"{manifest['source']['url']}, finished {manifest['finished']} in "
            f"{manifest['seconds']:.1f} s"
        )

    sys.exit(_carry_out(work, tell, {"log_format": "text", "quiet": False, **options}))


def _plan_text(content: dict[str, Any]) -> str:
    from .planning.plan import SamplingPlan

    return str(SamplingPlan.from_json(json_format.dumps(content["plan"])))


def _job(source: str, destination: str | None, options: dict[str, Any]) -> Any:
    from .job import Job
    from .storage.location import Location

    of_store = options["storage_options"]
    return Job(
        Location(source, of_store),
        None if destination is None else Location(destination, of_store),
        column_parts(options),
        sampler_parameters(options),
        cluster_choice(options),
        options["format"],
        options["partition_size"],
        options.get("overwrite", False),
    )


def _carry_out(
    work: Callable[[Log], dict[str, Any]],
    tell: Callable[[dict[str, Any]], None],
    options: dict[str, Any],
) -> int:
    """Do the work, and tell how it went; the exit code."""
    log = Log(options["log_format"], quiet=options["quiet"])
    # batch systems stop a job with SIGTERM: let it clean up as after Ctrl-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        result = work(log)
    except KeyboardInterrupt:
        code, message = INTERRUPTED, "Interrupted: the destination is as it was."
    except BaseException as error:
        known = exit_code(error)
        if known is None:
            raise
        code, message = known, " ".join(str(error).split()) or type(error).__name__
        if options["verbose"]:
            import traceback

            traceback.print_exc()
    else:
        if options["json"]:
            content = {key: value for key, value in result.items() if key != "plan_text"}
            click.echo(json_format.dumps({"status": "done", "exit_code": 0, **content}))
        else:
            tell(result)
        return 0
    log.error(message, code)
    if options["json"]:
        click.echo(json_format.dumps({"status": "failed", "exit_code": code, "error": message}))
    return code


def exit_code(error: BaseException) -> int | None:
    """The exit code that an error means; None for one that nobody has thought of."""
    for kind, code in EXIT_CODES:
        if isinstance(error, kind):
            return code
    modules = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    return RESOURCE if modules & RESOURCE_PACKAGES else None
