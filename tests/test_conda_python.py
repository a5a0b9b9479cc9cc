"""conda brings the Python, PyPI's releases are for some Pythons: which one a project gets, and that both agree."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conda.channels import channel, package
from tests.index.server import IndexServer
from tests.projects import Project
from tests.wheels import Built, wheel

PYTHONS = [package("python", f"3.{minor}.{patch}", f"{patch}_cp3{minor}") for minor in (10, 11, 12) for patch in (2, 7)]
NATIVE = [
    package("corelib", "2.0", "0", depends=["python >=3.12"]),
    package("corelib", "1.0", "0", depends=["python"]),
]


@pytest.fixture
def lines(project: Project, serve: Callable[..., IndexServer]) -> Callable[..., dict[str, str]]:
    channel(project.root / "ours", *PYTHONS, *NATIVE)

    def locked(dependencies: str, *wheels: Built, mlpin: str = "", code: int = 0) -> dict[str, str]:
        project.write("environment.yml", f"channels: [./ours]\ndependencies: {dependencies}\n")
        project.write("mlpin.toml", f'platform = "linux-x86_64"\n{mlpin}\n')
        ran = project.lock(index=serve(*wheels) if wheels else None)
        assert ran.code == code, ran.words
        if code:
            return {}
        tables = project.tables("pylock.toml")
        own = tables["tool"]["mlpin"]
        found = {one["name"]: one["version"] for one in (*own["conda"], *tables["packages"])}
        return {**found, "target": own["target"]["python"]}

    return locked


def test_a_release_is_for_the_very_patch_release_of_conda(lines: Callable[..., dict[str, str]]) -> None:
    wheels = (wheel("tool", "2.0", requires_python=">=3.9,!=3.11.2"), wheel("tool", "1.0", requires_python=">=3.9"))
    assert lines("[python=3.11, {pip: [tool]}]", *wheels)["tool"] == "2.0"
    assert lines("[python=3.11.2, {pip: [tool]}]", *wheels)["tool"] == "1.0"


def test_conda_s_python_gives_way_to_what_a_release_asks_for(lines: Callable[..., dict[str, str]]) -> None:
    found = lines("[python=3.11, {pip: [tool]}]", wheel("tool", "1.0", requires_python="<3.11.5"))
    assert (found["tool"], found["python"]) == ("1.0", "3.11.2")


@pytest.mark.parametrize("line", ["python 3.11.7|3.12.7", "python >=3.11"])
def test_conda_s_python_is_that_of_the_target(lines: Callable[..., dict[str, str]], line: str) -> None:
    found = lines(f'["{line}", {{pip: [tool]}}]', wheel("tool", "1.0"), mlpin='python = "3.11"')
    assert found["python"] == "3.11.7"


def test_nobody_names_a_python(lines: Callable[..., dict[str, str]]) -> None:
    found = lines("[corelib]")
    assert (found["corelib"], found["python"], found["target"]) == ("2.0", "3.12.7", "3.12")
    # The lock has settled it; lines that do not go with it settle it anew.
    found = lines("[corelib, {pip: [tool]}]", wheel("tool", "1.0", requires_python="<3.12"))
    assert (found["corelib"], found["python"], found["target"]) == ("1.0", "3.11.7", "3.11")


def test_an_older_python_that_needs_nothing_built(lines: Callable[..., dict[str, str]]) -> None:
    found = lines("[corelib<2, {pip: [tool]}]", wheel("tool", "1.0", tags="cp310-cp310-manylinux_2_17_x86_64"))
    assert found["target"] == "3.10"
