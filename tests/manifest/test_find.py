"""Which file of a directory is read, and what importing and reading costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mlpin.errors import InputError
from mlpin.manifest import find, read

from .builders import context, written

PROJECT = '[project]\nname = "p"\n'


@pytest.mark.parametrize(
    ("files", "first", "others"),
    [
        ({"mlpin.toml": "dependencies = []", "pyproject.toml": PROJECT}, "mlpin.toml", ["pyproject.toml"]),
        ({"mlpin.toml": 'python = "3"', "pyproject.toml": PROJECT}, "pyproject.toml", []),
        ({"pyproject.toml": "[tool.ruff]", "requirements.txt": ""}, "requirements.txt", []),
        ({"pyproject.toml": "[tool.poetry]\nname='x'", "Pipfile": ""}, "Pipfile", []),
        ({"pyproject.toml": "[tool.poetry.group.x]", "Pipfile": ""}, "pyproject.toml", ["Pipfile"]),
        ({"pyproject.toml": "[tool.mlpin]\ndependencies = []"}, "pyproject.toml", []),
        ({"pyproject.toml": "[dependency-groups]"}, "pyproject.toml", []),
        ({"pyproject.toml": "[broken", "requirements.txt": ""}, "pyproject.toml", ["requirements.txt"]),
        (
            {
                "requirements.in": "",
                "requirements.txt": "",
                "environment.yml": "",
                "setup.cfg": "[options]\ninstall_requires=a",
            },
            "requirements.in",
            ["requirements.txt", "environment.yml", "setup.cfg"],
        ),
        ({"setup.cfg": "[metadata]", "environment.yaml": ""}, "environment.yaml", []),
        ({"setup.cfg": "[options.extras_require]\na = b"}, "setup.cfg", []),
    ],
)
def test_precedence(tmp_path: Path, files: dict[str, str], first: str, others: list[str]) -> None:
    written(tmp_path, files)
    found = find(tmp_path)
    assert (found.path.name, [path.name for path in found.passed_over]) == (first, others)


def test_none(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        find(tmp_path)
    assert "requirements.in" in caught.value.notes[-1]
    written(tmp_path, {"setup.py": "", "pyproject.toml": "[build-system]"})
    with pytest.raises(InputError, match="never run") as caught:
        find(tmp_path)
    assert caught.value.hint is not None
    assert "pyproject.toml" in caught.value.notes[0]
    for path in (tmp_path / "gone", tmp_path / "setup.py"):
        with pytest.raises(InputError, match="directory"):
            find(path)


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("reqs", "numpy\n", "requirements"),
        ("train", "# /// script\n# dependencies = []\n# ///\n", "script"),
        ("project.lock.bak", PROJECT, "pyproject"),
        ("env", "dependencies:\n- pip:\n  - a\n", "environment"),
        ("cfg", "[options]\ninstall_requires = a\n", "setup.cfg"),
        ("pipe", "[packages]\na = '*'\n", "pipfile"),
    ],
)
def test_by_content(tmp_path: Path, name: str, text: str, kind: str) -> None:
    written(tmp_path, {name: text})
    assert read(tmp_path / name, context(tmp_path)).kind == kind


@pytest.mark.parametrize(
    "name", ["a.txt", "pyproject.toml", "mlpin.toml", "Pipfile", "a.yml", "a.py", "setup.cfg", "x"]
)
def test_unreadable(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="no such file") as caught:
        read(tmp_path / name, context(tmp_path))
    assert caught.value.where == name
    (tmp_path / name).mkdir()
    with pytest.raises(InputError, match="directory"):
        read(tmp_path / name, context(tmp_path))
    (tmp_path / name).rmdir()
    (tmp_path / name).write_bytes(b"# \xff\xfe\n")
    with pytest.raises(InputError, match="UTF-8") as caught:
        read(tmp_path / name, context(tmp_path))
    assert caught.value.where == f"{name}:1"


def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    written(
        tmp_path,
        {"pyproject.toml": f"{PROJECT}dependencies = ['torch==2.7.0+cu128', 'a[b]>=1,<2; os_name == \"nt\"']\n"},
    )
    code = (
        "import sys; from pathlib import Path; import mlpin.manifest as m; p = Path(sys.argv[1]);"
        "m.read(m.find(p).path, m.Context(p, {}, str));"
        "print(sorted({'yaml', 'configparser', 'packaging', 'shlex', 'mlpin.manifest.poetry'} & set(sys.modules)))"
    )
    source = str(Path(__file__).parents[2] / "src")
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env={"PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "[]"
