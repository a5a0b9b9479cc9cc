"""A Dockerfile of a lock: it suits the lock by our own check, and its install command is carried out by the real uv."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mlpin import hardware
from mlpin import image as images
from mlpin.check import image
from mlpin.errors import InputError
from mlpin.export.dockerfile import dockerfile
from mlpin.export.model import exported
from mlpin.image.parse import parse
from mlpin.lock.locked import Lock, LockedTree
from tests.check.test_image import FLASH, GPU, NUMPY, ONNX, PLAIN, RULES, TORCH, lock
from tests.index.server import IndexServer
from tests.projects import Project
from tests.test_installers import HERE, UV, Venv, here
from tests.wheels import sdist, wheel

TENSORFLOW = {"tensorflow": "tensorflow-2.15.1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"}
DEFAULT = "https://index.example/simple"


def made(of: Lock) -> str:
    return dockerfile(exported(of, RULES, DEFAULT))


def bases(text: str) -> list[str]:
    return [stage.base for stage in parse(text).stages]


@pytest.mark.parametrize(
    ("files", "target", "build", "run"),
    [
        (NUMPY | PLAIN, {}, "python:3.11-slim-trixie", "python:3.11-slim-trixie"),
        (NUMPY, {"python": "3.12", "platform": "linux-aarch64"}, "python:3.12-slim-trixie", "python:3.12-slim-trixie"),
        (NUMPY, {"python": "3.11.4"}, "debian:trixie-slim", "debian:trixie-slim"),
        (NUMPY, {"python": "3.9"}, "debian:trixie-slim", "debian:trixie-slim"),
        (TORCH, {}, "python:3.11-slim-trixie", "python:3.11-slim-trixie"),
        (TORCH | ONNX, GPU, "python:3.11-slim-trixie", "python:3.11-slim-trixie"),
        # These take CUDA from the system.
        (ONNX, GPU, "nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04", "nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04"),
        (ONNX, GPU | {"driver": "570.86"}, "nvidia/cuda:12.8.1-cudnn-runtime-ubuntu22.04", None),
        (ONNX, GPU | {"driver": "545.23"}, None, None),
        (TENSORFLOW, GPU, "nvidia/cuda:12.2.2-cudnn8-runtime-ubuntu22.04", None),
        (ONNX, {}, "python:3.11-slim-trixie", "python:3.11-slim-trixie"),  # perhaps for the processor
        (FLASH | TORCH, GPU, "nvidia/cuda:12.4.1-cudnn-devel-ubuntu22.04", "debian:trixie-slim"),
        (FLASH | TORCH, {"accelerator": "cpu"}, "python:3.11-slim-trixie", "python:3.11-slim-trixie"),
    ],
)  # fmt: skip
def test_the_base_image_suits_the_lock(
    tmp_path: Path, files: Mapping[str, str], target: dict[str, Any], build: str | None, run: str | None
) -> None:
    of = lock(files, **target)
    try:
        text = made(of)
    except InputError as error:
        assert build is None
        assert "no image with a CUDA that serves this lock is known" in error.message
        return
    assert bases(text) == [build, run or build]
    assert max(len(line) for line in text.splitlines() if not line.startswith("FROM")) <= 80
    (tmp_path / "Dockerfile").write_text(text, encoding="utf-8")
    for stage in ("#build", ""):
        found = images.read(tmp_path / f"Dockerfile{stage}", "Dockerfile", RULES)
        assert found.machine == ("aarch64" if target.get("platform") == "linux-aarch64" else "x86_64")
        assert bool(found.pythons) == ("python:" in str(build)), "the Python of the base image is what is used"
        assert list(image.drifts(of, hardware.target_of(of.stated, RULES), found, RULES)) == []


def test_what_it_says(tmp_path: Path) -> None:
    text = made(lock(TORCH, floor={"driver": "525.60.13", "glibc": "2.28"}, **GPU))
    words = " ".join(text.replace("\n# ", " ").split())
    assert "# syntax=docker/dockerfile:1 Made by `mlpin export` from pylock.toml, for Python 3.11" in words
    assert "The locked wheels bring CUDA 12.4 along, so the image needs none." in words
    assert "The host needs the NVIDIA driver 525.60.13 or newer and the NVIDIA Container Toolkit" in words
    assert "NVIDIA_VISIBLE_DEVICES=all" in words
    assert "NVIDIA" not in made(lock(NUMPY))
    assert "build-essential" not in text
    assert "--no-build-isolation" in made(lock(FLASH | TORCH, **GPU))


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (
            lock(NUMPY, platform="macos-14-arm64", glibc=""),
            "a Dockerfile is for Linux, and this lock is for macos-arm64",
        ),
        (lock(NUMPY, python=""), "does not say which Python and platform"),
        (lock(NUMPY, floor={"glibc": "2.99"}), "no base image with glibc 2.99 is known"),
    ],
)
def test_a_lock_that_no_image_serves(of: Lock, said: str) -> None:
    with pytest.raises(InputError) as caught:
        made(of)
    assert said in caught.value.message
    assert caught.value.where == "pylock.toml"


@pytest.mark.parametrize("name", ["pylock.a b;touch x.toml", "pylock.$HOME`id`'x'.toml", "-x.toml", 'a"[b]\\*.toml'])
def test_the_name_of_the_lock_is_one_word(name: str) -> None:
    of = lock(PLAIN)
    of.path = Path(name)
    stage = parse(made(of)).stages[0]
    (run,) = [one.text for one in stage.instructions if "uv pip sync" in one.text]
    assert Path(shlex.split(run)[-1]) == Path(name)


def test_a_lock_whose_name_is_no_line() -> None:
    of = lock(PLAIN)
    of.path = Path("pylock.a\nRUN touch x.toml")
    with pytest.raises(InputError, match="cannot be written into a Dockerfile"):
        made(of)


@pytest.mark.parametrize(
    ("path", "copied"),
    [
        ("pkg", "COPY pkg ./pkg/"),
        ("./pkg/", "COPY pkg ./pkg/"),
        (".", "COPY . ./"),
        ("--chown=me", 'COPY ["./--chown=me", "./--chown=me/"]'),
        ("<<EOF", 'COPY ["./<<EOF", "./<<EOF/"]'),
        ("a$b'c", r"""COPY ["./a\\$b\\'c", "./a\\$b\\'c/"]"""),
        ("a[1]*", 'COPY ["./a[[]1][*]", "./a[1]*/"]'),
    ],
)
def test_a_folder_is_copied_as_one(path: str, copied: str) -> None:
    of = lock(PLAIN)
    of.packages = (of.packages[0]._replace(files=(), tree=LockedTree("directory", path)),)
    assert copied in made(of).splitlines()


# -- what is more than wheels of an index


def test_folders_and_files_are_copied(serve: Callable[..., IndexServer], project: Project) -> None:
    project.write("libs/own code/pyproject.toml", '[project]\nname = "own"\nversion = "1"\n')
    project.write("libs/other/pyproject.toml", '[project]\nname = "other"\nversion = "1"\n')
    project.write("dirpkg/pyproject.toml", '[project]\nname = "dirpkg"\nversion = "1"\n')
    project.write("edpkg/pyproject.toml", '[project]\nname = "edpkg"\nversion = "1"\n')
    archive = sdist("pure", "2.0")
    (project.root / archive.filename).write_bytes(archive.data)
    root = project.root.as_uri()
    urls = f"own @ {root}/libs/own%20code\nother @ {root}/libs/other\npure @ {root}/{archive.filename}\n"
    project.write("requirements.txt", f"{urls}./dirpkg\n-e ./edpkg\n")
    project.locked("requirements.txt", "--python", HERE, index=serve())
    text = project.run("export", "--format", "dockerfile").out
    copied = [line for line in text.splitlines() if line.startswith("COPY ") and "--from" not in line]
    assert copied == [
        "COPY pylock.toml ./",
        "COPY dirpkg ./dirpkg/",
        "COPY edpkg ./edpkg/",
        "COPY libs/other ./libs/other/",
        'COPY ["./libs/own code", "./libs/own code/"]',
        f"COPY {archive.filename} ./",
        "COPY edpkg ./edpkg/",
    ]
    assert "build-essential" in text


def test_a_folder_outside_is_refused(serve: Callable[..., IndexServer], project: Project) -> None:
    outside = project.root.parent / "outside"
    outside.mkdir()
    (outside / "pyproject.toml").write_text('[project]\nname = "own"\nversion = "1"\n', encoding="utf-8")
    here(project, f"own @ {outside.as_uri()}")
    project.locked(index=serve())
    ran = project.run("export", "--format", "dockerfile")
    assert ran.code == 2
    assert "own is locked from `../outside`, outside of the folder that an image is built in" in ran.words


@pytest.mark.skipif(not UV.exists(), reason="uv is not installed here")
def test_its_command_installs_what_is_locked(
    serve: Callable[..., IndexServer], project: Project, environ: dict[str, str], tmp_path: Path
) -> None:
    index = serve(wheel("app", "2.0", ["lib>=1"]), wheel("lib", "1.5"), wheel("lib", "1.4"))
    here(project, "app")
    project.locked(index=index)
    index.add(wheel("lib", "3.0"))
    text = project.run("export", "--format", "dockerfile").out
    assert "If 127.0.0.1 wants a password:" in text
    assert "--mount=type=secret,id=netrc" in text
    (stage, _) = parse(text).stages
    (run,) = [one.text for one in stage.instructions if "uv pip sync" in one.text]
    venv = Venv(tmp_path / "venv", "uv", environ)
    words = shlex.split(re.sub(r"--mount=\S+", "", run).replace("/opt/venv", str(tmp_path / "venv")))
    done = subprocess.run([UV, *words[1:]], cwd=project.root, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert venv.installed() == {"app": "2.0", "lib": "1.5"}
