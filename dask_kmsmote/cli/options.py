"""Options of the command line, and what they mean to a job."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from typing import Any

import click

from ..errors import ParameterError
from ..job.cluster import ClusterSettings
from ..job.columns import Columns
from ..planning.strategy import ByText
from . import config


class Names(click.ParamType):  # type: ignore[type-arg] # a generic only of late
    """Column names, separated by commas; or one of some words."""

    name = "a,b"

    def __init__(self, *words: str) -> None:
        self.words = words

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """A tuple of the names, or one of the words."""
        if value in self.words:
            return value
        if isinstance(value, str):
            # of a name with a comma in it, 'id,"price, EUR"'
            split = next(csv.reader([value], skipinitialspace=True), [])
            value = [name.strip() for name in split if name.strip()]
        if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
            self.fail(f"{value!r} is no list of column names", param, ctx)
        return tuple(value)


class Json(click.ParamType):  # type: ignore[type-arg] # a generic only of late
    """A JSON object; a configuration file may have it as a table."""

    name = "json"

    def convert(self, value: Any, param: Any, ctx: Any) -> dict[str, Any]:
        """The object as a dict."""
        try:
            content = json.loads(value) if isinstance(value, str) else value
        except (ValueError, RecursionError) as error:  # also a number of thousands of digits
            self.fail(f"is no JSON: {error}", param, ctx)
        if not isinstance(content, dict):
            self.fail("must be a JSON object", param, ctx)
        return content


class Bytes(click.ParamType):  # type: ignore[type-arg] # a generic only of late
    """A number of bytes, such as 64MiB, of at least so many; or a word."""

    name = "bytes"

    def __init__(self, least: int = 1, *words: str) -> None:
        self.least, self.words = least, words

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """The text, which Dask understands."""
        from dask.utils import parse_bytes

        if value in self.words:
            return str(value)
        try:
            n_bytes = parse_bytes(value)
        except (ValueError, TypeError, AttributeError, OverflowError):
            self.fail(f"{value!r} is no number of bytes, such as 64MiB", param, ctx)
        if n_bytes < self.least:
            self.fail(f"{value!r} is less than {self.least} bytes", param, ctx)
        return str(value)


class Strategy(click.ParamType):  # type: ignore[type-arg] # a generic only of late
    """A ratio, a name, or final counts by class as JSON."""

    name = "strategy"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """What the sampler takes."""
        content = value
        if isinstance(value, str):
            try:
                content = json.loads(value)
            except (ValueError, RecursionError):  # also a number of thousands of digits
                return value
        if isinstance(content, dict):
            return ByText(content)
        if isinstance(content, bool) or not isinstance(content, str | int | float):
            self.fail(f"{value!r} is neither a ratio, a name, nor final counts", param, ctx)
        return content


class Sign(click.ParamType):  # type: ignore[type-arg] # a generic only of late
    """One sign, or the word tab."""

    name = "sign"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """The sign."""
        sign = "\t" if value in ("tab", "\\t") else value
        if not isinstance(sign, str) or len(sign) != 1 or not sign.isascii() or sign in '"\n\r':
            self.fail(f"{value!r} is not one sign, such as ';', or tab", param, ctx)
        return sign


class Encoding(click.ParamType):  # type: ignore[type-arg] # a generic only of late
    """The name of an encoding that Python knows."""

    name = "encoding"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """The name."""
        try:
            # also of what are no texts to Python, such as zip
            "\n".encode(value).decode(value)
        except (LookupError, TypeError, ValueError):
            self.fail(f"{value!r} is no encoding that Python knows, such as latin-1", param, ctx)
        return str(value)


class Whole(click.IntRange):
    """A whole number; of a configuration file, too, which may hold others."""

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        """The number."""
        if type(value) not in (str, int):  # True is an int, too
            self.fail(f"{value!r} is no whole number", param, ctx)
        return int(super().convert(value, param, ctx))


class NumberOr(click.ParamType):  # type: ignore[type-arg] # a generic only of late
    """A number, or one of some words."""

    def __init__(self, kind: type, *words: str) -> None:
        self.kind, self.words = kind, words
        self.name = "|".join(["number", *words])

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The number or the word."""
        # --help shows the words in capitals
        if isinstance(value, str) and value.lower() in self.words:
            return value.lower()
        try:
            number = self.kind(value)
        except (TypeError, ValueError, OverflowError):
            number = None
        # a configuration file may have what would be cut to an integer
        if (
            number is None
            or isinstance(value, bool)
            or (isinstance(value, float) and number != value)
        ):
            others = (
                f"neither a number nor one of {list(self.words)}" if self.words else "no number"
            )
            self.fail(f"{value!r} is {others}", param, ctx)
        return number


def load_config(ctx: click.Context, _: click.Parameter, path: str | None) -> str | None:
    """Take the file's settings as defaults; they and the environment have only known names."""
    try:
        # click looks up the names that it knows: DASK_KMSMOTE__KNEIGHBORS would be without effect
        config.require_known_environment(os.environ, [*_all_names(ctx), "config"])
        if path is not None:
            flags = {str(p.name) for p in ctx.command.params if getattr(p, "is_flag", False)}
            ctx.default_map = config.load(path, _all_names(ctx), flags)
    except ParameterError as error:
        raise click.UsageError(str(error)) from error
    return path


def _all_names(ctx: click.Context) -> list[str]:
    # a file may serve several commands: what one of them does not have is no mistake
    group = ctx.parent.command if ctx.parent else ctx.command
    commands = getattr(group, "commands", {}).values()
    names = {str(param.name) for command in commands for param in command.params}
    return sorted(names - {"config"})


def option(*names: str, **settings: Any) -> Callable[[Any], Any]:
    """An option that may also stand in the environment."""
    name = names[0].lstrip("-").replace("-", "_").upper()
    return click.option(*names, envvar=f"{config.ENVIRONMENT}{name}", **settings)


def argument(name: str) -> Callable[[Any], Any]:
    """An argument that may also stand in the environment."""
    return click.argument(name, envvar=f"{config.ENVIRONMENT}{name.upper()}")


def combined(*decorators: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Several decorators as one, the first on top."""

    def decorate(function: Any) -> Any:
        # decorators are put on from the inside, and --help lists the outermost first
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


_SHOWN = {"show_default": True}
_POSITIVE = Whole(1)

sampler_options = combined(
    option("--target", required=True, help="Column that holds the classes."),
    option("--seed", type=Whole(0, 2**32 - 1), help="Same seed, same result."),
    option("--clusters", type=_POSITIVE, help="Clusters to look for (8)."),
    option("--k-neighbors", type=_POSITIVE, default=2, **_SHOWN, help="Neighbours of a row."),
    option(
        "--strategy",
        type=Strategy(),
        default="auto",
        **_SHOWN,
        help="A ratio, a name, or final counts as JSON, e.g. '{\"1\": 5000}'.",
    ),
    option(
        "--threshold",
        type=NumberOr(float, "auto"),
        default="auto",
        **_SHOWN,
        help="Least share of the class in a kept cluster.",
    ),
    option(
        "--exponent",
        type=NumberOr(float, "auto", "n_features"),
        default="auto",
        **_SHOWN,
        help="Of the mean distance.",
    ),
    option(
        "--count-exponent",
        type=NumberOr(float),
        default=1,
        **_SHOWN,
        help="Of the rows of the class in a cluster.",
    ),
    option(
        "--max-ratio",
        type=NumberOr(float, "none"),
        default=2.0,
        **_SHOWN,
        help="Most new rows per row in a cluster, over the average of the class.",
    ),
    option(
        "--scale",
        type=click.Choice(["standard", "none"]),
        default="standard",
        **_SHOWN,
        help="Distances in standard deviations of the features, or in their units.",
    ),
    option(
        "--missing",
        type=click.Choice(["error", "keep"]),
        default="error",
        **_SHOWN,
        help="Refuse missing values, or keep them.",
    ),
    option(
        "--categorical-weight",
        type=NumberOr(float, "auto"),
        default="auto",
        **_SHOWN,
        help="Distance of two different categories.",
    ),
    option("--compat", type=click.Choice(["imbalanced-learn"]), help="Its result, row for row."),
    option(
        "--exact-rows",
        type=NumberOr(int, "none"),
        default=16384,
        **_SHOWN,
        help="Largest group whose pairs are all looked at.",
    ),
    option(
        "--learning-rows",
        type=NumberOr(int, "auto"),
        default="auto",
        **_SHOWN,
        help="Most rows that clusters are learned from.",
    ),
)

column_options = combined(
    option("--features", type=Names(), help="Columns to cluster and make rows by (all others)."),
    option(
        "--categorical",
        type=Names("auto"),
        default="auto",
        **_SHOWN,
        help="Features that are categories; auto: those of text, categories and booleans.",
    ),
    option("--drop", type=Names(), default=(), help="Columns to leave out."),
    option("--keep", type=Names(), default=(), help="Columns to take along, null in new rows."),
    option("--only-synthetic", is_flag=True, help="Leave out the originals."),
    option("--mark-synthetic", metavar="COLUMN", help="Add a column, true in new rows."),
    option(
        "--layout",
        type=click.Choice(["append", "interleave"]),
        default="append",
        **_SHOWN,
        help="New rows after the originals, or spread evenly among them.",
    ),
)

storage_options = combined(
    option(
        "--format",
        type=click.Choice(["parquet", "zarr", "csv"]),
        help="Of the source (guessed from its path). CSV is written as Parquet.",
    ),
    option("--separator", type=Sign(), default=",", **_SHOWN, help="Of columns in CSV, or tab."),
    option("--decimal", type=Sign(), default=".", **_SHOWN, help="Mark of decimals in CSV."),
    option("--encoding", type=Encoding(), default="utf-8", **_SHOWN, help="Of CSV."),
    option("--partition-size", type=Bytes(), help="Bytes of a partition (64MiB)."),
    option("--storage-options", type=Json(), default="{}", help="Of fsspec, as JSON."),
)

cluster_options = combined(
    option("--scheduler", help="Address of a Dask scheduler; without it, a local cluster."),
    option("--scheduler-file", help="File that a Dask scheduler wrote its address to."),
    option(
        "--wait-for-workers",
        type=click.FloatRange(0),
        default=120.0,
        **_SHOWN,
        help="Seconds that a cluster may be without a worker that works.",
    ),
    option("--workers", type=_POSITIVE, help="Local processes (one for each core)."),
    option("--threads-per-worker", type=_POSITIVE, default=1, **_SHOWN, help="Of a local process."),
    option(
        "--memory-limit",
        # the imports of a worker take twice as much: less is a slip, such as 4 for 4GiB
        type=Bytes(2**27, "auto"),
        default="auto",
        **_SHOWN,
        help="Of a local process.",
    ),
)

run_options = combined(
    click.option(
        "--config",
        # before the other options, which take their defaults from it
        is_eager=True,
        callback=load_config,
        envvar=f"{config.ENVIRONMENT}CONFIG",
        metavar="FILE",
        help="TOML file with any of these options; flags and environment go before it.",
    ),
    option("--json", "json", is_flag=True, help="Print one JSON summary on stdout."),
    option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        **_SHOWN,
        help="Of the log on stderr.",
    ),
    option("--strict", is_flag=True, help="Stop before rows are made if the plan has warnings."),
    option("--quiet", is_flag=True, help="Log errors only."),
    option("--verbose", is_flag=True, help="Log tracebacks, and what the cluster logs."),
)


def sampler_parameters(options: dict[str, Any]) -> dict[str, Any]:
    """Parameters of `KMeansSMOTE`."""
    return {
        "random_state": options["seed"],
        "kmeans_estimator": options["clusters"],
        "k_neighbors": options["k_neighbors"],
        "sampling_strategy": options["strategy"],
        "cluster_balance_threshold": options["threshold"],
        "density_exponent": options["exponent"],
        "compat": options["compat"],
        "count_exponent": options["count_exponent"],
        "max_ratio": _or_none(options["max_ratio"]),
        "scale": _or_none(options["scale"]),
        "missing": options["missing"],
        "categorical_weight": options["categorical_weight"],
        "exact_rows": _or_none(options["exact_rows"]),
        "learning_rows": options["learning_rows"],
    }


def _or_none(value: Any) -> Any:
    return None if value == "none" else value


def column_parts(options: dict[str, Any]) -> Columns:
    """What is done with the columns."""
    return Columns(
        target=options["target"],
        features=options["features"],
        categorical=None if options["categorical"] == "auto" else options["categorical"],
        drop=options["drop"],
        keep=options["keep"],
        only_synthetic=options["only_synthetic"],
        mark=options["mark_synthetic"],
    )


def cluster_settings(options: dict[str, Any]) -> ClusterSettings:
    """Where a job runs."""
    if options["scheduler"] and options["scheduler_file"]:
        raise ParameterError("--scheduler and --scheduler-file exclude each other: give one.")
    remote = options["scheduler"] or options["scheduler_file"]
    if remote and options["workers"]:
        raise ParameterError(
            "--scheduler and --workers exclude each other: the first names a cluster that runs, "
            "the second starts one."
        )
    return ClusterSettings(
        scheduler=options["scheduler"],
        scheduler_file=options["scheduler_file"],
        workers=options["workers"],
        threads_per_worker=options["threads_per_worker"],
        memory_limit=options["memory_limit"],
        verbose=options["verbose"],
        wait=options["wait_for_workers"],
    )
