"""`mlpin audit`: what any tool made, on a machine that is described, judged by rules of the project's own and shipped."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlpin.machine import Machine
from mlpin.nvml import Gpu
from tests.index.server import IndexServer
from tests.projects import Project, Ran
from tests.wheels import wheel

Serve = Callable[..., IndexServer]
SOURCE = Path(__file__).parents[1] / "src"
REPORTED = 'source = "our ticket 7"\nevidence = "reported"\ndate = 2026-01-02\n'
RULES = f"""
[[rule]]
id = "ours-with"
package = "ours-a"
with = "ours-b"
fails = ">=2"
severity = "broken"
symptom = "it falls over"
remedy = "ours-b 1.9"
{REPORTED}
[[rule]]
id = "ours-driver"
package = "ours-a"
with = "driver"
needs = ">=535"
severity = "declared"
{REPORTED}
[[rule]]
id = "ours-python"
package = "ours-a"
with = "python"
needs = "<3.11"
severity = "untested"
{REPORTED}
[[rule]]
id = "ours-gpu"
package = "ours-a"
with = "gpu"
needs = ">=8.0"
severity = "broken"
symptom = "no kernel"
{REPORTED}
[[rule]]
id = "ours-glibc"
package = "ours-a"
with = "glibc"
needs = ">=2.28"
severity = "declared"
{REPORTED}
[[rule]]
id = "ours-cuda"
package = "ours-a"
with = ["cuda", "cudnn"]
needs = ">=8.5"
severity = "declared"
{REPORTED}
[[rule]]
id = "ours-windows"
package = "ours-a"
with = "ours-c"
fails = ">=1"
platforms = ["windows-*"]
severity = "broken"
symptom = "the file cannot be found"
{REPORTED}
[[rule]]
id = "ours-rocm"
package = "ours-a"
with = "ours-d"
fails = ">=1"
accelerator = "rocm"
severity = "broken"
symptom = "no HIP"
{REPORTED}
[[gpu]]
names = ["Wonder 9"]
capability = "7.0"
{REPORTED}
"""
TARGETS = """
[tool.mlpin.targets.train]
python = "3.11"
platform = "linux-x86_64"
glibc = "2.31"
driver = "525.105.17"
gpus = ["Wonder 9"]
[tool.mlpin.targets.desk]
python = "3.10"
platform = "windows-amd64"
"""
FREEZE = "ours-a==1.0\nours-b==2.1\nnobody-knows==3\n"


@pytest.fixture
def ours(project: Project) -> Project:
    """A project with rules and targets of its own, and a freeze file."""
    project.write("ours.toml", RULES)
    project.write("freeze.txt", FREEZE)
    return configured(project)


def configured(project: Project, mlpin: str = "", targets: str = TARGETS) -> Project:
    start = '[project]\nname = "mine"\nversion = "1"\n[tool.mlpin]\nmatrix = ["ours.toml"]\n'
    project.write("pyproject.toml", start + mlpin + targets)
    return project


def judged(project: Project, *arguments: str, code: int | None = None) -> dict[str, Any]:
    ran = project.run("audit", *arguments, "--format", "json")
    value: dict[str, Any] = json.loads(ran.out)
    assert ran.err == ""
    assert ran.code == (0 if value["ok"] else 1), ran.words
    assert code in {None, ran.code}
    return value


def rules(value: dict[str, Any]) -> list[str]:
    return [finding["rule"] for finding in value["findings"]]


def fed(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data), encoding="ascii"))


def refused(project: Project, *arguments: str) -> str:
    """The words of a refusal with exit code 2."""
    ran = project.run("audit", *arguments)
    assert (ran.code, ran.out) == (2, ""), ran.words
    assert ran.err.startswith("error: ")
    return ran.words


# -- the verdict


def test_what_a_person_reads(ours: Project) -> None:
    ran = ours.run("audit", "freeze.txt", "--python", "3.11", "--driver", "525.105.17")
    assert ran == Ran(
        1,
        "freeze.txt: 3 packages, 2 known to the matrix\n"
        "on linux-x86_64, Python 3.11, cuda, driver 525.105.17\n"
        "\n"
        "broken: ours-a 1.0 does not work with ours-b 2.1\n"
        "  symptom: it falls over\n"
        "  remedy: ours-b 1.9\n"
        "  rule ours-with (reported, 2026-01-02): our ticket 7\n"
        "\n"
        "declared: ours-a 1.0 needs driver >=535, and there is driver 525.105.17\n"
        "  rule ours-driver (reported, 2026-01-02): our ticket 7\n"
        "\n"
        "untested: ours-a 1.0 was tested with Python <3.11, and there is Python 3.11\n"
        "  rule ours-python (reported, 2026-01-02): our ticket 7\n"
        "\n"
        "1 broken, 1 declared, 1 untested; of 1 package the matrix knows nothing\n",
        "",
    )


def test_what_a_program_reads(ours: Project) -> None:
    value = judged(ours, "freeze.txt", "--driver", "525.105.17", "--gpu", "A100", code=1)
    assert value["findings"][0] == {
        "severity": "broken",
        "rule": "ours-with",
        "message": "ours-a 1.0 does not work with ours-b 2.1",
        "packages": [{"name": "ours-a", "version": "1.0"}, {"name": "ours-b", "version": "2.1"}],
        "symptom": "it falls over",
        "remedy": "ours-b 1.9",
        "source": ["our ticket 7"],
        "evidence": "reported",
        "date": "2026-01-02",
    }
    declared = value["findings"][1]
    assert (declared["rule"], declared["symptom"], declared["remedy"]) == ("ours-driver", None, None)
    assert declared["packages"][1] == {"name": "driver", "version": "525.105.17"}
    assert {key: value[key] for key in ("ok", "source", "kind", "packages", "known", "not_judged")} == {
        "ok": False,
        "source": "freeze.txt",
        "kind": "freeze",
        "packages": 3,
        "known": 2,
        "not_judged": [],
    }
    assert value["machine"] == {
        "platform": "linux-x86_64",
        "python": None,
        "glibc": None,
        "accelerator": "cuda",
        "driver": "525.105.17",
        "gpus": ["A100"],
        "cuda": None,
        "cudnn": None,
    }


def test_nothing_found_is_not_everything_known(ours: Project) -> None:
    ours.write("freeze.txt", "ours-a==1.0\nours-b==1.0\nnobody-knows==3\nnor-this==1\n")
    ran = ours.run("audit", "freeze.txt")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith("\n\nno findings; of 2 packages the matrix knows nothing\n")


def test_how_much_is_known(ours: Project) -> None:
    more = [f'[[rule]]\nid = "k-{n}"\npackage = "known-{n}"\nwith = "python"\nneeds = ">=3"\n' for n in range(9)]
    ours.write("ours.toml", "".join(f'{rule}severity = "untested"\n{REPORTED}' for rule in more))
    lines = [f"known-{number}==1" for number in range(9)] + [f"nobody-knows-{number}==1" for number in range(32)]
    ours.write("freeze.txt", "\n".join(lines))
    ran = ours.run("audit", "freeze.txt")
    assert ran.out.splitlines()[0] == "freeze.txt: 41 packages, 9 known to the matrix"
    assert ran.out.splitlines()[-1] == "no findings; of 32 packages the matrix knows nothing"


def test_only_what_is_broken_fails(ours: Project) -> None:
    ours.write("freeze.txt", "ours-a==1.0\n")
    value = judged(ours, "freeze.txt", "--python", "3.11", "--driver", "525.105.17", code=0)
    assert [finding["severity"] for finding in value["findings"]] == ["declared", "untested"]


def test_quiet_shows_what_is_broken_alone(ours: Project) -> None:
    ours.write("freeze.txt", FREEZE + "no-version\n")
    ran = ours.run("audit", "freeze.txt", "-q", "--python", "3.11", "--driver", "525.105.17")
    assert ran.code == 1
    assert "broken: ours-a 1.0" in ran.out
    assert not {"declared:", "untested:", "judged:"} & set(ran.out.split())
    assert "1 broken, 1 declared, 1 untested" in ran.out


def test_worst_first_and_the_same_every_time(ours: Project) -> None:
    ours.write("freeze.txt", FREEZE)
    ours.write("turned.txt", "\n".join(reversed(FREEZE.split())))
    arguments = ("--python", "3.11", "--driver", "525.60", "--gpu", "V100", "--gpu", "Wonder 9")
    one, other = judged(ours, "freeze.txt", *arguments), judged(ours, "turned.txt", *arguments)
    assert sorted(rules(one)[:3]) == ["ours-gpu", "ours-gpu", "ours-with"]
    assert rules(one)[3:] == ["ours-driver", "ours-python"]
    assert one["findings"] == other["findings"]
    severities = [finding["severity"] for finding in one["findings"]]
    assert severities == sorted(severities, key=["broken", "declared", "untested"].index)


def test_lines_fit_a_terminal(ours: Project) -> None:
    long = "words that go on and on " * 12
    rule = RULES.split("[[rule]]")[1].replace("it falls over", long).replace("ours-b 1.9", long)
    ours.write("ours.toml", "[[rule]]" + rule.replace("our ticket 7", long))
    ours.write("freeze.txt", f"{FREEZE}thing @ git+https://example.invalid/thing\n")
    ran = ours.run("audit", "freeze.txt", "--python", "3.11", "--glibc", "2.31", "--gpu", "A100", "--driver", "550.54")
    assert ran.code == 1
    assert max(map(len, ran.out.splitlines())) <= 80


def test_a_fact_that_is_shipped(project: Project) -> None:
    project.write("freeze.txt", "torch==2.0.1+cu118\n")
    ran = project.run("audit", "freeze.txt", "--gpu", "RTX 5090")
    assert ran.code == 1
    assert "broken: torch 2.0.1+cu118 has no code for RTX 5090 (sm_120); it has sm_" in ran.words
    value = judged(project, "freeze.txt", "--gpu", "RTX 5090", code=1)
    assert value["findings"][0]["packages"][0] == {"name": "torch", "version": "2.0.1+cu118"}
    assert value["findings"][0]["source"]
    assert judged(project, "freeze.txt", "--gpu", "RTX 3090", code=0)["findings"] == []
    assert judged(project, "freeze.txt", code=0)["findings"] == []


# -- the machine


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ((), []),
        (("--python", "3.10"), []),
        (("--python", "3.11.4"), ["ours-python"]),
        (("--glibc", "2.17"), ["ours-glibc"]),
        (("--glibc", "2.28"), []),
        (("--driver", "470.82.01"), ["ours-driver"]),
        (("--driver", "535.54.03"), []),
        (("--driver", "CUDA 11.8"), ["ours-driver"]),
        (("--driver", "CUDA 12.4"), []),
        (("--cuda", "8.0"), ["ours-cuda"]),
        (("--cudnn", "8.4"), ["ours-cuda"]),
        (("--cudnn", "8.9"), []),
        (("--gpu", "V100"), ["ours-gpu"]),
        (("--gpu", "sm_75"), ["ours-gpu"]),
        (("--gpu", "7.5"), ["ours-gpu"]),
        (("--gpu", "wonder 9"), ["ours-gpu"]),
        (("--gpu", "NVIDIA A100-SXM4-80GB"), []),
        (("--gpu", "A100", "--gpu", "V100"), ["ours-gpu"]),
        (("--gpu", "gfx90a"), ["ours-rocm"]),
        (("--platform", "windows-amd64"), ["ours-windows"]),
        (("--platform", "macos-14-arm64"), []),
        (("--accelerator", "rocm"), ["ours-rocm"]),
        (("--accelerator", "cuda"), []),
    ],
)
def test_what_is_said_of_the_machine(ours: Project, arguments: tuple[str, ...], found: list[str]) -> None:
    ours.write("freeze.txt", "ours-a==1.0\nours-b==1\nours-c==1\nours-d==1\n")
    assert rules(judged(ours, "freeze.txt", *arguments)) == found


def test_a_target_of_the_project(ours: Project) -> None:
    value = judged(ours, "freeze.txt", "--target", "train", code=1)
    assert value["machine"] == {
        "platform": "linux-x86_64",
        "python": "3.11",
        "glibc": "2.31",
        "accelerator": "cuda",
        "driver": "525.105.17",
        "gpus": ["Wonder 9"],
        "cuda": None,
        "cudnn": None,
    }
    assert set(rules(value)) == {"ours-with", "ours-gpu", "ours-driver", "ours-python"}
    assert judged(ours, "freeze.txt", "--target", "desk")["machine"]["platform"] == "windows-amd64"


def test_options_go_before_the_target(ours: Project) -> None:
    given = ("--python", "3.10", "--gpu", "A100", "--driver", "550.54.14", "--glibc", "2.35")
    machine = judged(ours, "freeze.txt", "--target", "train", *given)["machine"]
    assert (machine["python"], machine["glibc"], machine["driver"], machine["gpus"]) == (
        "3.10",
        "2.35",
        "550.54.14",
        ["A100"],
    )


def test_one_python_of_a_target_with_several(ours: Project) -> None:
    configured(ours, targets='[tool.mlpin.targets.many]\npython = ["3.10", "3.12"]\nplatform = "linux-x86_64"\n')
    assert judged(ours, "freeze.txt", "--target", "many-py312")["machine"]["python"] == "3.12"


def test_this_machine(ours: Project) -> None:
    machine = judged(ours, "freeze.txt", "--host")["machine"]
    assert machine["python"] == ".".join(map(str, sys.version_info[:3]))
    assert machine["platform"].startswith({"linux": "linux-", "darwin": "macos-", "win32": "windows-"}[sys.platform])
    assert machine["accelerator"]
    assert judged(ours, "freeze.txt", "--host", "--python", "3.9")["machine"]["python"] == "3.9"


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's")
def test_overrides_of_this_machine(ours: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDA_OVERRIDE_GLIBC", "2.17")
    value = judged(ours, "freeze.txt", "--host")
    assert value["machine"]["glibc"] == "2.17"
    assert "ours-glibc" in rules(value)


# -- what is judged


def test_standard_input(ours: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    fed(monkeypatch, FREEZE.encode())
    ran = ours.run("audit", "-")
    assert (ran.code, ran.out.splitlines()[0]) == (1, "standard input: 3 packages, 2 known to the matrix")
    listed = [{"name": "Ours_A", "version": "1.0"}, {"name": "ours.b", "version": "2.1"}]
    fed(monkeypatch, json.dumps(listed).encode())
    assert rules(judged(ours, "-")) == ["ours-with"]


def test_a_pipe_of_pip(ours: Project) -> None:
    pip = subprocess.Popen([sys.executable, "-m", "pip", "freeze"], stdout=subprocess.PIPE, env=os.environ)
    ran = mlpin(ours, "audit", "-", stdin=pip.stdout)
    pip.wait()
    assert ran.code == 0, ran.err
    assert ran.out.startswith("standard input: ")


UV_LOCK = """version = 1
requires-python = ">=3.11"
[[package]]
name = "mine"
version = "1"
source = { virtual = "." }
dependencies = [
    { name = "ours-a" },
    { name = "ours-b", marker = "sys_platform == 'linux'" },
]
[[package]]
name = "ours-a"
version = "1.0"
source = { registry = "https://index.example/simple" }
[[package]]
name = "ours-b"
version = "2.1"
source = { registry = "https://index.example/simple" }
"""
POETRY_LOCK = """[[package]]
name = "ours-a"
version = "1.0"
optional = false
python-versions = "*"
files = []
[[package]]
name = "ours-b"
version = "2.1"
optional = false
python-versions = "*"
files = []
[metadata]
lock-version = "2.0"
python-versions = "^3.11"
content-hash = "0"
"""
PDM_LOCK = """[metadata]
groups = ["default"]
lock_version = "4.5.0"
[[metadata.targets]]
requires_python = ">=3.11"
[[package]]
name = "ours-a"
version = "1.0"
groups = ["default"]
files = []
[[package]]
name = "ours-b"
version = "2.1"
groups = ["default"]
files = []
"""
EXPLICIT = """# platform: linux-64
@EXPLICIT
https://conda.example/conda-forge/linux-64/ours-a-1.0-0.conda
https://conda.example/conda-forge/linux-64/ours-b-2.1-0.conda
"""
CONDA_LIST = json.dumps(
    [
        {"name": name, "version": version, "build_string": "0", "channel": "conda-forge", "platform": "linux-64"}
        for name, version in (("ours-a", "1.0"), ("ours-b", "2.1"), ("python", "3.10.4"))
    ]
)
PYLOCK = """lock-version = "1.0"
created-by = "someone"
[[packages]]
name = "ours-a"
version = "1.0"
[[packages]]
name = "ours-b"
version = "2.1"
"""


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        (
            "requirements.txt",
            f"ours-a==1.0 --hash=sha256:{64 * '0'}\nours-b==2.1 ; python_version > '3'\n",
            "requirements",
        ),
        ("uv.lock", UV_LOCK, "uv.lock"),
        ("poetry.lock", POETRY_LOCK, "poetry.lock"),
        ("pdm.lock", PDM_LOCK, "pdm.lock"),
        ("pylock.train.toml", PYLOCK, "pylock"),
        ("spec.txt", EXPLICIT, "conda-explicit"),
        ("list.json", CONDA_LIST, "conda-list"),
        ("anything", UV_LOCK, "uv.lock"),
    ],
)
def test_files_of_other_tools(ours: Project, name: str, text: str, kind: str) -> None:
    ours.write(name, text)
    value = judged(ours, name, code=1)
    assert (value["kind"], rules(value)) == (kind, ["ours-with"])


def test_what_the_file_states_of_python_and_platform(ours: Project) -> None:
    ours.write("list.json", CONDA_LIST)
    assert judged(ours, "list.json")["machine"]["python"] == "3.10.4"
    assert judged(ours, "list.json", "--python", "3.12")["machine"]["python"] == "3.12"
    environments = (
        "environments = [\"python_version == '3.12' and sys_platform == 'win32' and platform_machine == 'AMD64'\"]\n"
    )
    ours.write("pylock.toml", environments + PYLOCK)
    machine = judged(ours, "pylock.toml")["machine"]
    assert (machine["python"], machine["platform"]) == ("3.12", "windows-amd64")


@pytest.mark.parametrize("name", ["list.json", "pylock.toml"])
def test_a_python_that_is_none_is_not_known(ours: Project, name: str) -> None:
    ours.write("ours.toml", RULES.replace('fails = ">=2"', 'fails = ">=2"\npython = ">=3.9"'))
    ours.write("list.json", CONDA_LIST.replace("3.10.4", "3.x_y"))
    environments = "environments = [\"python_version == 'abc' and sys_platform == 'linux'\"]\n"
    ours.write("pylock.toml", environments + PYLOCK)
    assert rules(judged(ours, name, code=0)) == []


def test_markers_are_those_of_the_target(ours: Project) -> None:
    ours.write("uv.lock", UV_LOCK)
    assert rules(judged(ours, "uv.lock", "--python", "3.11", "--platform", "windows-amd64")) == ["ours-python"]
    assert judged(ours, "uv.lock", "--target", "desk")["packages"] == 1


def test_an_environment(ours: Project) -> None:
    ours.write("venv/pyvenv.cfg", "home = /usr/bin\nversion = 3.10.4\n")
    for name, version in (("Ours_A", "1.0"), ("ours.b", "2.1"), ("nobody", "3")):
        head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nText\n"
        ours.write(f"venv/lib/python3.10/site-packages/{name}-{version}.dist-info/METADATA", head)
    ours.write("venv/bin/python3.10", "")
    for path in ("venv", "venv/bin/python3.10", "venv/lib/python3.10/site-packages"):
        value = judged(ours, "--env", path, code=1)
        assert (value["kind"], value["packages"], value["known"]) == ("environment", 3, 2)
        assert rules(value) == ["ours-with"]
        assert value["machine"]["python"].startswith("3.10")
    assert judged(ours, "venv")["kind"] == "environment"


def test_what_is_not_judged_is_said(ours: Project) -> None:
    ours.write("freeze.txt", f"{FREEZE}thing>=2\n-e git+https://example.invalid/x@1#egg=other\n")
    value = judged(ours, "freeze.txt")
    assert [(one["line"], one["text"].split()[0].partition(">")[0]) for one in value["not_judged"]] == [
        (4, "thing"),
        (5, "-e"),
    ]
    assert all(one["reason"] for one in value["not_judged"])
    assert "not judged: freeze.txt:4: thing>=2: names no exact version" in ours.run("audit", "freeze.txt").words


def test_of_many_that_are_not_judged_ten_are_named(ours: Project) -> None:
    ours.write("freeze.txt", FREEZE + "".join(f"thing-{number}>=2\n" for number in range(14)))
    ran = ours.run("audit", "freeze.txt")
    assert ran.out.count("not judged: ") == 11
    assert "not judged: 4 more\n" in ran.out


# -- locks of mlpin's own

OWN = """[tool.mlpin.target]
python = "3.11"
platform = "linux-x86_64"
glibc = "2.17"
accelerator = "cuda"
driver = "525.105.17"
gpus = ["V100"]
"""


def test_a_lock_knows_its_machine(ours: Project) -> None:
    ours.write("pylock.toml", PYLOCK + OWN)
    value = judged(ours, "pylock.toml", code=1)
    assert value["machine"] == {
        "platform": "linux-x86_64",
        "python": "3.11",
        "glibc": "2.17",
        "accelerator": "cuda",
        "driver": "525.105.17",
        "gpus": ["V100"],
        "cuda": None,
        "cudnn": None,
    }
    assert set(rules(value)) == {"ours-with", "ours-gpu", "ours-driver", "ours-glibc", "ours-python"}


def test_options_go_before_what_the_lock_states(ours: Project) -> None:
    ours.write("pylock.toml", PYLOCK + OWN)
    given = ("--python", "3.10", "--gpu", "A100", "--driver", "550.54.14", "--glibc", "2.35")
    assert rules(judged(ours, "pylock.toml", *given)) == ["ours-with"]
    assert set(rules(judged(ours, "pylock.toml", "--gpu", "A100"))) == {
        "ours-with",
        "ours-driver",
        "ours-glibc",
        "ours-python",
    }


def test_a_lock_that_was_just_made(serve: Serve, ours: Project) -> None:
    configured(ours, 'python = "3.11"\nplatform = "linux-x86_64"\n', targets="")
    text = (ours.root / "pyproject.toml").read_text().replace("[tool.mlpin]", 'dependencies = ["ours-a"]\n[tool.mlpin]')
    ours.write("pyproject.toml", text)
    ran = ours.lock("--driver", "550.54.14", "--gpu", "A100", index=serve(wheel("ours-a", "1.0")))
    assert ran.code == 0, ran.words
    machine = judged(ours, "pylock.toml", code=0)["machine"]
    assert (machine["driver"], machine["gpus"], machine["accelerator"]) == ("550.54.14", ["A100"], "cuda")
    assert rules(judged(ours, "pylock.toml", "--gpu", "V100", code=1)) == ["ours-gpu", "ours-python"]


# -- own rules


def test_rules_that_are_switched_off(ours: Project) -> None:
    off = '[tool.mlpin.rules]\n"ours-with" = { off = true, reason = "we patched it" }\n'
    configured(ours, targets=off)
    assert judged(ours, "freeze.txt", code=0)["findings"] == []
    configured(ours, targets='[tool.mlpin.rules]\n"ours-with" = { off = false }\n')
    assert rules(judged(ours, "freeze.txt")) == ["ours-with"]


def test_a_shipped_rule_that_is_switched_off(ours: Project) -> None:
    ours.write("freeze.txt", "torch==2.0.1+cu118\n")
    (rule,) = rules(judged(ours, "freeze.txt", "--gpu", "RTX 5090"))
    configured(ours, targets=f'[tool.mlpin.rules]\n"{rule}" = {{ off = true, reason = "built from source" }}\n')
    assert judged(ours, "freeze.txt", "--gpu", "RTX 5090", code=0)["findings"] == []


def test_mlpin_toml_does_as_well(project: Project) -> None:
    project.write("ours.toml", RULES)
    project.write("freeze.txt", FREEZE)
    project.write("mlpin.toml", 'matrix = ["ours.toml"]\n')
    assert rules(judged(project, "freeze.txt")) == ["ours-with"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('"nosuch" = { off = true, reason = "x" }', "switches off `nosuch`, and there is no such rule"),
        ('"ours-with" = { off = true }', "`tool.mlpin.rules.ours-with.reason` is missing"),
        ('"ours-with" = { off = true, reason = " " }', "`tool.mlpin.rules.ours-with.reason` is missing"),
        ('"ours-with" = { of = true }', "did you mean `off`?"),
        ('"ours-with" = true', "`tool.mlpin.rules.ours-with` must be a table"),
        ('"ours-with" = { off = 1, reason = "x" }', "pyproject.toml:7"),
    ],
)
def test_rules_switched_off_wrongly(ours: Project, more: str, words: str) -> None:
    configured(ours, targets=f"[tool.mlpin.rules]\n{more}\n")
    assert words in refused(ours, "freeze.txt")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[rule]]\nid = \n", "ours.toml:2: is not TOML"),
        ("[[rul]]\n", "ours.toml: unknown table `rul`"),
        ("\n\n[[gpu]]\nnames = 3\n", "note: ours.toml:3: gpu: `names` must be a string or a list of strings"),
        (RULES + RULES, "the id `ours-with` is used 2 times"),
    ],
)
def test_rule_files_that_are_broken(ours: Project, text: str, words: str) -> None:
    ours.write("ours.toml", text)
    said = refused(ours, "freeze.txt")
    assert words in said
    assert "`mlpin matrix validate FILE` checks a file" in said


def test_a_rule_file_that_is_missing(ours: Project) -> None:
    (ours.root / "ours.toml").unlink()
    assert "ours.toml: cannot be read: No such file or directory" in refused(ours, "freeze.txt")


# -- wrong usage


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "audit takes a FILE, or --env PATH"),
        (("freeze.txt", "--env", "venv"), "audit takes a FILE, or --env PATH"),
        (("nofile",), "error: nofile: there is no such file"),
        (("--env", "novenv"), "error: novenv: there is no such environment"),
        (("--env", "empty"), "this is not a Python environment: it has neither site-packages nor conda-meta"),
        (("--env", "freeze.txt"), "this is not a Python environment"),
        (("empty",), "this is not a Python environment"),
        (("freeze.txt", "--gpu", "A10000"), "`A10000` is no GPU that mlpin knows hint: did you mean A100"),
        (("freeze.txt", "--gpu", "zzz"), "`zzz` is no GPU that mlpin knows hint: a compute capability does as well"),
        (("freeze.txt", "--gpu", ""), "is no GPU that mlpin knows"),
        (("freeze.txt", "--driver", "abc"), "`abc` is not a version of NVIDIA's driver hint: written like 550.54.14"),
        (("freeze.txt", "--python", "abc"), "`abc` is not a Python version"),
        (("freeze.txt", "--python", "2.7"), "`2.7` is not a Python version"),
        (("freeze.txt", "--glibc", "new"), "`new` is not a version of glibc hint: written like 2.28"),
        (("freeze.txt", "--platform", "beos"), "`beos` is not a platform that mlpin knows hint: one of: linux-x86_64"),
        (("freeze.txt", "--accelerator", "tpu"), "--accelerator cannot be `tpu` hint: cuda, rocm, cpu or metal"),
        (("freeze.txt", "--cuda", "new"), "--cuda is a version like 12.4, not `new`"),
        (("freeze.txt", "--cudnn", "8.x"), "not `8.x`"),
        (("freeze.txt", "--target", "nosuch"), "there is no target `nosuch` hint: targets: desk, train"),
        (("freeze.txt", "--target", "train", "--host"), "--host and --target are two machines"),
        (("freeze.txt", "--format", "yaml"), "invalid choice: 'yaml'"),
        (("freeze.txt", "other.txt"), "unrecognized arguments: other.txt"),
        (("freeze.txt", "--nosuch"), "unrecognized arguments: --nosuch"),
        (("binary",), "error: binary:2: is not text in UTF-8"),
        (("pyproject.toml",), "pyproject.toml: is a manifest: it says what is wanted, not what is installed"),
        (("environment.yml",), "environment.yml: is a manifest of conda's"),
        (("broken.json",), "broken.json:1: is not valid JSON"),
        (("table.json",), "table.json: must be a list of packages"),
        (("words.txt",), "words.txt:1: `what is this` is not a requirement"),
        (("pylock.toml",), "pylock.toml: states the lock-version `9.0`, and mlpin reads 1.0 of PEP 751"),
        (("pylock.broken.toml",), "pylock.broken.toml:1: is not valid TOML"),
        (("pylock.place.toml",), "pylock.place.toml: `beos` is not a platform that mlpin knows"),
    ],
)
def test_wrong_usage(ours: Project, arguments: tuple[str, ...], words: str) -> None:
    (ours.root / "empty").mkdir()
    (ours.root / "binary").write_bytes(bytes(range(256)))
    ours.write("environment.yml", "dependencies:\n  - numpy\n")
    ours.write("broken.json", '[{"name":')
    ours.write("table.json", "{}")
    ours.write("words.txt", "what is this\n")
    ours.write("pylock.toml", PYLOCK.replace("1.0", "9.0"))
    ours.write("pylock.broken.toml", "lock-version = \n")
    ours.write("pylock.place.toml", PYLOCK + OWN.replace("linux-x86_64", "beos"))
    assert words in refused(ours, *arguments)


def test_standard_input_that_is_no_text(ours: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    fed(monkeypatch, b"\xff\xfe\x00")
    assert "standard input: is not text in UTF-8" in refused(ours, "-")
    fed(monkeypatch, b"a==1\0\n")
    assert "standard input: holds a NUL character" in refused(ours, "-")


def test_a_settings_file_that_is_broken(ours: Project) -> None:
    ours.write("pyproject.toml", "[tool.mlpin\n")
    assert "pyproject.toml:1: is not valid TOML" in refused(ours, "freeze.txt")
    ours.write("pyproject.toml", "[tool.mlpin]\nmatrx = []\n")
    assert "`tool.mlpin.matrx` is not a key that mlpin knows hint: did you mean `matrix`?" in refused(
        ours, "freeze.txt"
    )


@pytest.mark.parametrize("arguments", [("nofile",), ("freeze.txt", "--gpu", "zzz"), ()])
def test_errors_as_data(ours: Project, arguments: tuple[str, ...]) -> None:
    ran = ours.run("audit", *arguments, "--format", "json")
    value = json.loads(ran.out)
    assert (ran.code, ran.err, value["outcome"]) == (2, "", "error")
    assert set(value) == {"outcome", "kind", "message", "where", "notes", "hint"}
    assert value["message"]


# -- as a process


def mlpin(project: Project, *arguments: str, **more: Any) -> Ran:
    command = [sys.executable, "-m", "mlpin", *arguments]
    environ = {**os.environ, "PYTHONPATH": str(SOURCE)}
    more = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
    done = subprocess.run(command, cwd=project.root, env=environ, check=False, **more)
    return Ran(done.returncode, (done.stdout or b"").decode(), (done.stderr or b"").decode())


ALONE = """
import json, sys

def refuse(event, arguments):
    if event.startswith(("socket.", "subprocess.", "os.exec", "os.posix_spawn", "urllib.")):
        raise RuntimeError(f"{event} {arguments}")

sys.addaudithook(refuse)
from mlpin.cli import main

code = main(json.loads(sys.argv[1]))
print("\\n" + json.dumps([code, sorted(sys.modules)]))
"""


def alone(project: Project, *arguments: str) -> set[str]:
    """The modules that are loaded by a run that may neither open a socket nor start a program."""
    done = subprocess.run(
        [sys.executable, "-c", ALONE, json.dumps(arguments)],
        cwd=project.root,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "PIP_INDEX_URL": "http://127.0.0.1:9/simple"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 1, done.stdout
    return set(modules)


@pytest.mark.parametrize(
    "arguments",
    [
        ("freeze.txt",),
        ("freeze.txt", "--format", "json", "--gpu", "A100", "--driver", "CUDA 12.4"),
        ("pylock.toml",),
        ("uv.lock",),
    ],
)
def test_neither_network_nor_what_it_needs(ours: Project, arguments: tuple[str, ...]) -> None:
    ours.write("pylock.toml", PYLOCK + OWN)
    ours.write("uv.lock", UV_LOCK)
    assert not alone(ours, "audit", *arguments) & {"urllib3", "ssl", "http.client", "asyncio", "resolvelib", "yaml"}


def test_no_network_for_a_target_either(ours: Project) -> None:
    assert not alone(ours, "audit", "freeze.txt", "--target", "train") & {"urllib3", "resolvelib", "yaml"}


def test_hundreds_of_packages_take_no_time(ours: Project) -> None:
    ours.write("freeze.txt", FREEZE + "".join(f"nobody-knows-{number}==1.{number}\n" for number in range(400)))
    started = time.perf_counter()
    ran = ours.run("audit", "freeze.txt", "--python", "3.11", "--gpu", "A100")
    assert (ran.code, ran.out.splitlines()[0]) == (1, "freeze.txt: 403 packages, 2 known to the matrix")
    assert time.perf_counter() - started < 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("form", ["text", "json"])
def test_nowhere_to_write_to(ours: Project, form: str) -> None:
    with open("/dev/full", "wb") as full:
        ran = mlpin(ours, "audit", "freeze.txt", "--format", form, stdout=full)
    assert (ran.code, ran.err) == (2, "error: standard output: cannot be written: No space left on device\n")


def test_a_reader_that_went_away_does_not_change_the_exit_code(ours: Project) -> None:
    ours.write("freeze.txt", FREEZE + "".join(f"thing-{number}>=1\n" for number in range(9000)))
    command = [sys.executable, "-m", "mlpin", "audit", "freeze.txt", "--format", "json"]
    running = subprocess.Popen(command, cwd=ours.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.close()
    said = running.stderr.read()
    assert (running.wait(), said) == (1, b"")


# -- what was wrong once


def test_standard_input_that_was_closed(ours: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    assert ours.run("audit", "-").code in {0, 2}


def test_markers_of_a_platform_alone(ours: Project) -> None:
    ours.write("uv.lock", UV_LOCK)
    assert judged(ours, "uv.lock", "--platform", "windows-amd64")["packages"] == 1


def test_markers_of_the_locks_own_platform(ours: Project) -> None:
    marker = "python_version == '3.11' and sys_platform == 'linux' and platform_machine == 'aarch64'"
    text = PYLOCK.replace('version = "2.1"', 'version = "2.1"\nmarker = "platform_machine == \'aarch64\'"')
    ours.write("pylock.toml", f'environments = ["{marker}"]\n{text}')
    assert judged(ours, "pylock.toml", code=1)["packages"] == 2
    assert judged(ours, "pylock.toml", "--python", "3.11")["packages"] == 2


@pytest.mark.parametrize(
    "arguments", [("--target", "desk"), ("--platform", "macos-14-arm64"), ("--accelerator", "cpu")]
)
def test_one_machine_and_not_two_mixed(ours: Project, arguments: tuple[str, ...]) -> None:
    ours.write("pylock.toml", PYLOCK + OWN)
    machine = judged(ours, "pylock.toml", *arguments)["machine"]
    assert (machine["driver"], machine["gpus"]) == (None, [])


@pytest.mark.parametrize(
    ("before", "after"),
    [('"V100"', '"A10000"'), ("525.105.17", "abc"), ('"cuda"', '"tpu"')],
)
def test_a_lock_with_a_wrong_target(ours: Project, before: str, after: str) -> None:
    ours.write("pylock.toml", PYLOCK + OWN.replace(before, after))
    assert "error: pylock.toml" in refused(ours, "pylock.toml")


def test_a_driver_of_an_unknown_cuda(ours: Project) -> None:
    assert "which driver reports `CUDA 99.0` is not known" in refused(ours, "freeze.txt", "--driver", "CUDA 99.0")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--gpu", "gfx90a", "--driver", "550.54"),
        ("--gpu", "gfx90a", "--gpu", "A100"),
        ("--gpu", "A100", "--accelerator", "cpu"),
        ("--platform", "macos-14-arm64", "--accelerator", "cuda"),
        ("--platform", "windows-amd64", "--glibc", "2.28"),
    ],
)
def test_a_machine_that_cannot_be(ours: Project, arguments: tuple[str, ...]) -> None:
    refused(ours, "freeze.txt", *arguments)


def test_a_gpu_of_amd_says_rocm(ours: Project) -> None:
    assert judged(ours, "freeze.txt", "--gpu", "gfx90a")["machine"]["accelerator"] == "rocm"


@pytest.mark.parametrize("requirements", [None, "-c https://example.invalid/c.txt\nours-a\n"])
def test_a_target_needs_no_requirement(project: Project, requirements: str | None) -> None:
    if requirements:
        project.write("requirements.txt", requirements)
    project.write("freeze.txt", FREEZE)
    project.write("mlpin.toml", '[targets.train]\npython = "3.11"\nplatform = "linux-x86_64"\n')
    assert judged(project, "freeze.txt", "--target", "train")["machine"]["python"] == "3.11"


def test_rules_of_the_environment(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLPIN_MATRIX", str(project.write("ours.toml", RULES)))
    project.write("freeze.txt", FREEZE)
    assert rules(judged(project, "freeze.txt")) == ["ours-with"]


def test_a_requirements_file_that_pins_nothing(ours: Project) -> None:
    ours.write("requirements.txt", "ours-a\nours-b>=2\n")
    assert ours.run("audit", "requirements.txt").code == 2


@pytest.mark.parametrize("text", ["ours-a==1.0\nours-a==1.1\n", "ours-a @ git+https://example.invalid/a\n"])
def test_counts_agree(ours: Project, text: str) -> None:
    ours.write("freeze.txt", text)
    value = judged(ours, "freeze.txt")
    assert value["known"] == value["packages"]


@pytest.mark.parametrize(
    ("fact", "range_", "said", "held"),
    [
        ("python", ">=3.11.4", "3.11", None),
        ("python", ">=3.11.4", "3.11.3", False),
        ("python", ">=3.11.4", "3.10", False),
        ("python", ">=3.11.4", "3.12", True),
        ("python", ">=3.11.0", "3.11", True),
        ("python", "<3.11.0", "3.11", False),
        ("python", "<=3.11", "3.11", True),
        ("python", "!=3.11.4", "3.11", None),
        ("python", "==3.11.4", "3.11", None),
        ("python", "==3.11.*", "3.11", True),
        ("python", ">=3.9,<3.11.4", "3.11", None),
        ("driver", ">=525.60.13", "525.60", None),
        ("driver", ">=525.60.13", "525", None),
        ("driver", ">=525.60.13", "525.105", True),
        ("driver", ">=525.60.13", "525.59", False),
        ("driver", ">=525.60.13", "CUDA 12.0", None),
        ("cudnn", "~=8.9.2", "8.9", None),
        ("cuda", "==12.4", "12.4", True),
    ],
)
def test_a_short_version_is_not_an_older_one(
    ours: Project, fact: str, range_: str, said: str, held: bool | None
) -> None:
    for verb, found in (("needs", held is False), ("fails", held is True)):
        rule = f'[[rule]]\nid = "short"\npackage = "ours-a"\nwith = "{fact}"\n{verb} = "{range_}"\n'
        ours.write("ours.toml", f'{rule}severity = "broken"\nsymptom = "x"\n{REPORTED}')
        assert rules(judged(ours, "freeze.txt", f"--{fact}", said)) == ["short"] * found


def test_a_condition_on_a_short_version_does_not_hold(ours: Project) -> None:
    ours.write("ours.toml", RULES.replace('fails = ">=2"', 'fails = ">=2"\npython = ">=3.10.2"'))
    assert rules(judged(ours, "freeze.txt", "--python", "3.10")) == []
    assert rules(judged(ours, "freeze.txt", "--python", "3.10.2")) == ["ours-with"]


def test_an_environment_is_called_as_it_was_given(ours: Project) -> None:
    ours.write("venv/lib/python3.10/site-packages/x-1.dist-info/METADATA", "Name: x\nVersion: 1\n")
    assert judged(ours, "venv")["source"] == "venv"
    assert judged(ours, "--env", "venv")["source"] == "venv"


def test_a_lock_with_a_wrong_python_and_no_platform(ours: Project) -> None:
    ours.write("pylock.toml", PYLOCK + '[tool.mlpin.target]\npython = "abc"\n')
    assert "error: pylock.toml: `abc` is not a Python version" in refused(ours, "pylock.toml")


# -- this machine

MACHINE = Machine(
    python="3.11.7",
    platform="linux-x86_64",
    glibc="2.35",
    libc="glibc 2.35",
    cpu="",
    cpu_features=(),
    driver="550.54.15",
    cuda="12.4",
    gpus=(Gpu("NVIDIA H100 80GB HBM3", "9.0"), Gpu("NVIDIA GB10", "12.1"), Gpu("NVIDIA Wonder 9000", "7.0")),
    amd=(),
    container=False,
    notes=(),
    overrides=(),
)


def on(monkeypatch: pytest.MonkeyPatch, **facts: Any) -> None:
    monkeypatch.setattr("mlpin.machine.detect", lambda *_: MACHINE._replace(**facts))


def test_a_gpu_of_this_machine_that_has_no_name_yet(ours: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch)
    value = judged(ours, "freeze.txt", "--host", code=1)
    assert value["machine"]["gpus"] == ["NVIDIA GB10", "NVIDIA H100 80GB HBM3", "sm_70"]
    assert "ours-gpu" in rules(value)
    on(monkeypatch, gpus=(Gpu("NVIDIA Wonder 9000"), Gpu("Tesla V100")))
    value = judged(ours, "freeze.txt", "--host")
    assert (value["machine"]["gpus"], value["machine"]["driver"]) == (["Tesla V100"], "550.54.15")


def test_amds_gpus_of_this_machine(ours: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, gpus=(), driver="", cuda="", amd=("gfx90a", "gfx942"))
    machine = judged(ours, "freeze.txt", "--host")["machine"]
    assert (machine["accelerator"], machine["gpus"], machine["driver"]) == ("rocm", ["gfx90a", "gfx942"], None)


def test_this_machine_without_its_gpu(ours: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch)
    machine = judged(ours, "freeze.txt", "--host", "--accelerator", "cpu")["machine"]
    assert (machine["accelerator"], machine["gpus"], machine["driver"]) == ("cpu", [], None)
    machine = judged(ours, "freeze.txt", "--host", "--gpu", "A100")["machine"]
    assert (machine["gpus"], machine["driver"]) == (["A100"], "550.54.15")
    machine = judged(ours, "freeze.txt", "--host", "--platform", "windows-amd64")["machine"]
    assert (machine["platform"], machine["glibc"]) == ("windows-amd64", None)


@pytest.mark.parametrize("cuda", ["99.0", "8.0"])
def test_an_override_that_no_driver_is_known_for(ours: Project, monkeypatch: pytest.MonkeyPatch, cuda: str) -> None:
    monkeypatch.setenv("CONDA_OVERRIDE_CUDA", cuda)
    machine = judged(ours, "freeze.txt", "--host")["machine"]
    assert (machine["accelerator"], machine["driver"]) == ("cuda", None)


def test_an_override_is_the_driver(ours: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDA_OVERRIDE_CUDA", "11.8")
    value = judged(ours, "freeze.txt", "--host")
    assert value["machine"]["driver"] == "520"
    assert "ours-driver" in rules(value)


def test_an_environment_knows_its_python(ours: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    ours.write("venv/lib/python3.10/site-packages/ours_a-1.0.dist-info/METADATA", "Name: ours-a\nVersion: 1.0\n")
    on(monkeypatch)
    assert judged(ours, "--env", "venv", "--host")["machine"]["python"] == "3.10"
    assert judged(ours, "--env", "venv", "--host", "--python", "3.9")["machine"]["python"] == "3.9"
    monkeypatch.setattr("mlpin.host.platform", lambda: "macos-14-arm64")
    assert judged(ours, "--env", "venv")["machine"]["platform"] == "macos-arm64"
    assert judged(ours, "--env", "venv", "--platform", "linux-aarch64")["machine"]["platform"] == "linux-aarch64"


# -- more of a machine that is described


def test_a_target_with_several_pythons(ours: Project) -> None:
    configured(ours, targets='[tool.mlpin.targets.many]\npython = ["3.10", "3.12"]\n')
    said = refused(ours, "freeze.txt", "--target", "many")
    assert "the target `many` has several Pythons hint: name one of them, like --python 3.10" in said
    assert judged(ours, "freeze.txt", "--target", "many", "--python", "3.12")["machine"]["python"] == "3.12"


def test_what_is_said_for_all_targets(ours: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(ours, 'python = "3.12"\nglibc = "2.31"\n', "[tool.mlpin.targets.all]\ndriver = '525.105.17'\n")
    monkeypatch.setenv("MLPIN_GPUS", "V100")
    machine = judged(ours, "freeze.txt", "--target", "all")["machine"]
    assert (machine["python"], machine["glibc"], machine["driver"]) == ("3.12", "2.31", "525.105.17")
    assert machine["gpus"] == ["V100"]
    assert judged(ours, "freeze.txt")["machine"]["python"] is None


def test_glibc_is_not_carried_to_another_platform(ours: Project) -> None:
    machine = judged(ours, "freeze.txt", "--target", "train", "--platform", "windows-amd64")["machine"]
    assert (machine["platform"], machine["glibc"]) == ("windows-amd64", None)


def test_metal_is_a_mac(ours: Project) -> None:
    ours.write("uv.lock", UV_LOCK)
    value = judged(ours, "uv.lock", "--accelerator", "metal")
    assert (value["machine"]["platform"], value["packages"]) == ("macos-arm64", 1)


@pytest.mark.parametrize("option", ["python", "platform", "glibc", "accelerator", "driver", "cuda", "cudnn", "target"])
def test_an_option_without_a_value(ours: Project, option: str) -> None:
    refused(ours, "freeze.txt", f"--{option}", "")


@pytest.mark.parametrize("where", ["table", "environment"])
def test_constraints_are_not_read(ours: Project, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    if where == "table":
        configured(ours, 'constraints = ["-c https://example.invalid/c.txt"]\noverrides = ["-c nosuch.txt"]\n')
    else:
        monkeypatch.setenv("MLPIN_CONSTRAINT", "https://example.invalid/c.txt nosuch.txt")
    assert rules(judged(ours, "freeze.txt")) == ["ours-with"]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('glibc = "2.17"', 'glibc = "two"', "pylock.toml: `two` is not a version of glibc"),
        ('"cuda"', '"tpu"', "pylock.toml: `tool.mlpin.target.accelerator` cannot be `tpu` hint: one of: cuda"),
        ('["V100"]', '"V100"', "pylock.toml: `tool.mlpin.target.gpus` must be a list of strings"),
        ('["V100"]', '["gfx90a"]', "pylock.toml: a target cannot have NVIDIA's and AMD's hardware at once"),
        ('"525.105.17"', '"CUDA 99.0"', "pylock.toml: which driver reports `CUDA 99.0` is not known"),
        ('platform = "linux-x86_64"\nglibc = "2.17"', 'glibc = "two"', "pylock.toml: `two` is not a version of glibc"),
    ],
)
def test_what_is_wrong_with_a_locks_target(ours: Project, before: str, after: str, words: str) -> None:
    ours.write("pylock.toml", PYLOCK + OWN.replace(before, after))
    assert words in refused(ours, "pylock.toml")


def test_options_of_the_same_accelerator_leave_the_rest_of_a_lock(ours: Project) -> None:
    ours.write("pylock.toml", PYLOCK + OWN)
    machine = judged(ours, "pylock.toml", "--platform", "linux-x86_64", "--accelerator", "cuda")["machine"]
    assert (machine["driver"], machine["gpus"], machine["glibc"]) == ("525.105.17", ["V100"], "2.17")
    machine = judged(ours, "pylock.toml", "--gpu", "gfx90a")["machine"]
    assert (machine["accelerator"], machine["driver"], machine["gpus"]) == ("rocm", None, ["gfx90a"])
    assert "macOS has no cuda" in refused(ours, "pylock.toml", "--platform", "macos-14-arm64", "--driver", "550.54.14")


def test_a_platform_that_mlpin_has_no_name_for(ours: Project) -> None:
    marker = "python_version == '3.12' and sys_platform == 'linux' and platform_machine == 'riscv64'"
    ours.write("pylock.toml", f'environments = ["{marker}"]\n{PYLOCK}')
    assert judged(ours, "pylock.toml")["machine"]["platform"] == "linux-riscv64"


# -- words


def test_one_is_singular_and_nothing_unknown_is_not_told(ours: Project) -> None:
    ours.write("freeze.txt", "ours-a==1.0\n")
    assert ours.run("audit", "freeze.txt").out == (
        "freeze.txt: 1 package, 1 known to the matrix\non linux-x86_64\n\nno findings\n"
    )


def test_what_was_tested_is_not_what_is_needed(ours: Project) -> None:
    rule = '[[rule]]\nid = "t-{0}"\npackage = "ours-a"\nwith = "{0}"\n{1}\nseverity = "untested"\n' + REPORTED
    said = {"ours-b": 'needs = "<2"', "gpu": 'needs = ">=8"', "nobody-knows": 'needs = "same"'}
    ours.write("ours.toml", "".join(rule.format(*item) for item in said.items()))
    words = ours.run("audit", "freeze.txt", "--gpu", "V100").words
    assert "untested: ours-a 1.0 was tested with ours-b<2, and there is ours-b 2.1" in words
    assert "ours-a 1.0 was tested with a GPU of compute capability >=8, and there is V100 (sm_70)" in words
    assert "ours-a 1.0 was tested with the same release of nobody-knows, and there is nobody-knows 3" in words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "freeze.txt: names no package"),
        ("# nothing\n\n", "freeze.txt: names no package"),
        (
            "a\nb>=2\nc==1.*\nd\ne\n",
            "freeze.txt: pins no package to a version, so there is nothing to judge note: a: names no exact version",
        ),
    ],
)
def test_nothing_to_judge(ours: Project, text: str, words: str) -> None:
    ours.write("freeze.txt", text)
    said = refused(ours, "freeze.txt")
    assert f"error: {words}" in said
    assert said.endswith(
        f"{'note: 2 more like these ' if 'note' in words else ''}hint: give the output of `pip freeze`, or lock it "
        "first (`mlpin lock`)"
    )


def test_nothing_for_this_platform_is_something_else(ours: Project) -> None:
    ours.write("requirements.txt", "ours-a==1 ; sys_platform == 'win32'\n")
    assert judged(ours, "requirements.txt")["packages"] == 0
    ours.write("uv.lock", 'version = 1\nrequires-python = ">=3.11"\n')
    assert judged(ours, "uv.lock")["packages"] == 0


def test_what_lies_in_a_directory_is_named(ours: Project) -> None:
    ours.write("sub/.venv/pyvenv.cfg", "")
    ours.write("sub/uv.lock", UV_LOCK)
    ours.write("sub/README.md", "")
    assert "error: sub: this is not a Python environment" in (said := refused(ours, "sub"))
    assert said.endswith("hint: name what is in it: .venv, uv.lock")


def test_what_can_be_read_is_said(ours: Project) -> None:
    ours.write("README.md", "Some words about it\n")
    assert "hint: what can be read: `pip freeze`, `conda list --json`, pylock.toml" in refused(ours, "README.md")
    ours.write("list.json", '[{"repo": "x"}]')
    assert "list.json: must be a list of packages with their names" in refused(ours, "list.json")
    ours.write("setup.cfg", "[isort]\n[options]\ninstall_requires = numpy\n")
    assert "setup.cfg: is a manifest" in refused(ours, "setup.cfg")


def test_standard_input_that_is_not_there(ours: Project) -> None:
    command = f'"{sys.executable}" -m mlpin audit - <&-'
    environ = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run(command, shell=True, cwd=ours.root, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: standard input: is closed\n  hint: give a file, or pipe one in\n"
