"""What a user may not have meant, and what goes wrong around a lock: each is said, and nothing else changes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.index.server import IndexServer
from tests.projects import Project
from tests.wheels import sdist, wheel

Serve = Callable[..., IndexServer]
OTHER_LOCK = 'lock-version = "1.0"\ncreated-by = "uv"\n[[packages]]\nname = "a"\nversion = "1.0"\n'


def test_a_name_to_upgrade_that_is_nowhere(serve: Serve, project: Project) -> None:
    index = serve(wheel("a", "1.0"))
    project.requires("a")
    ran = project.lock("-P", "nosuch", index=index)
    assert ran.code == 0
    assert "-P nosuch: no such package is locked" in ran.words
    for wrong in ("a==1.0", "bad name!"):
        ran = project.lock("-P", wrong, index=index)
        assert (ran.code, f"not `{wrong}`" in ran.words) == (2, True)


def test_another_tools_lock(serve: Serve, project: Project) -> None:
    index = serve(wheel("a", "1.0"), wheel("a", "2.0"))
    project.requires("a")
    project.write("pylock.toml", OTHER_LOCK)
    ran = project.lock(index=index)
    assert "a lock that uv made was replaced" in ran.words
    assert project.versions() == {"a": "1.0"}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('name = "a"', "name = 3", "the name of a package is no text"),
        ('\nversion = "1.0"', "\nversion = 1.0", "the version of a package is no text"),
        ('lock-version = "1.0"', 'lock-version = "9.0"', "lock-version is '9.0', and mlpin knows 1.0"),
        ('created-by = "uv"\n', "", "`created-by` is missing"),
        ("[[packages]]", "[packages]", "`packages` is no list of tables"),
    ],
)
def test_a_lock_with_wrong_types(project: Project, serve: Serve, before: str, after: str, words: str) -> None:
    project.requires("a")
    text = OTHER_LOCK.replace(before, after)
    project.write("pylock.toml", text)
    ran = project.lock(index=serve(wheel("a", "1.0")))
    assert (ran.code, words in ran.words) == (2, True), ran.words
    assert project.text == text


def test_a_manifest_that_asks_for_nothing(serve: Serve, project: Project) -> None:
    project.write("requirements.txt", "# nothing yet\n")
    ran = project.lock("requirements.txt", index=serve())
    assert "requirements.txt: it asks for nothing: the lock is empty" in ran.words


@pytest.mark.parametrize("place", ["", "-"])
def test_an_output_that_is_no_file(serve: Serve, project: Project, place: str) -> None:
    project.requires("a")
    ran = project.lock("-o", place, index=serve(wheel("a", "1.0")))
    assert (ran.code, "a lock is a file" in ran.words) == (2, True)
    assert [path.name for path in project.root.iterdir()] == ["pyproject.toml"]


def test_a_place_where_not_even_the_rest_can_be_taken_away(serve: Serve, project: Project) -> None:
    """A name that is too long as that of a file beside it; a file system that is read-only answers likewise."""
    project.requires("a")
    place = f"pylock.{'x' * 238}.toml"
    ran = project.lock("-o", place, index=serve(wheel("a", "1.0")))
    assert ran.code == 2
    assert "cannot be written: File name too long hint: give another place with -o; no lock was changed" in ran.words


def test_a_conflict_says_what_there_is(serve: Serve, project: Project) -> None:
    index = serve(wheel("a", "1.0"), wheel("a", "2.0"))
    project.requires("a>=3")
    ran = project.lock(index=index)
    assert ran.code == 1
    assert f"no release of a is >=3; on {index.url} there are 2 versions, 1.0 to 2.0" in ran.words


def test_a_conflict_over_a_project_without_files(serve: Serve, project: Project) -> None:
    index = serve(wheel("a", "1.0", ["b"]))
    index.page("b", "<!DOCTYPE html><html><body></body></html>")
    project.requires("a")
    ran = project.lock(index=index)
    assert (ran.code, f"b has no release on {index.url}" in ran.words) == (1, True), ran.words


def test_dependencies_of_a_source_archive_from_a_wheel_for_another_machine(serve: Serve, project: Project) -> None:
    bare = "Metadata-Version: 1.0\nName: a\nVersion: 2.0\n"
    index = serve(
        wheel("a", "1.0", tags="cp36-cp36m-manylinux2014_x86_64"),
        wheel("a", "2.0", ["b"], tags="cp36-cp36m-manylinux2014_x86_64"),
        sdist("a", "2.0", pkg_info=bare),
        wheel("b", "1.0"),
    )
    project.requires("a")
    assert project.locked(index=index) == {"a": "2.0", "b": "1.0"}
    assert project.tables()["packages"][0]["tool"]["mlpin"]["metadata"] == "assumed"


def test_releases_without_metadata_are_passed_over_with_a_word_and_read_once(serve: Serve, project: Project) -> None:
    bare = "Metadata-Version: 1.0\nName: b\nVersion: {}\n"
    index = serve(
        wheel("a", "1.0"),
        wheel("a", "2.0", ["b==2.0"]),
        wheel("a", "3.0", ["b==3.0"]),
        sdist("b", "2.0", pkg_info=bare.format("2.0")),
        sdist("b", "3.0", pkg_info=bare.format("3.0")),
    )
    project.requires("a")
    ran = project.lock(index=index)
    assert project.versions() == {"a": "1.0"}
    assert "b 3.0 and 1 older: passed over: a source archive that states its dependencies nowhere" in ran.words
    assert "[tool.mlpin.metadata] as `b`" in ran.words
    index.forget()
    again = project.lock("-U", index=index)
    assert "b 3.0 and 1 older: passed over" in again.words
    assert index.asked == []
    project.lock("-U", "--refresh", index=index)
    assert [path for path in index.paths() if path.endswith(".tar.gz")], "what is refreshed is read again"


# -- streams that fail


def mlpin(project: Project, *arguments: str, index: IndexServer, **streams: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "mlpin", "lock", "--index-url", index.url, *arguments]
    return subprocess.Popen(command, cwd=project.root, env=os.environ, **streams)  # type: ignore[call-overload,no-any-return]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("form", ["text", "json"])
def test_nowhere_to_write_to(serve: Serve, project: Project, form: str) -> None:
    project.requires("a")
    with open("/dev/full", "wb") as full:
        running = mlpin(project, "--format", form, index=serve(wheel("a", "1.0")), stdout=full, stderr=subprocess.PIPE)
        _, said = running.communicate()
    assert running.returncode == 2
    assert b"standard output: cannot be written: No space left on device" in said
    assert b"Traceback" not in said


def test_a_reader_that_went_away_does_not_make_a_conflict_a_success(serve: Serve, project: Project) -> None:
    project.write("requirements.txt", "".join(f"a=={number}\n" for number in range(2, 40)))
    index = serve(wheel("a", "1.0"))
    running = mlpin(
        project, "requirements.txt", "--format", "json", index=index, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.close()
    said = running.stderr.read()
    assert running.wait() == 1
    assert b"Traceback" not in said


def test_closed_streams(serve: Serve, project: Project) -> None:
    project.requires("a")
    shell = f'exec "{sys.executable}" -m mlpin lock --index-url {serve(wheel("a", "1.0")).url} >&- 2>&-'
    assert subprocess.run(["sh", "-c", shell], cwd=project.root, env=os.environ, check=False).returncode == 0
    assert project.versions() == {"a": "1.0"}


def test_what_interrupted_runs_left_is_swept(serve: Serve, project: Project) -> None:
    index = serve(wheel("a", "1.0"), wheel("b", "1.0"))
    project.requires("a")
    project.lock("--cache-dir", "cache", index=index)
    (page,) = (project.root / "cache").glob("pages*/*/a")
    old, new = page.with_name("x.1.tmp"), page.with_name("y.2.tmp")
    old.touch()
    new.touch()
    os.utime(old, (time.time() - 7200,) * 2)
    project.requires("a", "b")
    project.lock("--cache-dir", "cache", index=index)
    assert (old.exists(), new.exists()) == (False, True)


def test_a_token_in_a_url_is_remarked(serve: Serve, project: Project) -> None:
    index = serve(wheel("a", "1.0"))
    project.requires(f"a @ {index.root}/files/a-1.0-py3-none-any.whl?token=s3cret")
    ran = project.lock(index=index)
    assert "a: a secret stands in its URL, and so in the lock" in ran.words
    assert "s3cret" not in ran.out + ran.err
