"""Distributions that no index has: repositories, directories and archives, by way of `mlpin lock`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from packaging.pylock import Pylock

from tests.index.server import IndexServer
from tests.projects import Project
from tests.test_lock_end_to_end import everything_written
from tests.wheels import headers, sdist, tarred, wheel

Serve = Callable[..., IndexServer]

PYPROJECT = '[project]\nname = "from-git"\nversion = "{version}"\ndependencies = ["lib{lib}"]\n'


class Repository:
    """A git repository on this machine."""

    def __init__(self, path: Path, environ: dict[str, str]) -> None:
        self.path = path
        self._environ = environ | {
            f"GIT_{who}_{what}": value
            for who in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "A"), ("EMAIL", "a@host.example"), ("DATE", "2024-05-01T12:00:00Z"))
        }
        path.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=self.path, env=self._environ, capture_output=True, text=True, check=True
        ).stdout.strip()

    def commit(self, **files: str) -> str:
        for name, text in files.items():
            path = self.path / name.replace("__", "/").replace("_toml", ".toml").replace("_cfg", ".cfg")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", ".")
        self.git("commit", "--quiet", "-m", "x")
        return self.git("rev-parse", "HEAD")

    @property
    def url(self) -> str:
        return f"git+{self.path.as_uri()}"


@pytest.fixture
def repository(environ: dict[str, str], tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository", environ)


@pytest.fixture
def index(serve: Serve) -> IndexServer:
    return serve(wheel("lib", "1.0"), wheel("lib", "2.0"))


def package(project: Project, name: str) -> dict[str, Any]:
    Pylock.from_dict(project.tables())
    return next(one for one in project.tables()["packages"] if one["name"] == name)


def test_branch_tag_commit_and_head(project: Project, repository: Repository, index: IndexServer) -> None:
    first = repository.commit(pyproject_toml=PYPROJECT.format(version="1", lib="<2"))
    repository.git("tag", "v1")
    repository.git("tag", "-a", "-m", "x", "annotated")
    repository.git("branch", "old/line")
    second = repository.commit(pyproject_toml=PYPROJECT.format(version="2", lib=""))
    for revision, commit, lib in (
        ("", second, "2.0"),
        ("@main", second, "2.0"),
        ("@v1", first, "1.0"),
        ("@annotated", first, "1.0"),
        ("@old/line", first, "1.0"),
        (f"@{first}", first, "1.0"),
        (f"@{first[:10]}", first, "1.0"),
    ):
        project.requires(f"from-git @ {repository.url}{revision}")
        assert project.locked("--upgrade", index=index) == {"from-git": "", "lib": lib}, revision
        vcs = package(project, "from-git")["vcs"]
        assert (vcs["type"], vcs["commit-id"], vcs.get("requested-revision", "")) == ("git", commit, revision[1:])


def test_a_subdirectory(project: Project, repository: Repository, index: IndexServer) -> None:
    commit = repository.commit(python__pkg__pyproject_toml=PYPROJECT.format(version="1", lib=""), README_toml="")
    project.requires(f"from-git @ {repository.url}#subdirectory=python/pkg")
    project.locked(index=index)
    vcs = package(project, "from-git")["vcs"]
    assert (vcs["commit-id"], vcs["subdirectory"]) == (commit, "python/pkg")


def test_a_name_that_only_the_repository_tells(project: Project, repository: Repository, index: IndexServer) -> None:
    repository.commit(pyproject_toml=PYPROJECT.format(version="1", lib=""))
    requirements = project.write("requirements.txt", f"-e {repository.url}\n")
    assert project.locked(str(requirements), index=index) == {"from-git": "", "lib": "2.0"}


def test_extras_of_a_repository(project: Project, repository: Repository, index: IndexServer) -> None:
    repository.commit(
        pyproject_toml='[project]\nname = "from-git"\nversion = "1"\n[project.optional-dependencies]\nx = ["lib"]\n'
    )
    project.requires(f"from-git @ {repository.url}")
    assert project.locked(index=index) == {"from-git": ""}
    project.requires(f"from-git[x] @ {repository.url}")
    assert project.locked(index=index) == {"from-git": "", "lib": "2.0"}


def test_a_second_run_takes_the_commit_from_the_cache(
    project: Project, repository: Repository, index: IndexServer
) -> None:
    commit = repository.commit(pyproject_toml=PYPROJECT.format(version="1", lib=""))
    project.requires(f"from-git @ {repository.url}@{commit}")
    project.locked(index=index)
    before = project.text
    index.forget()
    project.locked(index=index)
    repository.path.rename(repository.path.with_name("away"))
    (project.root / "pylock.toml").unlink()
    project.locked("--offline", index=index)
    assert (project.text, index.asked) == (before, [])


@pytest.mark.parametrize(
    ("revision", "words"),
    [("@nonsuch", "no revision `nonsuch`"), ("@--upload-pack=x", "--upload-pack=x"), ("@" + "0" * 40, "0" * 40)],
)
def test_a_revision_that_is_not_there(
    project: Project, repository: Repository, index: IndexServer, revision: str, words: str
) -> None:
    repository.commit(pyproject_toml=PYPROJECT.format(version="1", lib=""))
    project.requires(f"from-git @ {repository.url}{revision}")
    ran = project.lock(index=index)
    assert (ran.code, words in ran.words) == (2, True), ran.words
    assert "pyproject.toml:5" in ran.words


def test_a_repository_that_is_not_there(project: Project, repository: Repository, index: IndexServer) -> None:
    project.requires(f"from-git @ {repository.url}-none")
    ran = project.lock(index=index)
    assert ran.code == 3, ran.words
    assert "git cannot fetch" in ran.words
    ran = project.lock("--offline", index=index)
    assert ran.code == 3, ran.words
    assert "--offline" in ran.words


def test_another_project_than_asked_for(project: Project, repository: Repository, index: IndexServer) -> None:
    repository.commit(pyproject_toml=PYPROJECT.format(version="1", lib=""))
    project.requires(f"other @ {repository.url}")
    ran = project.lock(index=index)
    assert (ran.code, "`from-git`" in ran.words) == (2, True), ran.words


def test_nothing_of_a_repository_is_run(
    project: Project, repository: Repository, index: IndexServer, tmp_path: Path
) -> None:
    marker = tmp_path / "ran"
    repository.commit(setup_py=f"open({str(marker)!r}, 'w')", pyproject_toml="[build-system]\nrequires = []\n")
    project.requires(f"from-git @ {repository.url}")
    ran = project.lock(index=index)
    assert (ran.code, "[tool.mlpin.metadata]" in ran.words) == (2, True), ran.words
    assert not marker.exists()
    project.requires(
        f"from-git @ {repository.url}", mlpin='[tool.mlpin.metadata]\nfrom-git = { requires-dist = ["lib<2"] }'
    )
    assert project.locked(index=index) == {"from-git": "", "lib": "1.0"}


def test_setup_cfg_and_poetry_are_read(project: Project, repository: Repository, index: IndexServer) -> None:
    repository.commit(setup_cfg="[metadata]\nname = from-git\nversion = 1\n[options]\ninstall_requires =\n  lib<2\n")
    project.requires(f"from-git @ {repository.url}")
    assert project.locked(index=index) == {"from-git": "", "lib": "1.0"}
    repository.git("rm", "--quiet", "setup.cfg")
    repository.commit(
        pyproject_toml='[tool.poetry]\nname = "from-git"\nversion = "1"\n[tool.poetry.dependencies]\nlib = "^2"\n'
    )
    project.requires(f"from-git @ {repository.url}@main")
    assert project.locked("--upgrade", index=index) == {"from-git": "", "lib": "2.0"}


def test_without_a_cache_and_with_one_that_cannot_be_written(
    project: Project, repository: Repository, index: IndexServer, tmp_path: Path
) -> None:
    repository.commit(pyproject_toml=PYPROJECT.format(version="1", lib=""))
    project.requires(f"from-git @ {repository.url}")
    assert project.locked("--no-cache", index=index) == {"from-git": "", "lib": "2.0"}
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    assert project.locked("--upgrade", "--cache-dir", str(blocked), index=index) == {"from-git": "", "lib": "2.0"}


def test_credentials_of_a_repository_are_not_written(project: Project, index: IndexServer, tmp_path: Path) -> None:
    requirements = project.write(
        "requirements.txt", f"from-git @ git+http://me:s3cret@127.0.0.1:{index.port}/none.git@main\n"
    )
    ran = project.lock("-v", str(requirements), index=index)
    assert ran.code == 3, ran.words
    requirements.unlink()
    assert "s3cret" not in everything_written(tmp_path) + project.log


def test_two_revisions_fetched_at_once_are_not_mixed_up(
    repository: Repository, environ: dict[str, str], tmp_path: Path
) -> None:
    """What one process fetches must not be taken by another that shares the cache."""
    from concurrent.futures import ThreadPoolExecutor

    from mlpin.index.cache import Cache
    from mlpin.index.catalog import Catalog
    from mlpin.index.places import places
    from mlpin.manifest.model import Context
    from mlpin.requirement import VcsSource
    from mlpin.settings import Settings
    from mlpin.sources import Sources

    commits = {}
    for number in range(6):
        commits[f"b{number}"] = repository.commit(pyproject_toml=PYPROJECT.format(version=number, lib=""))
        repository.git("branch", f"b{number}")

    def fetch(branch: str) -> str:
        catalog = Catalog(places(Settings()), Cache(None), lambda: None)
        context = Context(tmp_path, environ, lambda _: "")
        return (
            Sources(catalog, context, tmp_path / "git")
            .fetched(VcsSource("git", repository.path.as_uri(), branch))
            .commit
        )

    with ThreadPoolExecutor(6) as pool:
        assert dict(zip(commits, pool.map(fetch, commits), strict=True)) == commits


# -- directories and archives


def test_a_directory(project: Project, index: IndexServer) -> None:
    project.write("sub/pyproject.toml", PYPROJECT.format(version="1", lib=""))
    project.write("requirements.txt", "./sub\n")
    assert project.locked("requirements.txt", index=index) == {"from-git": "", "lib": "2.0"}
    assert package(project, "from-git")["directory"] == {"path": "sub", "editable": False}
    index.forget()
    assert "up to date" in project.lock("requirements.txt", index=index).words
    project.write("sub/pyproject.toml", PYPROJECT.format(version="1", lib="<2"))
    assert project.locked("requirements.txt", "-U", index=index) == {"from-git": "", "lib": "1.0"}


def test_a_directory_that_says_nothing(project: Project, index: IndexServer) -> None:
    project.write("sub/setup.py", "raise SystemExit('run')")
    project.write("requirements.txt", "./sub\n")
    ran = project.lock("requirements.txt", index=index)
    assert (ran.code, "requirements.txt:1" in ran.words, "[tool.mlpin.metadata]" in ran.words) == (2, True, True), (
        ran.words
    )


@pytest.mark.parametrize("form", ["tar.gz", "zip"])
def test_an_archive_at_a_url(project: Project, index: IndexServer, form: str) -> None:
    built = sdist("direct", "1.0", ["lib<2"], form=form)
    index.add(built)
    project.requires(f"direct @ {index.root}/files/{built.filename}")
    assert project.locked(index=index) == {"direct": "1.0", "lib": "1.0"}
    archive = package(project, "direct")["archive"]
    assert (archive["url"], archive["hashes"]) == (f"{index.root}/files/{built.filename}", {"sha256": built.sha256})


def test_a_wheel_at_a_url_with_its_hash_is_not_downloaded(project: Project, index: IndexServer) -> None:
    built = wheel("direct", "1.0", ["lib<2"], first={"big.bin": os.urandom(100_000)})
    index.add(built)
    project.requires(f"direct @ {index.root}/files/{built.filename}#sha256={built.sha256}")
    assert project.locked(index=index) == {"direct": "1.0", "lib": "1.0"}
    assert "file" not in index.shape()
    assert package(project, "direct")["archive"]["hashes"] == {"sha256": built.sha256}


def test_an_archive_without_a_name(project: Project, index: IndexServer) -> None:
    """As forges make them of a branch."""
    data = tarred(
        {
            "from-git-main/sub/pyproject.toml": PYPROJECT.format(version="3", lib="").encode(),
            "from-git-main/PKG-INFO": headers("x", "1").encode(),
        }
    )
    index.fault("/archive/main.tar.gz", 200, body=data)
    project.requires(f"from-git @ {index.root}/archive/main.tar.gz#subdirectory=sub")
    assert project.locked(index=index) == {"from-git": "3", "lib": "2.0"}
    assert package(project, "from-git")["archive"]["subdirectory"] == "sub"


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("direct @ {root}/files/direct-1.0-py3-none-any.whl", 2, "not there"),
        ("direct @ {root}/files/direct.txt", 2, "neither a wheel nor"),
        ("direct @ {root}/files/lib-1.0-py3-none-any.whl", 2, "`lib`"),
        ("direct @ {root}/refused/direct-1.0-py3-none-any.whl", 3, "403"),
        ("direct @ {root}/files/direct-1.0-cp311-cp311-win_amd64.whl", 2, "does not fit"),
        ("direct @ git+ftp://127.0.0.1/x", 2, "git+ftp"),
        ("direct @ hg+http://127.0.0.1/x", 2, "only git"),
    ],
)
def test_what_cannot_be_had(project: Project, index: IndexServer, line: str, code: int, words: str) -> None:
    index.add(wheel("direct", "1.0", tags="cp311-cp311-win_amd64"))
    index.fault("/refused/direct-1.0-py3-none-any.whl", 403)
    project.requires(line.format(root=index.root))
    ran = project.lock(index=index)
    assert (ran.code, words in ran.words, "pyproject.toml" in ran.words) == (code, True, True), ran.words
