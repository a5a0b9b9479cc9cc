"""`mlpin completion`: the scripts, and what real shells make of them."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from mlpin import cli
from mlpin.commands.completion import SHELLS
from tests.projects import Project

LINES = [
    ("che", {"check"}),
    ("", set(cli.COMMANDS)),
    ("lock --pla", {"--platform"}),
    ("lock --exclude-n", {"--exclude-newer"}),
    ("matrix st", {"stats"}),
    ("check --format sa", {"sarif"}),
    ("completion ", set(SHELLS)),
    ("lock requ", {"requirements.txt", "requirements-dev"}),
    ("audit --env requ", {"requirements.txt", "requirements-dev"}),
    ("lock --cache-dir requ", {"requirements-dev"}),
]


def asked(shell: str, script: Path, line: str) -> str:
    """A program for `shell` that prints how it completes `line`."""
    if shell == "fish":
        return f"source {script}; complete -C {shlex.quote(f'mlpin {line}')}"
    words = ["mlpin", *line.split(" ")]
    return (
        f"source {script}; COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}; "
        '_shtab_mlpin; printf "%s\\n" "${COMPREPLY[@]}"'
    )


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_has_its_script_with_every_command_and_option(project: Project, shell: str) -> None:
    ran = project.run("completion", shell)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == project.run("completion", shell).out
    assert str(Path.cwd()) not in ran.out
    for word in (*cli.COMMANDS, "exclude-newer", "why-not", "pip-constraints"):
        assert word in ran.out


@pytest.mark.parametrize("shell", [shell for shell in ("bash", "fish") if shutil.which(shell)])
@pytest.mark.parametrize(("line", "expected"), LINES)
def test_a_shell_completes(project: Project, shell: str, line: str, expected: set[str]) -> None:
    project.write("requirements.txt", "")
    project.write("requirements-dev/base.txt", "")
    script = project.write("script", project.run("completion", shell).out)
    done = subprocess.run([shell, "-c", asked(shell, script, line)], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    offered = {word.partition("\t")[0].rstrip("/") for word in done.stdout.splitlines()}
    assert offered == expected


def test_another_shell_is_refused(project: Project) -> None:
    ran = project.run("completion", "ksh")
    assert (ran.code, ran.out) == (2, "")
    assert "choose from" in ran.words
