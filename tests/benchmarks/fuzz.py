"""Try thousands of hostile inputs, and count what becomes of them; exit code 1 if any is wrong.

python tests/benchmarks/fuzz.py 10000 [--seed 0]     # data, by Hypothesis
python tests/benchmarks/fuzz.py --parsers 600        # configuration, strategy and plan: seconds
                                                     # of libFuzzer; needs atheris
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections import Counter, defaultdict
from pathlib import Path
from pkgutil import iter_modules

import dask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "fuzz")]


def try_data(n: int, seed: int) -> int:
    """The number of wrong outcomes of n cases."""
    from hostile import cases
    from outcomes import outcome

    counts: Counter[str] = Counter()
    wrong = defaultdict(list)

    @seeded(seed)
    @settings(
        max_examples=n,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases(wide=True))
    def collect(case: object) -> None:
        try:
            counts[outcome(case)] += 1
        except Exception as error:  # noqa: BLE001 - all are listed
            last = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(last.filename).name}:{last.lineno}"
            wrong[type(error).__name__, str(error)[:100], place].append(case)

    start = time.perf_counter()
    with dask.config.set(scheduler="synchronous"):
        collect()
    print(f"| outcome | of {sum(counts.values()) + sum(map(len, wrong.values()))} |\n|---|---|")
    for name, number in counts.most_common():
        print(f"| {name} | {number} |")
    for what, found in wrong.items():
        print(f"| WRONG: {what} | {len(found)} |\n\n{found[0]}\n")
    print(f"{time.perf_counter() - start:.0f} s")
    return len(wrong)


def try_parsers(seconds: int) -> None:
    """Bytes that libFuzzer finds by coverage; ends the process."""
    import atheris

    from dask_kmsmote import kernels

    # numba can't compile what is instrumented
    names = [f"{kernels.__name__}.{module.name}" for module in iter_modules(kernels.__path__)]
    with atheris.instrument_imports(include=["dask_kmsmote"], exclude=names):
        from parsers import example, parse_config, parse_manifest, parse_option, parse_strategy

    parsers = [
        parse_manifest,
        parse_strategy,
        lambda text: parse_config(text.encode("utf-8", "surrogatepass")),
        *(lambda text, kind=kind: parse_option(kind, text) for kind in ("json", "bytes", "number")),
    ]
    whole = json.dumps(example())

    def try_one(data: bytes) -> None:
        given = atheris.FuzzedDataProvider(data)
        parse = parsers[given.ConsumeIntInRange(0, len(parsers) - 1)]
        text = given.ConsumeUnicodeNoSurrogates(400)
        if parse is parse_manifest:  # a piece of a real one is overwritten
            place = given.ConsumeIntInRange(0, len(whole))
            text = whole[:place] + text + whole[place + given.ConsumeIntInRange(0, 40) :]
        parse(text)

    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", "-print_final_stats=1"], try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("n", type=int, nargs="?", default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--parsers", type=int, metavar="SECONDS")
    given_arguments = parser.parse_args()
    if given_arguments.parsers:
        try_parsers(given_arguments.parsers)
    sys.exit(bool(try_data(given_arguments.n, given_arguments.seed)))
