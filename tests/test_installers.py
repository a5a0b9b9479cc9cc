"""pip and uv, the real ones, install from our locks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.index.server import IndexServer
from tests.projects import Project
from tests.test_sources import Repository, repository
from tests.wheels import wheel

__all__ = ["repository"]

Serve = Callable[..., IndexServer]

PIP = (26, 3)
UV = Path(sys.executable).with_name("uv")
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


def _pip_version() -> tuple[int, ...]:
    done = subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, text=True, check=False)
    words = done.stdout.split()
    return tuple(int(part) for part in words[1].split(".")[:2] if part.isdigit()) if done.returncode == 0 else ()


@pytest.fixture(params=["pip", "uv"])
def installer(request: pytest.FixtureRequest) -> str:
    if request.param == "pip" and _pip_version() < PIP:
        pytest.skip(f"pip {PIP[0]}.{PIP[1]} or newer is not installed for {sys.executable}: it reads no pylock.toml")
    if request.param == "uv" and not UV.exists():
        pytest.skip(f"uv is not installed beside {sys.executable}")
    return str(request.param)


class Venv:
    """A fresh environment without pip, and what an installer does to it."""

    def __init__(self, path: Path, installer: str, environ: dict[str, str]) -> None:
        self.path, self.environ, self._installer = path, environ, installer
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(path)], check=True, env=environ)
        self.python = str(path / "bin" / "python") if sys.platform != "win32" else str(path / "Scripts" / "python.exe")

    def install(self, lock: Path, *, trees: bool = False) -> subprocess.CompletedProcess[str]:
        """`trees`: the lock has directories or repositories beside files. pip takes those only if it is told
        that not everything can have a hash."""
        if self._installer == "pip":
            command = [
                sys.executable,
                "-m",
                "pip",
                "--python",
                self.python,
                "install",
                "--no-input",
                "--disable-pip-version-check",
            ]
            command += ["--no-require-hashes"] if trees else []
            command += ["-r", lock.name]
        else:
            command = [str(UV), "pip", "sync", "--python", self.python, "--preview-features", "pylock", lock.name]
        return subprocess.run(command, cwd=lock.parent, env=self.environ, capture_output=True, text=True, check=False)

    def installed(self) -> dict[str, str]:
        code = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
        done = subprocess.run(
            [self.python, "-I", "-c", code], capture_output=True, text=True, check=True, env=self.environ
        )
        return json.loads(done.stdout)

    def imports(self, *modules: str) -> None:
        subprocess.run([self.python, "-I", "-c", f"import {', '.join(modules)}"], check=True, env=self.environ)


@pytest.fixture
def venv(installer: str, environ: dict[str, str], tmp_path: Path) -> Venv:
    return Venv(tmp_path / "venv", installer, environ)


def here(project: Project, *lines: str, more: str = "") -> None:
    """A project that is locked for this very machine, so that installers take the lock."""
    project.write(
        "pyproject.toml",
        f'[project]\nname = "mine"\nversion = "1"\ndependencies = {json.dumps(lines)}\n{more}\n[tool.mlpin]\npython = "{HERE}"\n',
    )


@pytest.mark.parametrize("behaviour", [{}, {"json": False, "hashes": False, "metadata": False}], ids=["full", "bare"])
def test_what_is_locked_is_installed(serve: Serve, project: Project, venv: Venv, behaviour: dict[str, bool]) -> None:
    index = serve(
        wheel(
            "app", "2.0", ["lib>=1", 'speed>=1; extra == "fast"', "nothing; sys_platform == 'amiga'"], extras=["fast"]
        ),
        wheel("app", "1.0"),
        wheel("lib", "1.5"),
        wheel("lib", "2.0rc1"),
        wheel("speed", "1.0"),
        **behaviour,
    )
    here(project, "app[fast]")
    assert project.locked(index=index) == {"app": "2.0", "lib": "1.5", "speed": "1.0"}
    # What the index has later is nothing to the lock.
    index.add(wheel("lib", "3.0"))
    done = venv.install(project.root / "pylock.toml")
    assert done.returncode == 0, done.stderr
    assert venv.installed() == {"app": "2.0", "lib": "1.5", "speed": "1.0"}
    venv.imports("app", "lib", "speed")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="builds for CUDA are for Linux here")
def test_a_lock_for_hardware_is_installed(serve: Serve, project: Project, venv: Venv) -> None:
    """A labelled build of the vendor's index, and a file of a release whose label has capitals."""
    label = "cu11torch2.7cxx11abiTRUE"
    files = serve(wheel("ours-ext", f"1.0+{label}", ["torch"]))
    vendor = serve(wheel("torch", "2.7.1+cu118"), wheel("torch", "2.7.1+cu128"))
    here(project, "torch", "ours-ext")
    project.write(
        "ours.toml",
        f'[[wheels]]\npackage = "ours-ext"\nversion = "1.0"\nurl = "{files.root}/files"\n'
        f'files = ["ours_ext-1.0+{label}-py3-none-any.whl"]\n'
        'source = "tests"\nevidence = "reported"\ndate = 2026-11-21\n',
    )
    project.write("mlpin.toml", 'matrix = ["ours.toml"]\ndriver = "470.82"\n')
    locked = project.locked("--pytorch-index-url", vendor.lines, index=serve())
    assert locked == {"torch": "2.7.1+cu118", "ours-ext": f"1.0+{label.lower()}"}
    done = venv.install(project.root / "pylock.toml")
    assert done.returncode == 0, done.stderr
    assert venv.installed() == {"torch": "2.7.1+cu118", "ours-ext": f"1.0+{label}"}


def test_a_changed_file_is_not_installed(serve: Serve, project: Project, venv: Venv) -> None:
    good = wheel("lib", "1.0", first={"lib.txt": b"good"})
    others = (wheel("lib", "1.0", first={"lib.txt": f"{number:04}".encode()}) for number in range(10_000))
    evil = next(other for other in others if len(other.data) == len(good.data))
    index = serve(good)
    here(project, "lib")
    project.locked(index=index)
    index.fault(f"/files/{good.filename}", 200, body=evil.data, content_type="application/zip")
    done = venv.install(project.root / "pylock.toml")
    assert done.returncode != 0
    assert "hash" in (done.stdout + done.stderr).lower()
    assert venv.installed() == {}


def test_a_named_lock_with_a_directory_and_files(serve: Serve, project: Project, venv: Venv) -> None:
    """A local project (built by nothing but a backend of its own) and a wheel from find-links."""
    backend = Path(__file__).with_name("wheels.py").read_text()
    project.write("sub/backend/local_wheels.py", backend)
    project.write(
        "sub/backend/local_backend.py",
        "import os\nfrom local_wheels import wheel\n"
        "def build_wheel(folder, config_settings=None, metadata_directory=None):\n"
        "    built = wheel('sub', '7', ['lib'])\n"
        "    with open(os.path.join(folder, built.filename), 'wb') as file:\n"
        "        file.write(built.data)\n"
        "    return built.filename\n",
    )
    project.write(
        "sub/pyproject.toml",
        '[project]\nname = "sub"\nversion = "7"\ndependencies = ["lib"]\n'
        '[build-system]\nrequires = []\nbuild-backend = "local_backend"\nbackend-path = ["backend"]\n',
    )
    (project.root / "links").mkdir()
    (project.root / "links" / "local-1.0-py3-none-any.whl").write_bytes(wheel("local", "1.0").data)
    project.write("requirements.txt", "./sub\nlocal\n--find-links links\n")
    index = serve(wheel("lib", "1.0"))
    ran = project.lock("requirements.txt", "--python", HERE, "-o", "pylock.here.toml", index=index)
    assert ran.code == 0, ran.words
    done = venv.install(project.root / "pylock.here.toml", trees=True)
    assert done.returncode == 0, done.stderr
    assert venv.installed() == {"sub": "7", "lib": "1.0", "local": "1.0"}


def test_a_commit_of_a_repository(serve: Serve, project: Project, repository: Repository, venv: Venv) -> None:
    commit = repository.commit(
        pyproject_toml='[project]\nname = "from-git"\nversion = "5"\n'
        '[build-system]\nrequires = []\nbuild-backend = "local_backend"\nbackend-path = ["."]\n',
        **{"local_backend.py": "import base64, os\n" + _tiny_backend()},
    )
    here(project, f"from-git @ {repository.url}@main")
    assert project.locked(index=serve()) == {"from-git": ""}
    (package,) = project.tables()["packages"]
    assert package["vcs"]["commit-id"] == commit
    assert str(repository.path) not in json.dumps(package)
    done = venv.install(project.root / "pylock.toml")
    assert done.returncode == 0, done.stderr
    assert venv.installed() == {"from-git": "5"}


def _tiny_backend() -> str:
    import base64

    built = wheel("from-git", "5")
    data = base64.b64encode(built.data).decode()
    return (
        "def build_wheel(folder, config_settings=None, metadata_directory=None):\n"
        f"    with open(os.path.join(folder, {built.filename!r}), 'wb') as file:\n"
        f"        file.write(base64.b64decode({data!r}))\n"
        f"    return {built.filename!r}\n"
    )
