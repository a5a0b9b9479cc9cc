"""The peers' scenarios (packse, resolvelib) against the whole command, one test for each.

A universal scenario asks one question of every environment; here it is asked once per target, and each
answer must be a solution there. Indexes are served on loopback, the command runs in this process.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mlpin import cli

if TYPE_CHECKING:
    from types import ModuleType

SHARED = Path(__file__).parents[2].parent / "shared"
TOOL = SHARED / "tools" / "run_scenarios.py"
FILES = [path for name in ("packse", "resolvelib") if (path := SHARED / "scenarios" / f"{name}.json").is_file()]

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not (TOOL.is_file() and FILES), reason="the scenarios of ../shared are not here"),
]

EXCEPTIONS = {
    "python-less-than-current": (
        "expects a package for Python <=3.8 to be locked for 3.9: a choice of uv's, which ignores upper bounds"
        " (the scenario itself calls it a policy); a target's Python is a fact here"
    ),
    "transitive-yanked-and-unyanked-dependency": (
        "a yanked version is admitted by whatever pins it with `==` (PEP 592's first approach, what pip does), not"
        " by the user's own lines alone; the lock's summary says that it was yanked"
    ),
    "preferences-dependent-forking-conflicting": (
        "expects no solution because of the order of uv's forks (the scenario itself calls it a policy); each"
        " target has one"
    ),
}
"""By scenario: why our design differs. Each must still fail."""

TARGETS = (
    ("linux-x86_64", "linux", "x86_64"),
    ("macos-14-arm64", "darwin", "arm64"),
    ("windows-amd64", "win32", "AMD64"),
)
PYTHONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")


def _tools() -> tuple[ModuleType, ModuleType]:
    sys.path.insert(0, str(TOOL.parent))
    try:
        spec = importlib.util.spec_from_file_location("run_scenarios", TOOL)
        assert spec is not None
        assert spec.loader is not None
        runner = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(runner)
    finally:
        sys.path.pop(0)
    return runner, sys.modules["scenario_index"]


if TOOL.is_file() and FILES:
    runner, scenario_index = _tools()
    SCENARIOS = [scenario for path in FILES for scenario in scenario_index.load(str(path))]
else:
    SCENARIOS = []

Lock = Callable[..., tuple[int, list[Any]]]


@pytest.fixture(scope="module")
def index_of() -> Iterator[Callable[[str], str]]:
    indexes = {scenario["name"]: scenario_index.Index(scenario) for scenario in [*SCENARIOS, runner.SMOKE]}
    with scenario_index.Server(indexes) as server:
        yield server.url


@pytest.fixture
def lock(asked: Callable[..., list[str]], tmp_path: Path, environ: Any, monkeypatch: pytest.MonkeyPatch) -> Lock:
    """Lock a scenario for one target: the exit status and the pins."""
    monkeypatch.chdir(tmp_path)

    def run(scenario: dict[str, Any], python: str, platform: str) -> tuple[int, list[Any]]:
        lock = tmp_path / "pylock.toml"
        lock.unlink(missing_ok=True)
        status = cli.main(["lock", *asked(scenario, python, platform), "--quiet", "-o", "pylock.toml"])
        assert lock.exists() == (status == 0)
        return status, runner.read_pylock(lock.read_text()) if lock.exists() else []

    return run


@pytest.fixture
def asked(index_of: Callable[[str], str], tmp_path: Path) -> Callable[..., list[str]]:
    """The files of a scenario, and the arguments that ask for them."""

    def written(scenario: dict[str, Any], python: str, platform: str) -> list[str]:
        options = scenario["options"]
        (tmp_path / "requirements.in").write_text("".join(f"{line}\n" for line in scenario["root"]["requires"]))
        (tmp_path / "constraints.txt").write_text("".join(f"{line}\n" for line in scenario.get("constraints", [])))
        command = ["requirements.in", "--index-url", index_of(scenario["name"])]
        command += ["--python", python, "--platform", platform, "--resolution", options.get("resolution") or "highest"]
        command += ["--cache-dir", str(tmp_path / "cache")]
        command += ["--pre"] if options.get("prereleases") else []
        command += ["-c", "constraints.txt"] if scenario.get("constraints") else []
        for name in options.get("no_binary") or []:
            command += ["--no-binary", name]
        for name in options.get("no_build") or []:
            command += ["--only-binary", name]
        return command

    return written


def test_a_trivial_scenario_is_solved(lock: Lock) -> None:
    status, pins = lock(runner.SMOKE, "3.12", "linux-x86_64")
    assert status == 0
    assert runner.judge(runner.SMOKE, pins) == ("pass", "")


def _cases() -> list[Any]:
    return [
        pytest.param(
            scenario,
            id=f"{scenario['suite']}-{scenario['name']}",
            marks=[pytest.mark.xfail(strict=True, reason=EXCEPTIONS[scenario["name"]])]
            if scenario["name"] in EXCEPTIONS
            else [],
        )
        for scenario in SCENARIOS
    ]


@pytest.mark.parametrize("scenario", _cases())
def test_scenario(scenario: dict[str, Any], lock: Lock) -> None:
    if scenario["options"].get("universal"):
        _each_target(scenario, lock)
        return
    python = scenario["options"].get("python") or scenario["environment"]["python"]
    status, pins = lock(scenario, python, scenario["options"].get("python_platform") or "linux-x86_64")
    if scenario["expected"]["satisfiable"]:
        assert status == 0
        assert runner.judge(scenario, pins) == ("pass", "")
    else:
        assert status == 1


def _each_target(scenario: dict[str, Any], lock: Lock) -> None:
    allowed = runner.SpecifierSet(scenario["root"].get("requires_python") or "")
    statuses = set()
    newest_python = ""
    for python in PYTHONS:
        if not allowed.contains(f"{python}.99"):
            continue
        newest_python = python
        for platform, system, machine in TARGETS:
            status, pins = lock(scenario, python, platform)
            statuses.add(status)
            assert status in {0, 1}
            if status == 0:
                environment = runner.environment(f"{python}.99", system, machine)
                bad, reached = runner.problems(scenario, runner.active(pins, environment), environment)
                assert bad == []
                assert {name for name, _, _ in pins} == reached
                if system == "linux" and python == scenario["environment"]["python"]:
                    expected = scenario["expected"].get("packages", {})
                    assert {name: version for name, version, _ in pins if name in expected} == expected
    assert newest_python
    # No solution for all at once means: for one of the targets there is none.
    assert (statuses == {0}) == scenario["expected"]["satisfiable"]


UNSOLVABLE = [
    scenario for scenario in SCENARIOS if not scenario["expected"]["satisfiable"] and scenario["name"] not in EXCEPTIONS
]


@pytest.mark.parametrize("scenario", UNSOLVABLE, ids=lambda scenario: f"{scenario['suite']}-{scenario['name']}")
def test_an_unsolvable_scenario_is_explained(
    scenario: dict[str, Any], lock: Lock, asked: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """The lines that are named are impossible by themselves; where they are said to be the fewest, each is needed."""
    python = scenario["options"].get("python") or scenario["environment"]["python"]
    platform = scenario["options"].get("python_platform") or "linux-x86_64"
    capsys.readouterr()
    assert cli.main(["explain", *asked(scenario, python, platform), "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    premises = [one for one in found["clash"] if one["role"] == "premise"]
    named = {(one["kind"], one["line"]) for one in premises if one["line"]}

    def alone(kept: set[tuple[str, int]]) -> int:
        def some(kind: str, lines: list[str]) -> list[str]:
            return [line for number, line in enumerate(lines, 1) if (kind, number) in kept]

        root = {**scenario["root"], "requires": some("requirement", scenario["root"]["requires"])}
        limits = some("constraint", scenario.get("constraints", []))
        return lock({**scenario, "root": root, "constraints": limits}, python, platform)[0]

    assert named
    assert [one for one in found["clash"] if one["role"] == "link"] or len(named) > 1
    assert alone(named) == 1
    if found["minimal"]:
        assert {alone(named - {one}) for one in named} == {0}


def test_the_exceptions_are_scenarios() -> None:
    assert EXCEPTIONS.keys() <= {scenario["name"] for scenario in SCENARIOS}
