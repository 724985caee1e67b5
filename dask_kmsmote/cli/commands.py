"""The command line: ``dask-kmsmote resample SOURCE DESTINATION --target COLUMN``."""

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Callable
from importlib.util import find_spec
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ..dependencies import explained
from ..errors import MissingPackageError, UnsoundPlanError
from ..events import Callback, Event, Warned
from ..job.storage.masking import masked, masked_url, secrets_of
from . import config
from .estimator import load_estimator
from .failures import USAGE, exit_code, failure_message, with_options
from .log import Log, open_streams, say
from .options import (
    OF_THE_TABLE,
    argument,
    cluster_options,
    cluster_settings,
    column_options,
    column_parts,
    combined,
    destination_options,
    grid_of,
    mode_of,
    option,
    options_of,
    plan_options,
    run_options,
    sampler_options,
    sampler_parameters,
    search_options,
    storage_options,
)
from .stop import Stop
from .values import Json, Whole

if TYPE_CHECKING:
    from ..job.run import Job

_TEXT = {"log_format": "text", "quiet": False}
_CONTEXT = {"help_option_names": ["-h", "--help"]}


class _Program(click.Group):
    """A group of commands that tells of their usage errors as JSON and metrics, too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Remember the arguments."""
        # `invoke` looks for --json and --metrics in them, when the command's own parser has failed
        ctx.obj = list(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            # click quotes arguments that it has no place for
            message = " ".join(masked_url(word) for word in error.format_message().split(" "))
            command = self.get_command(ctx, ctx.obj[0]) if ctx.obj else None
            if command is not None:
                # what can be understood of the options
                wished = command.make_context(
                    command.name, ctx.obj[1:], ctx, resilient_parsing=True
                )
                _write_failure(USAGE, message, 0.0, wished.params)
            # without the first error, whose text is not masked
            raise click.UsageError(message, error.ctx) from None


@click.group("kmsmote", cls=_Program, context_settings=_CONTEXT)
@click.version_option(package_name="dask-kmsmote")
def cli() -> None:
    """KMeans-SMOTE over-sampling on Dask."""


@cli.command()
@argument("source")
@argument("destination")
@combined(sampler_options, column_options, storage_options)
@combined(destination_options, cluster_options, run_options)
@option("--metrics", metavar="FILE", help="Write a Prometheus textfile, also of a failed run.")
def resample(source: str, destination: str, **options: Any) -> None:
    """Resample the table SOURCE to DESTINATION: local paths or URLs such as s3://bucket/table."""

    def work(log: Callback) -> dict[str, Any]:
        from ..job.run import run

        return run(_job(source, destination, options), log)

    def show(result: dict[str, Any]) -> None:
        _say_plan(result["plan_text"], result["warnings"], options)
        say(
            f"{masked_url(destination)}: {result['rows']} + {result['synthetic_rows']} rows, "
            f"{result['bytes']} bytes, {result['seconds']:.1f} s"
        )

    places = {"source": source, "destination": destination}
    # click exits with 0 whatever a command returns
    sys.exit(_carry_out(work, show, {**options, **places}))


@cli.command()
@argument("source")
@combined(sampler_options, plan_options, column_options, storage_options)
@combined(cluster_options, run_options)
def plan(source: str, **options: Any) -> None:
    """Print what a run on SOURCE would do, with its rows and about its bytes; write nothing.

    Of more than --rows rows the plan is an estimate from so many, with bounds: rows of the classes
    and new rows of each are exact, their clusters are not.
    """

    def work(log: Callback) -> dict[str, Any]:
        from ..job.run import project

        asked = {"exact": options["exact"], "n_rows": options["rows"]}
        found = project(_job(source, None, options), log, **asked)
        texts.append(found.estimate.to_text(warnings=False))
        content = json_format.loads(found.estimate.to_json())
        return {
            "plan": content,
            "warnings": found.warnings,
            "source": found.source,
            "sampled_rows": content["sampled_rows"],
            "source_rows": found.estimate.plan.n_rows,
            "rows": found.n_rows,
            "bytes": found.n_bytes,
        }

    texts: list[str] = []

    def show(result: dict[str, Any]) -> None:
        _say_plan(texts[0], result["warnings"], options)
        say(f"A run would write {result['rows']} rows, about {result['bytes']} bytes.")

    sys.exit(_carry_out(work, show, {**options, "source": source}))


@cli.command()
@argument("source")
@combined(sampler_options, search_options, column_options, storage_options)
@combined(cluster_options, run_options)
@click.pass_context
def search(ctx: click.Context, /, source: str, **options: Any) -> None:
    """Try whether over-sampling helps a classifier on SOURCE, and with which settings."""

    def work(log: Callback) -> dict[str, Any]:
        from ..job import run

        found = run.search(
            _job(source, None, options),
            log,
            estimator=load_estimator(options["estimator"]),
            grid=grid_of(options["grid"]),
            scoring=list(options["scoring"]),
            cv=options["folds"],
            n_repeats=options["repeats"],
            n_rows=options["rows"],
        )
        if not found.is_complete:
            # the document on stdout is of the failure then
            say(str(found), err=options["json"])
            raise KeyboardInterrupt
        if options["out"]:
            chosen = {**_given(ctx), **options_of(found.best_params)}
            config.write(options["out"], {"source": source, **chosen}, found.advice)
        texts.append(str(found))
        return found.to_dict()

    texts: list[str] = []

    def show(found: dict[str, Any]) -> None:
        is_nothing = found["best_params"].get("sampling_strategy") == {}
        say(texts[0])
        if options["out"]:
            what = "makes no row" if is_nothing else "makes the rows that are best"
            say(f"dask-kmsmote resample --config {options['out']} {what}.")

    sys.exit(_carry_out(work, show, {**options, "source": source}))


def _given(ctx: click.Context) -> dict[str, Any]:
    """Options that were given and say what a run does to the table, for a configuration."""
    return {
        name: value
        for name, value in ctx.params.items()
        if name in OF_THE_TABLE and ctx.get_parameter_source(name) is not ParameterSource.DEFAULT
    }


@cli.command()
@argument("destination")
@option(
    "--version", type=Whole(0), help="Of a Delta table: its run, or the last before (the last)."
)
@option("--storage-options", type=Json(), default="{}", help="Of fsspec, as JSON.")
@option("--json", "json", is_flag=True, help="Print the manifest on stdout.")
@option("--verbose", is_flag=True, help="Log tracebacks.")
def report(destination: str, **options: Any) -> None:
    """Show what the finished run at DESTINATION did."""

    def work(_: Callback) -> dict[str, Any]:
        from ..job.storage.location import Location
        from ..job.storage.manifest import require_manifest

        location = Location(destination, options["storage_options"])
        return require_manifest(location, options["version"])

    def show(manifest: dict[str, Any]) -> None:
        text = manifest.get(
            "plan_text", "An earlier version noted the plan in numbers alone: --json."
        )
        _say_plan(text, manifest.get("warnings", []), {"quiet": True})
        for label, counts in manifest["classes"].items():
            say(f"class {label}: {counts['before']} -> {counts['after']} rows")
        source, version = manifest["source"], manifest.get("version")
        committed = "" if version is None else f"version {version}: "
        read = source["url"] + _of_version(source.get("version"))
        say(
            f"{committed}{len(manifest['files'])} files, {manifest['bytes']} bytes, from {read}, "
            f"finished {manifest['finished']} in {manifest['seconds']:.1f} s"
        )

    sys.exit(_carry_out(work, show, {**_TEXT, **options, "source": destination}))


def _of_version(number: int | None) -> str:
    return "" if number is None else f" at version {number}"


def _say_plan(text: str, warnings: list[str], options: dict[str, Any]) -> None:
    say(text)
    # the log has told of them, unless it is quiet
    for warning in warnings if options["quiet"] else []:
        say(f"Warning: {with_options(warning)}")


def _job(source: str, destination: str | None, options: dict[str, Any]) -> Job:
    from ..job.run import Job
    from ..job.storage.location import Location
    from ..job.storage.text.spans import TextFormat

    of_store = options["storage_options"]
    return Job(
        source=Location(source, of_store),
        destination=None if destination is None else Location(destination, of_store),
        columns=column_parts(options),
        parameters=sampler_parameters(options),
        cluster=cluster_settings(options),
        format=options["format"],
        text=TextFormat(options["separator"], options["decimal"], options["encoding"]),
        partition_size=options["partition_size"],
        version=options["version"],
        mode=mode_of(options),
        destination_format=options.get("destination_format"),
        layout=options["layout"],
        strict=options["strict"],
    )


def _carry_out(
    work: Callable[[Callback], dict[str, Any]],
    show: Callable[[dict[str, Any]], None],
    options: dict[str, Any],
) -> int:
    """Do the work, and show how it went; the exit code."""
    open_streams()
    log, start = Log(options["log_format"], quiet=options["quiet"]), perf_counter()
    # batch systems stop a job with SIGTERM, a lost terminal with SIGHUP: clean up as after Ctrl-C
    stop = Stop()
    stop.listen()

    def listener(event: Event) -> None:
        stop(event)
        # of a strict run, the error tells of all warnings
        if not (options.get("strict") and isinstance(event, Warned)):
            log(event)

    try:
        _require_metrics(options)
        result = work(listener)
    except (Exception, KeyboardInterrupt) as caught:  # noqa: BLE001 - told, with an exit code
        error = explained(caught) if isinstance(caught, ImportError) else caught
        names = ("source", "destination", "scheduler")
        urls = [options[name] for name in names if options.get(name)]
        secrets = secrets_of(urls, options["storage_options"])
        if options["verbose"]:
            import traceback

            say(masked(traceback.format_exc(), secrets), err=True)
        code, message = exit_code(error), masked(failure_message(error), secrets)
        log.failure(message, code)
        plan = error.plan if isinstance(error, UnsoundPlanError) else None
        _write_failure(code, message, perf_counter() - start, options, plan)
        return code
    # before anything is printed: a full pipe whose reader sleeps would hold it back
    _write_metrics(0, perf_counter() - start, options, result)
    if options["json"]:
        say(json_format.dumps({"status": "done", "exit_code": 0, **result}))
    else:
        show(result)
    return 0


def _require_metrics(options: dict[str, Any]) -> None:
    """Raise `MissingPackageError` before the work, where nothing can write its metrics."""
    if options.get("metrics") and find_spec("prometheus_client") is None:
        raise MissingPackageError(
            "--metrics needs prometheus_client: pip install 'dask-kmsmote[cli]'."
        )


def _write_failure(
    code: int, message: str, seconds: float, options: dict[str, Any], plan: Any = None
) -> None:
    if options.get("json"):
        content = json_format.loads(plan.to_json()) if plan else None
        found = {"plan": content, "warnings": content["warnings"]} if content else {}
        say(json_format.dumps({"status": "failed", "exit_code": code, "error": message, **found}))
    elif plan:
        say(plan.to_text(warnings=False))
    _write_metrics(code, seconds, options, None)


def _write_metrics(
    code: int, seconds: float, options: dict[str, Any], manifest: dict[str, Any] | None
) -> None:
    if not options.get("metrics") or find_spec("prometheus_client") is None:
        return
    from .metrics import write_metrics

    destination = masked_url(str(options.get("destination") or ""))
    try:
        write_metrics(options["metrics"], destination, code, seconds, manifest)
    except OSError as error:
        # the run has ended as it has: what only watches it does not change that
        say(f"Warning: no metrics in {options['metrics']!r}: {error}.", err=True)
