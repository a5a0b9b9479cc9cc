"""What `mlpin explain` says of conflicts that people reported, against ../shared/ground_truth/repairs.json.

The default index is asked, through whatever pip is configured with. What is said is not compared with what the labels
say, but proven: the lines that are named clash by themselves and without any one of them do not, and the first repair
is written and locked. uv, which knows nothing of it, has to agree where every package has a wheel.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.projects import Project, Ran

GROUND = Path(__file__).parents[3] / "shared" / "ground_truth" / "repairs.json"
UV = Path(sys.executable).with_name("uv")

pytestmark = [
    pytest.mark.long,
    pytest.mark.network,
    pytest.mark.skipif(not GROUND.is_file(), reason="../shared/ground_truth is not here"),
]

CASES = json.loads(GROUND.read_text())["cases"] if GROUND.is_file() else []
PLATFORMS = {"x86_64-manylinux_2_28": "linux-x86_64", "x86_64-apple-darwin": "macos-13-x86_64"}
FACTS = {"python": "python", "platform": "platform"}
"""By the first word in the labels, what a fact of the target is called in an explanation."""

Case = Mapping[str, Any]


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def project(
    cache_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    for key in set(os.environ):
        if key.startswith(("UV_", "MLPIN_")):
            monkeypatch.delenv(key)
    monkeypatch.setenv("MLPIN_CACHE_DIR", str(cache_dir))
    monkeypatch.chdir(tmp_path)
    found = Project(tmp_path, capsys)
    # Of this machine's indexes only the default one counts.
    found.write("mlpin.toml", "extra-index-urls = []\nfind-links = []\n")
    return found


def target(case: Case) -> list[str]:
    return ["--python", case["python"], "--platform", PLATFORMS[case["platform"]]]


def asked(project: Project, case: Case, requirements: Sequence[str], command: str, *words: str) -> Ran:
    """Run a command on some requirements of a case."""
    project.write("requirements.txt", "".join(f"{line}\n" for line in requirements))
    return project.run(command, "requirements.txt", *target(case), "--quiet", *words)


def cases() -> list[Any]:
    return [pytest.param(case, id=case["id"].removeprefix("repair-")) for case in CASES]


@pytest.mark.parametrize("case", cases())
def test_the_clash_is_one_and_as_small_as_any(case: Case, project: Project) -> None:
    ran = asked(project, case, case["requirements"], "explain", "--format", "json")
    assert ran.code == 1, ran.words
    found = json.loads(ran.out)
    assert found["minimal"]
    premises = [one for one in found["clash"] if one["role"] == "premise"]
    lines = [one["text"] for one in premises if one["kind"] == "requirement"]
    wanted_lines = [one for one in case["minimal_clash"] if one in case["requirements"]]
    wanted_facts = {FACTS[re.split(r"\W", one)[0]] for one in case["minimal_clash"] if one not in wanted_lines}
    assert {*lines} <= {*case["requirements"]}
    assert len(lines) == len(wanted_lines)
    assert {one["about"] for one in premises if one["kind"] != "requirement"} == wanted_facts
    assert asked(project, case, lines, "lock").code == 1
    for line in lines if len(lines) > 1 else ():
        ran = asked(project, case, [one for one in lines if one != line], "lock")
        assert ran.code == 0, (line, ran.words)


@pytest.mark.parametrize("case", cases())
def test_the_first_repair_resolves(case: Case, project: Project) -> None:
    ran = asked(project, case, case["requirements"], "explain", "--apply", "1")
    assert ran.code == 0, ran.words
    repaired = (project.root / "requirements.txt").read_text().splitlines()
    locked = project.versions()
    for line in map(Requirement, repaired):
        assert line.specifier.contains(locked[line.name], prereleases=True), line
    python = project.tables()["tool"]["mlpin"]["target"]["python"]
    assert repaired != case["requirements"] or python != case["python"]
    agrees(project, case, python)


def agrees(project: Project, case: Case, python: str) -> None:
    """uv solves what was repaired, too."""
    if not UV.exists():
        pytest.skip(f"uv is not installed beside {sys.executable}")
    built = [package["name"] for package in project.tables()["packages"] if not package.get("wheels")]
    if built:
        pytest.skip(f"uv would have to build {', '.join(built)} to know what it needs")
    command = [str(UV), "pip", "compile", "--quiet", "--no-config", "--only-binary", ":all:", "--no-cache"]
    command += ["--python-version", python, "--python-platform", case["platform"], "requirements.txt"]
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
