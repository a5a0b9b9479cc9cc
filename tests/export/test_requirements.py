"""Requirements and constraints: pip and uv, the real ones, install exactly what is locked."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path

import pytest

from tests.index.server import IndexServer
from tests.projects import Project
from tests.test_installers import HERE, UV, Venv, here, installer
from tests.test_sources import Repository, repository
from tests.wheels import sdist, wheel

__all__ = ["installer", "repository"]

Serve = Callable[..., IndexServer]
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="builds for CUDA are for Linux here")


@pytest.fixture
def install(
    installer: str, environ: dict[str, str], tmp_path: Path, project: Project
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command that the head of a requirements file names, in a fresh environment."""
    venv = Venv(tmp_path / "venv", installer, environ)

    def run(text: str) -> dict[str, str]:
        project.write("requirements.txt", text)
        wanted = f"#   {'pip install' if installer == 'pip' else 'uv pip sync'} "
        (line,) = (line for line in text.splitlines() if line.startswith(wanted))
        words = shlex.split(line[1:])
        start = [sys.executable, "-m", "pip", "--python", venv.python] if installer == "pip" else [str(UV), "pip"]
        given = [*start, *words[1 if installer == "pip" else 2 :]]
        given += [] if installer == "pip" else ["--python", venv.python]
        done = subprocess.run(
            given,
            cwd=project.root,
            env=environ | {"PWD": str(project.root)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return venv.installed()

    return run


def test_what_is_locked_is_installed(serve: Serve, project: Project, install: Callable[..., dict[str, str]]) -> None:
    """Neither a newer release, nor a source archive, nor what the metadata asks for beyond the lock."""
    index = serve(
        wheel("app", "2.0", ["lib>=1", 'speed>=1; extra == "fast"'], extras=["fast"]),
        wheel("lib", "1.5"),
        wheel("speed", "1.0", ["unwanted"]),
    )
    here(project, "app[fast]", more='[tool.uv]\nexclude-dependencies = ["unwanted"]')
    project.write("mlpin.toml", 'exclude = ["unwanted"]')
    locked = project.locked(index=index)
    assert locked == {"app": "2.0", "lib": "1.5", "speed": "1.0"}
    index.add(wheel("lib", "3.0"), sdist("lib", "1.5"))
    assert install(project.run("export").out) == locked


@LINUX
def test_two_indexes(serve: Serve, project: Project, install: Callable[..., dict[str, str]]) -> None:
    vendor = serve(
        wheel("torch", "2.7.1+cu118", ["lib"]), wheel("torch", "2.7.1+cu128", ["lib"]), wheel("lib", "0.1+cu118")
    )
    index = serve(wheel("torch", "2.7.1", ["lib"]), wheel("lib", "1.0"), wheel("other", "1.0"))
    here(project, "torch", "other")
    project.write("mlpin.toml", 'driver = "470.82"\n')
    locked = project.locked("--pytorch-index-url", vendor.lines, index=index)
    assert locked == {"torch": "2.7.1+cu118", "lib": "1.0", "other": "1.0"}
    text = project.run("export").out
    assert f"--index-url {index.url}\n--extra-index-url {vendor.lines}/cu118\n" in text
    assert install(text) == locked


def test_a_plain_version_beside_a_labelled_one(
    serve: Serve, project: Project, install: Callable[..., dict[str, str]]
) -> None:
    """`==1.0` admits 1.0+cu118, which is newer, and which the other index has as well."""
    index = serve(wheel("lib", "1.0", ["dep"]), wheel("dep", "1.0"))
    other = serve(wheel("own", "1.0"))
    sources = f'[tool.uv]\nindex = [{{ name = "other", url = "{other.url}" }}]\nsources.own = {{ index = "other" }}'
    here(project, "lib", "own", more=sources)
    locked = project.locked(index=index)
    other.add(wheel("lib", "1.0+cu118"))
    assert install(project.run("export").out) == locked


def test_files_that_no_index_has(serve: Serve, project: Project, install: Callable[..., dict[str, str]]) -> None:
    index = serve(wheel("lib", "1.0"))
    files = serve(wheel("far", "1.0", ["lib"]))
    (project.root / "links").mkdir()
    (project.root / "links/local-1.0-py3-none-any.whl").write_bytes(wheel("local", "1.0", extras=["x"]).data)
    project.write(
        "requirements.in", f"local[x]\n--find-links links\nfar @ {files.root}/files/far-1.0-py3-none-any.whl\n"
    )
    ran = project.lock("requirements.in", "--python", HERE, index=index)
    assert ran.code == 0, ran.words
    assert install(project.run("export").out) == {"far": "1.0", "lib": "1.0", "local": "1.0"}


def test_trees_beside_files(
    serve: Serve, project: Project, repository: Repository, install: Callable[..., dict[str, str]]
) -> None:
    """A revision of a repository and a directory have no hash: pip must be told so, and the file says how."""
    for folder, name in ((project.root / "sub", "sub"), (repository.path, "from-git")):
        backend = f"import os\n{_tiny_backend(name)}"
        files = {"backend.py": backend, "pyproject.toml": _pyproject(name)}
        for path, text in files.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(text)
    repository.commit()
    here(project, f"from-git @ {repository.url}", "sub", "lib", more='[tool.uv.sources]\nsub = { path = "sub" }')
    project.locked(index=serve(wheel("lib", "1.0")))
    ran = project.run("export")
    assert "pip refuses these under --require-hashes, as the lock has no hash for them: from-git, sub;" in ran.words
    assert str(project.root.parent) not in ran.out
    assert install(ran.out) == {"sub": "5", "lib": "1.0", "from-git": "5"}


def _pyproject(name: str) -> str:
    return (
        f'[project]\nname = "{name}"\nversion = "5"\n'
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )


def _tiny_backend(name: str) -> str:
    built = wheel(name, "5")
    return (
        "def build_wheel(folder, config_settings=None, metadata_directory=None):\n"
        f"    open(os.path.join(folder, {built.filename!r}), 'wb').write({built.data!r})\n"
        f"    return {built.filename!r}\n"
    )


@pytest.mark.skipif(not UV.exists(), reason="uv is not installed beside this Python")
def test_a_lock_of_uv_for_many_machines(
    serve: Serve, project: Project, environ: dict[str, str], install: Callable[..., dict[str, str]]
) -> None:
    index = serve(
        wheel("lib", "1.0", requires_python="<3.11"),
        wheel("lib", "2.0", requires_python=">=3.11"),
        wheel("winlib", "1.0"),
        wheel("far", "1.0", tags="cp310-cp310-win_amd64"),
        sdist("far", "1.0"),
        wheel("near", "1.0"),
        sdist("near", "1.0"),
    )
    project.write(
        "pyproject.toml",
        '[project]\nname = "mine"\nversion = "1"\nrequires-python = ">=3.10"\n'
        'dependencies = ["lib", "winlib; sys_platform == \'win32\'", "far; sys_platform == \'win32\'", "near"]\n',
    )
    command = [str(UV), "export", "--format", "pylock.toml", "--no-emit-project", "-o", "pylock.toml", "-q"]
    subprocess.run([*command, "--index-url", index.url], cwd=project.root, env=environ, check=True)
    text = project.run("export").out
    assert "lib==1.0 ; python_full_version < '3.11' \\\n" in text
    assert "lib==2.0 ; python_full_version >= '3.11' \\\n" in text
    assert _hashes(text, "near") == {index.files["near-1.0-py3-none-any.whl"].sha256}
    assert _hashes(text, "far") == {file.sha256 for file in index.files.values() if file.project == "far"}
    assert install(text) == {"lib": "2.0", "near": "1.0"}


def _hashes(text: str, name: str) -> set[str]:
    """The hashes of a package's lines."""
    rest = text.split(f"\n{name}==")[1].splitlines()[1:]
    return {line.rpartition("sha256:")[2].rstrip(" \\") for line in takewhile(lambda line: line[:1] == " ", rest)}


def test_the_file_says_who_asks_and_for_what(serve: Serve, project: Project) -> None:
    index = serve(wheel("app", "2.0", ["lib", "dep"]), wheel("lib", "1.0", ["dep"]), wheel("dep", "1.0"))
    project.requires("app", "lib", mlpin='python = "3.11"')
    project.locked(index=index)
    text = project.run("export", "--no-hashes").out
    assert text == (
        "# Made by `mlpin export` from pylock.toml, for Python 3.11, linux-x86_64, glibc\n"
        "# 2.28. Install it in the lock's folder:\n"
        "#   pip install --no-deps -r requirements.txt\n"
        "#   uv pip sync requirements.txt\n"
        "\n"
        f"--index-url {index.url}\n"
        "\n"
        "app==2.0\n    # via pyproject.toml\n"
        "dep==1.0\n    # via\n    #   app\n    #   lib\n"
        "lib==1.0\n    # via\n    #   app\n    #   pyproject.toml\n"
    )
    assert project.run("export", "--no-hashes").out == text


def test_constraints(
    serve: Serve, project: Project, installer: str, tmp_path: Path, environ: dict[str, str], repository: Repository
) -> None:
    """Only what is asked for is installed, in the locked version; a lock's files and trees restrict as well."""
    commit = repository.commit(
        pyproject_toml=_pyproject("from-git"), **{"backend.py": "import os\n" + _tiny_backend("from-git")}
    )
    index = serve(wheel("app", "1.0", ["lib"]), wheel("lib", "1.0"), wheel("far", "1.0"), wheel("other", "1.0"))
    project.write("sub/pyproject.toml", '[project]\nname = "sub"\nversion = "5"\n')
    far = f"far @ {index.root}/files/far-1.0-py3-none-any.whl"
    here(
        project,
        "app",
        far,
        "other",
        "sub",
        f"from-git @ {repository.url}",
        more='[tool.uv.sources]\nsub = { path = "sub" }',
    )
    project.locked(index=index)
    text = project.run("export", "--format", "pip-constraints").out
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert lines[1:5] == ["app==1.0", far, f"from-git @ git+file://${{PWD}}/../repository@{commit}", "lib==1.0"]
    assert "# sub: the lock states no version of it" in text
    index.add(wheel("app", "2.0", ["lib"]), wheel("lib", "2.0"), wheel("far", "2.0"))
    project.write("constraints.txt", text)
    venv = Venv(tmp_path / "venv", installer, environ)
    start = [sys.executable, "-m", "pip", "--python", venv.python] if installer == "pip" else [str(UV), "pip"]
    given = ["install", "-c", "constraints.txt", "--index-url", index.url, "app", "far", "from-git"]
    given += [] if installer == "pip" else ["--python", venv.python]
    done = subprocess.run(
        [*start, *given],
        cwd=project.root,
        env=environ | {"PWD": str(project.root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert venv.installed() == {"app": "1.0", "far": "1.0", "lib": "1.0", "from-git": "5"}
