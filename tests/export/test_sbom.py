"""The bill of materials: valid by its schema, the same bytes again, and packages named so that scanners find them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.index.server import IndexServer
from tests.projects import Project
from tests.test_installers import here
from tests.test_sources import repository
from tests.wheels import wheel

__all__ = ["repository"]

pytest.importorskip("cyclonedx")

Serve = Callable[..., IndexServer]


def sbom(project: Project) -> dict[str, Any]:
    """The exported document, which is valid, and comes out the same once more."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = project.run("export", "--format", "sbom").out
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert project.run("export", "--format", "sbom").out == text
    return json.loads(text)


def test_packages_edges_and_target(serve: Serve, project: Project) -> None:
    index = serve(wheel("app", "2.0", ["lib>=1"], extras=["fast"]), wheel("lib", "1.5"))
    project.requires("app[fast]", "lib", mlpin='python = "3.11"\ndriver = "550.54"\ngpus = ["A100"]')
    project.locked("--pytorch-index-url", "none", index=index)
    found = sbom(project)
    app, _ = found["components"]
    assert app == {
        "bom-ref": "app==2.0",
        "type": "library",
        "name": "app",
        "version": "2.0",
        "purl": f"pkg:pypi/app@2.0?repository_url={index.url}",
        "hashes": [{"alg": "SHA-256", "content": index.files["app-2.0-py3-none-any.whl"].sha256}],
        "externalReferences": [
            {
                "type": "distribution",
                "url": f"{index.root}/files/app-2.0-py3-none-any.whl",
                "hashes": [{"alg": "SHA-256", "content": index.files["app-2.0-py3-none-any.whl"].sha256}],
            }
        ],
        "properties": [{"name": "mlpin:extras", "value": "fast"}],
    }
    edges = {one["ref"]: one.get("dependsOn", []) for one in found["dependencies"]}
    assert edges == {"lock": ["app==2.0", "lib==1.5"], "app==2.0": ["lib==1.5"], "lib==1.5": []}
    assert "timestamp" not in found["metadata"]
    assert found["metadata"]["component"] == {"bom-ref": "lock", "type": "file", "name": "pylock.toml"}
    said = {one["name"].removeprefix("mlpin:target:"): one["value"] for one in found["metadata"]["properties"]}
    assert said["driver"] == "550.54"
    assert (said["gpus"], said["python"], said["platform"]) == ("A100", "3.11", "linux-x86_64")


def test_a_lock_that_differs_has_another_serial_number(serve: Serve, project: Project) -> None:
    here(project, "lib")
    numbers = set()
    for version in ("1.0", "2.0"):
        project.locked("--upgrade", index=serve(wheel("lib", version)))
        numbers.add(sbom(project)["serialNumber"])
    assert len(numbers) == 2


def test_what_is_not_from_an_index(serve: Serve, project: Project) -> None:
    """A package that has a name of PyPI's, but only lies on a disk, is given no package URL: it is another."""
    files = serve(wheel("far", "1.0"))
    (project.root / "links").mkdir()
    (project.root / "links/near-1.0-py3-none-any.whl").write_bytes(wheel("near", "1.0").data)
    project.write("sub/pyproject.toml", '[project]\nname = "sub"\nversion = "7"\n')
    project.requires("near", "sub", f"far @ {files.root}/files/far-1.0-py3-none-any.whl", mlpin='python = "3.11"')
    project.write("mlpin.toml", "")
    pyproject = project.root / "pyproject.toml"
    pyproject.write_text(pyproject.read_text() + '[tool.uv.sources]\nsub = { path = "sub" }\n')
    project.locked("--find-links", "links", index=serve())
    purls = {one["name"]: one.get("purl", "") for one in sbom(project)["components"]}
    assert purls["far"].startswith("pkg:pypi/far@1.0?download_url=http")
    assert purls["near"] == purls["sub"] == ""


def test_a_revision_of_a_repository(project: Project) -> None:
    project.write(
        "pylock.toml",
        'lock-version = "1.0"\ncreated-by = "another"\n[[packages]]\nname = "tool"\n'
        '[packages.vcs]\ntype = "git"\nurl = "https://user:secret@host.example/tool"\ncommit-id = "0123456789"\n',
    )
    (tool,) = sbom(project)["components"]
    assert tool["purl"] == "pkg:pypi/tool?vcs_url=git%2Bhttps://host.example/tool%400123456789"
    assert tool["externalReferences"] == [{"type": "vcs", "url": "https://host.example/tool", "comment": "0123456789"}]
    assert "dependencies" not in sbom(project)
