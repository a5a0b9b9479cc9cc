"""A lock with conda packages in the forms of conda's tools, each read back by the tool's own parser where there is one."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from rattler import LockFile

from mlpin import stack
from mlpin.lock import conda_file
from tests.lock.locks import conda, lock, package, text
from tests.projects import Project, Ran

PYTHON = conda("python", "3.11.9", "hb806964_0_cpython", depends=["__glibc >=2.17,<3.0.a0"], license="Python-2.0")
PYTORCH = conda(
    "pytorch",
    "2.5.1",
    "py3.11_cuda12.4_0",
    channel="pytorch",
    provides=["torch"],
    depends=["python >=3.11,<3.12.0a0", "__cuda >=12", "python_abi 3.11.* *_cp311"],
    constrains=["jax <1"],
    timestamp=1727963202283,
    size=7,
)
ABI = conda("python_abi", "3.11", "5_cp311", subdir="noarch", noarch="generic", **{"build-number": 5})
LIB = package("lib", "2.0", dependencies=[{"name": "wide"}], tool={"mlpin": {"requires": ["torch>=2"]}})
WIDE = package("wide", "1.10", tags="cp311-cp311-manylinux_2_17_x86_64", **{"requires-python": ">=3.8"})
CEP_23 = re.compile(
    r"(?:(?P<url_p>.+)(?:[/\\]))?(?P<fn>[^/\\#]+(?:\.tar\.bz2|\.conda))"
    r"(?:#((?P<md5>[0-9a-f]{32})|((sha256:)?(?P<sha256>[0-9a-f]{64}))))?"
)
"""What conda's clients read in an explicit file."""
LINES = ["pytorch::pytorch >=2  # environment.yml:4", "lib  # environment.yml:7"]


def written(*distributions: dict[str, Any], packages: Any = (PYTORCH, ABI, PYTHON), **own: Any) -> str:
    made = {
        "channels": ["pytorch", "conda-forge", "empty"],
        "requirements": LINES,
        "conda-file": {"name": "conda.lock", "sha256": "0" * 64},
        "conda": list(packages),
    }
    return text(*distributions, by="mlpin", own={**made, **own})


def export(project: Project, form: str, *distributions: dict[str, Any], **own: Any) -> Ran:
    project.write("pylock.toml", written(*distributions, **own))
    ran = project.run("export", "--format", form)
    assert ran.code == 0, ran.words
    assert ran.out == project.run("export", "--format", form).out
    return ran


def test_the_explicit_file(project: Project) -> None:
    """It is the one that `mlpin lock` writes beside the lock."""
    ran = export(project, "conda-explicit", LIB)
    packages = lock(written()).conda
    assert ran.out == conda_file.explicit(packages, "linux-64", "conda.lock")
    assert all(CEP_23.fullmatch(line) for line in ran.out.splitlines()[5:])
    assert [line.split("/")[-1].split("-")[0] for line in ran.out.splitlines()[5:]] == [
        "python",
        "python_abi",
        "pytorch",
    ]
    assert "packages of PyPI have no place in an explicit file" in ran.words
    assert "packages of PyPI" not in export(project, "conda-explicit").words


def test_environment_yml(project: Project) -> None:
    ran = export(project, "environment.yml", LIB, WIDE)
    found = yaml.safe_load(ran.out)
    assert found["channels"] == ["pytorch", "conda-forge", "empty", "nodefaults"]
    assert found["dependencies"] == [
        "conda-forge::python=3.11.9=hb806964_0_cpython",
        "conda-forge::python_abi=3.11=5_cp311",
        "pytorch::pytorch=2.5.1=py3.11_cuda12.4_0",
        "pip",
        {"pip": ["--index-url https://index.example/simple", "lib==2.0", "wide==1.10"]},
    ]
    assert "has no hashes" in ran.words
    only = yaml.safe_load(export(project, "environment.yml", packages=[PYTHON], channels=["conda-forge"]).out)
    assert only["dependencies"] == ["python=3.11.9=hb806964_0_cpython"]


def test_pixi_lock(project: Project) -> None:
    """As py-rattler reads it, which is pixi's own reader."""
    path = project.write("pixi.lock", export(project, "pixi", LIB, WIDE).out)
    environment = LockFile.from_path(path).default_environment()
    assert environment is not None
    (platform,) = environment.platforms()
    assert platform.name == "linux-64"
    assert [repr(one) for one in environment.channels()] == [
        f'LockChannel(url="https://conda.example/{name}/")' for name in ("pytorch", "conda-forge", "empty")
    ]
    records = environment.conda_repodata_records_for_platform(platform)
    assert records is not None
    by_name = {record.name.normalized: record for record in records}
    torch, abi = by_name["pytorch"], by_name["python_abi"]
    assert (str(torch.version), str(torch.build), torch.size) == ("2.5.1", "py3.11_cuda12.4_0", 7)
    assert torch.depends == list(PYTORCH["depends"])
    assert torch.constrains == ["jax <1"]
    assert torch.sha256.hex() == "ab" * 32  # type: ignore[union-attr]
    assert torch.md5.hex() == "cd" * 16  # type: ignore[union-attr]
    assert (abi.build_number, abi.subdir, abi.noarch.generic) == (5, "noarch", True)
    wheels = environment.pypi_packages_for_platform(platform)
    assert wheels is not None
    assert [(one.name, one.version, one.requires_dist) for one in wheels] == [
        ("lib", "2.0", ["torch>=2", "wide"]),
        ("wide", "1.10", []),
    ]
    assert "pkg:pypi/torch" in path.read_text()
    read = stack.read(path, "pixi.lock")
    assert {one.name for one in read.packages} == {"python", "python_abi", "pytorch", "lib", "wide"}


def test_what_conda_packages_are_on_pypi(project: Project) -> None:
    """Said to pixi of each, whether the lock needs it or not; an empty list is not the same as none (rattler#669)."""
    numpy = conda("numpy", "2.3.1", "py311_0", depends=["python >=3.11"])
    parts = (PYTORCH, PYTHON, numpy, conda("zlib"), conda("odd", "2024a_x", depends=["python"]))
    read = yaml.safe_load(export(project, "pixi", packages=parts).out)
    assert {one["name"]: one["purls"] for one in read["packages"]} == {
        "numpy": ["pkg:pypi/numpy"],
        "odd": [],
        "python": [],
        "pytorch": ["pkg:pypi/torch"],
        "zlib": [],
    }


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("channel/linux-64/own-1.0-h0_0.conda", 2),
        ("../channel/linux-64/own-1.0-h0_0.conda", 2),
        ("/srv/channel/linux-64/own-1.0-h0_0.conda", 0),
        ("file:///srv/channel/linux-64/own-1.0-h0_0.conda", 0),
    ],
)
def test_pixi_takes_no_relative_paths(project: Project, url: str, code: int) -> None:
    path = project.write("pylock.toml", written(packages=[PYTHON, conda("own", channel="./channel", url=url)]))
    ran = project.run("export", "--format", "pixi", "-o", "pixi.lock")
    assert ran.code == code
    if code:
        assert "no conda package by a path from the lock's folder, as the lock has own" in ran.words
        assert "`--format conda-explicit` takes paths" in ran.words
    else:
        environment = LockFile.from_path(path.with_name("pixi.lock")).default_environment()
        assert environment is not None
        assert environment.conda_repodata_records_for_platform(*environment.platforms())


def test_conda_lock(project: Project) -> None:
    """The fields of conda-lock's own models (v1), which refuse any other."""
    path = project.write("conda-lock.yml", export(project, "conda-lock", LIB, WIDE).out)
    found = yaml.safe_load(path.read_text())
    assert found["version"] == 1
    assert found["metadata"].keys() == {"content_hash", "channels", "platforms", "sources"}
    assert found["metadata"]["channels"][0] == {"url": "https://conda.example/pytorch", "used_env_vars": []}
    assert found["metadata"]["platforms"] == ["linux-64"]
    assert found["metadata"]["sources"] == ["environment.yml"]
    entries = {one["name"]: one for one in found["package"]}
    assert entries["pytorch"] == {
        "name": "pytorch",
        "version": "2.5.1",
        "manager": "conda",
        "platform": "linux-64",
        "dependencies": {"python": ">=3.11,<3.12.0a0", "__cuda": ">=12", "python_abi": "3.11.* *_cp311"},
        "url": PYTORCH["url"],
        "hash": {"md5": "cd" * 16, "sha256": "ab" * 32},
        "category": "main",
        "optional": False,
    }
    assert (entries["lib"]["manager"], entries["lib"]["dependencies"]) == ("pip", {"torch": ">=2", "wide": ""})
    assert entries["lib"]["hash"] == {"sha256": "ab" * 32}
    read = stack.read(path, "conda-lock.yml")
    assert [(one.version, one.build) for one in read.packages if one.name == "pytorch"] == [("2.5.1", PYTORCH["build"])]


def test_conda_lock_must_have_md5(project: Project) -> None:
    project.write("pylock.toml", written(packages=[{**PYTHON, "hashes": {"sha256": "ab" * 32}}]))
    ran = project.run("export", "--format", "conda-lock")
    assert (ran.code, "has none of python" in ran.words) == (2, True)
    assert project.run("export", "--format", "pixi").code == 0
    assert f"#{'ab' * 32}" in project.run("export", "--format", "conda-explicit").out


@pytest.mark.parametrize("form", ["pixi", "conda-lock"])
def test_what_has_no_place_is_said(project: Project, form: str) -> None:
    tree = package(
        "tree", version=None, index=None, vcs={"type": "git", "url": "https://g.example/x", "commit-id": "a1"}
    )
    other = package("other", marker="sys_platform == 'win32'")
    ran = export(project, form, tree, other)
    assert "left out, as they come from a source tree or have no sha256: tree" in ran.words
    assert "other" not in ran.out


def test_channels_of_several_places_and_of_none(project: Project) -> None:
    """`defaults` is more than one; of a channel without packages only its neighbours tell where it is."""
    parts = [
        conda(name, channel="defaults", url=f"https://repo.example/pkgs/{part}/linux-64/{name}-1.0-h0_0.conda")
        for name, part in (("a", "r"), ("b", "main"))
    ]
    channels = ["defaults", "https://me:secret@own.example/channel/", "other"]
    found = yaml.safe_load(export(project, "pixi", packages=parts, channels=channels).out)
    assert [one["url"] for one in found["environments"]["default"]["channels"]] == [
        "https://repo.example/pkgs/main/",
        "https://repo.example/pkgs/r/",
        "https://own.example/channel/",
    ]


@pytest.mark.parametrize("form", ["uv", "pip-constraints"])
def test_forms_that_know_nothing_of_conda(project: Project, form: str) -> None:
    assert "have no place in this format" in export(project, form, LIB).words


@pytest.mark.parametrize("form", ["conda-explicit", "environment.yml", "pixi", "conda-lock"])
def test_a_lock_without_conda_packages(project: Project, form: str) -> None:
    project.write("pylock.toml", text(LIB))
    ran = project.run("export", "--format", form)
    assert (ran.code, "the lock has no conda packages" in ran.words) == (2, True)


@pytest.mark.parametrize("form", ["conda-explicit", "environment.yml", "pixi", "conda-lock", "sbom", "dockerfile"])
def test_no_credential_comes_out(project: Project, form: str) -> None:
    url = "https://me:secret@conda.example/t/token/own/linux-64/own-1.0-h0_0.conda"
    own = conda("own", channel="https://me:secret@conda.example/t/token/own", url=url)
    ran = export(project, form, packages=[own], channels=[own["channel"]])
    assert "secret" not in ran.out + ran.err
    assert "/t/token" not in ran.out + ran.err


def test_what_looks_like_a_number_is_text(project: Project) -> None:
    """To YAML 1.1 and to YAML 1.2, which see numbers in different places."""
    odd = conda("odd", "1e5", "1_0", hashes={"md5": "1" * 15 + "e" + "2" * 16})
    for form in ("pixi", "conda-lock"):
        out = export(project, form, packages=[odd]).out
        assert "version: '1e5'" in out
        assert f"md5: '{odd['hashes']['md5']}'" in out


def test_requirements_say_what_comes_before(project: Project) -> None:
    ran = export(project, "requirements", LIB, WIDE)
    assert "Install conda.lock before: its conda packages bring torch along." in ran.words.replace("# ", "")
    assert "uv pip install --no-deps --require-hashes -r requirements.txt" in ran.out
    assert "uv pip sync" not in ran.out


def test_sbom(project: Project) -> None:
    made = json.loads(export(project, "sbom", LIB, WIDE).out)
    components = {one["bom-ref"]: one for one in made["components"]}
    torch = components["conda:pytorch==2.5.1=py3.11_cuda12.4_0"]
    purl = "pkg:conda/pytorch@2.5.1?build=py3.11_cuda12.4_0&channel=pytorch&subdir=linux-64&type=conda"
    assert (torch["purl"], torch["type"]) == (purl, "library")
    assert {one["alg"] for one in torch["hashes"]} == {"MD5", "SHA-256"}
    assert components["conda:python==3.11.9=hb806964_0_cpython"]["licenses"] == [{"license": {"name": "Python-2.0"}}]
    edges = {one["ref"]: set(one.get("dependsOn", ())) for one in made["dependencies"]}
    assert edges["lib==2.0"] == {"wide==1.10", torch["bom-ref"]}
    assert edges["lock"] == {"lib==2.0", torch["bom-ref"]}
    python, abi = "conda:python==3.11.9=hb806964_0_cpython", "conda:python_abi==3.11=5_cp311"
    assert edges[torch["bom-ref"]] == {python, abi}


def test_dockerfile(project: Project) -> None:
    out = export(project, "dockerfile", LIB, WIDE).out
    assert "FROM --platform=linux/amd64 mambaorg/micromamba:2" in out
    assert "micromamba create -y --always-copy -p /opt/env -f conda.lock" in out
    assert "uv pip install --no-deps --python /opt/env/bin/python -r pylock.toml" in out
    assert "docker run --gpus all" in " ".join(out.split())
    alone = export(project, "dockerfile", packages=[{**PYTHON, "url": "ch/linux-64/python-3.11.9-x.conda"}]).out
    assert "COPY ch/linux-64/python-3.11.9-x.conda ./ch/linux-64/python-3.11.9-x.conda" in alone
    assert "uv" not in alone
    project.write("pylock.toml", written(packages=[{**PYTHON, "url": "../ch/linux-64/python-3.11.9-x.conda"}]))
    assert "outside of the folder" in project.run("export", "--format", "dockerfile").words
