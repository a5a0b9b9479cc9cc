"""`mlpin lock` as a user runs it, against an index over real sockets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mlpin
from mlpin.lock import file as lock_file
from tests.index.server import LOGIN_PAGE, IndexServer
from tests.projects import Project, Ran
from tests.wheels import headers, sdist, wheel, zipped

Serve = Callable[..., IndexServer]

STACK = (
    wheel("app", "1.0", ["lib>=1", 'speed; extra == "fast"'], extras=["fast"]),
    wheel("app", "2.0", ["lib>=2", 'speed; extra == "fast"'], extras=["fast"]),
    wheel("lib", "1.0"),
    wheel("lib", "2.0"),
    wheel("lib", "2.1"),
    wheel("speed", "1.0"),
    wheel("tool", "1.0", ["lib<2"]),
)


# -- a lock


def test_a_lock_that_the_specification_accepts(serve: Serve, project: Project) -> None:
    index = serve(*STACK)
    project.requires("app[fast]>=1")
    assert project.locked(index=index) == {"app": "2.0", "lib": "2.1", "speed": "1.0"}
    tables = project.tables()
    app = next(package for package in tables["packages"] if package["name"] == "app")
    assert [one["name"] for one in app["dependencies"]] == ["lib", "speed"]
    (file,) = app["wheels"]
    built = index.files["app-2.0-py3-none-any.whl"]
    assert (file["url"], file["hashes"], file["size"]) == (
        f"{index.root}/files/{built.filename}",
        {"sha256": built.sha256},
        len(built.data),
    )
    assert tables["created-by"] == "mlpin"
    assert tables["requires-python"] == ">=3.11"
    assert lock_file.read(project.root / "pylock.toml").intact  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "behaviour",
    [
        {},
        {"json": False},
        {"json": False, "metadata": False},
        {"metadata": False, "ranges": "none"},
        {"json": False, "hashes": False},
    ],
)
def test_the_kind_of_index_does_not_show(serve: Serve, project: Project, behaviour: dict[str, Any]) -> None:
    project.requires("app[fast]>=1")
    assert project.locked(index=serve(*STACK, **behaviour)) == {"app": "2.0", "lib": "2.1", "speed": "1.0"}
    for package in project.tables()["packages"]:
        assert package["wheels"][0]["hashes"]["sha256"] in {built.sha256 for built in STACK}


def test_a_second_run_asks_nothing_and_writes_the_same_bytes(serve: Serve, project: Project) -> None:
    index = serve(*STACK)
    project.requires("app")
    project.locked(index=index)
    before, stamp = project.text, (project.root / "pylock.toml").stat().st_mtime_ns
    index.forget()
    index.add(wheel("app", "3.0"))
    assert "up to date" in project.lock(index=index).words
    assert (project.text, index.asked) == (before, [])
    assert (project.root / "pylock.toml").stat().st_mtime_ns == stamp


def test_resolved_again_it_is_the_same_bytes(serve: Serve, project: Project) -> None:
    index = serve(*STACK)
    project.requires("app[fast]", "tool; python_version < '3'")
    project.locked(index=index)
    before = project.text
    project.locked("--refresh", index=index)
    assert project.text == before
    (project.root / "pylock.toml").unlink()
    index.forget()
    project.locked(index=index)
    assert (project.text, index.asked) == (before, [])


def test_what_is_locked_stays_until_it_is_asked_to_move(serve: Serve, project: Project) -> None:
    index = serve(*STACK)
    project.requires("app", "speed")
    project.locked(index=index)
    index.add(wheel("lib", "2.2"), wheel("app", "2.5", ["lib>=2"]), wheel("speed", "2.0"), wheel("new", "1.0"))
    project.requires("app", "speed", "new")
    assert project.locked("--refresh", index=index) == {"app": "2.0", "lib": "2.1", "new": "1.0", "speed": "1.0"}
    ran = project.lock("-P", "App", index=index)
    assert project.versions() == {"app": "2.5", "lib": "2.1", "new": "1.0", "speed": "1.0"}
    assert "~ app 2.0 -> 2.5 (upgraded)" in ran.words
    assert project.locked("--upgrade", index=index) == {"app": "2.5", "lib": "2.2", "new": "1.0", "speed": "2.0"}


def test_what_nothing_asks_for_goes(serve: Serve, project: Project) -> None:
    index = serve(*STACK)
    project.requires("app", "speed")
    project.locked(index=index)
    project.requires("lib")
    ran = project.lock(index=index)
    assert project.versions() == {"lib": "2.1"}
    assert "- app 2.0 (nothing asks for it any more)" in ran.words


def test_extras_and_groups(serve: Serve, project: Project) -> None:
    index = serve(*STACK)
    project.requires(
        "app",
        more='[project.optional-dependencies]\nfast = ["mine[faster]"]\nfaster = ["speed"]\n[dependency-groups]\nchecks = ["tool"]',
    )
    assert project.locked(index=index) == {"app": "2.0", "lib": "2.1"}
    assert project.locked("--extra", "fast", index=index) == {"app": "2.0", "lib": "2.1", "speed": "1.0"}
    assert project.locked("--group", "checks", index=index) == {"app": "1.0", "lib": "1.0", "tool": "1.0"}
    assert (project.tables()["extras"], project.tables()["dependency-groups"]) == ([], [])


# -- where it cannot be done


@pytest.fixture
def before(serve: Serve, project: Project) -> str:
    """The text of a lock that is there already."""
    project.requires("app")
    project.locked(index=serve(*STACK))
    return project.text


def refused(
    project: Project,
    before: str,
    code: int,
    *words: str,
    arguments: tuple[str, ...] = (),
    index: IndexServer | None = None,
) -> Ran:
    """Lock, which must end with `code` and these words, and leave the lock alone; then the same as JSON."""
    ran = project.lock(*arguments, index=index)
    assert ran.code == code, ran.words
    for word in words:
        assert word in ran.words
    again = project.lock(*arguments, "--format", "json", index=index)
    assert (again.code, again.err) == (code, "")
    assert json.loads(again.out)["outcome"] in {"error", "conflict"}
    assert project.text == before
    assert [path.name for path in project.root.glob(".*")] == []
    return ran


def test_a_conflict(serve: Serve, project: Project, before: str) -> None:
    project.requires("app>=2", "tool")
    refused(
        project,
        before,
        1,
        "app>=2",
        "tool 1.0 needs lib<2",
        "pyproject.toml:5",
        "No lock was changed",
        index=serve(*STACK),
    )


def test_an_unknown_package(serve: Serve, project: Project, before: str) -> None:
    project.requires("app", "nonsuch")
    refused(project, before, 1, "nonsuch", "on none of the indexes", index=serve(*STACK))


def test_a_version_that_does_not_exist(serve: Serve, project: Project, before: str) -> None:
    project.requires("app>=7")
    refused(project, before, 1, "app>=7", index=serve(*STACK))


@pytest.mark.parametrize(
    ("arguments", "word"),
    [(("--extra", "none"), "none"), (("--group", "none"), "none"), (("--target", "none"), "none")],
)
def test_an_unknown_extra_group_or_target(
    serve: Serve, project: Project, before: str, arguments: tuple[str, ...], word: str
) -> None:
    index = serve(*STACK)
    refused(project, before, 2, word, arguments=arguments, index=index)
    assert index.asked == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[project]\nname = "mine"\ndependencies = ["app"\n', ("pyproject.toml:3", "unclosed array")),
        ('[project]\nname = "mine"\nname = "again"\n', ("pyproject.toml", "3")),
        (
            '[project]\nname = "mine"\nversion = "1"\ndependencies = [\n  "app",\n  "lib >= one",\n]\n',
            ("pyproject.toml:6", "lib >= one"),
        ),
        ('[project]\nname = "mine"\nversion = "1"\ndependencies = "app"\n', ("pyproject.toml", "dependencies")),
        (
            '[project]\nname = "mine"\nversion = "1"\ndependencies = ["app"]\n[tool.mlpin]\nplattform = "x"\n',
            ("pyproject.toml", "plattform"),
        ),
        ("\x00", ("pyproject.toml",)),
    ],
)
def test_a_broken_manifest(serve: Serve, project: Project, before: str, text: str, words: tuple[str, ...]) -> None:
    index = serve(*STACK)
    project.write("pyproject.toml", text)
    refused(project, before, 2, *words, index=index)
    assert index.asked == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("--nonsense",),
        ("none.txt",),
        ("--python", "two"),
        ("--platform", "amiga"),
        ("-c", "none.txt"),
        ("--exclude-newer", "soon"),
    ],
)
def test_wrong_usage(serve: Serve, project: Project, before: str, arguments: tuple[str, ...]) -> None:
    refused(project, before, 2, arguments=arguments, index=serve(*STACK))


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "wants credentials"), (403, "403"), (500, "500"), (503, "503"), (429, "429"), (418, "418")],
)
def test_an_index_that_refuses(serve: Serve, project: Project, before: str, status: int, words: str) -> None:
    index = serve(*STACK)
    index.fault("/simple/app/", status)
    refused(project, before, 3, words, index.url, arguments=("--refresh",), index=index)


def test_an_index_that_is_not_there(project: Project, before: str) -> None:
    refused(project, before, 3, "refused", arguments=("--refresh", "--index-url", "http://127.0.0.1:9/simple"))


def test_an_index_that_is_no_index(serve: Serve, project: Project, before: str) -> None:
    index = serve(*STACK)
    index.page("app", LOGIN_PAGE)
    refused(project, before, 3, "login page", "credentials", arguments=("--refresh",), index=index)
    other = serve(*STACK)
    other.page("app", "%PDF-1.4", content_type="application/pdf")
    refused(project, before, 3, "application/pdf", arguments=("--refresh",), index=other)


@pytest.mark.parametrize("behaviour", [{}, {"json": False}, {"json": False, "chunked": True}])
def test_half_an_answer(serve: Serve, project: Project, before: str, behaviour: dict[str, Any]) -> None:
    index = serve(*STACK, **behaviour)
    kind, page = index.render("app", "" if behaviour else "application/vnd.pypi.simple.v1+json") or ("", b"")
    index.page("app", page.decode(), kind, cut=len(page) // 2)
    refused(project, before, 3, "broke off", arguments=("--refresh",), index=index)


@pytest.mark.parametrize("behaviour", [{}, {"json": False}])
def test_half_a_page_that_says_it_is_whole(
    serve: Serve, project: Project, before: str, behaviour: dict[str, Any]
) -> None:
    index = serve(*STACK, **behaviour)
    kind, page = index.render("app", "" if behaviour else "application/vnd.pypi.simple.v1+json") or ("", b"")
    index.page("app", page[: len(page) // 2].decode(), kind)
    refused(project, before, 3, "cut off", arguments=("--refresh",), index=index)


def bad_wheels() -> dict[str, tuple[Any, str]]:
    good = wheel("bad", "1.0")
    bomb = zipped({"bad-1.0.dist-info/METADATA": b"Name: bad\nVersion: 1.0\n" + bytes(40 << 20)})
    at = good.data.rindex(b"PK\x01\x02", 0, good.data.rindex(b"METADATA"))
    lying = good.data[: at + 24] + (9).to_bytes(4, "little") + good.data[at + 28 :]
    return {
        "other version": (wheel("bad", "1.0", metadata=headers("bad", "2.0")), "says version 2.0"),
        "other name": (wheel("bad", "1.0", metadata=headers("worse", "1.0")), "`worse`"),
        "no metadata": (good._replace(data=zipped({"bad.py": b""})), "without METADATA"),
        "lying zip": (good._replace(data=lying), "not"),
        "bomb": (good._replace(data=bomb), "METADATA claims"),
        "truncated": (good._replace(data=good.data[:-30]), "not a readable wheel"),
        "no zip": (good._replace(data=LOGIN_PAGE.encode()), "not a readable wheel"),
        "unreadable requirement": (wheel("bad", "1.0", ["lib >= one"]), "lib >= one"),
        "no static metadata": (sdist("bad", "1.0", pkg_info=""), "only by building"),
        "no archive": (sdist("bad", "1.0")._replace(data=b"no"), "not a readable source archive"),
    }


@pytest.mark.parametrize("kind", bad_wheels())
@pytest.mark.parametrize("ranges", ["full", "none"])
def test_a_file_that_is_not_what_it_says(serve: Serve, project: Project, before: str, kind: str, ranges: str) -> None:
    bad, words = bad_wheels()[kind]
    project.requires("app", "bad")
    refused(project, before, 1, "bad", words, index=serve(*STACK, bad, metadata=False, ranges=ranges))


@pytest.mark.parametrize("kind", bad_wheels())
def test_an_older_file_that_is_good_is_taken_then(serve: Serve, project: Project, kind: str) -> None:
    bad, _ = bad_wheels()[kind]
    project.requires("bad")
    assert project.locked(index=serve(wheel("bad", "0.9"), bad, metadata=False)) == {"bad": "0.9"}


def test_offline(serve: Serve, project: Project, before: str) -> None:
    index = serve(*STACK)
    project.requires("app", "speed")
    refused(project, before, 3, "--offline", f"{index.url} (app)", arguments=("--offline",), index=index)
    assert index.asked == []
    versions = project.locked(index=index)
    (project.root / "pylock.toml").unlink()
    index.forget()
    assert project.locked("--offline", index=index) == versions
    assert index.asked == []


def test_a_broken_lock_in_the_way(serve: Serve, project: Project, before: str) -> None:
    index = serve(*STACK)
    for text in ("not TOML", "a = 1\n", 'lock-version = "1.0"\ncreated-by = "x"\npackages = [1]\n', before[:200]):
        project.write("pylock.toml", text)
        refused(project, text, 2, "pylock.toml", index=index)


def test_a_lock_that_a_hand_edited_is_made_again(serve: Serve, project: Project, before: str) -> None:
    index = serve(*STACK)
    project.lock(index=index)
    mended = project.text
    project.write("pylock.toml", mended.replace('version = "2.0"', 'version = "1.0"'))
    assert project.locked("--upgrade", index=index) == {"app": "2.0", "lib": "2.1"}


# -- several locks


TARGETS = """
[tool.mlpin.targets.train]
platform = "linux-x86_64"
python = ["3.11", "3.12"]
[tool.mlpin.targets.laptop]
platform = "macos-14-arm64"
python = "3.12"
"""
LOCKS = ("pylock.train-py311.toml", "pylock.train-py312.toml", "pylock.laptop.toml")


def test_a_lock_for_each_target_and_python(serve: Serve, project: Project) -> None:
    index = serve(
        wheel("a", "1.0"),
        wheel("a", "2.0", tags="cp312-cp312-macosx_11_0_arm64"),
        wheel("a", "1.5", tags="cp312-cp312-manylinux_2_17_x86_64"),
    )
    project.requires("a", mlpin=TARGETS)
    assert project.lock(index=index).code == 0
    assert sorted(path.name for path in project.root.glob("pylock*")) == sorted(LOCKS)
    # Versions align where they can: the first target decides what the others prefer.
    assert [project.versions(name)["a"] for name in LOCKS] == ["1.0", "1.0", "1.0"]
    assert project.lock("--target", "laptop", "--upgrade", index=index).code == 0
    assert [project.versions(name)["a"] for name in LOCKS] == ["1.0", "1.0", "2.0"]
    assert "sys_platform == 'darwin'" in project.tables("pylock.laptop.toml")["environments"][0]
    assert project.lock("-o", "locks", index=index).code == 0
    assert sorted(path.name for path in (project.root / "locks").iterdir()) == sorted(LOCKS)


def test_all_locks_or_none(serve: Serve, project: Project) -> None:
    index = serve(wheel("a", "1.0"), wheel("b", "1.0", tags="cp311-cp311-manylinux_2_17_x86_64"))
    project.requires("a", mlpin=TARGETS)
    assert project.lock(index=index).code == 0
    before = {name: (project.root / name).read_bytes() for name in LOCKS}
    project.requires("a", "b", mlpin=TARGETS)
    assert project.lock(index=index).code == 1
    assert {name: (project.root / name).read_bytes() for name in LOCKS} == before


@pytest.mark.parametrize("place", range(3))
def test_all_files_or_none(tmp_path: Path, place: int) -> None:
    """One of the files cannot be replaced: those that were are put back, and new ones are taken away."""
    paths = [tmp_path / name for name in LOCKS]
    paths[0].write_text("old")
    paths[place].unlink(missing_ok=True)
    paths[place].mkdir()
    (paths[place] / "x").write_text("in the way")
    before = {path: path.read_text() for path in paths if path.is_file()}
    with pytest.raises(mlpin.errors.InputError, match="cannot be written") as caught:
        lock_file.write([(path, "new") for path in paths])
    assert caught.value.where == str(paths[place])
    assert {path: path.read_text() for path in tmp_path.iterdir() if path.is_file()} == before


def test_a_lock_that_cannot_be_written(serve: Serve, project: Project) -> None:
    project.requires("app")
    project.write("file", "no directory")
    for output in ("file/pylock.toml", "file"):
        ran = project.lock("-o", output, index=serve(*STACK))
        assert ran.code == 2, ran.words
        assert "file" in ran.words
    assert (project.root / "file").read_text() == "no directory"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="modes stop nobody here")
def test_a_directory_that_may_not_be_written(serve: Serve, project: Project) -> None:
    index = serve(*STACK)
    project.requires("app", mlpin=TARGETS)
    assert project.lock(index=index).code == 0
    before = {name: (project.root / name).read_bytes() for name in LOCKS}
    project.requires("app", "speed", mlpin=TARGETS)
    project.root.chmod(0o500)
    try:
        assert project.lock(index=index).code == 2
    finally:
        project.root.chmod(0o700)
    assert {name: (project.root / name).read_bytes() for name in LOCKS} == before


# -- what must not be in it


def everything_written(root: Path) -> str:
    """The names and contents of all files below `root`."""
    found = []
    for path in root.rglob("*"):
        found.append(str(path.relative_to(root)))
        if path.is_file():
            found.append(path.read_bytes().decode("utf-8", "replace"))
    return "\n".join(found)


@pytest.mark.parametrize("behaviour", [{}, {"json": False, "metadata": False, "hashes": False}])
def test_no_credential_is_written_or_shown(
    serve: Serve, project: Project, tmp_path: Path, behaviour: dict[str, Any]
) -> None:
    index = serve(*STACK, login=("me", "s3cret"), **behaviour)
    direct = f"http://me:s3cret@127.0.0.1:{index.port}/files/speed-1.0-py3-none-any.whl"
    requirements = project.write(
        "requirements.txt", f"--index-url {index.with_login('me', 's3cret')}\napp\nspeed @ {direct}\n"
    )
    assert project.locked("-v", str(requirements)) == {"app": "2.0", "lib": "2.1", "speed": "1.0"}
    index.fault("/simple/app/", 500)
    assert project.lock("-v", "--refresh", str(requirements)).code == 3
    assert project.lock("--format", "json", "--refresh", str(requirements)).code == 3
    requirements.unlink()
    for text in (everything_written(tmp_path), project.log):
        assert "s3cret" not in text
        assert "bWU6czNjcmV0" not in text


def test_no_path_and_no_time_of_this_machine_is_written(serve: Serve, project: Project, tmp_path: Path) -> None:
    index = serve(*STACK)
    project.write("sub/pyproject.toml", '[project]\nname = "sub"\nversion = "1"\ndependencies = ["speed"]\n')
    (project.root / "links").mkdir()
    (project.root / "links" / "local-1.0-py3-none-any.whl").write_bytes(wheel("local", "1.0").data)
    (project.root / "direct-1.0-py3-none-any.whl").write_bytes(wheel("direct", "1.0").data)
    requirements = project.write(
        "requirements.txt", "app\nlocal\n--find-links links\n-e ./sub\n./direct-1.0-py3-none-any.whl\n"
    )
    assert project.locked(str(requirements), index=index) == {
        "app": "2.0",
        "direct": "1.0",
        "lib": "2.1",
        "local": "1.0",
        "speed": "1.0",
        "sub": "",
    }
    assert str(tmp_path) not in project.text
    assert "file:" not in project.text
    assert set(_times(project.tables())) == {"2024-05-01T12:00:00+00:00"}
    places = {package["name"]: package for package in project.tables()["packages"]}
    assert places["sub"]["directory"] == {"path": "sub", "editable": True}
    assert places["direct"]["archive"]["path"] == "direct-1.0-py3-none-any.whl"
    assert places["local"]["wheels"][0]["path"] == "links/local-1.0-py3-none-any.whl"


def _times(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [time for inner in value.values() for time in _times(inner)]
    if isinstance(value, list):
        return [time for inner in value for time in _times(inner)]
    return [value.isoformat()] if hasattr(value, "isoformat") else []


@pytest.mark.parametrize(
    "time", ["2024-13-45T99:99:99Z", "2024-05-01T12:00:00", "yesterday", "2024-05-01T12:00:00+00:00"]
)
def test_an_upload_time_in_any_form(serve: Serve, project: Project, monkeypatch: pytest.MonkeyPatch, time: str) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    project.requires("a")
    assert project.locked(index=serve(wheel("a", "1.0", upload_time=time))) == {"a": "1.0"}
    assert _times(project.tables()) in ([], ["2024-05-01T12:00:00+00:00"])


# -- cut-off


def test_newer_files_do_not_exist(serve: Serve, project: Project) -> None:
    index = serve(
        wheel("a", "1.0", upload_time="2024-01-01T00:00:00.000000Z"),
        wheel("a", "2.0", upload_time="2024-06-01T10:00:00.500000Z"),
    )
    project.requires("a")
    for when, version in (
        ("2024-05-31", "1.0"),
        ("2024-06-01", "2.0"),
        ("2024-06-01T09:59:59Z", "1.0"),
        ("2024-06-01T10:00:01Z", "2.0"),
        ("1 day", "2.0"),
    ):
        assert project.locked("--exclude-newer", when, "--upgrade", index=index) == {"a": version}
    ran = project.lock("--exclude-newer", "2023-01-01", "--upgrade", index=index)
    assert ran.code == 1
    assert "uploaded after" in ran.words


def test_an_index_without_upload_times(serve: Serve, project: Project, before: str) -> None:
    index = serve(*STACK, upload_times=False)
    refused(
        project,
        before,
        2,
        "exclude-newer",
        index.url,
        "exclude-newer-package",
        arguments=("--exclude-newer", "2024-01-01", "--upgrade"),
        index=index,
    )
    html = serve(*STACK, json=False)
    refused(
        project,
        before,
        2,
        "exclude-newer",
        html.url,
        arguments=("--exclude-newer", "2024-01-01", "--upgrade"),
        index=html,
    )
    project.requires("app", mlpin='exclude-newer = "2024-01-01"\nexclude-newer-package = { app = false, lib = false }')
    assert project.locked(index=index) == {"app": "2.0", "lib": "2.1"}


# -- what is printed


def test_json_says_it_all(serve: Serve, project: Project) -> None:
    index = serve(*STACK)
    project.requires("app")
    ran = project.lock("--format", "json", index=index)
    said = json.loads(ran.out)
    assert (said["outcome"], said["manifest"], ran.err) == ("locked", "pyproject.toml", "")
    assert said["targets"][0]["packages"] == [{"name": "app", "version": "2.0"}, {"name": "lib", "version": "2.1"}]
    assert said["requests"] == len(index.asked)
    assert json.loads(project.lock("--format", "json", index=index).out)["outcome"] == "unchanged"
    project.requires("app", "nonsuch")
    said = json.loads(project.lock("--format", "json", index=index).out)
    assert (said["outcome"], said["targets"][0]["outcome"]) == ("conflict", "conflict")
    assert [one["kind"] for one in said["explanations"][0]["clash"]] == ["requirement", "unknown"]


def test_quiet_says_nothing(serve: Serve, project: Project) -> None:
    project.requires("app")
    ran = project.lock("--quiet", index=serve(*STACK))
    assert ran == (0, "", "")


# -- as a process of its own


def start(project: Project, environ: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    source = str(Path(mlpin.__file__).parent.parent)
    return subprocess.Popen(
        [sys.executable, "-m", "mlpin", "lock", *arguments],
        cwd=project.root,
        env={**environ, "PYTHONPATH": source},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background lets their children ignore it.
        preexec_fn=(lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) if os.name == "posix" else None,  # noqa: PLW1509
    )


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
@pytest.mark.parametrize("path", ["/simple/app/", "/files/app-2.0-py3-none-any.whl.metadata"])
def test_interrupted(serve: Serve, project: Project, before: str, environ: dict[str, str], path: str) -> None:
    index = serve(*STACK)
    index.fault(path, hold=True)
    project.requires("app", "speed", "tool; python_version < '3'")
    process = start(project, environ, "--no-cache", "--index-url", index.url)
    try:
        assert index.reached.wait(20)
        process.send_signal(signal.SIGINT)
        # The server answers nobody for a minute: whoever waits for it is late.
        _, err = process.communicate(timeout=10)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "no lock was changed" in err
    assert project.text == before
    assert [path.name for path in project.root.glob(".*")] == []


def test_two_processes_lock_at_once(serve: Serve, project: Project, environ: dict[str, str]) -> None:
    index = serve(*STACK)
    project.requires("app[fast]")
    running = [
        start(project, environ, "--index-url", index.url, "-o", f"pylock.{name}.toml") for name in ("one", "two")
    ]
    assert [process.wait(60) for process in running] == [0, 0], [process.communicate() for process in running]
    one, two = (project.versions(f"pylock.{name}.toml") for name in ("one", "two"))
    assert one == two == {"app": "2.0", "lib": "2.1", "speed": "1.0"}


def test_a_lock_is_the_same_from_wherever_it_is_made(
    serve: Serve, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = serve(*STACK)
    project.write("requirements.txt", "-r sub/more.txt\napp\n")
    project.write("sub/more.txt", "lib<2.1\n")
    options = ("--platform", "linux-x86_64", "--python", "3.11")
    project.locked(*options, index=index)
    before = project.text
    assert '"lib<2.1  # sub/more.txt:1"' in before
    (project.root / "pylock.toml").unlink()
    monkeypatch.chdir(project.root.parent)
    project.locked("project", *options, index=index)
    assert project.text == before
