"""The published schema of matrix files and the reader agree."""

from __future__ import annotations

import datetime as dt
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mlpin.matrix import read as reader
from mlpin.matrix.read import read

DATA = Path(__file__).parents[2] / "data"
FILES = sorted((DATA / "matrix").glob("*.toml"))
SCHEMA = json.loads((DATA / "matrix.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)

ORIGIN = {"source": '"s"', "evidence": '"reported"', "date": "2026-11-21"}
RIGHT: dict[str, dict[str, str]] = {
    "rule": {"id": '"a-b"', "package": '"a"', "with": '"b"', "fails": '">=2"', "severity": '"declared"', **ORIGIN},
    "gpu": {"names": '["X"]', "capability": '"8.9"', **ORIGIN},
    "line": {
        "label": '"cu124"', "accelerator": '"cuda"', "cuda": '"12.4"', "path": '"cu124"', "family": '"f"', **ORIGIN,
    },
    "default": {"package": '"a"', "line": '"cpu"', **ORIGIN},
    "abi": {"package": '"a"', "cxx11": "true", **ORIGIN},
    "alias": {"conda": '"c"', "package": '"a"', **ORIGIN},
    "toolkit": {"cuda": '"12"', "linux": '"525.60.13"', **ORIGIN},
    "arch": {"capability": '"8.9"', "cuda": '">=11.8"', **ORIGIN},
    "family": {"name": '"f"', "packages": '["a"]', "base": '"https://x"', **ORIGIN},
    "wheels": {"package": '"a"', "version": '"1"', "url": '"https://x"', "files": '["a-1-py3-none-any.whl"]', **ORIGIN},
    "metadata": {"package": '"a"', "requires": '["b>=1"]', **ORIGIN},
    "distribution": {"name": '"ubuntu"', "releases": '["22.04", "jammy"]', "glibc": '"2.35"', **ORIGIN},
    "image": {"names": '["a/b"]', "tags": '{ "{cuda}-{system}" = { nvcc = "no" } }', **ORIGIN},
}  # fmt: skip
TABLES = sorted(RIGHT)

# (table, what is written otherwise; empty for left out)
WRONG: list[tuple[str, dict[str, str]]] = [
    *((table, {"source": ""}) for table in TABLES),
    *((table, {"date": '"21 November"'}) for table in TABLES),
    *((table, {"evidence": '"hearsay"'}) for table in TABLES),
    *((table, {"unheard-of": "1"}) for table in TABLES),
    ("rule", {"source": '" "'}),
    ("rule", {"id": '"Upper"'}),
    ("rule", {"package": '"Flash_Attn"'}),
    ("rule", {"package": ""}),
    ("rule", {"with": ""}),
    ("rule", {"with": '"a.b"'}),
    ("rule", {"with": "[]"}),
    ("rule", {"fails": ""}),
    ("rule", {"needs": '"<1"'}),
    ("rule", {"needs": '"<1"', "fails": "", "kernels": '["sm_90"]'}),
    ("rule", {"fails": '"2.0"'}),
    ("rule", {"fails": '"label"'}),
    ("rule", {"fails": '[["<1"]]'}),
    ("rule", {"fails": '[["<1", "<2", "<3"]]'}),
    ("rule", {"fails": '[["<1", "<2"]]', "versions": '"<3"'}),
    ("rule", {"fails": '"<1,,=2"'}),
    ("rule", {"versions": "3"}),
    ("rule", {"severity": '"bad"'}),
    ("rule", {"severity": '"broken"'}),
    ("rule", {"severity": '"broken"', "symptom": '""'}),
    ("rule", {"platforms": '["linux"]'}),
    ("rule", {"accelerator": '"tpu"'}),
    ("rule", {"wheels-only": '"yes"'}),
    ("rule", {"line": "[12]"}),
    ("rule", {"python": '"3.12"'}),
    ("rule", {"fails": "", "kernels": '["sm_90"]'}),
    ("rule", {"fails": "", "with": "", "kernels": '["sm_9", "sm_80"]'}),
    ("rule", {"note": "1"}),
    ("gpu", {"names": ""}),
    ("gpu", {"names": "[]"}),
    ("gpu", {"capability": ""}),
    ("gpu", {"capability": '"sm_89"'}),
    ("gpu", {"gfx": '"gfx90a"'}),
    ("line", {"accelerator": '"cpu"'}),
    ("line", {"cuda": ""}),
    ("line", {"accelerator": '"tpu"'}),
    ("line", {"versions": '"2"'}),
    ("arch", {"capability": '"sm_89"'}),
    ("arch", {"cuda": '"11.8"'}),
    ("abi", {"cxx11": '"TRUE"'}),
    ("abi", {"line": "1"}),
    ("default", {"platforms": "1"}),
    ("toolkit", {"cuda": "12"}),
    ("wheels", {"url": '"http://x"'}),
    ("wheels", {"url": ""}),
    ("wheels", {"files": '["a.tar.gz"]'}),
    ("wheels", {"sha256": '{ "a-1-py3-none-any.whl" = "abc" }'}),
    ("metadata", {"requires": "1"}),
    ("distribution", {"name": '""'}),
    ("distribution", {"releases": "[]"}),
    ("distribution", {"glibc": '"two"'}),
    ("image", {"names": ""}),
    ("image", {"tags": ""}),
    ("image", {"tags": "{}"}),
    ("image", {"tags": '{ "x" = { libc = 1 } }'}),
    ("image", {"tags": '{ "x" = { glibc = "2.35" } }'}),
    ("image", {"for-python": '"yes"'}),
    ("image", {"branches": '{ "12.4" = [535] }'}),
    # what loses, or turns round, what was meant
    ("rule", {"fails": "", "with": "", "kernels": "[]"}),  # no GPU at all is served
    ("rule", {"with": '""'}),
    ("rule", {"fails": "[]"}),
    ("line", {"label": ""}),
    ("line", {"path": ""}),
    ("line", {"family": ""}),
    ("default", {"package": ""}),
    ("default", {"line": ""}),
    ("abi", {"cxx11": ""}),  # the old ABI
    ("abi", {"package": '"Torch"'}),
    ("alias", {"conda": ""}),
    ("alias", {"package": ""}),
    ("toolkit", {"cuda": ""}),
    ("arch", {"cuda": ""}),
    ("family", {"name": ""}),
    ("family", {"packages": ""}),
    ("family", {"base": ""}),
    ("wheels", {"package": ""}),
    ("wheels", {"version": ""}),
    ("wheels", {"files": ""}),
    ("wheels", {"requires-python": '"3.8"'}),
    ("metadata", {"package": ""}),
    ("metadata", {"requires-python": '"3.8"'}),
    ("gpu", {"note": "1"}),
    # what cannot be compared
    ("line", {"cuda": '"twelve"'}),
    ("line", {"platforms": '["linux"]'}),
    ("default", {"platforms": '["windows"]'}),
    ("abi", {"platforms": '"linux-*-*"'}),
    ("toolkit", {"cuda": '"CUDA 12"'}),
    ("toolkit", {"linux": '">=525"'}),
    ("toolkit", {"windows": '"none"'}),
    ("toolkit", {"shipped-linux": '"550,54"'}),
]

# What one schema for a file cannot say: the reader alone refuses it.
BEYOND: list[tuple[str, dict[str, str]]] = [
    ("rule", {"with": '"a"'}),
    ("rule", {"fails": '">=2.x"'}),
    ("rule", {"fails": '"~=2"'}),
    ("rule", {"date": '"2026-02-30"'}),
    ("gpu", {"date": '"2019-99-99"'}),
    ("metadata", {"requires": '"b >>= 1"'}),
    ("wheels", {"requires": '["b", "c d"]'}),
    ("image", {"tags": '{ "{cuda}-{cuda}" = {} }'}),
    ("image", {"tags": '{ "{cuda" = {} }'}),
]


def written(table: str, changes: dict[str, str]) -> str:
    entry = RIGHT[table] | changes
    return f"[[{table}]]\n" + "".join(f"{key} = {value}\n" for key, value in entry.items() if value)


def plain(value: Any) -> Any:
    """TOML as JSON has it: days are strings."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.isoformat() if isinstance(value, dt.date) else value


def valid(text: str) -> bool:
    return bool(VALIDATOR.is_valid(plain(tomllib.loads(text))))


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert set(SCHEMA["properties"]) == set(reader._TABLES)


@pytest.mark.parametrize("table", TABLES)
def test_the_schema_knows_every_key_that_the_reader_knows(table: str) -> None:
    keys = SCHEMA["$defs"][table]["properties"]
    assert all(
        "description" in value or "$ref" in value or "enum" in value or "oneOf" in value for value in keys.values()
    )
    for key in keys:
        _, mistakes = read(f"[[{table}]]\n{key} = 0\n", "x")
        assert not any(f"unknown key `{key}`" in mistake.what for mistake in mistakes)
    # and no more of them: what the reader suggests for a slip of the pen is in the schema
    for key in keys:
        for mistake in read(f"[[{table}]]\n{key}x = 0\n", "x")[1]:
            if "did you mean" in mistake.what:
                assert mistake.what.split("`")[-2] in keys


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_files_that_ship_are_valid(path: Path) -> None:
    data = plain(tomllib.loads(path.read_text(encoding="utf-8")))
    assert [f"{list(error.path)}: {error.message}" for error in VALIDATOR.iter_errors(data)] == []


@pytest.mark.parametrize("table", TABLES)
def test_both_take_what_is_right(table: str) -> None:
    text = written(table, {})
    assert valid(text)
    assert read(text, "x")[1] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"with": '["b", "c"]'},
        {"with": '"python"'},
        {"fails": '""'},
        {"fails": '[["<1", ">=2,<3"], ["", "==2.*"]]'},
        {"fails": "", "needs": '"same"'},
        {"fails": "", "needs": '"label"'},
        {"fails": "", "needs": '[["==1.*", "~=2.1"]]'},
        {"fails": "", "with": "", "kernels": '["sm_90a", "SM_100f", "compute_70", "sm_120+ptx"]', "versions": '"<3"'},
        {"fails": "", "with": "", "kernels": '"sm_90"'},
        {"severity": '"broken"', "symptom": '"boom"', "remedy": '"less"'},
        {"platforms": '"windows-*"', "line": '"cu12*"', "python": '">=3.12"', "accelerator": '"cuda"'},
        {"date": '"2026-11-21"', "source": '["one", ""]'},
    ],
)
def test_both_take_a_rule(changes: dict[str, str]) -> None:
    text = written("rule", changes)
    assert valid(text), [error.message for error in VALIDATOR.iter_errors(plain(tomllib.loads(text)))]
    assert read(text, "x")[1] == []


@pytest.mark.parametrize(("table", "changes"), WRONG, ids=str)
def test_both_refuse(table: str, changes: dict[str, str]) -> None:
    text = written(table, changes)
    assert not valid(text)
    assert read(text, "x")[1]


@pytest.mark.parametrize(("table", "changes"), BEYOND, ids=str)
def test_the_reader_alone_refuses(table: str, changes: dict[str, str]) -> None:
    text = written(table, changes)
    assert valid(text)
    assert read(text, "x")[1]


@pytest.mark.parametrize("text", ["[rule]\nid = 'a'\n", "rule = [3]\n", "[[rules]]\n", "version = 2\n"])
def test_both_refuse_what_stands_outside_of_tables(text: str) -> None:
    assert not valid(text)
    assert read(text, "x")[1]
