"""`[tool.uv]` tables: the real `uv lock` comes to the same choice."""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Callable

import pytest

from tests.index.server import IndexServer
from tests.projects import Project
from tests.test_installers import UV, here
from tests.test_sources import Repository, repository
from tests.wheels import wheel

__all__ = ["repository"]

Serve = Callable[..., IndexServer]
pytestmark = pytest.mark.skipif(not UV.exists(), reason="uv is not installed beside this Python")


def uv_lock(project: Project, dependencies: str, environ: dict[str, str]) -> dict[str, tuple[str, str]]:
    """By package: the version and the index that uv locks in a project with the exported tables."""
    folder = project.root
    project.write(
        "pyproject.toml",
        f'[project]\nname = "mine"\nversion = "1"\nrequires-python = ">=3.10"\ndependencies = {dependencies}\n'
        + project.run("export", "--format", "uv").out,
    )
    done = subprocess.run([str(UV), "lock"], cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + (folder / "pyproject.toml").read_text()
    packages = tomllib.loads((folder / "uv.lock").read_text())["package"]
    return {
        one["name"]: (one["version"], one["source"].get("registry", "elsewhere"))
        for one in packages
        if one["name"] != "mine"
    }


def test_two_indexes(serve: Serve, project: Project, environ: dict[str, str]) -> None:
    """What comes from the smaller one is asked for by the project, or only by a package; the newest of both is not it."""
    vendor = serve(
        *(wheel("torch", f"2.7.1+{line}", ["lib"]) for line in ("cu118", "cu128")), wheel("lib", "5.0+cu118")
    )
    index = serve(
        wheel("acc", "1.0", ["torch", "lib"]), wheel("lib", "1.0"), wheel("torch", "9.0"), wheel("other", "1.0")
    )
    here(project, "acc", "other", "torch<9")
    project.write("mlpin.toml", 'driver = "470.82"\n')
    locked = project.locked("--pytorch-index-url", vendor.lines, index=index)
    index.add(wheel("lib", "2.0"))
    found = uv_lock(project, '["acc", "other"]', environ)
    assert {name: version for name, (version, _) in found.items()} == locked
    assert {name: place for name, (_, place) in found.items()} == {
        name: f"{vendor.lines}/cu118" if name == "torch" else index.url for name in locked
    }


def test_what_no_index_has(serve: Serve, project: Project, environ: dict[str, str], repository: Repository) -> None:
    """A URL, a file, a revision and a directory, none of which the project itself names afterwards."""
    commit = repository.commit(pyproject_toml='[project]\nname = "from-git"\nversion = "5"\n')
    project.write("sub/pyproject.toml", '[project]\nname = "sub"\nversion = "7"\n')
    files = serve(wheel("far", "1.0", ["near"]))
    index = serve(wheel("lib", "1.0", ["far", "from-git", "sub"]))
    (project.root / "links").mkdir()
    (project.root / "links/near-1.0-py3-none-any.whl").write_bytes(wheel("near", "1.0").data)
    far = f"far @ {files.root}/files/far-1.0-py3-none-any.whl"
    here(project, "lib", far, f"from-git @ {repository.url}", "sub", more='[tool.uv.sources]\nsub = { path = "sub" }')
    locked = project.locked("--find-links", "links", index=index)
    # A repository on this machine has no address that uv could be given: it stays with the project.
    text = project.run("export", "--format", "uv").out
    assert commit not in text
    assert "no address for uv: from-git." in text.replace("\n# ", " ")
    found = uv_lock(project, f'["lib", "from-git @ {repository.url}"]', environ)
    assert {name: version for name, (version, _) in found.items()} == locked | {"from-git": "5", "sub": "7"}
    assert {name for name, (_, place) in found.items() if place == "elsewhere"} == {"far", "near", "from-git", "sub"}


def test_what_metadata_does_not_admit(serve: Serve, project: Project, environ: dict[str, str]) -> None:
    """Overrides, exclusions and pre-releases are the project's choices; the tables repeat them."""
    index = serve(wheel("app", "1.0", ["lib<2", "heavy", "early"]), wheel("lib", "1.0"), wheel("lib", "3.0"))
    index.add(wheel("heavy", "1.0"), wheel("early", "1.0"), wheel("early", "2.0rc1"))
    here(project, "app", "early>=2.0rc1")
    project.write("mlpin.toml", 'overrides = ["lib>=3"]\nexclude = ["heavy"]\n')
    locked = project.locked(index=index)
    assert locked == {"app": "1.0", "lib": "3.0", "early": "2.0rc1"}
    (project.root / "mlpin.toml").unlink()
    found = uv_lock(project, '["app"]', environ)
    assert {name: version for name, (version, _) in found.items()} == locked
