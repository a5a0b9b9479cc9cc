"""Base images by the name that a Dockerfile has for them: which entry of the matrix it is, and what its tag says.

A pattern of tags is text with `{facts}`: `{python}`, `{cuda}`, `{cudnn}` and names of packages are versions, `{any}` is
anything, `{system}` a distribution with its release in one word (`ubuntu22.04`), and any other name is a distribution
whose release stands there (`{debian}`: `12`, `bookworm`). `{cuda:12,13}` is a version of one of these lines.
What no entry says is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mlpin.matrix.tables import BaseImage, Distribution

PACKAGES = ("torch", "tensorflow")
"""Packages that images are made for."""
FACTS = ("python", "cuda", "cudnn", "system", "libc", "nvcc", *PACKAGES)
"""What a tag, or a row, can say. `nvcc`: whether there is a compiler for CUDA, `yes` or `no`."""

_HOLE = re.compile(r"\{([a-z]+)(?::([0-9.,]+))?\}")
_VERSION = r"[0-9]+(?:\.[0-9]+)+(?:(?:a|b|rc)[0-9]+)?"
_FORMS = {
    "any": r"[A-Za-z0-9_.-]*",
    "system": r"[a-z]+[0-9][0-9.]*",
    "cudnn": r"[0-9]+(?:\.[0-9]+)*",
    **dict.fromkeys(("python", "cuda", *PACKAGES), _VERSION),
}
_RELEASE = r"[a-z0-9.]+"
_MIRROR = re.compile(r"(^|/)(library|docker|docker\.io|docker[-_]?hub[\w.-]*)$")
"""Where a registry keeps the official images of Docker Hub."""
_HUB = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


class Reference(NamedTuple):
    """An image as it is named: `registry/repository:tag@digest`."""

    registry: str
    """Empty for Docker Hub."""
    repository: str
    tag: str
    digest: str

    @classmethod
    def parse(cls, text: str) -> Reference:
        """What `text` names. Only the form is looked at; anything has one."""
        name, _, digest = text.partition("@")
        head, slash, rest = name.partition("/")
        registry = ""
        if slash and (re.search(r"[.:]", head) or head == "localhost"):
            registry, name = head, rest
        name, colon, tag = name.rpartition(":")
        if not colon:
            name, tag = tag, ""
        registry = "" if registry in _HUB else registry
        return cls(registry, name.removeprefix("library/") if not registry else name, tag, digest)

    def has_name(self, wanted: str) -> bool:
        """Whether this is the image of that name, or a mirror's copy of it."""
        head, _, path = wanted.partition("/")
        registry, path = (head, path) if "." in head else ("", wanted)
        if (self.registry, self.repository) == (registry, path):
            return True
        if not self.registry:
            return False
        if "/" not in path:
            # `registry.example/python` may be anybody's; below `library/`, or a mirror of Docker Hub, it is that one.
            above, _, last = self.repository.rpartition("/")
            return last == path and bool(_MIRROR.search(above))
        return f"/{self.repository}".endswith(f"/{path}")


@cache
def _pattern(text: str) -> re.Pattern[str]:
    made, at = "", 0
    for hole in _HOLE.finditer(text):
        made += re.escape(text[at : hole.start()])
        form = _FORMS.get(hole[1], _RELEASE)
        if hole[2]:
            lines = "|".join(re.escape(line) for line in hole[2].split(","))
            form = rf"(?:{lines})(?:\.[0-9]+)*"
        made += form if hole[1] == "any" else f"(?P<{hole[1]}>{form})"
        at = hole.end()
    return re.compile(made + re.escape(text[at:]))


def holes(text: str) -> Sequence[str] | None:
    """The names of the facts in a pattern; None where it is none."""
    found = [hole[1] for hole in _HOLE.finditer(text)]
    named = [name for name in found if name != "any"]
    return None if len(named) != len(set(named)) or re.search(r"[{}]", _HOLE.sub("", text)) else found


def facts_of(image: BaseImage, tag: str) -> Mapping[str, str] | None:
    """What an entry says of a tag, by the names in `FACTS`; None where it knows nothing of it."""
    for text, fixed in image.tags:
        match = _pattern(text).fullmatch(tag)
        if match is None:
            continue
        found = {}
        for name, value in match.groupdict().items():
            if name == "system":
                parts = re.fullmatch(r"([a-z]+)(.*)", value)
                found["system"] = f"{parts[1]} {parts[2]}" if parts else value
            elif name in FACTS:
                found[name] = value
            else:
                found["system"] = f"{name} {value}"
        return found | dict(fixed)
    return None


def find(images: Iterable[BaseImage], reference: Reference) -> tuple[BaseImage, Mapping[str, str]] | None:
    """The entry that knows the image by its name and tag, and what it says; None where none does."""
    for image in images:
        if any(reference.has_name(name) for name in image.names):
            facts = facts_of(image, reference.tag)
            if facts is not None:
                return image, facts
    return None


def distribution(known: Iterable[Distribution], system: str) -> Distribution | None:
    """The row of `ubuntu 22.04`, `debian bookworm`, `rockylinux 9.3`; None where there is none."""
    name, _, release = system.partition(" ")
    for one in known:
        if one.name == name and any(release == each or release.startswith(f"{each}.") for each in one.releases):
            return one
    return None
