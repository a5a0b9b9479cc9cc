"""`pyproject.toml`: [project], groups, extras, dynamic lists, and the tables of uv and mlpin."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpin.manifest import Manifest
from mlpin.requirement import PathSource, UrlSource, VcsSource
from mlpin.settings import IndexPin

from .builders import brief, names, reading, refused

NAME = "pyproject.toml"


def project(directory: Path, rest: str, **others: str) -> Manifest:
    return reading(directory, f'[project]\nname = "My.Proj"\nversion = "1.0"\n{rest}', NAME, others=others)


def test_project_table(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        'requires-python = ">=3.10, <3.13"\ndependencies = [\n  "numpy>=1.2,<2",\n'
        '  # why\n  "torch", "x @ git+https://u:p@h.example/x@v1",\n]\n'
        'optional-dependencies.Train_GPU = [\n "trl" ]\n',
    )
    assert (found.kind, found.project, found.version, found.requires_python) == (
        "pyproject",
        "my-proj",
        "1.0",
        "<3.13,>=3.10",
    )
    assert found.requires_python_origin is not None
    assert found.requires_python_origin.line == 4
    assert [one.origin.line for one in found.requirements] == [6, 8, 8]
    assert found.requirements[2].source == VcsSource("git", "https://u:p@h.example/x", "v1")
    assert found.requirements[2].origin.text == "x @ git+https://****@h.example/x@v1"
    assert [one.origin.line for one in found.extras["train-gpu"]] == [11]
    assert found.layers == ()


def test_extras_that_refer_to_the_project(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        'dependencies = []\n[project.optional-dependencies]\nall = ["my_proj[a,b]"]\n'
        'a = ["numpy", "my-proj[b] ; python_version < \'3.12\'"]\n'
        'b = [\'scipy; sys_platform == "linux" or os_name == "nt"\']\n'
        '[dependency-groups]\ndev = ["My-Proj[b]", "pytest"]\n',
    )
    scipy = 'scipy ; sys_platform == "linux" or os_name == "nt"'
    narrowed = 'scipy ; python_version < "3.12" and (sys_platform == "linux" or os_name == "nt")'
    assert [brief(one) for one in found.extras["a"]] == ["numpy", narrowed]
    assert [brief(one) for one in found.extras["all"]] == ["numpy", narrowed, scipy]
    assert [brief(one) for one in found.groups["dev"]] == [scipy, "pytest"]
    assert found.extras["all"][2].origin.line == 8
    assert found.default_groups == ("dev",)


@pytest.mark.parametrize(
    ("lists", "line", "word"),
    [
        ('a = ["my-proj[b]"]\nb = ["my-proj[a]"]', None, "circle"),
        ('a = ["my-proj[a]"]', 6, "circle"),
        ('a = ["x",\n "my-proj[c]"]', 7, "`c`"),
        ('a = ["x"]\nA = ["y"]', 7, "twice"),
        ('a = "x"', 6, "list of strings"),
        ('a = [\n"x",\n1]', 6, "list of strings"),
        ('a = [\n"x",\n"y=1"]', 8, "not a requirement"),
    ],
)
def test_extras_that_are_wrong(tmp_path: Path, lists: str, line: int | None, word: str) -> None:
    error = refused(
        tmp_path, f'[project]\nname = "my-proj"\ndependencies = []\n\n[project.optional-dependencies]\n{lists}\n', NAME
    )
    assert word in error.message
    assert error.where is not None
    assert error.where.startswith("pyproject.toml:")
    if line:
        assert error.where == f"pyproject.toml:{line}"


def test_groups(tmp_path: Path) -> None:
    found = reading(
        tmp_path,
        '[dependency-groups]\nTest = ["pytest"]\nlint = ["ruff",\n  {include-group = "TEST"}]\n'
        'dev = [{include-group = "lint"}, {include-group = "test"}]\n',
        NAME,
    )
    assert names(found.groups["dev"]) == ["pytest", "ruff"] or names(found.groups["dev"]) == ["ruff", "pytest"]
    assert {one.name: one.origin.line for one in found.groups["dev"]} == {"ruff": 3, "pytest": 2}
    assert found.default_groups == ("dev",)


@pytest.mark.parametrize(
    ("lists", "line", "word"),
    [
        ('a = [{include-group = "b"}]\nb = [{include-group = "a"}]', 2, "yclic"),
        ('a = ["x",\n{include-group = "c"}]', 3, "`c`"),
        ('a = ["x",\n{path = "c"}]', 3, "neither"),
        ('a = ["x",\n3]', 3, "neither"),
        ('a = ["x",\n{include-group = "b"}, "y=1"]\nb = []', 3, "not a requirement"),
        ("a = []\nA = []", 3, "twice"),
        ('a = "x"', 2, "list"),
    ],
)
def test_groups_that_are_wrong(tmp_path: Path, lists: str, line: int, word: str) -> None:
    error = refused(tmp_path, f"[dependency-groups]\n{lists}\n", NAME)
    assert word in error.message
    assert error.where == f"pyproject.toml:{line}"


@pytest.mark.parametrize(("said", "expected"), [('["test"]', ("test",)), ('"all"', ("dev", "test")), ("[]", ())])
def test_default_groups_of_uv(tmp_path: Path, said: str, expected: tuple[str, ...]) -> None:
    found = reading(tmp_path, f"[dependency-groups]\ndev = []\ntest = []\n[tool.uv]\ndefault-groups = {said}\n", NAME)
    assert found.default_groups == expected


def test_old_dev_dependencies_of_uv(tmp_path: Path) -> None:
    found = project(
        tmp_path, 'dependencies = []\n[dependency-groups]\ndev = ["a"]\n[tool.uv]\ndev-dependencies = ["b"]\n'
    )
    assert names(found.groups["dev"]) == ["a", "b"]


def test_dynamic_lists_in_files(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        'dynamic = ["dependencies", "optional-dependencies", "version"]\n[tool.setuptools.dynamic]\n'
        'dependencies = {file = ["a.txt", "b.txt"]}\noptional-dependencies.x = {file = "c.txt"}\n',
        **{"a.txt": "# no\nnumpy # yes\n", "b.txt": "torch", "c.txt": "scipy"},
    )
    assert [one.origin.place for one in found.requirements] == ["a.txt:2", "b.txt:1"]
    assert names(found.extras["x"]) == ["scipy"]
    assert [path.name for path in found.inputs] == [NAME, "a.txt", "b.txt", "c.txt"]


@pytest.mark.parametrize(
    ("rest", "word"),
    [
        ('dynamic = ["dependencies"]', "never run"),
        ('dynamic = ["dependencies"]\n[tool.setuptools.dynamic]\ndependencies = {attr = "x.y"}', "computed"),
        ('dynamic = ["dependencies"]\n[tool.setuptools.dynamic]\ndependencies = {file = "gone.txt"}', "gone.txt"),
        ('dynamic = ["dependencies"]\ndependencies = []', "both"),
    ],
)
def test_dynamic_lists_that_cannot_be_known(tmp_path: Path, rest: str, word: str) -> None:
    error = refused(tmp_path, f'[project]\nname = "p"\n{rest}\n', NAME)
    assert word in error.message
    assert error.where is not None
    assert error.where.startswith("pyproject.toml:")


def test_options_in_a_dynamic_file(tmp_path: Path) -> None:
    error = refused(
        tmp_path,
        '[project]\nname = "p"\ndynamic = ["dependencies"]\n[tool.setuptools.dynamic]\ndependencies = {file = "a.txt"}',
        NAME,
        others={"a.txt": "numpy\n-r b.txt"},
    )
    assert error.where == "a.txt:2"


def test_dynamic_extras_are_noted(tmp_path: Path) -> None:
    found = project(tmp_path, 'dynamic = ["optional-dependencies"]\ndependencies = ["numpy"]\n')
    assert "extras" in found.notes[0].message
    assert found.notes[0].origin.line == 4


def test_supplied_metadata_for_the_project_itself(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        'dynamic = ["dependencies", "optional-dependencies"]\n[tool.mlpin.metadata.my-proj]\n'
        'requires-dist = ["numpy", \'scipy ; extra == "x"\']\nprovides-extra = ["x"]\n',
    )
    assert names(found.requirements) == ["numpy"]
    assert [brief(one) for one in found.extras["x"]] == ["scipy"]


def test_sources_of_uv(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        'dependencies = ["a", "b>=1", "c", "d", "e", "torch"]\n[tool.uv.sources]\n'
        'a = {git = "https://h.example/a", tag = "v1", subdirectory = "py"}\n'
        'b = {path = "../b", editable = true}\nc = {url = "https://h.example/c-1.zip"}\nd = {path = "d.whl"}\n'
        "E = {workspace = true}\n"
        'torch = [\n  {index = "cpu", marker = "sys_platform == \'darwin\'"},\n  {index = "cu", extra = "gpu"}]\n'
        '[tool.uv.workspace]\nmembers = ["libs/*"]\n',
        **{"libs/e/pyproject.toml": '[project]\nname = "e"', "libs/f/pyproject.toml": '[project]\nname = "f"'},
    )
    assert [one.source for one in found.requirements] == [
        VcsSource("git", "https://h.example/a", "v1", "py"),
        PathSource((tmp_path.parent / "b").as_posix(), editable=True),
        UrlSource("https://h.example/c-1.zip"),
        PathSource((tmp_path / "d.whl").as_posix()),
        PathSource((tmp_path / "libs/e").as_posix(), editable=True),
        None,
    ]
    assert found.requirements[1].specifier == ">=1"
    (layer,) = found.layers
    assert layer.pins == {"torch": (IndexPin("cpu", 'sys_platform == "darwin"'), IndexPin("cu", extra="gpu"))}
    assert tmp_path / "libs/e/pyproject.toml" in found.inputs


def test_a_source_with_a_marker_leaves_the_rest_plain(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        "dependencies = [\"a ; python_version > '3.9'\"]\n[tool.uv.sources]\n"
        "a = [{git = \"https://h.example/a\", marker = \"sys_platform == 'linux' and os_name == 'posix'\"}]\n",
    )
    assert [(brief(one), one.source is not None) for one in found.requirements] == [
        ('a ; python_version > "3.9" and sys_platform == "linux" and os_name == "posix"', True),
        ('a ; python_version > "3.9" and (sys_platform != "linux" or os_name != "posix")', False),
    ]


def test_a_source_for_one_extra_or_group(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        'dependencies = ["a"]\n[project.optional-dependencies]\nx = ["a"]\n[dependency-groups]\ng = ["a"]\n'
        '[tool.uv.sources]\na = [{path = "x", extra = "x"}, {path = "g", group = "g"}]\n',
    )
    assert found.requirements[0].source is None
    assert found.extras["x"][0].source == PathSource((tmp_path / "x").as_posix())
    assert found.groups["g"][0].source == PathSource((tmp_path / "g").as_posix())


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ('{git = "https://h.example/a", tag = "1", rev = "2"}', "more than one"),
        ('{git = "https://h.example/a", path = "x"}', "`git`, `path`"),
        ("{marker = 'x'}", "none"),
        ("{path = 'x', marker = 'x'}", "marker"),
        ("{workspace = true}", "no [tool.uv.workspace]"),
        ("{url = 'https://h.example/a.git'}", "repository"),
        ("[{path = 'x', marker = \"python_version ~= '3.9'\"}]", "rest"),
        ("3", "table"),
    ],
)
def test_sources_that_cannot_be_used(tmp_path: Path, source: str, word: str) -> None:
    text = f'[project]\nname = "p"\ndependencies = ["a"]\n[tool.uv.sources]\n\na = {source}\n'
    error = refused(tmp_path, text, NAME)
    assert word in error.message
    assert error.where == "pyproject.toml:6"


def test_layers(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        'dependencies = []\n[tool.uv]\nindex-url = "https://uv.example/simple"\n[[tool.poetry.source]]\nname = "p"\n'
        'url = "https://poetry.example/simple"\n[tool.mlpin]\nindex-url = "https://own.example/simple"\n',
    )
    assert [layer.index_url.url if layer.index_url else "" for layer in found.layers] == [
        "https://own.example/simple",
        "https://poetry.example/simple",
        "https://uv.example/simple",
    ]


def test_dependencies_in_the_table_of_mlpin(tmp_path: Path) -> None:
    found = reading(
        tmp_path,
        '[tool.mlpin]\nname = "p"\npython = "3.11"\nrequires-python = ">=3.10"\ndependencies = ["numpy"]\n'
        '[tool.mlpin.optional-dependencies]\nx = ["scipy"]\n[tool.mlpin.dependency-groups]\ng = ["p[x]"]\n',
        NAME,
    )
    assert (names(found.requirements), names(found.groups["g"]), found.requires_python) == (
        ["numpy"],
        ["scipy"],
        ">=3.10",
    )
    assert found.layers[0].python == ("3.11",)


@pytest.mark.parametrize(
    ("text", "where", "word"),
    [
        ("[project\n", "pyproject.toml:1", "TOML"),
        ('[project]\nname = "a"\ndependencies = ["a"\n', "pyproject.toml:3", "TOML"),
        ("[project]\nname = 3\n", "pyproject.toml:2", "string"),
        ('[project]\nrequires-python = ">=x"\n', "pyproject.toml:2", "Python versions"),
        ("x = " + "[" * 3000, "pyproject.toml", "nested"),
        ("[tool.ruff]\n", "pyproject.toml", "no dependencies"),
        ("project = 3\n", "pyproject.toml:1", "table"),
        ("[tool]\nuv = []\n[project]\n", "pyproject.toml:2", "table"),
        ("[project]\nname = 'a'\n[tool.mlpin]\nnonsense = 1\n", "pyproject.toml:4", "nonsense"),
    ],
)
def test_broken_files(tmp_path: Path, text: str, where: str, word: str) -> None:
    error = refused(tmp_path, text, NAME)
    assert word in error.message
    assert error.where == where
