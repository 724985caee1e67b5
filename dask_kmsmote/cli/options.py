"""Options of the command line, and what they mean to a job."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource

from ..errors import ParameterError
from ..job.cluster import ClusterSettings
from ..job.columns import Columns
from . import config
from .values import Bytes, Encoding, Json, Names, NumberOr, Sign, Strategy, Whole


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
    option(
        "--partition-by",
        type=Names(),
        default=(),
        help="Columns of the result that name folders, such as day=2026-01-01.",
    ),
)

storage_options = combined(
    option(
        "--format",
        type=click.Choice(["parquet", "zarr", "csv", "delta"]),
        help="Of the source (guessed from what is there). CSV is written as Parquet.",
    ),
    option("--version", type=Whole(0), help="Of a Delta table to read (the newest)."),
    option("--separator", type=Sign(), default=",", **_SHOWN, help="Of columns in CSV, or tab."),
    option("--decimal", type=Sign(), default=".", **_SHOWN, help="Mark of decimals in CSV."),
    option("--encoding", type=Encoding(), default="utf-8", **_SHOWN, help="Of CSV."),
    option(
        "--partition-size",
        type=Bytes(),
        help="Bytes of a partition, and of a file of the result, as rows lie in memory (64MiB).",
    ),
    option("--storage-options", type=Json(), default="{}", help="Of fsspec, as JSON."),
)

destination_options = combined(
    option(
        "--mode",
        type=click.Choice(["error", "overwrite", "append"]),
        default="error",
        **_SHOWN,
        help="Of a destination that is there: refuse, replace it once the result is whole, or add "
        "to it (a Delta table).",
    ),
    option("--overwrite", is_flag=True, help="The same as --mode overwrite."),
    option(
        "--destination-format",
        type=click.Choice(["parquet", "delta", "zarr"]),
        help="Of the destination (what it is; else Parquet, and Zarr of a Zarr group).",
    ),
)

cluster_options = combined(
    option(
        "--scheduler",
        help="Address of a Dask scheduler. Without it, and the three options that ask for a local "
        "cluster, a table that memory holds easily is resampled in threads of this process.",
    ),
    option("--scheduler-file", help="File that a Dask scheduler wrote its address to."),
    option(
        "--wait-for-workers",
        type=click.FloatRange(0),
        default=120.0,
        **_SHOWN,
        help="Seconds that a cluster may be without a worker that works.",
    ),
    option("--workers", type=_POSITIVE, help="Local processes (one for each core)."),
    option("--threads-per-worker", type=_POSITIVE, help="Of a local process (1)."),
    option(
        "--memory-limit",
        # the imports of a worker take twice as much: less is a slip, such as 4 for 4GiB
        type=Bytes(2**27, "auto"),
        help="Of a local process (an even share).",
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


# of an option, the parameter of `KMeansSMOTE`
PARAMETERS = {
    "seed": "random_state",
    "clusters": "kmeans_estimator",
    "k_neighbors": "k_neighbors",
    "strategy": "sampling_strategy",
    "threshold": "cluster_balance_threshold",
    "exponent": "density_exponent",
    "compat": "compat",
    "count_exponent": "count_exponent",
    "max_ratio": "max_ratio",
    "scale": "scale",
    "missing": "missing",
    "categorical_weight": "categorical_weight",
    "exact_rows": "exact_rows",
    "learning_rows": "learning_rows",
}
# options that say what a run does to a table, and not where, or with which secrets
OF_THE_TABLE = {
    *PARAMETERS,
    *("target", "features", "categorical", "drop", "keep", "only_synthetic", "mark_synthetic"),
    *("layout", "partition_by", "format", "separator", "decimal", "encoding", "partition_size"),
}
# options that say None by a word
_MAY_BE_NONE = "max_ratio", "scale", "exact_rows"


def sampler_parameters(options: dict[str, Any]) -> dict[str, Any]:
    """Parameters of `KMeansSMOTE`."""
    return {
        parameter: None if option in _MAY_BE_NONE and value == "none" else value
        for option, parameter in PARAMETERS.items()
        for value in [options[option]]
    }


def options_of(parameters: dict[str, Any]) -> dict[str, Any]:
    """Options that mean the parameters of `KMeansSMOTE`; what no option has is left out."""
    return {
        option: "none" if parameters[parameter] is None else parameters[parameter]
        for option, parameter in PARAMETERS.items()
        if parameter in parameters
    }


def grid_of(grid: dict[str, Any] | None) -> dict[str, Any] | None:
    """A grid by parameter of `KMeansSMOTE`, from one by option."""
    if grid is None:
        return None
    names = {name: name.lstrip("-").replace("-", "_") for name in grid}
    return {
        PARAMETERS.get(option, name): [None if own == "none" else own for own in grid[name]]
        if option in _MAY_BE_NONE and isinstance(grid[name], list)
        else grid[name]
        for name, option in names.items()
    }


plan_options = combined(
    option(
        "--rows",
        type=_POSITIVE,
        help="Rows to plan from, and up to 200,000 that clusters start from. Default: 1000000, or "
        "what 256 MiB hold; all of three times as many.",
    ),
    option("--exact", is_flag=True, help="Plan from all rows, as a run does, in its time."),
)

search_options = combined(
    option(
        "--estimator",
        metavar="MODULE:NAME",
        help="The classifier, or a function that makes it (boosting of trees).",
    ),
    option("--rows", type=_POSITIVE, default=200_000, **_SHOWN, help="Most rows to try on."),
    option(
        "--grid",
        type=Json(),
        help="Values to try by option, e.g. '{\"clusters\": [8, 32]}'.",
    ),
    option(
        "--scoring",
        type=Names(),
        default="AUPRC,F1,G-mean,log loss,Brier",
        **_SHOWN,
        help="Scores; the first decides.",
    ),
    option("--folds", type=Whole(2), default=5, **_SHOWN, help="Parts that are tested on in turn."),
    option("--repeats", type=_POSITIVE, default=2, **_SHOWN, help="Times that rows are split."),
    option("--out", metavar="FILE", help="Write the settings that are best, for --config."),
)


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
        partition_by=options["partition_by"],
    )


# from the nearest
_ORIGINS = [ParameterSource[n] for n in ("COMMANDLINE", "ENVIRONMENT", "DEFAULT_MAP", "DEFAULT")]


def mode_of(options: dict[str, Any]) -> str:
    """What is done with a destination that is there: of two options that say it, the nearer."""
    mode: str = options.get("mode", "error")
    if not options.get("overwrite"):
        return mode
    ctx = click.get_current_context()
    far, near = (ctx.get_parameter_source(name) for name in ("mode", "overwrite"))
    if far == near and mode != "overwrite":
        raise ParameterError(f"--overwrite and --mode {mode} exclude each other: give one.")
    is_nearer = far in _ORIGINS and _ORIGINS.index(far) < _ORIGINS.index(near or _ORIGINS[-1])
    return mode if is_nearer else "overwrite"


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
