"""`mlpin.toml`."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpin.manifest import find

from .builders import names, reading, refused, written


def test_a_file(tmp_path: Path) -> None:
    found = reading(
        tmp_path,
        'name = "P"\nrequires-python = ">=3.10"\npython = "3.11"\ndependencies = [\n"numpy"]\n'
        '[optional-dependencies]\nx = ["scipy"]\n[dependency-groups]\n'
        'dev = ["p[x]", {include-group = "t"}]\nt = ["pytest"]\n',
        "mlpin.toml",
    )
    assert (found.kind, found.project, found.requires_python) == ("mlpin", "p", ">=3.10")
    assert (found.requirements[0].origin.line, names(found.groups["dev"])) == (5, ["scipy", "pytest"])
    assert found.default_groups == ("dev",)
    assert found.layers[0].python == ("3.11",)


def test_another_name(tmp_path: Path) -> None:
    assert reading(tmp_path, 'dependencies = ["numpy"]\n', "ours.toml").kind == "mlpin"


def test_broken(tmp_path: Path) -> None:
    assert "no dependencies" in refused(tmp_path, 'python = "3.11"\n', "mlpin.toml").message
    assert refused(tmp_path, "dependencies = [\n\n3]\n", "mlpin.toml").where == "mlpin.toml:1"


CONDA = """
[{0}conda]
channels = ["conda-forge"]
dependencies = ["python=3.11",
  "conda-forge::cudnn >=9", "./local::mine"]
[{0}conda.groups]
Dev = ["gdb"]
"""


@pytest.mark.parametrize(
    ("name", "head", "first"),
    [
        ("mlpin.toml", "", []),
        (
            "mlpin.toml",
            "requires-python = '>=3.10'\ndependencies = ['numpy']\n[dependency-groups]\ndev = ['x']\n",
            ["numpy"],
        ),
        ("ours.toml", "", []),
        ("pyproject.toml", "", []),
        (
            "pyproject.toml",
            "[project]\nname = 'mine'\ndependencies = ['numpy']\n[dependency-groups]\ndev = ['x']\n",
            ["numpy"],
        ),
        ("train.py", "dependencies = ['numpy']\n", ["numpy"]),
    ],
)
def test_conda_packages(name: str, head: str, first: list[str], tmp_path: Path) -> None:
    text = head + CONDA.format("tool.mlpin." if name in ("pyproject.toml", "train.py") else "")
    if name == "train.py":
        text = "# /// script\n" + "".join(f"# {line}\n" for line in text.splitlines()) + "# ///\n"
    found = reading(tmp_path, text, name)
    assert names(found.requirements) == [*first, "python", "cudnn", "mine"]
    specs = ["python=3.11", "conda-forge::cudnn >=9", f"{tmp_path.as_posix()}/local::mine"]
    assert [one.conda for one in found.requirements if one.conda] == specs
    lines = text.split("\n")
    assert all(one.origin.text in lines[one.origin.line - 1] for one in found.requirements[-3:])
    assert names(found.groups["dev"]) == (["x", "gdb"] if "dev = ['x']" in head else ["gdb"])
    assert "==3.11.*" in found.requires_python
    assert ">=3.10" in found.requires_python or "requires-python" not in head
    assert found.layers[0].channels == ("conda-forge",)
    if name in ("mlpin.toml", "pyproject.toml"):
        assert find(tmp_path).path.name == name


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("[tool.mlpin.conda]\ndependencies = ['numpy',\n'torch==2.1+cu121']", 3, "wheels"),
        ("[tool.mlpin.conda]\ndependencies = 'numpy'", 2, "list of strings"),
        ("[tool.mlpin.conda.groups]\na-b = []\nA_b = []", 3, "twice"),
        ("[project]\n[tool.mlpin.conda]\ndependency = []", 3, "dependencies"),
    ],
)
def test_broken_conda_packages(text: str, line: int, word: str, tmp_path: Path) -> None:
    error = refused(tmp_path, text, "pyproject.toml")
    assert error.where == f"pyproject.toml:{line}"
    assert word in f"{error.message} {error.hint}"


def test_settings_of_conda_alone_declare_nothing(tmp_path: Path) -> None:
    written(tmp_path, {"pyproject.toml": "[tool.mlpin.conda]\nchannels = ['a']", "requirements.txt": "numpy"})
    assert find(tmp_path).path.name == "requirements.txt"
