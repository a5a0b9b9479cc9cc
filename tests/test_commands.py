"""`mlpin host`, `mlpin init` and `mlpin matrix`: what they show, what they leave alone, what they refuse."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from mlpin.nvml import Gpu, Nvidia
from tests.projects import Project

SOURCE = Path(__file__).parents[1] / "src"
AGE = f"{(dt.datetime.now(dt.UTC).date() - dt.date(2019, 1, 2)).days // 365}y"
ORIGIN = 'source = ["our ticket 7", "our ticket 8"]\nevidence = "reported"\ndate = 2019-01-02\n'
RULES = f"""
[[rule]]
id = "ours-with"
package = "ours-a"
versions = "<2"
with = "ours-b"
fails = ">=2"
platforms = ["linux-*"]
python = ">=3.9"
accelerator = "cuda"
severity = "broken"
symptom = "it falls over"
remedy = "ours-b 1.9"
{ORIGIN}
[[rule]]
id = "ours-pairs"
package = "ours-a"
with = "ours-c"
needs = [["==1.*", "==5.*"], ["==2.*", "==6.*"]]
severity = "declared"
{ORIGIN}
[[rule]]
id = "ours-code"
package = "ours-z"
kernels = ["sm_80", "sm_90+PTX"]
severity = "untested"
{ORIGIN}
"""


@pytest.fixture
def ours(project: Project) -> Project:
    project.write("ours.toml", RULES)
    project.write("pyproject.toml", '[tool.mlpin]\nmatrix = ["ours.toml"]\n')
    return project


def shown(project: Project, *arguments: str) -> Any:
    """What a command shows as JSON."""
    ran = project.run(*arguments, "--format", "json")
    assert (ran.code, ran.err) == (0, ""), ran.words
    return json.loads(ran.out)


def refused(project: Project, *arguments: str) -> str:
    """The words of a refusal with exit code 2."""
    ran = project.run(*arguments)
    assert (ran.code, ran.out) == (2, ""), ran.words
    assert "error: " in ran.err
    return ran.words


def target(text: str, name: str = "host") -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(text)["tool"]["mlpin"]["targets"][name]
    return found


# -- host


def test_this_machine_as_a_table(project: Project) -> None:
    ran = project.run("host")
    assert ran.code == 0
    found = target(ran.out)
    assert found["python"] == f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert found["accelerator"] in {"cuda", "rocm", "cpu", "metal"}
    assert all(line.startswith(("note: ", "  ")) for line in ran.err.splitlines())
    assert max((len(line) for line in ran.err.splitlines()), default=0) <= 80


def test_notes_can_be_left_out(project: Project) -> None:
    assert project.run("host", "-q").err == ""


def test_the_table_can_be_named(project: Project) -> None:
    assert target(project.run("host", "--name", "desk-2", "-q").out, "desk-2")


def test_the_table_is_one_that_other_commands_take(project: Project) -> None:
    project.write("pyproject.toml", '[project]\nname = "mine"\nversion = "1"\n' + project.run("host", "-q").out)
    project.write("freeze.txt", "nobody-knows==1\n")
    of_target = shown(project, "audit", "freeze.txt", "--target", "host")["machine"]
    of_host = shown(project, "audit", "freeze.txt", "--host")["machine"]
    assert (of_target["platform"], of_target["accelerator"]) == (of_host["platform"], of_host["accelerator"])


def test_this_machine_as_data(project: Project) -> None:
    found = shown(project, "host")
    assert list(found) == [
        "python",
        "platform",
        "glibc",
        "libc",
        "cpu",
        "cpu_features",
        "driver",
        "cuda",
        "gpus",
        "amd",
        "container",
        "notes",
        "overrides",
    ]
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert isinstance(found["container"], bool)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's")
def test_what_conda_overrides(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDA_OVERRIDE_GLIBC", "2.17")
    monkeypatch.setenv("CONDA_OVERRIDE_CUDA", "12.4")
    found = shown(project, "host")
    assert (found["glibc"], found["cuda"]) == ("2.17", "12.4")
    assert found["overrides"] == ["CONDA_OVERRIDE_CUDA", "CONDA_OVERRIDE_GLIBC"]
    ran = project.run("host")
    assert (target(ran.out)["glibc"], target(ran.out)["accelerator"]) == ("2.17", "cuda")
    assert "note: CONDA_OVERRIDE_GLIBC is set: 2.17 instead of" in ran.words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("extra",), "unrecognized arguments: extra"),
        (("--format", "yaml"), "invalid choice: 'yaml'"),
        (("--name",), "expected one argument"),
    ],
)
def test_a_host_asked_for_wrongly(project: Project, arguments: tuple[str, ...], words: str) -> None:
    assert words in refused(project, "host", *arguments)


@pytest.mark.parametrize("name", ["Bad Name", "", "a.b"])
def test_a_name_that_no_target_can_have(project: Project, name: str) -> None:
    refused(project, "host", "--name", name)


@pytest.mark.parametrize(
    ("override", "cuda", "driver", "words"),
    [
        ("12", "12", "CUDA 12.0", "CONDA_OVERRIDE_CUDA is set: 12 instead of"),
        ("99.0", "99.0", None, "which driver reports CUDA 99.0 is not known to mlpin, so the table names none"),
        ("latest", "", None, "CONDA_OVERRIDE_CUDA is not heeded: 'latest' is no version"),
    ],
)
def test_what_conda_overrides_of_cuda(
    project: Project, monkeypatch: pytest.MonkeyPatch, override: str, cuda: str, driver: str | None, words: str
) -> None:
    monkeypatch.setattr("mlpin.nvml.detect", lambda _: Nvidia())
    monkeypatch.setenv("CONDA_OVERRIDE_CUDA", override)
    ran = project.run("host")
    assert target(ran.out).get("driver") == driver
    assert target(ran.out)["accelerator"] == ("cuda" if cuda else "cpu")
    assert words in ran.words
    assert shown(project, "host")["cuda"] == cuda


def test_an_override_that_changes_nothing_needs_no_word(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlpin.nvml.detect", lambda _: Nvidia())
    monkeypatch.setenv("CONDA_OVERRIDE_CUDA", "")
    ran = project.run("host")
    assert (target(ran.out)["accelerator"], ran.err) == ("cpu", "")


def test_gpus_go_by_what_the_matrix_knows(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    gpus = (
        Gpu("NVIDIA H100 80GB HBM3", "9.0"),
        Gpu("NVIDIA Wonder 9000", "12.7"),
        Gpu("NVIDIA Marvel 1"),
        Gpu("Tesla V100", "7.5"),  # whatever the name says, the driver knows better
    )
    monkeypatch.setattr("mlpin.nvml.detect", lambda _: Nvidia("580.95.05", "13.0", gpus))
    ran = project.run("host")
    assert target(ran.out)["gpus"] == ["NVIDIA H100 80GB HBM3", "sm_127", "sm_75"]
    assert "note: NVIDIA Marvel 1 is no GPU that mlpin knows" in ran.words
    assert "add its compute capability to `gpus`, like sm_90" in ran.words
    project.write("requirements.txt", "")
    assert project.run("init", "-h").code == 0
    assert project.run("init").code == 0
    ran = project.run("lock", "--offline")
    assert (ran.code, "driver 580.95.05, NVIDIA H100 80GB HBM3 and sm_127 and sm_75" in ran.words) == (0, True)


# -- init


def test_a_first_table(project: Project) -> None:
    project.write("pyproject.toml", '[project]\nname = "mine"\nversion = "1"   # kept\n')
    ran = project.run("init")
    assert (ran.code, ran.out) == (0, "added the target `host` to pyproject.toml\n")
    text = (project.root / "pyproject.toml").read_text()
    assert text.startswith('[project]\nname = "mine"\nversion = "1"   # kept\n\n[tool.mlpin.targets.host]\n')
    assert target(text)["python"] == f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert not (project.root / "mlpin.toml").exists()


def test_a_file_of_its_own(project: Project) -> None:
    project.write("requirements.txt", "ours-a\n")
    ran = project.run("init", "--name", "desk")
    assert (ran.code, ran.out) == (0, "added the target `desk` to mlpin.toml\n")
    assert set(tomllib.loads((project.root / "mlpin.toml").read_text())["targets"]) == {"desk"}
    assert sorted(path.name for path in project.root.iterdir()) == ["mlpin.toml", "requirements.txt"]


def test_a_file_of_its_own_goes_before_pyproject(project: Project) -> None:
    before = project.write("pyproject.toml", '[project]\nname = "mine"\n').read_text()
    project.write("mlpin.toml", 'python = "3.11"')
    assert project.run("init").code == 0
    assert (project.root / "pyproject.toml").read_text() == before
    found = tomllib.loads((project.root / "mlpin.toml").read_text())
    assert (found["python"], list(found["targets"])) == ("3.11", ["host"])


def test_another_directory(project: Project) -> None:
    (project.root / "sub").mkdir()
    assert project.run("init", "sub").code == 0
    assert [path.name for path in project.root.iterdir()] == ["sub"]
    assert (project.root / "sub/mlpin.toml").exists()


@pytest.mark.parametrize("name", ["pyproject.toml", "mlpin.toml"])
def test_a_dry_run_writes_nothing(project: Project, name: str) -> None:
    project.write(name, "")
    ran = project.run("init", "--dry-run")
    assert ran.code == 0
    found = tomllib.loads(ran.out)
    assert (found["tool"]["mlpin"] if name == "pyproject.toml" else found)["targets"]["host"]["python"]
    assert [(path.name, path.read_text()) for path in project.root.iterdir()] == [(name, "")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", '[tool.mlpin.targets.a]\npython = "3.11"\n'),
        ("pyproject.toml", '[tool.mlpin]\ntargets.a.python = "3.11"\n'),
        ("pyproject.toml", 'tool = { mlpin = { targets = { a = { python = "3.11" } } } }\n'),
        ("mlpin.toml", '[targets.host]\npython = "3.11"\n'),
        ("mlpin.toml", "targets = {}\n"),
    ],
)
def test_targets_that_are_there_are_left_alone(project: Project, name: str, text: str) -> None:
    path = project.write(name, text)
    words = refused(project, "init")
    assert f"error: {name}: there are targets already hint: `mlpin host` prints a table" in words
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nodir",), "error: nodir: there is no such directory"),
        (("file",), "error: file: this is no directory"),
        (("--name", "Bad Name"), "`Bad Name` cannot be a target: small letters, digits, `-` and `_` only"),
        (("--name", "a.b"), "`a.b` cannot be a target"),
        (("--name", ""), "cannot be a target"),
        ((".", "more"), "unrecognized arguments: more"),
    ],
)
def test_an_init_asked_for_wrongly(project: Project, arguments: tuple[str, ...], words: str) -> None:
    project.write("file", "")
    assert words in refused(project, "init", *arguments)
    assert [path.name for path in project.root.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"[tool.mlpin\n", "pyproject.toml: is not TOML"), (b"\xff\xfe", "pyproject.toml: is not text in UTF-8")],
)
def test_a_file_that_cannot_be_read_is_left_alone(project: Project, data: bytes, words: str) -> None:
    path = project.root / "pyproject.toml"
    path.write_bytes(data)
    assert words in refused(project, "init")
    assert path.read_bytes() == data


@pytest.mark.parametrize(
    "text",
    ['[tool]\nmlpin = { python = "3.11" }\n', 'tool = { mlpin = { python = "3.11" } }\n', "[tool]\nmlpin = 3\n"],
)
def test_what_is_there_is_not_broken(project: Project, text: str) -> None:
    path = project.write("pyproject.toml", text)
    ran = project.run("init")
    tomllib.loads(path.read_text())
    assert ran.code == 0 or path.read_text() == text


def test_line_ends_are_kept(project: Project) -> None:
    path = project.root / "pyproject.toml"
    path.write_bytes(b'[project]\r\nname = "mine"\r\n')
    assert project.run("init").code == 0
    assert path.read_bytes().startswith(b'[project]\r\nname = "mine"\r\n')


def test_a_dry_run_refuses_what_a_run_refuses(project: Project) -> None:
    project.write("mlpin.toml", '[targets.host]\npython = "3.11"\n')
    refused(project, "init", "--dry-run")


def test_targets_in_the_other_file(project: Project) -> None:
    project.write("mlpin.toml", "")
    project.write("pyproject.toml", '[tool.mlpin.targets.a]\npython = "3.11"\n')
    refused(project, "init")


@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("pyproject.toml", b'\xef\xbb\xbf[project]\r\nname = "mine"\r\n'),
        ("pyproject.toml", b'[project]\nname = "mine" # no end of line'),
        ("pyproject.toml", b"[tool.mlpin]\npython = '3.11'\n[tool.other]\nx = nan\n\n\n"),
        ("pyproject.toml", b"tool.mlpin.python = '3.11'\n"),
        ("pyproject.toml", b"\xef\xbb\xbf"),
        ("mlpin.toml", b"python = '3.11'\r\n\r\n"),
        ("mlpin.toml", b'text = """\nunder\n"""'),
    ],
)
def test_what_was_there_stays_to_the_byte(project: Project, name: str, before: bytes) -> None:
    path = project.root / name
    path.write_bytes(before)
    assert project.run("init").code == 0
    after = path.read_bytes()
    assert after.startswith(before)
    added = after.removeprefix(before)
    assert (b"\r\n" in added) == (b"\r\n" in before)
    assert added.count(b"\n") == added.count(b"\r\n") or b"\r" not in added
    found = tomllib.loads(after.decode("utf-8-sig"))
    assert (found["tool"]["mlpin"] if name == "pyproject.toml" else found)["targets"]["host"]["python"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[tool]\nmlpin = { python = "3.11" }\n', "`tool.mlpin` is written inline, so that no table can be appended"),
        (
            "tool = { other = 1 }\n",
            "`tool` is written inline, so that no table can be appended to it hint: write it as",
        ),
        ("[tool]\nmlpin = 3\n", "`tool.mlpin` is not a table, so that no target can be added to it hint: make it a"),
        ("[[tool.mlpin]]\n", "`tool.mlpin` is not a table"),
        ("tool = 3\n", "`tool` is not a table"),
        ("x = " + 5000 * "1", "is not TOML: Exceeds the limit"),
        ("x = " + 5000 * "[", "is not TOML: "),
    ],
)
@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_what_cannot_have_a_table_says_so(project: Project, text: str, words: str, more: tuple[str, ...]) -> None:
    path = project.write("pyproject.toml", text)
    assert f"error: pyproject.toml: {words}" in refused(project, "init", *more)
    assert path.read_text() == text


def test_a_directory_where_a_file_should_be(project: Project) -> None:
    (project.root / "mlpin.toml").mkdir()
    assert "error: mlpin.toml: this is a directory, where a file was expected" in refused(project, "init")


def test_a_place_that_cannot_be_written_to(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = project.write("pyproject.toml", "[project]\n")
    monkeypatch.setattr("os.replace", full)
    words = refused(project, "init")
    assert "error: pyproject.toml: cannot be written: No space left on device" in words
    assert words.endswith("hint: `mlpin init --dry-run` prints the table, to be pasted by hand")
    assert [(one.name, one.read_text()) for one in project.root.iterdir()] == [(path.name, "[project]\n")]


def test_where_a_table_for_mlpin_toml_goes(project: Project) -> None:
    project.write("mlpin.toml", "[targets.a]\n")
    assert "ready to be pasted, without `tool.mlpin.` here" in refused(project, "init")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.30"\n'),
        ("mlpin.toml", 'requires-python = ">=3.30"\ndependencies = []\n'),
    ],
)
def test_a_python_that_the_project_does_not_allow(project: Project, name: str, text: str) -> None:
    path = project.write(name, text)
    ran = project.run("init")
    assert (ran.code, "the project wants >=3.30: the target leaves it open" in ran.words) == (0, True)
    found = tomllib.loads(path.read_text())
    assert "python" not in (found["tool"]["mlpin"] if name == "pyproject.toml" else found)["targets"]["host"]
    path.write_text(text.replace(">=3.30", "what"))
    assert project.run("init").code == 0


@pytest.mark.parametrize("name", ["requirements.txt", "setup.cfg", "mlpin.toml"])
def test_lock_sees_the_table(project: Project, name: str) -> None:
    """A pyproject.toml may hold settings alone, beside whatever says what is wanted."""
    texts = {"setup.cfg": "[options]\ninstall_requires =\n", "mlpin.toml": "dependencies = []\nglibc = '2.31'\n"}
    project.write(name, texts.get(name, "# nothing\n"))
    pyproject = project.write("pyproject.toml", "[tool.other]\n[tool.mlpin]\nglibc = '2.30'\n")
    ran = project.run("init", "--name", "desk")
    assert (ran.code, ran.out) == (0, f"added the target `desk` to {name if 'mlpin' in name else pyproject.name}\n")
    ran = project.run("lock", "--target", "desk", "--offline")
    assert ran.code == 0, ran.words
    assert (project.root / "pylock.desk.toml").exists()


def test_settings_of_a_project_are_not_those_of_a_file_beside_it(project: Project) -> None:
    project.write("pyproject.toml", '[project]\nname = "x"\nversion = "1"\n[tool.mlpin.targets.desk]\n')
    project.write("requirements.txt", "")
    project.write("script.py", "# /// script\n# dependencies = []\n# ///\n")
    for name in ("requirements.txt", "script.py"):
        assert "there is no target `desk`" in refused(project, "lock", name, "--target", "desk")
    project.write("pyproject.toml", "[tool.mlpin.targets.desk]\n")
    assert "there is no target `desk`" in refused(project, "lock", "script.py", "--target", "desk")
    assert project.run("lock", "requirements.txt", "--target", "desk", "--offline").code == 0


@pytest.mark.parametrize("command", ["lock", "audit", "host", "init", "matrix"])
def test_hints_point_to_the_command(project: Project, command: str) -> None:
    for arguments in ((command, "--nosuch"), (command, "--format", "yaml"), ("--nosuch", command)):
        assert f"`mlpin {command} --help` lists the options" in refused(project, *arguments)
    assert "hint: `mlpin --help` lists the options" in refused(project, "--nosuch")
    assert "hint: `mlpin --help` lists the options" in refused(project, "nosuch")


# -- matrix


def test_a_rule_a_line(ours: Project) -> None:
    ran = ours.run("matrix", "list", "ours-a", "ours-z")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        f"broken     {AGE} ours-with: ours-a <2 fails with ours-b >=2\n"
        f"declared   {AGE} ours-pairs: ours-a ==1.* needs ours-c ==5.* (and 1 more)\n"
        f"untested   {AGE} ours-code: ours-z has code for sm_80 sm_90+PTX\n"
    )


def test_all_rules_of_a_project_and_the_shipped_ones(ours: Project) -> None:
    ran = ours.run("matrix", "list")
    lines = ran.out.splitlines()
    assert len(lines) > 100
    assert max(map(len, lines)) <= 80
    assert {line.split()[0] for line in lines} == {"broken", "declared", "untested"}
    assert sum("ours-" in line for line in lines) == 3
    assert {rule["id"] for rule in shown(ours, "matrix", "list")} >= {"ours-with", "ours-pairs", "ours-code"}


def test_a_rule_with_its_sources(ours: Project) -> None:
    ran = ours.run("matrix", "show", "ours-with")
    assert ran.out == (
        "ours-with  [broken]\n"
        "  ours-a <2 fails with ours-b >=2\n"
        "  platforms: linux-*\n"
        "  Python: >=3.9\n"
        "  accelerator: cuda\n"
        "  symptom: it falls over\n"
        "  remedy: ours-b 1.9\n"
        "  source: our ticket 7\n"
        "  source: our ticket 8\n"
        f"  evidence: reported, 2019-01-02 ({AGE} old)\n"
        "\n"
    )
    (rule,) = shown(ours, "matrix", "show", "ours-with")
    assert (rule["package"], rule["other"], rule["table"]) == ("ours-a", "ours-b", [["<2", ">=2"]])
    assert rule["source"] == ["our ticket 7", "our ticket 8"]


def test_all_that_is_known_of_a_package(ours: Project) -> None:
    assert [rule["id"] for rule in shown(ours, "matrix", "show", "ours-a")] == ["ours-with", "ours-pairs"]
    assert [rule["id"] for rule in shown(ours, "matrix", "show", "ours-b")] == ["ours-with"]
    assert [rule["id"] for rule in shown(ours, "matrix", "show", "ours-b", "ours-a")] == ["ours-with", "ours-pairs"]
    found = shown(ours, "matrix", "show", "torch")
    assert found
    assert all(rule["source"] and rule["date"] and rule["evidence"] for rule in found)


def test_how_much_is_known(ours: Project) -> None:
    before = shown(ours, "matrix", "stats")
    assert set(before) == {
        "version",
        "digest",
        "rules",
        "packages",
        "severity",
        "evidence",
        "sources_of",
        "oldest",
        "gpus",
        "build_lines",
        "release_files",
        "switched_off",
    }
    assert (before["oldest"], before["switched_off"]) == ("2019-01-02", {})
    off = '[tool.mlpin.rules]\n"ours-with" = { off = true, reason = "we patched it" }\n'
    ours.write("pyproject.toml", f'[tool.mlpin]\nmatrix = ["ours.toml"]\n{off}')
    after = shown(ours, "matrix", "stats")
    assert (after["rules"], after["switched_off"]) == (before["rules"] - 1, {"ours-with": "we patched it"})
    ran = ours.run("matrix", "stats")
    assert f"  {after['rules']} rules about {after['packages']} packages: " in ran.out
    assert f"  oldest source: 2019-01-02 ({AGE} old)\n" in ran.out
    assert ran.out.endswith("  switched off: ours-with (we patched it)\n")


def test_rules_without_a_mistake(ours: Project) -> None:
    for arguments in ((), ("ours.toml",)):
        assert ours.run("matrix", "validate", *arguments).out == "3 rules, no mistake\n"
    assert shown(ours, "matrix", "validate") == {"ok": True, "rules": 3, "mistakes": []}


def test_every_mistake_is_told(ours: Project) -> None:
    ours.write("one.toml", '[[rule]]\nid = "X"\n\n[[gpu]]\nnames = 3\n')
    ours.write("two.toml", "[[rule]]\nid = \n")
    ran = ours.run("matrix", "validate", "one.toml", "two.toml", "three.toml", "ours.toml")
    assert ran.code == 2
    for line in (
        "one.toml:1: rule `X`: `id` must be lower case letters, digits, dots and hyphens",
        "one.toml:1: rule `X`: a rule has exactly one of `needs`, `fails` and `kernels`",
        "one.toml:4: gpu: `names` must be a string or a list of strings",
        "one.toml:4: gpu: `source` is missing: no statement without one",
        "three.toml: cannot be read: No such file or directory",
    ):
        assert line in ran.out.splitlines()
    assert "two.toml:2: is not TOML" in ran.out
    assert "ours.toml" not in ran.out


def test_mistakes_as_data(ours: Project) -> None:
    ours.write("ours.toml", "\n[[gpu]]\nnames = 3\n")
    ran = ours.run("matrix", "validate", "--format", "json")
    value = json.loads(ran.out)
    assert (ran.code, ran.err, value["ok"]) == (2, "", False)
    assert {
        "file": "ours.toml",
        "line": 2,
        "message": "gpu: `names` must be a string or a list of strings",
    } in value["mistakes"]


def test_a_project_without_rules_has_none_to_validate(project: Project) -> None:
    assert "there is no rule file here hint: name files, or list them" in refused(project, "matrix", "validate")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "the following arguments are required: what"),
        (("nosuch",), "invalid choice: 'nosuch'"),
        (("list", "--nosuch"), "unrecognized arguments: --nosuch"),
        (("show",), "show takes the id of a rule, or the name of a package hint: `mlpin matrix list` has the ids"),
        (("show", "ours-wiht"), "the matrix knows nothing of `ours-wiht` hint: did you mean ours-with"),
        (("show", "ours-a", "ours-q"), "the matrix knows nothing of `ours-q`"),
        (("show", "qqqqqqqq"), "the matrix knows nothing of `qqqqqqqq` hint: `mlpin matrix list`"),
    ],
)
def test_a_matrix_asked_for_wrongly(ours: Project, arguments: tuple[str, ...], words: str) -> None:
    assert words in refused(ours, "matrix", *arguments)


@pytest.mark.parametrize("arguments", [("list", "torch"), ("show", "torch"), ("stats",)])
def test_own_rules_that_cannot_be_used(ours: Project, arguments: tuple[str, ...]) -> None:
    ours.write("ours.toml", "[[rule]]\nid = \n")
    assert "error: ours.toml:2: is not TOML" in refused(ours, "matrix", *arguments)
    off = '[tool.mlpin.rules]\n"nosuch" = { off = true, reason = "x" }\n'
    ours.write("pyproject.toml", off)
    assert "switches off `nosuch`, and there is no such rule" in refused(ours, "matrix", *arguments)
    ours.write("pyproject.toml", "[tool.mlpin\n")
    assert "error: pyproject.toml:1: is not valid TOML" in refused(ours, "matrix", *arguments)


def test_errors_as_data(ours: Project) -> None:
    ran = ours.run("matrix", "show", "ours-wiht", "--format", "json")
    value = json.loads(ran.out)
    assert (ran.code, ran.err, value["outcome"], value["kind"]) == (2, "", "error", "input")


def test_a_rule_without_a_row(ours: Project) -> None:
    ours.write("ours.toml", RULES.replace('fails = ">=2"', "fails = []").replace('versions = "<2"\n', ""))
    assert "ours.toml:2: rule `ours-with`: `fails` is empty" in refused(ours, "matrix", "list")
    assert ours.run("matrix", "validate").code == 2


@pytest.mark.parametrize(("before", "after"), [("2019-01-02", '"2019-99-99"'), ('["sm_80", "sm_90+PTX"]', "[]")])
def test_more_mistakes(ours: Project, before: str, after: str) -> None:
    ours.write("ours.toml", RULES.replace(before, after))
    assert ours.run("matrix", "validate").code == 2


def test_figures_add_up(ours: Project) -> None:
    value = shown(ours, "matrix", "stats")
    assert sum(value["severity"].values()) == sum(value["evidence"].values()) == value["rules"]


def test_validate_counts_the_same_in_both_forms(ours: Project) -> None:
    ours.write("ours.toml", RULES.replace('with = "ours-b"', 'with = ["ours-b", "ours-d"]'))
    assert ours.run("matrix", "validate").out == "3 rules, no mistake\n"
    assert shown(ours, "matrix", "validate")["rules"] == 3


@pytest.mark.parametrize("name", ["Ours_A", "ours.a"])
def test_names_are_normalised(ours: Project, name: str) -> None:
    assert [rule["id"] for rule in shown(ours, "matrix", "show", name)] == ["ours-with", "ours-pairs"]


def test_a_list_of_nothing(ours: Project) -> None:
    assert "the matrix knows nothing of `qqqqqqqq`" in refused(ours, "matrix", "list", "qqqqqqqq")


def test_a_rule_that_is_switched_off_can_be_shown(ours: Project) -> None:
    off = '[tool.mlpin.rules]\n"ours-with" = { off = true, reason = "we patched it" }\n'
    ours.write("pyproject.toml", f'[tool.mlpin]\nmatrix = ["ours.toml"]\n{off}')
    ran = ours.run("matrix", "show", "ours-with")
    assert ran.out.startswith("ours-with  [broken, switched off]\n")
    assert "\n  switched off: we patched it\n" in ran.out
    assert ours.run("matrix", "list", "ours-with").out.startswith(f"off        {AGE} ours-with: ")
    off_of = {rule["id"]: rule.get("off") for rule in shown(ours, "matrix", "show", "ours-a")}
    assert off_of == {"ours-with": "we patched it", "ours-pairs": None}


def test_stats_are_of_the_whole_matrix(ours: Project) -> None:
    assert "stats takes no name hint: `mlpin matrix show torch`" in refused(ours, "matrix", "stats", "torch")


def test_ids_are_found_in_any_case(ours: Project) -> None:
    assert [rule["id"] for rule in shown(ours, "matrix", "show", "Ours-With")] == ["ours-with"]


def test_an_id_with_several_other_sides_counts_once(ours: Project) -> None:
    before = shown(ours, "matrix", "stats")
    ours.write("ours.toml", RULES.replace('with = "ours-b"', 'with = ["ours-b", "ours-d"]'))
    assert shown(ours, "matrix", "stats") == before


FILES = f"""
[[wheels]]
package = "ours-w"
version = "1.0"
url = "https://files.invalid/v1.0"
files = ["ours_w-1.0+cu124-py3-none-any.whl"]
{ORIGIN}
[[metadata]]
package = "ours-m"
versions = "<2"
requires = ["ours-a>=1", "ours-b"]
requires-python = ">=3.9"
{ORIGIN}
"""


def test_files_and_metadata_that_are_known_of_a_package(ours: Project) -> None:
    ours.write("ours.toml", FILES)
    assert ours.run("matrix", "show", "ours-w", "Ours_M").out == (
        "ours-w  [release files that no index lists]\n"
        "  1.0: 1 file at https://files.invalid/v1.0\n"
        "    source: our ticket 7\n"
        "    source: our ticket 8\n"
        f"    date: 2019-01-02 ({AGE} old)\n"
        "\n"
        "ours-m  [metadata for releases that publish none]\n"
        "  <2 needs ours-a>=1, ours-b; Python >=3.9\n"
        "    source: our ticket 7\n"
        "    source: our ticket 8\n"
        f"    date: 2019-01-02 ({AGE} old)\n"
        "\n"
    )
    assert [(one["kind"], one["package"]) for one in shown(ours, "matrix", "show", "ours-w", "ours-m")] == [
        ("wheels", "ours-w"),
        ("metadata", "ours-m"),
    ]
    assert "no rule is about `ours-w` hint: `mlpin matrix show ours-w`" in refused(ours, "matrix", "list", "ours-w")
    assert "did you mean ours-m" in refused(ours, "matrix", "show", "oursm")
    assert ours.run("matrix", "validate").out == "0 rules and 2 other statements, no mistake\n"


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ('with = "gpu"\nneeds = ">=8.0"', "ours-a needs a GPU of compute capability >=8.0"),
        ('with = "gpu"\nfails = ""', "ours-a fails with a GPU"),
        ('with = "python"\nfails = ">=3.13"', "ours-a fails with Python >=3.13"),
        ('with = "cuda"\nneeds = ">=12"', "ours-a needs the host's CUDA >=12"),
        ('with = "driver"\nneeds = ">=525"', "ours-a needs driver >=525"),
    ],
)
def test_facts_of_the_machine_in_words(ours: Project, other: str, words: str) -> None:
    ours.write("ours.toml", f'[[rule]]\nid = "ours"\npackage = "ours-a"\n{other}\nseverity = "declared"\n{ORIGIN}')
    assert ours.run("matrix", "list", "ours").out == f"declared   {AGE} ours: {words}\n"


def test_files_are_called_as_they_were_given(ours: Project) -> None:
    ours.write("sub/one.toml", "[[rule]\n")
    ours.write("empty.toml", "")
    (ours.root / "binary.toml").write_bytes(b"\x7fELF\xff\x00")
    given = str(ours.root / "sub")
    ran = ours.run("matrix", "validate", given, "./sub/one.toml", "sub/one.toml", "binary.toml", "empty.toml")
    assert ran.code == 2
    assert ran.out.splitlines() == [
        f"{given}: cannot be read: Is a directory",
        "./sub/one.toml:1: is not TOML: Expected ']]' at the end of an array declaration (at line 1, column 7)",
        "binary.toml: cannot be read: it is not UTF-8",
    ]
    assert ours.run("matrix", "validate", "empty.toml").out == "0 rules, no mistake\n"
    ours.write("one.toml", RULES[: RULES.index("[[rule]]", 5)])
    assert ours.run("matrix", "validate", "one.toml").out == "1 rule, no mistake\n"


def test_the_hint_is_that_of_the_command(ours: Project) -> None:
    assert "`mlpin matrix --help`" in refused(ours, "matrix", "list", "--nosuch")


# -- as processes

ALONE = """
import json, sys

def refuse(event, arguments):
    if event.startswith(("socket.", "urllib.")):
        raise RuntimeError(f"{event} {arguments}")

sys.addaudithook(refuse)
from mlpin.cli import main

assert main(json.loads(sys.argv[1])) == 0
print("\\n" + json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("host",),
        ("host", "--format", "json"),
        ("init", "--dry-run"),
        ("matrix", "list"),
        ("matrix", "show", "torch"),
        ("matrix", "stats"),
        ("matrix", "validate"),
    ],
)
def test_neither_network_nor_frameworks(ours: Project, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALONE, json.dumps(arguments)],
        cwd=ours.root,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=True,
    )
    modules = set(json.loads(done.stdout.splitlines()[-1]))
    assert not modules & {"urllib3", "ssl", "http.client", "asyncio", "resolvelib", "yaml", "torch"}


@pytest.mark.parametrize("arguments", [("host",), ("matrix", "list"), ("matrix", "show", "torch")])
def test_a_reader_that_went_away(ours: Project, arguments: tuple[str, ...]) -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "mlpin", *arguments], cwd=ours.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.close()
    said = running.stderr.read()
    assert running.wait() == 0
    assert b"error" not in said
    assert b"Traceback" not in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("arguments", [("host", "-q"), ("matrix", "stats"), ("init", "--dry-run")])
def test_nowhere_to_write_to(ours: Project, arguments: tuple[str, ...]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "mlpin", *arguments], cwd=ours.root, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 2
    assert done.stderr.endswith(b"error: standard output: cannot be written: No space left on device\n")
