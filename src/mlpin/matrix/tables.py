"""What the matrix knows beside rules: GPUs, build lines, toolkits, unlisted files, supplied metadata, base images."""

from __future__ import annotations

from typing import NamedTuple


class Gpu(NamedTuple):
    """A product and what code it runs: `8.9` for NVIDIA's compute capability, `gfx90a` for AMD's target."""

    name: str
    runs: str


class Family(NamedTuple):
    """Packages that one vendor builds together, in one index per build line. `base` is that of the indexes' URL."""

    name: str
    packages: tuple[str, ...]
    base: str


class Line(NamedTuple):
    """A build line of a family: the local label of its versions, and where they lie below the family's base."""

    label: str
    accelerator: str
    cuda: str
    """`12.4`; empty where it is no line of CUDA."""
    path: str
    family: str
    versions: str = ""
    """The releases of the family's first package that have been published in it, as far as it is known."""
    platforms: tuple[str, ...] = ()
    source: tuple[str, ...] = ()


class Default(NamedTuple):
    """Which line a release without a label belongs to, where the package index has no labels."""

    package: str
    versions: str
    line: str
    platforms: tuple[str, ...] = ()


class Abi(NamedTuple):
    """Whether the C++ code of these releases uses the new ABI of libstdc++ (`_GLIBCXX_USE_CXX11_ABI`)."""

    package: str
    versions: str
    cxx11: bool
    lines: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()


class Alias(NamedTuple):
    """A conda package that carries the distribution of another name."""

    conda: str
    package: str


class Toolkit(NamedTuple):
    """A CUDA version and drivers.

    Of a major version (`12`): the oldest ones that run it, by minor-version compatibility. Of a release (`12.4`): the
    one that it was `shipped` with, which is data and no floor.
    """

    cuda: str
    linux: str = ""
    windows: str = ""
    shipped: str = ""
    source: tuple[str, ...] = ()
    date: str = ""


class Arch(NamedTuple):
    """The CUDA versions that can compile for GPUs of a compute capability; none older can know such a GPU."""

    capability: str
    cuda: str
    generation: str = ""
    """What NVIDIA calls it: `Volta`; empty where it is not known."""


class Wheels(NamedTuple):
    """Files of a release that no index lists, below one URL."""

    package: str
    version: str
    url: str
    files: tuple[str, ...]
    hashes: tuple[tuple[str, str], ...] = ()
    """(file name, sha256 in hexadecimal) where it is known."""
    requires: tuple[str, ...] = ()
    requires_python: str = ""
    source: tuple[str, ...] = ()
    date: str = ""


class Supplied(NamedTuple):
    """Metadata for releases of a package that publishes none that can be read without building."""

    package: str
    versions: str
    requires: tuple[str, ...] = ()
    requires_python: str = ""
    extras: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    date: str = ""


class Distribution(NamedTuple):
    """A Linux distribution: what every image of these releases has."""

    name: str
    """As os-release has it in `ID`, and as tags of images spell it: `ubuntu`, `rockylinux`."""
    releases: tuple[str, ...]
    """Numbers and code names that mean the same release; a longer number (`9.3`) belongs to it too."""
    glibc: str = ""
    """`2.35`; empty where its C library is musl."""
    python: str = ""
    """The version of its package `python3`, which an image of it need not have."""
    source: tuple[str, ...] = ()


class BaseImage(NamedTuple):
    """Container images of one name, and what their tags say is in them."""

    names: tuple[str, ...]
    """As Docker Hub has it (`python`, `nvidia/cuda`), or with another registry (`nvcr.io/nvidia/cuda`)."""
    tags: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    """(pattern of tags, further facts): see `matrix.images`; the first one that fits counts."""
    known: tuple[str, ...] = ()
    """Tags that exist, for whoever has to choose one."""
    for_python: bool = False
    """Whether Python is what the image is for."""
    branches: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """By CUDA version, the branches of drivers that containers of it start on as well as on newer ones."""
    source: tuple[str, ...] = ()
    date: str = ""
