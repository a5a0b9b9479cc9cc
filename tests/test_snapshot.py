"""Snapshots: what is written of a real directory of packages, read back, and what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mlpin import snapshot
from mlpin.commands.environments import active
from mlpin.errors import InputError
from mlpin.machine import Machine
from mlpin.nvml import Gpu
from mlpin.report import wrap
from mlpin.snapshot import Snapshot, as_json, parsed, read, taken
from mlpin.stack import distributions
from tests.projects import Project
from tests.stack.test_installed import info

SCHEMA = json.loads(Path(wrap.__file__).with_name("snapshot.schema.json").read_text("utf-8"))
NODE = Machine(
    "3.11.9", "linux-x86_64", "2.35", "glibc 2.35", "Xeon", ("avx", "avx2"), "550.54.15", "12.4",
    (Gpu("NVIDIA H100 80GB HBM3", "9.0", 85520809984),), (), False, ("a note",), ("CONDA_OVERRIDE_CUDA",),
)  # fmt: skip


def install(env: Path, name: str, version: str, *, record: str = "", direct: dict[str, Any] | None = None) -> None:
    folder = env / "lib/python3.11/site-packages"
    info(folder, name, version)
    place = folder / f"{name}-{version}.dist-info"
    if record:
        (place / "RECORD").write_text(record)
    if direct:
        (place / "direct_url.json").write_text(json.dumps(direct))


def of(env: Path) -> Snapshot:
    (env / "lib/python3.11/site-packages").mkdir(parents=True, exist_ok=True)
    return taken("n1", NODE, distributions.read(env, "env"))


def files(env: Path) -> list[str]:
    contents = of(env).environment
    assert contents is not None
    return [one.files for one in contents.packages]


WHEEL = "a/__init__.py,sha256=A,1\na-1.dist-info/METADATA,sha256=M,1\na-1.dist-info/RECORD,,\n"


@pytest.mark.parametrize(
    ("lines", "same"),
    [
        ("a-1.dist-info/INSTALLER,sha256=I,4\na-1.dist-info/REQUESTED,sha256=R,0\n", True),
        ("a-1.dist-info/direct_url.json,sha256=D,9\na-1.dist-info/uv_cache.json,sha256=U,9\n", True),
        ("../../../bin/a,sha256=S,200\n../../Scripts/a.exe,sha256=S,200\n", True),
        ("a/__pycache__/__init__.cpython-311.pyc,,\nb.pyc,sha256=P,1\n", True),
        ("/home/somebody/a.py,sha256=H,1\n", True),
        ("a/b.py,sha256=B,1\n", False),
        ("../../../share/a.1,sha256=B,1\n", False),
        ("a/bin/tool,sha256=B,1\n", False),
    ],
)
def test_a_wheel_has_the_same_digest_whoever_installed_it(tmp_path: Path, lines: str, same: bool) -> None:
    install(tmp_path / "one", "a", "1", record=WHEEL)
    install(tmp_path / "other", "a", "1", record="".join(reversed((WHEEL + lines).splitlines(keepends=True))))
    assert (files(tmp_path / "one") == files(tmp_path / "other")) == same
    assert files(tmp_path / "one")[0].startswith("sha256:")


@pytest.mark.parametrize(
    ("direct", "source"),
    [
        (
            {"url": "https://me:secret@git.example/x", "vcs_info": {"vcs": "git", "commit_id": "a" * 40}},
            f"commit {'a' * 40}",
        ),
        (
            {"url": "https://host.example/x.whl?token=secret", "archive_info": {"hash": "sha256=beef"}},
            "archive sha256:beef",
        ),
        ({"url": "file:///home/me/x.whl", "archive_info": {}}, "archive"),
        ({"url": "file:///home/me/x.whl", "archive_info": {"hash": "sha256=/home/me"}}, "archive"),
        ({"url": "file:///home/me/x", "dir_info": {}}, "directory"),
        ({"url": "file:///home/me/x", "dir_info": {"editable": True}}, "editable"),
    ],
)
def test_where_a_package_came_from_names_no_place(tmp_path: Path, direct: dict[str, Any], source: str) -> None:
    install(tmp_path, "a", "1", record=WHEEL, direct=direct)
    found = of(tmp_path)
    assert found.environment is not None
    assert found.environment.packages[0].source == source
    text = as_json(found)
    assert not any(word in text for word in ("secret", "/home", "example", "me:", str(tmp_path), "a note", "OVERRIDE"))
    # What was built on the spot has files of its own: no digest, so that nobody takes them for another build.
    assert ("files" in text) == source.startswith("archive")


def test_what_is_written_is_read_back_and_is_what_the_schema_says(tmp_path: Path) -> None:
    install(tmp_path, "Some_Name", "1.0+cu124", record="a.py,sha256=A,1\n")
    install(tmp_path, "b", "2")
    (tmp_path / "conda-meta").mkdir()
    (tmp_path / "conda-meta/numpy-1.26.4-py311h64a7726_0.json").write_text("{}")
    odd = NODE._replace(cpu="tab\there" + "x" * 400)
    for one in (of(tmp_path), taken("n2", NODE, None), taken("n3", odd, None)):
        text = as_json(one)
        jsonschema.validate(json.loads(text), SCHEMA)
        assert parsed(text, "") == one
        assert as_json(parsed(text, "")) == text
    assert as_json(of(tmp_path)) == as_json(of(tmp_path))
    assert '      {"name": "some-name", "version": "1.0+cu124", "files": "sha256:' in as_json(of(tmp_path))
    assert '{"name": "numpy", "version": "1.26.4", "build": "py311h64a7726_0"}' in as_json(of(tmp_path))


def changed(**fields: Any) -> str:
    return json.dumps(json.loads(as_json(taken("n1", NODE, None))) | fields)


def environment(**package: Any) -> str:
    return changed(environment={"python": "3.11", "packages": [{"name": "ok", "version": "1"}, package]})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "n.json:1: is not valid JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "n.json: is not a snapshot of mlpin"),
        ("{}", "is not a snapshot of mlpin"),
        (changed(schema="mlpin-explain/1"), "is not a snapshot of mlpin"),
        (changed(schema="mlpin-snapshot/2"), "was written by a newer mlpin: it is mlpin-snapshot/2, and this one reads"),
        (changed(schema="mlpin-snapshot/0"), "was written by an older mlpin"),
        (changed(schema=["mlpin-snapshot/1"]), "is not a snapshot"),
        (changed(name=""), "`name` cannot be the name of a node"),
        (changed(name="n[1-2]"), "`name` cannot be the name of a node"),
        (changed(name="n\n1"), "`name` cannot be the name of a node"),
        (changed(name=1), "`name` must be a string"),
        (changed(host=[]), "`host` must be a table"),
        (changed(host={"platform": "plan9"}), "`host.platform` is none"),
        (changed(host={"gpus": [{"capability": "²"}]}), "`host.gpus[0].capability` is none"),
        (changed(host={"cpu_features": ["\u202e"]}), "`host.cpu_features` must be lines"),
        (changed(environment=3), "`environment` must be a table"),
        (changed(environment={"python": "three"}), "`environment.python` is none"),
        (changed(environment={"packages": {}}), "`environment.packages` must be a list"),
        (changed(environment={"packages": [1]}), "item 1 is a whole number"),
        (environment(version="1"), "`environment.packages[1].name` is missing"),
        (environment(name="a"), "`environment.packages[1].version` is missing"),
        (environment(name="a", version=["1"]), "`environment.packages[1].version` must be a string"),
        (environment(name="a", version="1\x1b[2J"), "`environment.packages[1].version` must be one line"),
        (environment(name="a", version="1" * 301), "must be one line of at most 300 characters"),
        (environment(name="a", version="1 2"), "must be one word"),
        (environment(name="a", version="1", source="/home/me"), "`environment.packages[1].source` is none"),
    ],
)  # fmt: skip
def test_what_is_no_snapshot_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        parsed(text, "n.json")
    assert said in str(caught.value)


def test_a_file_that_cannot_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "latin.json").write_bytes(b'{"name": "\xe9"}')
    monkeypatch.setattr(snapshot, "LARGEST", 1 << 20)
    (tmp_path / "large.json").write_bytes(b" " * ((1 << 20) + 1))
    for name, said in (("latin", "is not text in UTF-8"), ("large", "larger than 1 MiB"), ("none", "cannot be read")):
        with pytest.raises(InputError, match=said):
            read(tmp_path / f"{name}.json", name)


def test_the_command(project: Project) -> None:
    install(project.root / "env", "a", "1", record=WHEEL)
    ran = project.run("snapshot", "--env", "env", "--name", "n1")
    assert ran.code == 0
    assert [one.name for one in (parsed(ran.out, "").environment or ((), ()))[1]] == ["a"]
    assert project.run("snapshot", "--env", "env", "--name", "n1", "-q", "-o", "all/n1.json") == (0, "", "")
    assert (project.root / "all/n1.json").read_text("utf-8") == ran.out
    ran = project.run("snapshot")
    assert parsed(ran.out, "").environment is None
    assert "no environment is active and there is no .venv here: the snapshot has the host alone" in ran.words
    for wrong, said in ((["--env", "nowhere"], "there is no such environment"), (["--name", "a,b"], "`a,b` cannot be")):
        ran = project.run("snapshot", *wrong)
        assert ran.code == 2
        assert said in ran.words


def test_overrides_are_no_facts_of_the_machine(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = project.run("snapshot", "-q").out
    monkeypatch.setenv("CONDA_OVERRIDE_GLIBC", "9.99")
    assert project.run("snapshot", "-q").out == plain


def test_the_active_environment(tmp_path: Path) -> None:
    for name in ("a", "b", ".venv"):
        (tmp_path / name).mkdir()
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    assert active({"VIRTUAL_ENV": a, "CONDA_PREFIX": b}, tmp_path) == Path(a)
    assert active({"VIRTUAL_ENV": "", "CONDA_PREFIX": b}, tmp_path) == Path(b)
    assert active({"VIRTUAL_ENV": str(tmp_path / "gone")}, tmp_path) == tmp_path / ".venv"
    os.rmdir(tmp_path / ".venv")
    assert active({}, tmp_path) is None
