"""What the shipped data says of base images, and how images are named."""

from __future__ import annotations

import pytest

from mlpin.matrix.images import Reference, distribution, facts_of, find, holes
from mlpin.matrix.matrix import Matrix
from mlpin.matrix.packed import Packed, pack
from mlpin.matrix.read import read

MATRIX = Matrix.shipped()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("python", ("", "python", "", "")),
        ("python:3.11", ("", "python", "3.11", "")),
        ("docker.io/library/python:3.11", ("", "python", "3.11", "")),
        ("nvidia/cuda:12.4.1@sha256:ab", ("", "nvidia/cuda", "12.4.1", "sha256:ab")),
        ("nvcr.io/nvidia/pytorch:24.05-py3", ("nvcr.io", "nvidia/pytorch", "24.05-py3", "")),
        ("registry.example:5000/a/b", ("registry.example:5000", "a/b", "", "")),
        ("localhost/a:1", ("localhost", "a", "1", "")),
        ("", ("", "", "", "")),
    ],
)
def test_how_an_image_is_named(text: str, expected: tuple[str, ...]) -> None:
    assert Reference.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "name", "is_it"),
    [
        ("registry.example/mirror/nvidia/cuda:1", "nvidia/cuda", True),
        ("registry.example/nvidia/cuda:1", "nvidia/cuda", True),
        ("registry.example/my-nvidia/cuda:1", "nvidia/cuda", False),
        ("nvidia/pytorch:1", "nvcr.io/nvidia/pytorch", False),
        ("registry.example/nvcr/nvidia/pytorch:1", "nvcr.io/nvidia/pytorch", True),
        ("mirror.gcr.io/library/python:1", "python", True),
        ("registry.example/docker-hub/python:1", "python", True),
        ("registry.example/python:1", "python", False),
        ("registry.example/team/python:1", "python", False),
        ("registry.example/my-docker-team/python:1", "python", False),
    ],
)
def test_mirrors(text: str, name: str, is_it: bool) -> None:
    assert Reference.parse(text).has_name(name) is is_it


def test_tags_that_are_said_to_exist_say_what_is_in_them() -> None:
    chosen = [(image, tag) for image in MATRIX.images for tag in image.known]
    assert {image.names[0] for image, _ in chosen} == {"python", "debian", "nvidia/cuda", "ghcr.io/astral-sh/uv"}
    for image, tag in chosen:
        if "astral-sh/uv" not in image.names[0]:
            facts = facts_of(image, tag)
            assert facts, tag
            assert distribution(MATRIX.distributions, facts["system"]), tag


def test_every_distribution_that_is_named_is_known() -> None:
    for image in MATRIX.images:
        for pattern, fixed in image.tags:
            assert holes(pattern) is not None
            system = dict(fixed).get("system", "")
            assert not system or system in {"alpine", "windows"} or distribution(MATRIX.distributions, system), pattern


def test_no_release_stands_twice() -> None:
    releases = [(one.name, release) for one in MATRIX.distributions for release in one.releases]
    assert len(releases) == len(set(releases))


@pytest.mark.parametrize(
    ("system", "glibc"),
    [
        ("ubuntu 22.04", "2.35"),
        ("ubuntu jammy", "2.35"),
        ("rockylinux 9.3", "2.34"),
        ("debian 1", ""),
        ("debian 120", ""),
        ("x", ""),
    ],
)
def test_distributions(system: str, glibc: str) -> None:
    found = distribution(MATRIX.distributions, system)
    assert (found.glibc if found else "") == glibc


def test_a_project_s_own_images_come_first() -> None:
    text = (
        '[[image]]\nnames = ["registry.example/base"]\nfor-python = true\nsource = "us"\nevidence = "documented"\n'
        'date = 2026-11-21\n[image.tags]\n"{any}" = { python = "3.10", system = "house 7" }\n'
        '[[image]]\nnames = "python"\nsource = "us"\nevidence = "documented"\ndate = 2026-11-21\n'
        '[image.tags]\n"ours" = { python = "3.9" }\n'
        '[[distribution]]\nname = "house"\nreleases = "7"\nglibc = "2.30"\nsource = "us"\nevidence = "documented"\n'
        "date = 2026-11-21\n"
    )
    own, mistakes = read(text, "ours.toml")
    assert not mistakes
    matrix = Matrix(Packed(pack(own)), own)
    for rules in (matrix, Matrix.shipped(own)):
        found = find(rules.images, Reference.parse("registry.example/base:latest"))
        assert found is not None
        assert found[1] == {"python": "3.10", "system": "house 7"}
        house = distribution(rules.distributions, "house 7")
        assert house is not None
        assert house.glibc == "2.30"
    shipped = find(Matrix.shipped(own).images, Reference.parse("python:3.11"))
    assert shipped is not None
