"""`mlpin check` as a user runs it: green where nothing changed, red with the place where something did."""

from __future__ import annotations

import json
import os
import re
import threading
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlpin.lock import file as lock_file
from tests.index.server import IndexServer
from tests.projects import Project
from tests.wheels import wheel

Serve = Callable[..., IndexServer]

STACK = (
    wheel("app", "1.0", ["lib>=1"]),
    wheel("app", "2.0", ["lib>=2", 'speed; extra == "fast"'], extras=["fast"]),
    wheel("lib", "1.0"),
    wheel("lib", "2.0"),
    wheel("lib", "2.1", tags="cp311-cp311-manylinux_2_17_x86_64"),
    wheel("speed", "1.0"),
    wheel("other", "1.0"),
)
GROUP = '[dependency-groups]\ndev = ["other"]\n'


class Checked(Project):
    """A locked project, and the index that it was locked from."""

    index: IndexServer

    def found(self, *arguments: str) -> list[tuple[str, str, str]]:
        """(check, kind, package) of what `mlpin check` finds; the exit code agrees with it."""
        ran = self.run("check", "--format", "json", *arguments)
        report = json.loads(ran.out)
        failing = {"error", "warning"} if "--strict" in arguments else {"error"}
        assert report["ok"] is not any(one["severity"] in failing for one in report["drift"])
        assert ran.code == (0 if report["ok"] else 1)
        return [(one["check"], one["kind"], one["package"] or "") for one in report["drift"]]

    def kinds(self, *arguments: str) -> list[str]:
        return [f"{kind} {package}".strip() for _, kind, package in self.found(*arguments)]


@pytest.fixture
def locked(serve: Serve, project: Project) -> Iterator[Checked]:
    """`app[fast]` and a group, locked for Python 3.11; checking it asks the index nothing."""
    found = Checked(project.root, project._capsys)
    found.index = serve(*STACK)
    found.requires("app[fast]>=1", more=GROUP, mlpin='python = "3.11"')
    assert found.locked("--group", "dev", index=found.index) == {
        "app": "2.0",
        "lib": "2.1",
        "other": "1.0",
        "speed": "1.0",
    }
    found.index.forget()
    return found


# -- nothing has changed


@pytest.mark.parametrize("form", ["text", "json", "github", "sarif", "markdown", "junit", "prometheus"])
def test_what_did_not_change_is_green_on_every_format(locked: Checked, form: str) -> None:
    ran = locked.run("check", "--format", form)
    assert (ran.code, ran.err) == (0, "")
    assert locked.index.asked == []


def test_a_checkout_elsewhere_that_nobody_may_write_is_green(locked: Checked, tmp_path: Path, monkeypatch: Any) -> None:
    there = tmp_path / "elsewhere"
    locked.root.rename(there)
    monkeypatch.chdir(there)
    for path in [*there.iterdir(), there]:
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        assert locked.run("check").code == 0
    finally:
        there.chmod(0o755)


def test_time_and_new_releases_turn_nothing_red(locked: Checked) -> None:
    locked.index.add(wheel("app", "3.0"), wheel("lib", "9"))
    assert locked.found() == []


def test_what_the_command_line_said_when_it_was_locked_still_holds(serve: Serve, locked: Checked) -> None:
    locked.requires("app", mlpin="")
    options = [
        "--python",
        "3.11",
        "--driver",
        "550.54",
        "--gpu",
        "A100",
        "--glibc",
        "2.31",
        "--pytorch-index-url",
        "none",
    ]
    locked.locked(*options, index=locked.index)
    assert locked.found() == []
    assert set(locked.kinds("--driver", "560.28")) == {"target"}


def test_a_lock_alone_can_be_checked(locked: Checked) -> None:
    (locked.root / "pyproject.toml").unlink()
    assert locked.found("pylock.toml") == []
    assert locked.run("check").code == 2
    assert "there is no such file" in locked.run("check", "other/pylock.toml").words


# -- the manifest has changed: the lock need not have


def satisfied(project: Project) -> None:
    project.requires("app[fast]>=1.5", "lib", more=GROUP, mlpin='python = "3.11"')


def test_a_change_that_the_lock_satisfies_is_no_drift(locked: Checked) -> None:
    satisfied(locked)
    assert locked.found() == []


@pytest.mark.parametrize(
    ("lines", "mlpin", "kinds"),
    [
        (["app[fast]<2"], "", ["version app"]),
        (["app[fast]", "new"], "", ["unlocked new"]),
        (["app"], "", ["extra app"]),
        (["app[fast,slow]"], "", ["extra app"]),
        (["lib"], "", ["unneeded app", "unneeded speed"]),
        (["app[fast]", "lib<2.1"], "", ["version lib"]),
        (["app[fast]", "new; python_version < '3.11'"], "", []),
        (["app[fast]"], 'constraints = ["lib<2"]', ["constraint lib"]),
        (["app[fast]"], 'constraints = ["lib<3", "absent<1"]', []),
        (["app[fast]"], 'overrides = ["app[fast]<2"]', ["version app"]),
        (["app[fast]"], 'exclude = ["app"]', ["unneeded app", "unneeded lib", "unneeded speed"]),
        (["app[fast]"], 'no-binary = ["lib"]', ["option lib"]),
        (["app[fast]"], 'only-binary = ["lib"]', []),
        (["app[fast]"], 'exclude-newer = "2024-04-30"', ["option app", "option lib", "option speed", "option other"]),
        (["app[fast]"], 'exclude-newer = "2024-05-01"', []),
        (["app[fast]"], 'glibc = "2.17"', ["target"]),
        (["app[fast] @ https://packages.example/app-2.0-py3-none-any.whl"], "", ["source app"]),
        (["app[fast] @ git+https://git.example/app"], "", ["source app"]),
    ],
)
def test_each_line_that_does_not_hold_any_more(locked: Checked, lines: list[str], mlpin: str, kinds: list[str]) -> None:
    locked.requires(*lines, more=GROUP, mlpin=f'python = "3.11"\n{mlpin}')
    assert sorted(locked.kinds()) == sorted(kinds)
    assert locked.index.asked == []


def test_drift_is_told_with_the_line(locked: Checked) -> None:
    locked.write("pyproject.toml", (locked.root / "pyproject.toml").read_text().replace("app[fast]>=1", "app[fast]<2"))
    ran = locked.run("check")
    assert ran.code == 1
    assert "error: pyproject.toml:5: `app[fast]<2` is wanted, and app 2.0 is locked" in ran.words
    assert "`mlpin lock` brings the lock up to date" in ran.words


def test_requires_python_that_leaves_the_target_out(locked: Checked) -> None:
    text = (locked.root / "pyproject.toml").read_text()
    locked.write("pyproject.toml", text.replace(">=3.11", ">=3.12"))
    assert locked.kinds() == ["requires-python"]
    locked.write("pyproject.toml", text.replace(">=3.11", ">=3.9"))
    assert locked.kinds() == []


def test_a_group_that_is_gone_leaves_packages_that_nothing_asks_for(locked: Checked) -> None:
    locked.requires("app[fast]", mlpin='python = "3.11"')
    assert locked.kinds() == ["unneeded other"]


def test_targets_have_a_lock_each(locked: Checked) -> None:
    both = 'python = "3.11"\n[tool.mlpin.targets.a]\n[tool.mlpin.targets.b]\npython = "3.12"\n'
    locked.requires("app<2", mlpin=both)
    (locked.root / "pylock.toml").unlink()
    locked.lock(index=locked.index)
    assert locked.kinds() == []
    (locked.root / "pylock.b.toml").unlink()
    assert locked.kinds() == ["lock-missing"]
    assert locked.kinds("--target", "a") == []
    locked.requires("app<2", mlpin=both.partition("[tool.mlpin.targets.b]")[0])
    locked.write("pylock.b.toml", (locked.root / "pylock.a.toml").read_text())
    assert locked.kinds() == []  # of the target a, by what it says
    locked.requires("app<2", mlpin=both)
    locked.lock(index=locked.index)
    locked.requires("app<2", mlpin=both.partition("[tool.mlpin.targets.b]")[0])
    assert locked.kinds() == ["orphan"]
    locked.write("pylock.theirs.toml", 'lock-version = "1.0"\ncreated-by = "other"\npackages = []\n')
    assert locked.kinds() == ["orphan"]


def test_a_lock_elsewhere(locked: Checked) -> None:
    (locked.root / "pylock.toml").rename(locked.root / "pylock.moved.toml")
    assert locked.kinds() == ["lock-missing"]
    assert locked.kinds("--lock", "pylock.moved.toml") == []


def test_a_dependency_of_a_directory_counts(locked: Checked) -> None:
    def part(dependencies: str) -> None:
        locked.write(
            "part/pyproject.toml", f'[project]\nname = "part"\nversion = "1"\ndependencies = [{dependencies}]\n'
        )

    part('"lib>=2"')
    locked.requires("part @ ./part", mlpin='python = "3.11"')
    locked.lock(index=locked.index)
    locked.index.forget()
    assert locked.kinds() == []
    part('"lib>=1"')
    assert locked.kinds() == []
    part('"lib<2"')
    assert locked.kinds() == ["version lib"]
    part('"lib", "speed"')
    assert locked.kinds() == ["unlocked speed"]
    part("")
    assert locked.kinds() == ["unneeded lib"]
    assert locked.index.asked == []


def test_an_index_that_a_package_is_pinned_to(locked: Checked) -> None:
    pinned = 'python = "3.11"\n[tool.mlpin.indexes]\nours = {{ url = "{}" }}\n[tool.mlpin.packages]\nlib = {{ index = "ours" }}\n'
    locked.requires("app[fast]", more=GROUP, mlpin=pinned.format(locked.index.url + "/"))
    assert locked.kinds() == []
    locked.requires("app[fast]", more=GROUP, mlpin=pinned.format("https://index.example/simple"))
    assert locked.kinds() == ["index lib"]


def test_hashes_of_a_line(locked: Checked) -> None:
    right = locked.index.files["app-2.0-py3-none-any.whl"].sha256
    (locked.root / "pyproject.toml").unlink()
    line = "app[fast]==2.0 --hash=sha256:{}\nother\n"
    locked.write("requirements.txt", line.format(right))
    assert locked.kinds("--platform", "linux-x86_64") == []
    locked.write("requirements.txt", line.format("0" * 64))
    assert locked.kinds("--platform", "linux-x86_64") == ["hash app"]


# -- the lock has changed


def edit(path: Path, change: Callable[[dict[str, Any]], None], *, signed: bool) -> None:
    tables = tomllib.loads(path.read_text())
    change(tables)
    text = lock_file.dumps(tables)
    if not signed:
        text = re.sub(r'digest = "sha256:\w+"', f'digest = "sha256:{"0" * 64}"', text)
    path.write_text(text)


def package(tables: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in tables["packages"] if one["name"] == name)


MUTATIONS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "version": (lambda lock: package(lock, "lib").update(version="2.0"), "file lib"),
    "hash": (lambda lock: package(lock, "lib")["wheels"][0]["hashes"].update(sha256="1" * 64), ""),
    "no hash": (lambda lock: package(lock, "lib")["wheels"][0].update(hashes={"md5": "1" * 32}), "hash lib"),
    "file": (
        lambda lock: package(lock, "lib")["wheels"][0].update(url="https://packages.example/lib-3-py3-none-any.whl"),
        "file lib",
    ),
    "tags": (
        lambda lock: package(lock, "lib")["wheels"][0].update(
            url="https://packages.example/lib-2.1-cp312-cp312-manylinux_2_17_x86_64.whl"
        ),
        "tags lib",
    ),
    "index": (lambda lock: package(lock, "lib").update(index="https://index.example/simple"), ""),
    "target": (lambda lock: lock["tool"]["mlpin"]["target"].update(python="3.12"), "marker"),
    "environment": (lambda lock: lock.update(environments=["python_version == '3.12'"]), "marker"),
    "requires-python": (lambda lock: lock.update({"requires-python": ">=3.12"}), "marker"),
    "edge": (lambda lock: package(lock, "app")["dependencies"].pop(0), "unneeded lib"),
    "edge to nowhere": (lambda lock: package(lock, "app")["dependencies"].append({"name": "ghost"}), "graph ghost"),
    "package gone": (lambda lock: lock["packages"].remove(package(lock, "lib")), "graph lib"),
    "package twice": (lambda lock: lock["packages"].append(package(lock, "lib")), "duplicate lib"),
    "package added": (lambda lock: lock["packages"].append({**package(lock, "lib"), "name": "evil"}), "unneeded evil"),
    "no file": (lambda lock: package(lock, "lib").pop("wheels"), "file lib"),
    "no list": (lambda lock: lock.update(extras="x"), "invalid"),
    "lines": (lambda lock: lock["tool"]["mlpin"]["requirements"].clear(), ""),
    "floor": (lambda lock: lock["tool"]["mlpin"]["floor"].clear(), ""),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_any_change_of_a_lock_is_found(locked: Checked, name: str) -> None:
    change, kind = MUTATIONS[name]
    edit(locked.root / "pylock.toml", change, signed=False)
    found = locked.kinds()
    assert "edited" in found
    assert kind in ("", *found)
    assert [one for one in locked.found("pylock.toml") if one[:2] == ("lock", "edited")]


def test_layout_and_comments_of_a_lock_do_not_count(locked: Checked) -> None:
    locked.write("pylock.toml", "# ours\n" + locked.text.replace("\n\n", "\n\n\n"))
    assert locked.kinds() == []


def test_an_edit_is_told_and_mended(locked: Checked) -> None:
    locked.write("pylock.toml", locked.text.replace('version = "2.1"', 'version = "2.0"'))
    ran = locked.run("check")
    assert ran.code == 1
    assert "pylock.toml was changed after it was made: its digest does not hold" in ran.words
    locked.lock("--group", "dev", index=locked.index)
    assert locked.kinds() == []


@pytest.mark.parametrize("text", ["no lock", 'lock-version = "1.0"\n[[packages]]\n', "\x00", "packages = 3"])
def test_what_is_no_lock_at_all(locked: Checked, text: str) -> None:
    locked.write("pylock.toml", text)
    ran = locked.run("check")
    assert ran.code in {1, 2}
    assert "pylock.toml" in ran.words


# -- the matrix has learnt


def test_a_rule_learnt_since_then_warns(locked: Checked) -> None:
    rule = """[[rule]]
id = "ours-app-lib"
package = "app"
with = "lib"
fails = [["==2.0", ">=2"]]
severity = "broken"
evidence = "reported"
source = "our cluster"
date = 2026-11-01
symptom = "it dies"
"""
    locked.write("ours.toml", rule)
    locked.requires("app[fast]>=1", more=GROUP, mlpin='python = "3.11"\nmatrix = ["ours.toml"]')
    ran = locked.run("check")
    assert ran.code == 0, ran.words
    assert "warning: pylock.toml" in ran.words
    assert "ours-app-lib" in ran.words
    assert locked.found("--strict") == [("matrix", "broken", "app")]


# -- this machine, the indexes


def test_the_indexes_that_it_was_locked_from(locked: Checked) -> None:
    fresh = ("--index", "--no-cache")
    assert locked.found(*fresh) == []
    assert sorted(set(locked.index.shape())) == ["page app", "page lib", "page other", "page speed"]
    locked.index.add(wheel("lib", "2.1", tags="cp311-cp311-manylinux_2_17_x86_64", requires_python=">=3"))
    assert locked.kinds(*fresh) == ["hash lib"]
    locked.index.add(wheel("lib", "2.1", tags="cp311-cp311-manylinux_2_17_x86_64", yanked="bad"))
    assert locked.kinds(*fresh) == ["yanked lib"]
    locked.index.remove("app-2.0-py3-none-any.whl")
    assert locked.kinds(*fresh) == ["gone app", "yanked lib"]
    assert "app 2.0 is gone from" in locked.run("check", *fresh).words


def test_what_could_be_newer_fails_nothing(locked: Checked) -> None:
    locked.index.add(wheel("app", "3.0"), wheel("lib", "4.0", tags="cp312-cp312-win_amd64"), wheel("lib", "5.0rc1"))
    locked.index.add(wheel("other", "2.0", yanked=""))
    ran = locked.run("check", "--outdated", "--no-cache")
    assert ran.code == 0
    assert "note: pylock.toml" in ran.words
    assert "app 2.0 could be 3.0" in ran.words
    assert "lib 2.1 could" not in ran.words


def test_an_index_that_does_not_answer(locked: Checked) -> None:
    locked.index.fault("/simple/lib/", 503)
    ran = locked.run("check", "--index", "--no-cache", "--retries", "0")
    assert ran.code == 3
    assert "lib was locked from there (pylock.toml:" in ran.words


def test_this_machine(locked: Checked) -> None:
    assert locked.found("--host") == []
    locked.requires("app[fast]>=1", more=GROUP, mlpin='python = "3.11"\naccelerator = "cuda"')
    locked.locked("--group", "dev", "--pytorch-index-url", "none", index=locked.index)
    found = locked.found("--host")
    assert found in ([], [("host", "driver", "")])  # by what this machine has


# -- usage


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "there is no such file or directory"),
        (["--deep"], "--deep says how an environment is looked at"),
        (["--env", "nowhere"], "there is no such environment"),
        (["--env"], "no environment is active, and there is no .venv here"),
        (["--image", "nowhere"], "nowhere"),
        (["--format", "xml"], "invalid choice"),
        (["--upgrade"], "unrecognized arguments"),
    ],
)
def test_wrong_usage(locked: Checked, arguments: list[str], said: str) -> None:
    ran = locked.run("check", *arguments)
    assert ran.code == 2
    assert said in ran.words


def test_each_check_is_described_in_help(locked: Checked) -> None:
    words = locked.run("check", "--help").words
    for part in ("still satisfy every line", "what mlpin wrote", "known to be broken", "no network", "passing of time"):
        assert part in words


# -- what is printed, and where


@pytest.mark.parametrize("form", ["text", "json", "github", "sarif", "markdown", "junit"])
def test_no_format_shows_a_secret(locked: Checked, form: str) -> None:
    locked.requires(
        "app[fast] @ http://user:pa55w0rd@packages.example/app-3.0-py3-none-any.whl?token=t0ken",
        "lib @ git+https://s3cret@git.example/lib?access_token=t0ken",
        more=GROUP,
        mlpin='python = "3.11"\n[tool.mlpin.indexes]\nours = { url = "https://packages.example/simple?token=t0ken" }\n'
        '[tool.mlpin.packages]\nother = { index = "ours" }\n',
    )
    ran = locked.run("check", "--format", form)
    assert ran.code == 1
    assert "packages.example" in ran.out
    for secret in ("pa55w0rd", "t0ken", "s3cret"):
        assert secret not in ran.out + ran.err


def test_what_all_targets_have_is_told_once_and_the_rest_by_its_lock(locked: Checked) -> None:
    targets = 'python = "3.11"\n[tool.mlpin.targets.a]\n[tool.mlpin.targets.b]\nplatform = "windows-amd64"\n'
    locked.requires("app", "other; sys_platform == 'linux'", mlpin=targets)
    (locked.root / "pylock.toml").unlink()
    locked.lock(index=locked.index)
    locked.requires("app<2", "other>1; sys_platform == 'linux'", mlpin=targets)
    messages = [one["message"] for one in json.loads(locked.run("check", "--format", "json").out)["drift"]]
    assert messages == [
        "`app<2` is wanted, and app 2.0 is locked",
        "`other>1; sys_platform == 'linux'` is wanted, and other 1.0 is locked (pylock.a.toml)",
    ]


def test_a_pipe_is_written_to_and_stays_one(locked: Checked) -> None:
    pipe = locked.root / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    assert locked.run("check", "-o", "pipe").code == 0
    reader.join(10)
    assert read == ["No drift: manifest, lock and matrix, with 4 packages in pylock.toml\n"]
    assert pipe.is_fifo()


@pytest.mark.parametrize("name", ["--env", "--image", "--fleet"])
def test_an_option_without_a_value_is_not_passed_over(locked: Checked, name: str) -> None:
    ran = locked.run("check", name, "")
    assert ran.code == 2
    assert f"{name} is empty" in ran.words


@pytest.mark.parametrize("name", ["pylock.toml", "pyproject.toml", "requirements.txt"])
def test_a_report_never_replaces_what_it_is_about(locked: Checked, name: str) -> None:
    locked.write("requirements.txt", "lib\n")
    before = (locked.root / name).read_bytes()
    assert locked.run("check", "-o", name).code == 2
    assert (locked.root / name).read_bytes() == before


# -- what another lock, an edited target, other groups come to


def test_a_lock_of_another_tool_counts_where_its_markers_hold(locked: Checked) -> None:
    locked.requires("lib==2.0; sys_platform == 'linux'", "lib==1.0; sys_platform == 'win32'", mlpin='python = "3.11"')
    text = 'lock-version = "1.0"\ncreated-by = "another"\n'
    for version, system in (("2.0", "linux"), ("1.0", "win32")):
        text += f'[[packages]]\nname = "lib"\nversion = "{version}"\nmarker = "sys_platform == \'{system}\'"\n'
        text += f'[[packages.wheels]]\nurl = "https://files.example/lib-{version}-py3-none-any.whl"\n'
        text += f'hashes = {{ sha256 = "{"0" * 64}" }}\n'
    locked.write("pylock.toml", text)
    assert locked.kinds() == []
    locked.write("pylock.toml", text.replace('"2.0"', '"2.1"').replace("lib-2.0", "lib-2.1"))
    assert locked.kinds() == ["version lib"]


@pytest.mark.parametrize(
    ("locked_with", "then", "kinds"),
    [
        ((), "", []),
        (("--no-default-groups",), "", []),
        ((), "default-groups = []", ["unneeded other"]),
    ],
)
def test_default_groups(locked: Checked, locked_with: tuple[str, ...], then: str, kinds: list[str]) -> None:
    locked.requires("lib", more=GROUP, mlpin='python = "3.11"')
    locked.locked(*locked_with, index=locked.index)
    assert ("other" in locked.versions()) is (locked_with == ())
    locked.requires("lib", more=GROUP, mlpin=f'python = "3.11"\n{then}')
    assert locked.kinds() == kinds


@pytest.mark.parametrize("value", ['python = "banana"', 'platform = "moon"', 'gpus = ["Voodoo 2"]'])
def test_a_target_that_somebody_edited(locked: Checked, value: str) -> None:
    key = value.partition(" ")[0]
    text = re.sub(rf'(?m)^{key} = "[^"]*"\n', "", locked.text.partition("[tool.mlpin.target]")[2])
    locked.write("pylock.toml", locked.text.partition("[tool.mlpin.target]")[0] + f"[tool.mlpin.target]\n{value}{text}")
    assert "edited" in locked.kinds()
    assert "invalid" in locked.kinds("pylock.toml")
    locked.lock("--group", "dev", index=locked.index)
    assert locked.kinds() == []


def test_a_version_that_is_none(locked: Checked) -> None:
    locked.write("pylock.toml", locked.text.replace('version = "2.1"', 'version = "foo"'))
    assert {"edited", "invalid"} <= set(locked.kinds("--outdated", "--no-cache"))


def test_a_source_that_is_not_asked_for_any_more(locked: Checked) -> None:
    locked.write("part/pyproject.toml", '[project]\nname = "other"\nversion = "1"\n')
    source = '[tool.uv.sources]\nother = { path = "part"%s }\n'
    locked.requires("other", more=source % "", mlpin='python = "3.11"')
    locked.locked(index=locked.index)
    locked.requires("other", more=source % ", editable = true", mlpin='python = "3.11"')
    assert locked.kinds() == ["source other"]
    locked.requires("other", mlpin='python = "3.11"')
    assert locked.kinds() == ["source other"]


@pytest.mark.parametrize(
    ("then", "kinds"),
    [
        ('overrides = ["lib<2"]', ["override lib"]),
        ('overrides = ["lib>=2"]', []),
        ('exclude = ["lib"]', ["unneeded lib"]),
        ('prerelease = "disallow"', []),
    ],
)
def test_what_is_said_of_packages_that_only_others_ask_for(locked: Checked, then: str, kinds: list[str]) -> None:
    locked.requires("app[fast]", more=GROUP, mlpin=f'python = "3.11"\n{then}')
    assert [kind.replace("constraint", "override") for kind in locked.kinds()] == kinds


def test_what_was_excluded_and_is_not_any_more(locked: Checked) -> None:
    locked.requires("app[fast]", more=GROUP, mlpin='python = "3.11"\nexclude = ["lib"]')
    locked.locked(index=locked.index)
    assert locked.kinds() == []
    locked.requires("app[fast]", more=GROUP, mlpin='python = "3.11"')
    assert locked.kinds() == ["option lib"]


def test_a_directory_that_cannot_be_read_or_needs_another_python(locked: Checked) -> None:
    folder = '[project]\nname = "part"\nversion = "1"\ndependencies = ["lib"]\n'
    locked.write("part/pyproject.toml", folder)
    locked.requires("part @ ./part", mlpin='python = "3.11"')
    locked.locked(index=locked.index)
    locked.write("part/pyproject.toml", folder + 'requires-python = ">=3.12"\n')
    assert locked.kinds() == ["requires-python part"]
    (locked.root / "part").rename(locked.root / "moved")
    assert locked.kinds() == ["source part"]


def test_a_file_that_a_directory_reads_its_dependencies_from(locked: Checked) -> None:
    locked.write(
        "part/pyproject.toml",
        '[project]\nname = "part"\nversion = "1"\ndynamic = ["dependencies"]\n'
        '[tool.setuptools.dynamic]\ndependencies = { file = ["needs.txt"] }\n',
    )
    locked.write("part/needs.txt", "lib\n")
    locked.requires("part @ ./part", mlpin='python = "3.11"')
    locked.locked(index=locked.index)
    assert locked.kinds() == []
    locked.write("part/needs.txt", "lib\nspeed\n")
    assert locked.kinds() == ["unlocked speed"]


def test_what_could_be_newer_must_fit(locked: Checked) -> None:
    locked.index.add(
        wheel("app", "3.0", requires_python=">=3.13"),
        wheel("speed", "2.0"),
        wheel("holder", "1.0", ["speed<2"]),
    )
    locked.requires("app[fast]", "holder", mlpin='python = "3.11"')
    locked.locked("--no-cache", index=locked.index)
    assert "could be" not in locked.run("check", "--outdated", "--no-cache").words


def test_the_way_out_names_the_project(locked: Checked, monkeypatch: pytest.MonkeyPatch) -> None:
    locked.requires("app<2", mlpin='python = "3.11"')
    monkeypatch.chdir(locked.root.parent)
    assert "`mlpin lock project` brings the lock up to date" in locked.run("check", "project").words


def test_members_of_a_workspace_come_from_it_and_count(locked: Checked) -> None:
    """Also where another member asks: what an index has under that name is a stranger's."""
    locked.index.add(wheel("two", "9.9"))
    locked.write(
        "libs/one/pyproject.toml",
        '[project]\nname = "one"\nversion = "1"\ndependencies = ["two"]\n'
        "[tool.uv.sources]\ntwo = { workspace = true }\n",
    )
    two = '[project]\nname = "two"\nversion = "1"\ndependencies = [{}]\n'
    locked.write("libs/two/pyproject.toml", two.format('"lib"'))
    more = '[tool.uv.workspace]\nmembers = ["libs/*"]\n[tool.uv.sources]\none = { workspace = true }\n'
    locked.requires("one", more=more, mlpin='python = "3.11"')
    locked.lock(index=locked.index)
    tables = locked.tables()
    assert package(tables, "two")["directory"] == {"path": "libs/two", "editable": True}
    assert locked.kinds() == []
    locked.write("libs/two/pyproject.toml", two.format('"lib<2"'))
    assert locked.kinds() == ["version lib"]


def test_the_way_out_has_the_options_that_only_the_lock_knows_of(locked: Checked) -> None:
    """Without them the lock would be made for another machine, or without an extra."""
    locked.write(
        "pyproject.toml",
        '[project]\nname = "mine"\nversion = "1"\nrequires-python = ">=3.11"\n'
        'dependencies = ["app"]\n[project.optional-dependencies]\nquick = ["speed"]\n',
    )
    options = ("--python", "3.12", "--platform", "windows-amd64", "--driver", "550.54", "--extra", "quick")
    locked.locked(*options, "--pytorch-index-url", "none", index=locked.index)
    assert locked.kinds() == []
    locked.write("pyproject.toml", (locked.root / "pyproject.toml").read_text().replace('"app"', '"app<2"'))
    words = locked.run("check").words
    command = re.search(r"`mlpin (lock [^`]*)` brings", words)
    assert command, words
    assert locked.run(*command[1].split(), "--index-url", locked.index.url, "--pytorch-index-url", "none").code == 0
    assert locked.kinds() == []
    target = locked.tables()["tool"]["mlpin"]["target"]
    assert (target["platform"], target["python"], target["driver"]) == ("windows-amd64", "3.12", "550.54")
    assert "speed" in locked.versions()


def test_sources_of_the_workspace_count_for_its_members(locked: Checked) -> None:
    """As uv has it: a member that says no place itself gets that of its root."""
    locked.index.add(wheel("two", "9.9"))
    locked.write("libs/one/pyproject.toml", '[project]\nname = "one"\nversion = "1"\ndependencies = ["two"]\n')
    locked.write("libs/two/pyproject.toml", '[project]\nname = "two"\nversion = "1"\n')
    more = '[tool.uv.workspace]\nmembers = ["libs/*"]\n[tool.uv.sources]\n'
    more += "one = { workspace = true }\ntwo = { workspace = true }\n"
    locked.requires("one", more=more, mlpin='python = "3.11"')
    locked.lock(index=locked.index)
    assert package(locked.tables(), "two")["directory"]["path"] == "libs/two"
    assert locked.kinds() == []
    (locked.root / "libs/two").rename(locked.root / "libs/moved")
    assert locked.kinds() == ["source two"]
    assert locked.lock(index=locked.index).code == 0
    assert package(locked.tables(), "two")["directory"]["path"] == "libs/moved"


def test_extras_of_a_directory_are_followed(locked: Checked) -> None:
    part = '[project]\nname = "part"\nversion = "1"\ndependencies = []\n[project.optional-dependencies]\n'
    locked.write("part/pyproject.toml", part + 'x = ["lib"]\nall = ["part[x]"]\n')
    locked.requires("part[all] @ ./part", mlpin='python = "3.11"')
    locked.lock(index=locked.index)
    locked.write("part/pyproject.toml", part + 'x = ["lib"]\nall = ["part[x]"]\n# changed\n')
    assert locked.kinds() == []
    locked.write("part/pyproject.toml", part + 'x = ["lib<2"]\nall = ["part[x]"]\n')
    assert locked.kinds() == ["version lib"]


def test_choices_about_the_files_of_indexes_do_not_count_for_a_direct_one(locked: Checked) -> None:
    locked.write("part/pyproject.toml", '[project]\nname = "part"\nversion = "1.0.dev1"\n')
    locked.requires("part @ ./part", "lib", mlpin='python = "3.11"\nprerelease = "disallow"\nonly-binary = [":all:"]')
    locked.lock(index=locked.index)
    locked.requires(
        "part @ ./part", "lib>=1", mlpin='python = "3.11"\nprerelease = "disallow"\nonly-binary = [":all:"]'
    )
    assert locked.kinds() == []


def test_how_versions_were_chosen_stands_in_the_way_out(locked: Checked) -> None:
    locked.requires("app", mlpin='python = "3.11"')
    locked.locked("--resolution", "lowest", "--only-binary", ":all:", index=locked.index)
    locked.requires("app>2", mlpin='python = "3.11"')
    assert "`mlpin lock --resolution lowest --only-binary :all:` brings" in locked.run("check").words


def test_a_python_that_the_manifest_excludes_is_no_way_out(locked: Checked) -> None:
    locked.requires("app")
    locked.locked("--python", "3.11", "--resolution", "lowest", index=locked.index)
    text = (locked.root / "pyproject.toml").read_text()
    locked.write("pyproject.toml", text.replace(">=3.11", ">=3.12"))
    assert "`mlpin lock --resolution lowest` brings" in locked.run("check").words


def test_overrides_of_a_file_that_only_the_command_line_named(locked: Checked) -> None:
    locked.requires("app>=2", mlpin='python = "3.11"')
    locked.write("force.txt", "app==1.0\n")
    assert locked.locked("--override", "force.txt", "-U", index=locked.index)["app"] == "1.0"
    assert locked.kinds() == []
    locked.requires("app>=2", "other", mlpin='python = "3.11"')
    assert locked.kinds() == ["unlocked other"]
    assert "`mlpin lock --override force.txt` brings" in locked.run("check").words
    locked.requires("app>=2", mlpin='python = "3.11"\noverrides = ["app==1.0"]')
    locked.locked("-U", index=locked.index)
    locked.requires("app>=2", mlpin='python = "3.11"')
    assert locked.kinds() == ["version app"]


@pytest.mark.parametrize(
    ("version", "found"), [("2.1.0", False), ("2.1+cu126", False), ("2.1rc1", True), ("2.1.1", True)]
)
def test_a_file_is_of_its_version_however_that_is_spelled(locked: Checked, version: str, found: bool) -> None:
    edit(locked.root / "pylock.toml", lambda lock: package(lock, "lib").update(version=version), signed=False)
    assert ("file lib" in locked.kinds("pylock.toml")) is found
