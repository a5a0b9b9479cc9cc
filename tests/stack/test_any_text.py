"""Whatever a file holds, reading it gives a stack or an error of mlpin's own, never a traceback."""

from __future__ import annotations

import json
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version

from mlpin import stack
from mlpin.errors import InputError
from mlpin.stack import Stack, Where

from . import samples

WRONG: tuple[Any, ...] = (
    1,
    "",
    "\n;",
    "a b",
    "==",
    [],
    {},
    [1],
    [[]],
    {"a": 1},
    {"a": {}},
    [{}],
    [{"name": "a"}],
    True,
)
TREES: dict[str, tuple[Callable[[str], Any], Callable[[Any], str]]] = {
    ".toml": (tomllib.loads, tomli_w.dumps),
    ".lock": (tomllib.loads, tomli_w.dumps),
    ".yml": (yaml.safe_load, yaml.safe_dump),
    ".json": (json.loads, json.dumps),
}
TARGETS = (Where(), Where("3.12", "windows-amd64"))


def check(data: bytes, name: str) -> None:
    """Reads `data` as a file of this name, on both targets, and as standard input."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / Path(name).name
        path.write_bytes(data)
        for on in TARGETS:
            sound(lambda on=on: stack.read(path, "shown", on))  # type: ignore[misc]
    sound(lambda: stack.read_text(data.decode("utf-8", "replace"), "shown"))


def sound(read: Callable[[], Stack]) -> None:
    try:
        found = read()
    except InputError as error:
        assert error.where is not None
        assert error.where.startswith("shown")
        str(error).encode()
        return
    for one in found.packages:
        assert one.name
        if one.ecosystem == "pypi" and one.version:
            Version(one.version)
    assert all(reason and text.isprintable() for text, _, reason in found.skipped)


@pytest.mark.parametrize("name", samples.BY_NAME)
def test_cut_short_anywhere(name: str) -> None:
    data = samples.BY_NAME[name].encode()
    for end in range(0, len(data), 37):
        check(data[:end], name)


@pytest.mark.parametrize("name", samples.BY_NAME)
@settings(max_examples=60, deadline=None)
@given(cuts=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 60), st.binary(max_size=4)), min_size=1, max_size=5))
def test_any_bytes(name: str, cuts: list[tuple[float, int, bytes]]) -> None:
    data = samples.BY_NAME[name].encode()
    for place, length, new in cuts:
        at = int(place * len(data))
        data = data[:at] + new + data[at + length :]
    check(data, name)


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


@pytest.mark.parametrize(
    "name", [name for name in samples.BY_NAME if Path(name).suffix in TREES and not name.startswith("pixi")] + ["pixi.yml"]
)  # fmt: skip
def test_wrong_types_everywhere(name: str) -> None:
    text = samples.PIXI if name == "pixi.yml" else samples.BY_NAME[name]
    load, dump = TREES[Path(name).suffix]
    name = "pixi.lock" if name == "pixi.yml" else name
    tree = load(text)
    for number, path in enumerate(places(tree)):
        changed = deepcopy(tree)
        parent = changed
        for key in path[:-1]:
            parent = parent[key]
        for wrong in (WRONG[number % len(WRONG)], WRONG[(number * 5 + 3) % len(WRONG)]):
            parent[path[-1]] = wrong
            check(dump(changed).encode(), name)


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "9" * 5000,
        "x = " + "[" * 5000,
        "[[package]]\nversion = " + "1" * 5000 + "\n",
        "a: " * 2000,
        "version: 6\nenvironments: " + "[" * 50_000,
        "version: 6\nenvironments: &a [*a]",
        "version: 6\nenvironments: *b",
        "version: 6\n---\nversion: 6\nenvironments: 1",
        "version: 6\nenvironments:\n  ? [a]\n  : b",
        "version: 6\nenvironments: \x07",
        "[" + "9" * 5000 + "]",
        "a==" + "1" * 5000,
        "a==1;" + "(" * 5000,
        "\ud7ff\x85a==1",
        "\n" * 50_000 + "x",
        " \n#\n" * 20_000 + "=",
    ],
)
@pytest.mark.parametrize("name", ["file", "uv.lock", "pylock.toml", "pixi.lock", "conda-lock.yml"])
def test_hostile_texts(text: str, name: str) -> None:
    check(text.encode(), name)
