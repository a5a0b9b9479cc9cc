"""Whatever a file holds, reading it gives a manifest or an error of mlpin's own, never a traceback."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpin.errors import MlpinError
from mlpin.manifest import read

from .builders import context

WORDS = (
    *(
        "\n",
        "\n",
        " ",
        "  ",
        "\t",
        "\r\n",
        "=",
        "==",
        ">=1",
        "[",
        "]",
        "{",
        "}",
        '"',
        "'",
        ",",
        ";",
        "#",
        "\\\n",
        "@",
        ":",
    ),
    *(
        "-r ",
        "-c ",
        "-e ",
        "--hash=",
        "-i ",
        "--pre",
        "f.txt",
        "./x",
        ".",
        "..",
        "/",
        "https://h.example/",
        "git+",
        "file:",
    ),
    *(
        "numpy",
        "a[b]",
        "^1",
        "~1",
        "||",
        "*",
        "python",
        "python_version < '3'",
        "${A}",
        "\ufeff",
        "é",
        "\x00",
        "\x85",
        "\x0b",
    ),
    *("[project]\n", "[tool.uv.sources]\n", "[tool.poetry.dependencies]\n", "[dependency-groups]\n", "[tool.mlpin]\n"),
    *(
        "[packages]\n",
        "[options]\n",
        "install_requires = ",
        "dependencies = [",
        "dependencies:\n",
        "- pip:\n  - ",
        "- ",
    ),
    *(
        "# /// script\n",
        "# ///\n",
        "# ",
        "include-group = ",
        "version = ",
        "git = ",
        "path = ",
        "name = ",
        "&a ",
        "*a ",
        "!!x ",
    ),
    *(
        "requirements:\n  run:\n",
        "    - ",
        "{{ ",
        " }}",
        "{% set a = 'b' %}\n",
        "# [win]\n",
        "if: linux\n      then: ",
        "channels: [",
        "platforms: [",
        "variables: {",
        "::",
        "linux-64",
        "[tool.mlpin.conda]\n",
    ),
    *("[workspace]\n", "[dependencies]\n", "[target.unix.dependencies]\n", "[feature.a]\n", "[environments]\n"),
)
NAMES = (
    "pyproject.toml",
    "mlpin.toml",
    "pixi.toml",
    "Pipfile",
    "requirements.txt",
    "environment.yml",
    "train.py",
    "setup.cfg",
    "meta.yaml",
    "recipe.yaml",
    "other",
)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=150, deadline=None)
@given(text=st.lists(st.sampled_from(WORDS), max_size=25).map("".join))
def test_any_text(name: str, text: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / name
        path.write_bytes(text.encode())
        try:
            read(path, context(Path(directory), environ={"A": "b"}))
        except MlpinError as error:
            assert error.where is not None
            assert directory not in error.where
