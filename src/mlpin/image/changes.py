"""What the instructions of a Dockerfile visibly change about an image.

Only what certainly leaves a fact as it is leaves it known: a Python, a CUDA, a C library that might have been put in
makes the fact unknown. Nothing is run, and scripts that are run are not read.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mlpin.image.model import Image
from mlpin.image.parse import Instruction, flags

_MANAGERS = frozenset({"apt", "apt-get", "aptitude", "yum", "dnf", "microdnf", "apk", "zypper"})
_CONDA = frozenset({"conda", "mamba", "micromamba"})
_INSTALLERS = frozenset({"pip", "pip3", "uv", "poetry", "pdm"}) | _CONDA
_OTHER_TOOLS = frozenset({"pixi", "rye", "asdf", "mise", "nix", "nix-env", "nix-shell", "devbox", "spack"})
_FETCHING = {"brew": (), "hatch": ("env", "run", "shell", "test"), "pdm": ("use", "venv"), "poetry": ()}
"""Tools that fetch a Python when they are asked for one, and by which of their commands they may without that."""
_OTHER_PYTHON = re.compile(
    r"pyenv|deadsnakes|miniconda|miniforge|mambaforge|anaconda|python-build-standalone|\bpython-3\.\d|/python/3\.\d"
    r"|\baltinstall\b|python[\w.-]{0,50}\.(?:sh|bash)\b|\b(?:install|setup|get|build)[-_]python"
)
"""A script with Python in its name may be one that installs it."""
_UV = re.compile(r"\buv(?:\s+(?!pip\b)\S+)*?\s+(?:sync|run|venv|python)\b|--python[= ]+[^\s/.$~]")
"""uv finds or fetches a Python by its version; `--python` with a path is one that is there."""
_NUMBERED = re.compile(r"python3?(\.\d+|\d\d+|\S*\$)")
_SYSTEM = re.compile(r"python3(-[a-z]\w*)*(=.*)?")
_CUDA = re.compile(r"\bcuda[-_.]|cudatoolkit|nvidia-cuda-toolkit|libcudart|/cuda\b|\bnvhpc")
_HARMLESS = frozenset({"echo", "export", "ldconfig", "ls", "nvcc"})
"""They only name a CUDA that is there."""
_GLIBC = re.compile(r"\blibc6\b|glibc|gcompat|libc6-compat")
_RELEASE = re.compile(
    r"sources\.list|/etc/apt/?(?:\*|\s|$)|yum\.repos\.d|zypp/repos\.d|/etc/apk/repositories|\b(?:dist|full)-upgrade"
    r"|do-release-upgrade|system-upgrade|--releasever|\bzypper\s.{0,50}\bdup\b|\bdistro-?sync\b|\bdebootstrap\b"
)
"""What may put another release of the distribution in: with another C library, and another Python of the system."""

_PYTHON_PATH = re.compile(
    r"(?:^|/)(?:python[\d.]*|(?:mini|ana)?conda\d?|mini(?:forge|mamba)\d?|mambaforge|\.?venvs?|virtualenvs?|envs?|\.pyenv"
    r"|site-packages|dist-packages)(?:/|$)"
)
_WHOLE = frozenset(
    ["/", "/opt", "/root", "/usr", "/usr/bin", "/usr/lib", "/usr/local", "/usr/local/bin", "/usr/local/lib"]
)
_LIBC = frozenset(["/", "/lib", "/lib64", "/usr", "/usr/lib", "/usr/lib64"])


def after(image: Image, one: Instruction, other: Callable[[str], Image | None], system_python: str) -> Image:
    """The image with an instruction carried out.

    `other` gives the image of a stage or of a name, `system_python` is the version that the distribution's package
    `python3` has there (empty: not known).
    """
    if one.name == "RUN":
        text = re.sub(r"\\[ \t]*\n", " ", flags(one.text)[1])
        system = image.system
        for command in re.split(r"[;&|\n]+", re.sub(r"[\"',\[\]]", " ", text).lower()):
            image = _run(image, command, system_python if image.system == system else "")
        return image
    if one.name in {"COPY", "ADD"}:
        given, rest = flags(one.text)
        if "--from" in given:
            paths = re.sub(r"[\"',\[\]]", " ", rest.partition("\n")[0]).split()[:-1]
            return _copied(image, [path.rstrip("/") or "/" for path in paths], other(given["--from"]))
        if _RELEASE.search(rest):
            return _upgraded(image)
    return image


def _run(image: Image, command: str, system_python: str) -> Image:
    words = command.split()
    tools = {word.rpartition("/")[2] for word in words}
    packages = words if tools & _MANAGERS and tools & {"install", "add"} else []
    if _brings_python(command, words, tools, packages):
        image = image._replace(pythons=(), for_python=True)
    elif not image.for_python and system_python and any(_SYSTEM.fullmatch(word) for word in packages):
        image = image._replace(pythons=(system_python,))
    if _CUDA.search(command) and not (words and words[0] in _HARMLESS):
        image = image._replace(cuda="", nvcc="", branches=None)
    if "cudnn" in command:
        image = image._replace(cudnn="")
    if _GLIBC.search(command):
        image = image._replace(libc="", glibc="")
    if _RELEASE.search(command) and words[0] != "rm":
        image = _upgraded(image)
    if tools & _INSTALLERS:
        named = {re.split(r"[^a-z0-9_-]", word, maxsplit=1)[0] for word in words}
        image = image._replace(packages=tuple(one for one in image.packages if one[0] not in named))
    return image


def _upgraded(image: Image) -> Image:
    """The image with perhaps another release of its distribution; what it was made with beside that stays."""
    libc = "musl" if image.libc == "musl" else ""
    pythons = image.pythons if image.for_python else ()
    return image._replace(system=image.system.partition(" ")[0], libc=libc, glibc="", pythons=pythons)


def _brings_python(command: str, words: list[str], tools: set[str], packages: list[str]) -> bool:
    """Whether a command may put another Python in, or an environment with another one."""
    return bool(
        any(_NUMBERED.match(word) for word in packages)
        or (tools & _CONDA and tools & {"create", "env", "update", "--file", "-f"})
        or (tools & _CONDA and "install" in tools and any(re.match(r"python\b", word) for word in words))
        or ("uv" in tools and _UV.search(command))
        or ("update-alternatives" in tools and "python" in command)
        or tools & _OTHER_TOOLS
        or _fetches_python(words)
        or _OTHER_PYTHON.search(command)
    )


def _fetches_python(words: list[str]) -> bool:
    """Whether one of the tools that can fetch a Python is asked to: `pdm python install`, not `pip install pdm`."""
    names = [word.rpartition("/")[2] for word in words]
    at = next((at for at, name in enumerate(names) if name in _FETCHING), len(names))
    rest = words[at + 1 :]
    return any(word.startswith("python") for word in rest) or bool(rest and rest[0] in _FETCHING[names[at]])


def _copied(image: Image, paths: list[str], source: Image | None) -> Image:
    """The image with files of another one in it; what both have alike stays known."""
    whole = any(path in _WHOLE for path in paths)
    same_python = source is not None and image.pythons and source.pythons == image.pythons
    if (whole or any(_PYTHON_PATH.search(path) for path in paths)) and not same_python:
        image = image._replace(pythons=(), for_python=True)
    if (whole or any("cuda" in path for path in paths)) and (source is None or source.cuda != image.cuda):
        image = image._replace(cuda="", nvcc="", branches=None)
    if (whole or any("cudnn" in path or "cuda" in path for path in paths)) and (
        source is None or source.cudnn != image.cudnn
    ):
        image = image._replace(cudnn="")
    if any(path in _LIBC for path in paths) and (source is None or source.glibc != image.glibc):
        image = image._replace(libc="", glibc="")
    return image
