"""`mlpin diff` as a user runs it, and what `mlpin lock` says of the difference that it makes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.index.server import IndexServer
from tests.lock.locks import FLOOR, TARGET, package, text
from tests.projects import Project
from tests.test_architecture import loaded
from tests.wheels import wheel

OLD = text(package("a"), package("torch", "2.6.0+cu124", size=2_500_000_000), package("gone"))
NEW = text(
    package("a"),
    package("torch", "2.6.0+cu126", size=2_600_000_000),
    package("b", size=1_000),
    floor=FLOOR | {"gpus": "sm_80 sm_90"},
)
ALARMED = text(package("a", sha256="cd" * 32))


class Repository:
    """A project in a git repository: `commit` writes files and commits them all."""

    def __init__(self, project: Project, folder: str = ".") -> None:
        self.project = project
        self._root = project.root / folder
        self._root.mkdir(exist_ok=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> None:
        who = ["-c", "user.name=t", "-c", "user.email=t@t.example", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *words], cwd=self._root, check=True, capture_output=True)

    def commit(self, **files: str) -> None:
        for name, content in files.items():
            self.project.write(name.replace("__", "/").replace("_toml", ".toml").replace("_", "."), content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "x")


@pytest.fixture
def repository(project: Project) -> Repository:
    return Repository(project)


def data(project: Project, *words: str) -> Any:
    return json.loads(project.run("diff", *words, "--format", "json").out)


def names(project: Project, *words: str) -> list[tuple[str, str | None, str | None]]:
    """(status, old, new) of each pair of locks."""
    return [(one["status"], one["old"], one["new"]) for one in data(project, *words)["locks"]]


def test_two_files(project: Project) -> None:
    project.write("old.toml", OLD)
    project.write("new.toml", NEW)
    ran = project.run("diff", "old.toml", "new.toml")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        "old.toml -> new.toml\n"
        "  + b 1.0\n"
        "  - gone 1.0\n"
        "  ~ torch 2.6.0+cu124 -> 2.6.0+cu126  (another build)\n"
        "  which means\n"
        "    CUDA line: cu124 -> cu126\n"
        "    GPUs: no longer sm_70 (Volta: V100, GV100), sm_72 (Jetson Xavier NX, Jetson\n"
        "      AGX Xavier), sm_75 (Turing: T4, T400)\n"
        "    download: not known (no size in the lock for 2 of 3 packages before, 1 of 3\n"
        "      after)\n"
    )
    assert project.run("diff", "old.toml", "new.toml", "-q").out == ""


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("text", "one.toml -> two.toml: no difference\n"),
        ("markdown", "one.toml -&gt; two.toml: no difference\n\n<sub>mlpin diff</sub>\n"),
    ],
)
def test_no_difference(project: Project, form: str, said: str) -> None:
    project.write("one.toml", OLD)
    project.write("two.toml", OLD)
    assert project.run("diff", "one.toml", "two.toml", "--format", form).out == said
    assert project.run("diff", "one.toml", "two.toml", "-q").out == ""
    assert data(project, "one.toml", "two.toml") == {
        "ok": True,
        "locks": [
            {
                "status": "same",
                "old": "one.toml",
                "new": "two.toml",
                "packages": {"old": 3, "new": 3},
                "changes": [],
                "alarms": [],
                "meaning": [],
            }
        ],
    }


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_an_alarm_comes_first_and_fails(project: Project, form: str) -> None:
    project.write("old.toml", OLD)
    project.write("new.toml", ALARMED)
    ran = project.run("diff", "old.toml", "new.toml", "--format", form)
    assert ran.code == 1
    assert project.run("diff", "old.toml", "new.toml", "--format", form).out == ran.out
    if form == "json":
        (one,) = json.loads(ran.out)["locks"]
        assert json.loads(ran.out)["ok"] is False
        assert [(alarm["kind"], alarm["package"], alarm["old"], alarm["new"]) for alarm in one["alarms"]] == [
            ("hash-changed", "a", "ab" * 32, "cd" * 32)
        ]
        return
    assert ran.out.index("a-1.0-py3-none-any.whl") < ran.out.index("gone")
    assert "cd" * 32 in ran.out
    if form == "text":
        quiet = project.run("diff", "old.toml", "new.toml", "-q")
        assert (quiet.code, quiet.out.splitlines()[1]) == (1, "  ALARM: a 1.0: a-1.0-py3-none-any.whl")
        assert "gone" not in quiet.out


def test_revisions_against_the_working_tree(repository: Repository) -> None:
    project = repository.project
    repository.commit(pylock_toml=OLD, pylock_train_toml=OLD)
    repository.git("tag", "-a", "v1.0", "-m", "x")
    repository.commit(pylock_toml=NEW, pylock_serve_toml=NEW)
    project.write("pylock.toml", ALARMED)
    assert names(project) == names(project, "HEAD")
    assert names(project, "main") == [
        ("same", "main:pylock.serve.toml", "pylock.serve.toml"),
        ("changed", "main:pylock.toml", "pylock.toml"),
        ("same", "main:pylock.train.toml", "pylock.train.toml"),
    ]
    assert names(project, "v1.0", "HEAD~0") == [
        ("added", None, "HEAD~0:pylock.serve.toml"),
        ("changed", "v1.0:pylock.toml", "HEAD~0:pylock.toml"),
        ("same", "v1.0:pylock.train.toml", "HEAD~0:pylock.train.toml"),
    ]
    assert names(project, "HEAD", "v1.0")[0] == ("removed", "HEAD:pylock.serve.toml", None)
    assert project.run("diff", "HEAD", "v1.0", "--target", "serve").out == (
        "HEAD:pylock.serve.toml: removed as a whole, 3 packages\n"
    )
    assert names(project, "main:pylock.toml", "main:./pylock.train.toml") == [
        ("changed", "main:pylock.toml", "main:./pylock.train.toml")
    ]
    # one lock alone: HEAD against it; a target goes before a revision of its name
    repository.git("branch", "train")
    assert names(project, "pylock.toml") == [("changed", "HEAD:pylock.toml", "pylock.toml")]
    assert names(project, "train") == [("same", "HEAD:pylock.train.toml", "pylock.train.toml")]
    assert names(project, "train", "serve") == [("changed", "pylock.train.toml", "pylock.serve.toml")]
    assert names(project, "v1.0", "--target", "train") == [("same", "v1.0:pylock.train.toml", "pylock.train.toml")]
    assert names(project, "v1.0", "serve") == [("added", None, "pylock.serve.toml")]


def test_folders_of_a_repository(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    project = repository.project
    repository.commit(envs__pylock_toml=OLD, pylock_toml=OLD)
    repository.commit(envs__pylock_toml=NEW)
    assert names(project, "HEAD~1", "envs") == [("changed", "HEAD~1:envs/pylock.toml", "envs/pylock.toml")]
    assert names(project, "HEAD~1", "envs/pylock.toml") == [("changed", "HEAD~1:envs/pylock.toml", "envs/pylock.toml")]
    assert names(project, "HEAD~1:envs", "HEAD:envs/") == [
        ("changed", "HEAD~1:envs/pylock.toml", "HEAD:envs/pylock.toml")
    ]
    assert names(project, "HEAD:", "envs") == [("changed", "HEAD:pylock.toml", "envs/pylock.toml")]
    monkeypatch.chdir(project.root / "envs")
    assert names(project, "HEAD~1") == [("changed", "HEAD~1:envs/pylock.toml", "pylock.toml")]
    assert names(project, "HEAD~1:envs") == [("changed", "HEAD~1:envs/pylock.toml", "pylock.toml")]
    assert names(project, "../pylock.toml", ".") == [("changed", "../pylock.toml", "pylock.toml")]
    above = [("same", "main:pylock.toml", "../pylock.toml")]
    assert names(project, "main", "../pylock.toml") == names(project, "main", "..") == above
    assert names(project, "../pylock.toml") == [("same", "HEAD:pylock.toml", "../pylock.toml")]
    project.write("elsewhere/pylock.toml", OLD)
    Repository(project, "elsewhere")
    outside = [("changed", "main:envs/pylock.toml", "../elsewhere/pylock.toml")]
    assert names(project, "main", "../elsewhere") == outside, "of another repository the revision is not"


def test_a_path_of_a_revision_against_that_path(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    project = repository.project
    repository.commit(envs__pylock_toml=OLD, pylock_toml=NEW, gone__pylock_toml=OLD, locks__first_toml=OLD)
    same = [("same", "main:envs/pylock.toml", "envs/pylock.toml")]
    for word in ("main:envs/pylock.toml", "main:envs", "main:envs/", "main:./envs", "main:./envs/pylock.toml"):
        assert [one[::2] for one in names(project, word)] == [("same", "envs/pylock.toml")]
    assert names(project, "main:envs") == same
    assert names(project, ":envs/pylock.toml") == [("same", ":envs/pylock.toml", "envs/pylock.toml")]
    assert names(project, "main@{2100-01-01 10:00}:pylock.toml")[0][::2] == ("same", "pylock.toml")
    assert names(project, "main:") == [("same", "main:pylock.toml", "pylock.toml")]
    assert names(project, "main:locks/first.toml") == [("same", "main:locks/first.toml", "locks/first.toml")]
    (project.root / "gone/pylock.toml").unlink()
    assert names(project, "main:gone/pylock.toml") == [("removed", "main:gone/pylock.toml", None)]
    (project.root / "gone").rmdir()
    assert names(project, "main:gone") == names(project, "main:gone/pylock.toml")
    (project.root / "locks/first.toml").rename(project.root / "locks/pylock.toml")
    assert names(project, "main:locks/first.toml") == [("same", "main:locks/first.toml", "locks/pylock.toml")]
    monkeypatch.chdir(project.root / "envs")
    assert names(project, "main:./pylock.toml") == [("same", "main:./pylock.toml", "pylock.toml")]
    assert names(project, "main:../pylock.toml") == [("same", "main:../pylock.toml", "../pylock.toml")]
    assert names(project, "main:pylock.toml") == [("same", "main:pylock.toml", "../pylock.toml")]
    assert names(project, "main:") == [("same", "main:pylock.toml", "../pylock.toml")]


def test_a_bare_repository(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    project = repository.project
    repository.commit(pylock_toml=OLD, svc__pylock_toml=OLD)
    repository.git("checkout", "-q", "-b", "up")
    repository.commit(svc__pylock_toml=NEW)
    repository.git("clone", "-q", "--bare", ".", "bare.git")
    monkeypatch.chdir(project.root / "bare.git")
    assert names(project, "main", "up") == [("same", "main:pylock.toml", "up:pylock.toml")]
    assert names(project, "main", "up:svc") == [("changed", "main:pylock.toml", "up:svc/pylock.toml")]
    assert names(project, "main:svc/pylock.toml", "up:svc") == [
        ("changed", "main:svc/pylock.toml", "up:svc/pylock.toml")
    ]
    ran = project.run("diff", "main:svc")
    assert (ran.code, "without a working tree has nothing to compare with" in ran.words) == (2, True)


def test_in_a_hook_git_speaks_of_its_own_repository(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    project = repository.project
    repository.commit(pylock_toml=OLD)
    expected = names(project, "main")
    Repository(project, "other").commit(other__pylock_toml=NEW)
    for name in ("GIT_DIR", "GIT_COMMON_DIR"):
        monkeypatch.setenv(name, str(project.root / "other/.git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(project.root / "other"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(project.root / "other/.git/objects"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(project.root / "other/.git/index"))
    monkeypatch.setenv("GIT_PREFIX", "other/")
    assert names(project, "main") == expected == [("same", "main:pylock.toml", "pylock.toml")]


def test_a_path_goes_before_a_revision(repository: Repository) -> None:
    project = repository.project
    repository.commit(pylock_toml=OLD)
    (project.root / "main").mkdir()
    project.write("main/pylock.toml", NEW)
    assert names(project, "main", ".") == [("changed", "main/pylock.toml", "pylock.toml")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nosuch"], "`nosuch` names no lock"),
        (["nosuch"], "there is no file or directory `nosuch`"),
        (["nosuch"], "pylock.nosuch.toml is not here"),
        (["nosuch"], "git knows no revision `nosuch`"),
        (["nosuch"], "locks here: pylock.toml"),
        (["main..main"], "it cannot be the name of a target"),
        (["main:nosuch.toml"], "git knows no revision `main:nosuch.toml`"),
        (["a\x00b"], "git takes no revision `a\\x00b`"),
        (["--", "-x"], "git takes no revision `-x`"),
        (["--", "--output=x"], "git takes no revision `--output=x`"),
        ([""], "a lock's name cannot be empty"),
        (["pylock.toml", "notes.txt"], "notes.txt: this is no lock that can be read"),
        (["pylock.toml", "pyproject.toml"], "pyproject.toml: this is no lock that can be read (`lock-version` is missing)"),
        (["pylock.toml", "pyproject.toml"], "a lock is a pylock.toml; `mlpin lock` makes one"),
        (["pylock.toml", "notes.txt"], "`mlpin lock` makes one"),
        (["uv.lock", "pylock.toml"], "`uv export --format pylock.toml -o pylock.uv.toml` makes a lock of it"),
        (["main:uv.lock", "pylock.toml"], "`uv export --format pylock.toml"),
        (["pylock.toml", "broken.toml"], "broken.toml:2: a package has no name"),
        (["main:broken.toml", "pylock.toml"], "main:broken.toml:2: a package has no name"),
        (["pylock.toml", "."], "pylock.toml -> pylock.toml: no difference"),
        (["empty", "empty"], "neither empty nor empty has a lock"),
        (["main", "--target", "x"], "there is no lock of a target `x`"),
        (["pylock.toml", "pylock.toml", "--target", "x"], "--target chooses one of several locks"),
        (["main", "-o", "pylock.toml"], "is one of the locks that are compared"),
        (["loop.toml", "."], "loop.toml: cannot be read"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared(repository: Repository, words: list[str], said: str) -> None:
    project = repository.project
    project.write("broken.toml", 'lock-version = "1.0"\n[[packages]]\nversion = "1"\n')
    project.write("notes.txt", "not a lock")
    project.write("uv.lock", "version = 1\n")
    project.write("pyproject.toml", "[project]\n")
    repository.commit(pylock_toml=OLD)
    (project.root / "empty").mkdir()
    (project.root / "loop.toml").symlink_to("loop.toml")
    ran = project.run("diff", *words)
    assert said in ran.words
    assert ran.code == (0 if "no difference" in said else 2), ran.words


def test_one_file_and_several_locks(project: Project) -> None:
    project.write("old.toml", OLD)
    project.write("pylock.toml", NEW)
    assert names(project, "old.toml", ".") == [("changed", "old.toml", "pylock.toml")]
    project.write("pylock.train.toml", NEW)
    ran = project.run("diff", "old.toml", ".")
    assert (ran.code, "which lock `old.toml` is to be compared with is not clear" in ran.words) == (2, True)
    assert names(project, "old.toml", ".", "--target", "train") == [("changed", "old.toml", "pylock.train.toml")]


def test_no_repository_and_no_git(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write("pylock.toml", OLD)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(project.root.parent))
    for words in ([], ["HEAD"], ["pylock.toml"]):
        ran = project.run("diff", *words)
        assert (ran.code, "is in no git repository" in ran.words) == (2, True)
    assert "is in no git repository" in project.run("diff", "v1").words
    monkeypatch.setenv("PATH", str(project.root))
    ran = project.run("diff", "v1")
    assert (ran.code, "git cannot be run, so no revision can be read" in ran.words) == (2, True)
    assert project.run("diff", "pylock.toml", "pylock.toml").code == 0, "no git is needed for files"


def test_a_repository_without_a_commit(repository: Repository) -> None:
    ran = repository.project.run("diff")
    assert (ran.code, "git knows no revision `HEAD`" in ran.words) == (2, True)


def test_written_to_a_file(project: Project) -> None:
    project.write("old.toml", OLD)
    project.write("new.toml", ALARMED)
    printed = project.run("diff", "old.toml", "new.toml", "--format", "markdown")
    ran = project.run("diff", "old.toml", "new.toml", "--format", "markdown", "-o", "report.md")
    assert (ran.code, ran.out) == (1, "")
    assert (project.root / "report.md").read_text(encoding="utf-8") == printed.out


def test_markdown_has_nothing_of_a_locks_own_markup(project: Project) -> None:
    odd = package("a", "1 | `x` <b> @you", index="https://user:secret@index.example/|simple?token=t0k")
    project.write("old.toml", text(package("a")))
    project.write("new.toml", text(odd, target=TARGET | {"driver": "5 | <b>"}))
    ran = project.run("diff", "old.toml", "new.toml", "--format", "markdown")
    table = [line for line in ran.out.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in table} == {3}
    assert "secret" not in ran.out
    assert "t0k" not in ran.out


def test_many_packages_that_lost_their_hash_stand_in_one_line(project: Project) -> None:
    bare = [{"name": "p-1.0-py3-none-any.whl", "url": "https://files.example/p", "hashes": {}}]
    hashed = [{**bare[0], "hashes": {"sha256": "ab" * 32}}]
    many = [f"p{number}" for number in range(4)]
    project.write("old.toml", text(*(package(name, wheels=hashed) for name in many)))
    project.write("new.toml", text(*(package(name, wheels=bare) for name in many)))
    ran = project.run("diff", "old.toml", "new.toml")
    assert ran.out == "old.toml -> new.toml\n  ~ 4 packages: hash sha256 -> none  (p0, p1, p2, p3)\n"


def test_a_comment_that_would_be_too_long_leaves_the_packages_out(project: Project) -> None:
    project.write("old.toml", text())
    project.write("new.toml", text(*(package(f"a-rather-long-name-{number}") for number in range(2000))))
    ran = project.run("diff", "old.toml", "new.toml", "--format", "markdown")
    assert len(ran.out) < 65_000
    assert "2000 packages added. They are not listed" in ran.words


def test_many_packages_that_moved_to_another_index_stand_in_one_line(project: Project) -> None:
    many = [f"p{number}" for number in range(5)]
    project.write("old.toml", text(*(package(name) for name in many)))
    project.write("new.toml", text(*(package(name, index="https://mirror.example/simple") for name in many)))
    assert project.run("diff", "old.toml", "new.toml").words == (
        "old.toml -> new.toml ~ 5 packages: index https://index.example/simple -> https://mirror.example/simple "
        "(p0, p1, p2, p3, p4)"
    )


def test_what_lock_says_of_the_difference(project: Project, serve: Callable[..., IndexServer]) -> None:
    index = serve(wheel("a", "1.0"), wheel("nvidia-cudnn-cu12", "9.1.0.70"), wheel("nvidia-cudnn-cu12", "9.20.0.48"))
    project.requires("a", "nvidia-cudnn-cu12<9.2", mlpin='python = "3.11"')
    assert "which means" not in project.lock(index=index).out
    project.requires("a", "nvidia-cudnn-cu12", mlpin='python = "3.12"')
    ran = project.lock("-U", index=index)
    assert "which means cuDNN: 9.1.0.70 -> 9.20.0.48 Python: 3.11 -> 3.12" in ran.words
    project.requires("a", "nvidia-cudnn-cu12<9.2", mlpin='python = "3.12"')
    result = json.loads(project.lock("--format", "json", index=index).out)["targets"][0]
    assert result["meaning"][0] == {"kind": "cudnn", "old": "9.20.0.48", "new": "9.1.0.70"}
    assert result["alarms"] == []


def test_lock_tells_all_changes_and_what_the_project_names_first(
    project: Project, serve: Callable[..., IndexServer]
) -> None:
    many = [f"a{number:02}" for number in range(30)]
    old, new = (
        [wheel("top", version, [f"{name}=={version}" for name in many]), *(wheel(name, version) for name in many)]
        for version in ("1.0", "2.0")
    )
    index = serve(*old, *new)
    project.requires("top<2")
    project.locked(index=index)
    project.requires("top")
    ran = project.lock("-U", index=index)
    moved = [line.split()[1] for line in ran.out.splitlines() if line.startswith("  ~ ")]
    assert moved == ["top", *many]
    assert "more changes" not in ran.out


def test_lock_tells_what_changed_beside_versions(project: Project, serve: Callable[..., IndexServer]) -> None:
    files = [wheel(name, "1.0") for name in ("a", "b")]
    index, mirror = serve(*files), serve(*files)
    tree = '[project]\nname = "tree"\nversion = "1"\n'
    project.write("tree/pyproject.toml", tree)
    project.write("requirements.txt", "a\nb\n-e ./tree\n")
    project.lock("requirements.txt", index=index)
    project.write("requirements.txt", "a\nb\n./tree\n")
    ran = project.lock("requirements.txt", index=mirror)
    assert "~ tree (source tree, editable -> tree)" in ran.words
    assert f"~ a 1.0 (index {index.url} -> {mirror.url})" in ran.words
    assert "no package changed" not in ran.words
    project.write("requirements.txt", "a\nb\n-e ./tree\n")
    (target,) = json.loads(project.lock("requirements.txt", "--format", "json", index=mirror).out)["targets"]
    assert target["changes"] == []
    assert [(one["kind"], one["package"]) for one in target["other_changes"]] == [("source", "tree")]
    ran = project.lock("requirements.txt", "-U", index=mirror)
    assert "no package changed; rewrote pylock.toml" in ran.words


def test_lock_says_that_a_file_has_other_bytes(project: Project, serve: Callable[..., IndexServer]) -> None:
    index = serve(wheel("a", "1.0"))
    project.requires("a")
    project.locked(index=index)
    sha256 = project.tables()["packages"][0]["wheels"][0]["hashes"]["sha256"]
    project.write("pylock.toml", project.text.replace(sha256, "ab" * 32))
    ran = project.lock(index=index)
    assert "ALARM: a 1.0: a-1.0-py3-none-any.whl" in ran.words
    assert f"sha256 was {'ab' * 32} sha256 is {sha256}" in ran.words
    assert "no package changed" not in ran.words
    project.write("pylock.toml", project.text.replace(sha256, "ab" * 32))
    quiet = project.lock("-q", index=index)
    assert (quiet.code, quiet.out) == (0, "")
    assert quiet.err.startswith("pylock.toml\n  ALARM: a 1.0: a-1.0-py3-none-any.whl\n")
    assert project.lock("-q", "-U", index=index).err == ""


def test_a_lock_that_only_the_difference_cannot_read_is_replaced(
    project: Project, serve: Callable[..., IndexServer]
) -> None:
    project.requires("a")
    project.write(
        "pylock.toml",
        'lock-version = "1.0"\ncreated-by = "x"\nenvironments = 3\n[[packages]]\nname = "a"\nversion = "1.0"\n',
    )
    ran = project.lock(index=serve(wheel("a", "1.0")))
    assert (ran.code, "which means" in ran.out) == (0, False)


def test_nothing_is_compared_where_nothing_changed(project: Project, serve: Callable[..., IndexServer]) -> None:
    index = serve(wheel("a", "1.0"))
    project.requires("a")
    options = ["lock", "-q", "--index-url", index.url, "--python", "3.11"]
    project.locked("--index-url", index.url, "--python", "3.11")
    modules = loaded(f"from mlpin.cli import main\nassert main({options!r}) == 0", project.root)
    assert not modules & {"mlpin.lock.difference", "mlpin.lock.meaning", "mlpin.report.diffed"}
