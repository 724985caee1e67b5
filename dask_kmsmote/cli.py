"""The command line: ``dask-kmsmote resample SOURCE DEST --target COLUMN``."""

from __future__ import annotations

import json
import signal
import sys
from typing import Any

import click

from .errors import InputError, NoClusterError
from .events import Event, StageFinished, StageStarted
from .planning.strategy import ByText

USAGE, INPUT, NO_CLUSTER, RESOURCE, INTERRUPTED = 2, 3, 4, 5, 130

EXIT_CODES = (
    (NoClusterError, NO_CLUSTER),
    (InputError, INPUT),
    (ValueError, USAGE),
    (OSError, RESOURCE),
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dask-kmsmote")
def cli() -> None:
    """KMeans-SMOTE over-sampling on Dask."""


def number_or_word(_: click.Context, __: click.Parameter, value: str | None) -> Any:
    """A number where the text is one, else the text."""
    try:
        return float(value) if value is not None else None
    except ValueError:
        return value


def strategy(_: click.Context, __: click.Parameter, value: str) -> Any:
    """A ratio, a name, or final counts by class as JSON."""
    try:
        content = json.loads(value)
    except json.JSONDecodeError:
        return value
    return ByText(content) if isinstance(content, dict) else content


@cli.command()
@click.argument("source")
@click.argument("destination")
@click.option("--target", required=True, help="Column that holds the classes.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Same seed, same result.")
@click.option("--clusters", type=click.IntRange(1), help="Clusters to look for (8).")
@click.option("--k-neighbors", type=click.IntRange(1), default=2, show_default=True)
@click.option(
    "--strategy",
    default="auto",
    show_default=True,
    callback=strategy,
    help="A ratio, a name, or final counts as JSON, e.g. '{\"1\": 5000}'.",
)
@click.option(
    "--threshold",
    default="auto",
    show_default=True,
    callback=number_or_word,
    help="Least share of the class in a kept cluster.",
)
@click.option(
    "--exponent",
    default="auto",
    show_default=True,
    callback=number_or_word,
    help='Of the mean distance; also "n_features".',
)
@click.option("--compat", type=click.Choice(["imbalanced-learn"]), help="Its result, row for row.")
@click.option("--scheduler", help="Address of a Dask scheduler; without it, a local cluster.")
@click.option("--workers", type=click.IntRange(1), help="Local processes (one for each core).")
@click.option("--threads-per-worker", type=click.IntRange(1), default=1, show_default=True)
@click.option("--memory-limit", default="auto", show_default=True, help="Of a local process.")
def resample(source: str, destination: str, target: str, **options: Any) -> None:
    """Resample the Parquet table SOURCE to DESTINATION, which must not exist."""
    from .job import Job, run

    parameters = {
        "random_state": options.pop("seed"),
        "kmeans_estimator": options.pop("clusters"),
        "k_neighbors": options.pop("k_neighbors"),
        "sampling_strategy": options.pop("strategy"),
        "cluster_balance_threshold": options.pop("threshold"),
        "density_exponent": options.pop("exponent"),
        "compat": options.pop("compat"),
    }
    # batch systems stop a job with SIGTERM: let it clean up as after Ctrl-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        outcome = run(Job(source, destination, target, parameters, **options), tell)
    except KeyboardInterrupt:
        click.echo("Interrupted: nothing was written.", err=True)
        sys.exit(INTERRUPTED)
    except Exception as error:
        code = exit_code(error)
        if code is None:
            raise
        click.echo(f"Error: {error}", err=True)
        sys.exit(code)
    plan = outcome.plan
    click.echo(str(plan))
    click.echo(
        f"{destination}: {plan.n_rows} + {plan.n_synthetic} rows, {outcome.n_bytes} bytes, "
        f"{outcome.seconds:.1f} s"
    )


def exit_code(error: Exception) -> int | None:
    """The exit code that an error means; None for one that nobody has thought of."""
    for kind, code in EXIT_CODES:
        if isinstance(error, kind):
            return code
    # such as KilledWorker, which has no base class of its own
    return RESOURCE if type(error).__module__.startswith("distributed") else None


def tell(event: Event) -> None:
    """Progress, on stderr."""
    if isinstance(event, StageStarted):
        click.echo(f"{event.stage} ...", err=True, nl=False)
    elif isinstance(event, StageFinished):
        click.echo(f" {event.seconds:.1f} s", err=True)
