"""The names of both worlds: which distributions of PyPI a conda package installs, and which packages install one.

The table (`data/names.toml`) is conda-forge's, with what differs by name alone. Other channels are read by it as well:
what they build is named alike, and what is not (in the channels pytorch and defaults) stands in the table.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from mlpin.conda.record import CondaRecord
from mlpin.requirement import normalise

SHIPPED = Path(__file__).with_name("names.json")
_SEPARATORS = str.maketrans("_.", "--")


def provides(record: CondaRecord) -> tuple[str, ...]:
    """The distributions of PyPI that a package stands in for, by normalised name (PEP 503), sorted.

    Those that the table names for it, else the one of its own name, if the package is for Python. A metapackage that
    has a distribution's name stands in for it (`matplotlib`, which depends on the same version of `matplotlib-base`);
    one that has not (`pytorch-gpu`, `opencv`), or needs no Python itself, stands in for nothing: what it
    depends on does.
    """
    found = may_provide(record.name)
    return found if found and _for_python(record) else ()


def may_provide(name: str) -> tuple[str, ...]:
    """What `provides` says of the packages of a name that are for Python."""
    known = _different().get(name)
    if known is None:  # a leading underscore marks helpers, and no distribution has one
        return () if name.startswith("_") else (normalise(name),)
    return known


def conda_names(pypi: str) -> tuple[str, ...]:
    """The names of the conda packages that may install a distribution, the preferred one first.

    A package of such a name need not exist in a channel, and whether a record of it does install the distribution is
    for `provides` to say. Where nothing is known it is the distribution's own name, which is left out where it is known
    for another thing: there is none at all for a distribution that no conda package carries (`faiss-cpu`).
    """
    name = normalise(pypi)
    others = _packages().get(name, ())
    return others if name in others or name in _different() else (*others, name)


def _for_python(record: CondaRecord) -> bool:
    """Whether it needs a Python; a package for one version of it can say so by `python_abi` alone."""
    return record.needs_python or any(text.startswith("python_abi") for text in record.depends)


@cache
def _different() -> dict[str, tuple[str, ...]]:
    """By conda's name, the distributions of a package where they are not the one of that name; empty: none at all."""
    table = _table()
    found = {name: tuple(rest) for name, *rest in map(str.split, table["different"].splitlines())}
    return found | dict.fromkeys(table["none"].split(), ())


@cache
def _packages() -> dict[str, tuple[str, ...]]:
    """By distribution, the packages of another name or spelling that install it, and its own where that goes first."""
    table = _table()
    first = {*table["first"].split()}
    found: dict[str, tuple[str, ...]] = {}
    spelled = table["spelled"]
    pairs = [*zip(spelled.translate(_SEPARATORS).lower().split(), spelled.split(), strict=True)]
    pairs += [(distribution, name) for name, rest in _different().items() for distribution in rest]
    for distribution, name in pairs:
        known = found.get(distribution) or ((distribution,) if distribution in first else ())
        names = {*known, name}
        found[distribution] = tuple(sorted(names, key=lambda one: (one not in first, one))) if known else (name,)
    return found


@cache
def _table() -> dict[str, str]:
    import json

    table: dict[str, str] = json.loads(SHIPPED.read_bytes())
    return table
