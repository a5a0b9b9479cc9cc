"""What CI systems are handed: hooks, the Action with its script, the GitLab template. Each is run as far as it does here."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.index.server import IndexServer
from tests.projects import Project
from tests.wheels import wheel

ROOT = Path(__file__).parents[1]
CI = ROOT / "examples" / "ci"
HOOKS = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))}
ACTION: dict[str, Any] = yaml.safe_load((CI / "action.yml").read_text("utf-8"))
GITLAB: dict[str, Any] = yaml.safe_load((CI / "mlpin.gitlab-ci.yml").read_text("utf-8"))["mlpin-check"]

pytestmark = pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash here")


@pytest.fixture
def locked(serve: Callable[..., IndexServer], project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A repository with a locked project in `api`, and mlpin on the PATH."""
    monkeypatch.chdir(project.root)
    project.write("api/requirements.txt", "a\n")
    project.locked("api", "--python", "3.11", index=serve(wheel("a", "1.0")), name="api/pylock.toml")
    mlpin = project.write("../bin/mlpin", f'#!/bin/sh\nexec {sys.executable} -P -m mlpin "$@"\n')
    mlpin.chmod(0o755)
    monkeypatch.setenv("PATH", f"{mlpin.parent.resolve()}:{os.environ['PATH']}")
    return project


def ran(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=False)


def step(root: Path, **inputs: str) -> tuple[int, str]:
    """The Action's step with these inputs in place of the defaults: its exit code and what it prints."""
    given = {name: value["default"] for name, value in ACTION["inputs"].items()} | inputs
    outputs = root / "outputs"
    outputs.write_text("")
    done = ran(
        "bash",
        str(CI / "check.sh"),
        GITHUB_OUTPUT=str(outputs),
        RUNNER_TEMP=str(root),
        **{f"INPUT_{name.upper()}": value for name, value in given.items()},
    )
    assert outputs.read_text() in {f"exit-code={done.returncode}\n", ""}
    return done.returncode, done.stdout + done.stderr


# -- pre-commit


@pytest.mark.parametrize("name", ["mlpin-check", "mlpin-lock"])
def test_a_hook_has_what_pre_commit_needs(name: str) -> None:
    hook = HOOKS[name]
    assert {"id", "name", "description", "entry", "language", "files"} <= set(hook)
    assert (hook["entry"], hook["language"]) == (name.replace("-", " "), "python")
    assert hook["pass_filenames"] is False


@pytest.mark.parametrize(
    ("file", "runs"),
    [
        ("pyproject.toml", True),
        ("services/api/pylock.train.toml", True),
        ("pylock.toml", True),
        ("requirements-dev.txt", True),
        ("requirements/base.in", True),
        ("constraints.txt", True),
        ("environment.yml", True),
        ("README.md", False),
        ("notes.txt", False),
        ("my-pyproject.toml", False),
        ("src/pylock.py", False),
    ],
)
def test_hooks_run_where_a_manifest_or_a_lock_changes(file: str, runs: bool) -> None:
    assert bool(re.search(HOOKS["mlpin-check"]["files"], file)) == runs


# -- the Action


def test_the_action_hands_its_inputs_over_as_text() -> None:
    (only,) = ACTION["runs"]["steps"]
    assert ACTION["runs"]["using"] == "composite"
    assert only["shell"] == "bash"
    assert "${{" not in only["run"]
    assert only["env"] == {f"INPUT_{name.upper()}": f"${{{{ inputs.{name} }}}}" for name in ACTION["inputs"]}
    assert all(value["description"] for value in (ACTION, *ACTION["inputs"].values(), *ACTION["outputs"].values()))
    assert {value["value"] for value in ACTION["outputs"].values()} == {"${{ steps.check.outputs.exit-code }}"}


def test_the_action_passes_and_then_marks_the_line(locked: Project) -> None:
    assert step(locked.root, path="api") == (0, "mlpin check passed: no drift\n")
    locked.write("api/requirements.txt", "a\na>=2\n")
    code, said = step(locked.root, path="api", args=" --strict\n", sarif="out/api.sarif")
    assert code == 1
    assert said.startswith("::error file=api/"), said
    assert said.splitlines()[-1].startswith("mlpin check failed: ")
    (run,) = json.loads((locked.root / "out/api.sarif").read_text())["runs"]
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].startswith("api/")


@pytest.mark.parametrize(
    "inputs",
    [
        {"path": "$(touch pwned)"},
        {"path": "`touch pwned`; touch pwned"},
        {"path": "--version"},
        {"args": "; touch pwned"},
        {"args": "$(touch pwned) *"},
        {"format": "text; touch pwned"},
        {"path": "nowhere", "sarif": "$(touch pwned)"},
    ],
    ids=str,
)
def test_inputs_of_the_action_are_never_run(locked: Project, inputs: dict[str, str]) -> None:
    code, said = step(locked.root, **inputs)
    assert code == 2
    assert "error: " in said
    assert not (locked.root / "pwned").exists()


# -- GitLab


@pytest.mark.parametrize(("line", "failures"), [("a", "0"), ("a>=2", "1")])
def test_the_job_of_gitlab_fails_and_reports(locked: Project, line: str, failures: str) -> None:
    locked.write("api/requirements.txt", f"{line}\n")
    variables = GITLAB["variables"] | {"LOCK_PATH": "api", "LOCK_CHECK_ARGS": "--strict"}
    done = ran("sh", "-e", "-c", "\n".join(GITLAB["script"]), **variables)
    assert (done.returncode == 0) == (failures == "0"), done.stderr
    report = ET.parse(locked.root / GITLAB["artifacts"]["reports"]["junit"]).getroot()
    assert report.find("testsuite[@name='mlpin check: manifest']").get("failures") == failures
    assert GITLAB["artifacts"]["when"] == "always"
