"""What the files of deploy/ say: commands, images, environment."""

from __future__ import annotations

import ast
import re
import shlex
from contextlib import suppress
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
README = DEPLOY / "README.md"


def texts():
    """Path -> content of all files."""
    paths = (path for path in DEPLOY.rglob("*") if "__pycache__" not in path.parts)
    return {path: path.read_text() for path in sorted(paths) if path.is_file()}


def documents(path):
    """The YAML documents of a file."""
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def yaml_paths():
    return sorted(DEPLOY.rglob("*.yaml"))


def mappings(node):
    """All mappings in a YAML document."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from mappings(value)
    elif isinstance(node, list):
        for value in node:
            yield from mappings(value)


def commands():
    """(file, words) of each command line, from YAML lists, scripts, units and the README."""
    found = []
    for path in yaml_paths():
        for document in documents(path):
            for node in mappings(document):
                words = node.get("command", [])
                if isinstance(words, list) and words:
                    found.append((path, [*words, *node.get("args", [])]))
    for path in texts():
        for line in lines(path):
            match = re.search(
                r"((?<![\w-])(dask-kmsmote|dask|sbatch) [a-z].*)", line.replace("`", "")
            )
            if match:
                found.append((path, words_of(match[1])))
    return found


def lines(path):
    """Lines of a file that may be commands."""
    if path.suffix in (".yaml", ".timer") or path.name == "constraints.txt":
        return []
    if path.suffix == ".py":
        return [constants(path).get("COMMAND", "")]
    return [
        line
        for line in path.read_text().replace("\\\n", " ").splitlines()
        if "sbatch" in line or not line.startswith(("#", "Description="))
    ]


def constants(path):
    """Name -> value of the constants of a Python file that are literals."""
    found = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign):
            with suppress(ValueError):
                found[node.targets[0].id] = ast.literal_eval(node.value)
    return found


def words_of(line):
    """The words of a shell command, up to what ends or redirects it."""
    words = []
    try:
        split = shlex.split(line, comments=True)
    except ValueError:
        split = line.split()
    for word in split:
        if word in ("&", "&&", "|", ";", ">", "\\") or word.startswith(("2>", ">")):
            break
        words.append(word)
    return words


def calls(program):
    """(file, subcommand, arguments) of the calls of a program."""
    for path, words in commands():
        for position, word in enumerate(words):
            if Path(word).name == program and len(words) > position + 1:
                yield path, words[position + 1], words[position + 2 :]
                break


def flags(words):
    return [word.split("=")[0] for word in words if re.match(r"--[a-z]", word)]
