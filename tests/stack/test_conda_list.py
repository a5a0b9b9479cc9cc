"""The lists of conda and pip."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlpin import stack

from . import samples
from .builders import pins, reading, refused

PYTHON = "python=3.11.9=hb806964_0_cpython"


def test_json(tmp_path: Path) -> None:
    found = reading(tmp_path, samples.CONDA_JSON, "list.json")
    assert (found.kind, found.python, found.platform) == ("conda-list", "3.11.9", "linux-x86_64")
    assert pins(found) == [PYTHON, "typing_extensions=4.9.0=pyhd8ed1ab_0", "torch==2.2.0"]


def test_json_of_pip() -> None:
    found = stack.read_text(json.dumps([{"name": "Torch", "version": "2.2.0+cu118"}]))
    assert (found.kind, pins(found)) == ("freeze", ["torch==2.2.0+cu118"])


def test_explicit(tmp_path: Path) -> None:
    found = reading(tmp_path, samples.EXPLICIT, "conda-linux-64.lock")
    assert (found.kind, found.python, found.platform) == ("conda-explicit", "3.11.9", "linux-x86_64")
    assert pins(found) == [PYTHON, "tzdata=2024a=h0c530f3_0", "torch==2.2.0"]
    assert [one.line for one in found.packages] == [5, 6, 8]


def test_table(tmp_path: Path) -> None:
    found = reading(tmp_path, samples.CONDA_TABLE, "list.txt")
    assert (found.kind, found.python, found.platform) == ("conda-list", "3.11.9", "")
    assert pins(found) == ["_libgcc_mutex=0.1=conda_forge", PYTHON, "tk=8.6.12=h1ccaba5_0", "torch==2.2.0"]
    assert found.packages[0].line == 4


def test_table_of_mamba() -> None:
    text = (
        'List of packages in environment: "/opt/conda"\n\n'
        "  Name      Version  Build               Channel\n"
        "───────────────────────────────────────────────────\n"
        "  python    3.11.9   hb806964_0_cpython  conda-forge\n"
    )
    assert pins(stack.read_text(text)) == [PYTHON]


def test_table_of_pip() -> None:
    text = "Package Version     Editable project location\n------- ----------- ----\ndemo    0.1.0       /home/me/demo\nTorch   2.2.0+cu118\n"
    found = stack.read_text(text)
    assert (found.kind, pins(found)) == ("freeze", ["demo==0.1.0", "torch==2.2.0+cu118"])


def test_export(tmp_path: Path) -> None:
    found = reading(tmp_path, samples.CONDA_EXPORT, "spec.txt")
    assert (found.kind, found.platform, pins(found)) == ("conda-list", "linux-x86_64", [PYTHON, "torch==2.2.0"])


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[{]", "x.txt:1"),
        ('{"a": 1}', "x.txt"),
        ('[{"name": 1}]', "x.txt"),
        ('[{"name": "\\ud800", "version": "1"}]', "x.txt"),
        ('[{"name": "a"}, 1]', "x.txt"),
        ("@EXPLICIT\nnonsense\n", "x.txt:2"),
        ("@EXPLICIT\nhttps://h/linux-64/a-1.conda\n", "x.txt:2"),
        ("a=1=0\nb=2\n", "x.txt:2"),
        ("# Name Version Build\na\n", "x.txt:2"),
        ('[{"a":' * 100_000, "x.txt"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, where: str) -> None:
    assert refused(tmp_path, text, "x.txt").where == where
