"""What is said where a dependency lacks what this package builds on."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, packages_distributions, requires, version

from .errors import IncompatibleVersionError

_US = "dask-kmsmote"


def explained(error: ImportError) -> ImportError:
    """An error that names the installed and the wanted version, where a dependency is at fault."""
    package = distribution_of(str(error.name).partition(".")[0])
    if isinstance(error, IncompatibleVersionError) or requirement(package) is None:
        return error
    return _lacking(package, str(error).removesuffix("."))


def distribution_of(room: str) -> str:
    """What is installed to have a package, such as "scikit-learn" for "sklearn"."""
    # for what is not installed, which `packages_distributions` does not know
    names = {"imblearn": "imbalanced-learn", "sklearn": "scikit-learn"}
    found = packages_distributions().get(room)
    return found[0] if found else names.get(room, room.replace("_", "-"))


def _lacking(package: str, what: str) -> IncompatibleVersionError:
    """The error for a package that lacks something: what, in words."""
    wanted = requirement(package) or package
    try:
        installed = f"{package} {version(package)} is installed"
    except PackageNotFoundError:
        installed = f"{package} is not installed"
    return IncompatibleVersionError(
        f"{installed}, and {_US} {version(_US)} needs {wanted} ({what}): pip install {wanted!r}. "
        f"If yours is newer than that, pip install {wanted.replace('>=', '==')!r}, and report it.",
        name=package,
    )


def requirement(package: str) -> str | None:
    """What this package's metadata asks for, such as "dask-ml>=2025.1"; None for others."""
    for line in requires(_US) or ():
        # "dask[array,dataframe]>=2025.4.1" is of dask; "tqdm>=4.66; extra == 'cli'" is optional
        name = line.partition(">=")[0].partition("[")[0]
        if name == package and "extra ==" not in line:
            return f"{name}>={line.partition('>=')[2]}"
    return None
