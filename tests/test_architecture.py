"""What the design promises of the code itself: imports go one way, and nothing is imported before it is needed."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conda.channels import channel, package
from tests.index.server import IndexServer
from tests.wheels import wheel

SOURCE = Path(__file__).parents[1] / "src" / "mlpin"
MODULES = sorted(SOURCE.rglob("*.py"))

# By part of the house: what it may import of the others. Values at the bottom, the command line at the top.
VALUES = {
    "errors",
    "fields",
    "requirement",
    "candidate",
    "target",
    "conda.record",
    "outcome",
    "settings",
    "cutoff",
    "host",
    "machine",
    "nvml",
    "",
}
TEXT_FORMS = {"index.url", "index.names", "manifest.pep508", "manifest.links"}
ALLOWED = {
    "manifest": VALUES | {"conda", "manifest", "config", "settings_files", "index.url"},
    "config": VALUES | {"config", "manifest", "index.url"},
    "index": VALUES | TEXT_FORMS | {"index"},
    "matrix": VALUES | {"matrix"},
    "hardware": VALUES | {"matrix"},
    "conda": VALUES | TEXT_FORMS | {"conda", "matrix"},
    "stack": VALUES | TEXT_FORMS | {"stack", "lock.locked", "manifest"},
    "resolver": VALUES | TEXT_FORMS | {"conda", "resolver", "matrix"},
    "lock": VALUES | TEXT_FORMS | {"conda", "lock", "matrix", "resolver"},
    "revisions": VALUES | TEXT_FORMS | {"git", "lock"},
    "check": VALUES
    | TEXT_FORMS
    | {"check", "conda", "image", "index.places", "lock", "manifest", "matrix", "project", "resolver", "snapshot", "stack"},
    "image": VALUES | {"image", "matrix"},
    "export": VALUES | TEXT_FORMS | {"conda", "export", "hardware", "lock", "matrix", "report.wrap"},
    "sources": VALUES | TEXT_FORMS | {"index", "manifest", "git"},
    "git": VALUES | TEXT_FORMS,
    "project": VALUES | {"hardware", "lock", "manifest", "matrix", "recalled", "settings_files", "resolver"},
    "recalled": VALUES | {"hardware", "lock", "manifest", "matrix"},
    "verdict": VALUES | {"matrix"},
    "fingerprint": VALUES | TEXT_FORMS | {"conda", "index", "manifest", "opening", "project"},
    "resolving": VALUES | TEXT_FORMS | {"conda", "matrix", "project", "resolver"},
    "explain": VALUES | TEXT_FORMS | {"conda", "explain", "manifest", "matrix", "project", "resolver", "resolving", "verdict"},
    "audit": VALUES | {"matrix", "stack"},
    "snapshot": VALUES | {"stack"},
    "report": VALUES | TEXT_FORMS | {"report", "audit", "check", "explain", "lock", "matrix", "pipeline", "resolver"},
}
NEVER_AT_VERSION = ("urllib3", "ssl", "asyncio", "packaging", "resolvelib", "yaml", "tomllib", "mlpin.pipeline")
NEVER_WHEN_WARM = ("urllib3", "ssl", "http.client", "yaml", "zipfile", "tarfile", "mlpin.index.simple", "mlpin.sources")


def name(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__").removesuffix("__init__")


def imported(path: Path) -> set[str]:
    """The modules of mlpin that a file imports anywhere, below the top of the package."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "mlpin":
            module = node.module.removeprefix("mlpin").removeprefix(".")
            for alias in node.names:
                below = SOURCE / module.replace(".", "/") / alias.name
                is_module = below.with_suffix(".py").exists() or below.is_dir()
                found.add(f"{module}.{alias.name}".lstrip(".") if is_module else module)
    return found


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_imports_go_one_way(path: Path) -> None:
    part = name(path).split(".")[0]
    allowed = ALLOWED.get(part)
    if allowed is None:
        if part in VALUES - {""}:
            assert not [module for module in imported(path) if not {module, module.split(".")[0]} & VALUES]
        return
    wrong = {module for module in imported(path) if not {module, module.split(".")[0]} & allowed}
    assert not wrong


def test_one_module_speaks_http() -> None:
    speaking = {
        name(path)
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("urllib3"))
        or (isinstance(node, ast.Import) and any(alias.name.startswith("urllib3") for alias in node.names))
    }
    assert speaking == {"index.transport"}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_only_the_command_line_prints_or_reads_the_environment(path: Path) -> None:
    if name(path) == "cli" or name(path).startswith("commands."):
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) not in {("os", "environ"), ("os", "getenv"), ("sys", "stdout")}


def test_no_file_is_too_long_to_hold_in_the_head() -> None:
    assert {name(path): lines for path in MODULES if (lines := path.read_text("utf-8").count("\n")) > 450} == {}


def loaded(code: str, cwd: Path) -> set[str]:
    """The modules that a fresh interpreter has loaded after `code`."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "UV_", "MLPIN_"))}
    environ |= {"PIP_CONFIG_FILE": os.devnull, "HOME": str(cwd), "PYTHONPATH": str(SOURCE.parent)}
    script = f"import sys, json\n{code}\nprint('\\n' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=cwd, env=environ, capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_version_costs_next_to_nothing(tmp_path: Path) -> None:
    modules = loaded("from mlpin.cli import main\nassert main(['--version']) == 0", tmp_path)
    assert not modules & set(NEVER_AT_VERSION)


def test_a_run_that_the_cache_answers_loads_nothing_for_the_network(tmp_path: Path) -> None:
    with IndexServer([wheel("a", "1.0", ["b>=1"]), wheel("b", "1.0")]) as server:
        (tmp_path / "requirements.txt").write_text("a\n", encoding="utf-8")
        options = ["lock", "-q", "--index-url", server.url, "--cache-dir", "cache", "--python", "3.11"]
        run = f"from mlpin.cli import main\nassert main({options!r}) == 0"
        assert "urllib3" in loaded(run, tmp_path)
        (tmp_path / "pylock.toml").unlink()
        assert not loaded(run, tmp_path) & set(NEVER_WHEN_WARM)


def test_a_lock_with_conda_packages_that_still_holds_loads_nothing_of_conda(tmp_path: Path) -> None:
    channel(tmp_path / "ours", package("corelib", "1.0"))
    (tmp_path / "environment.yml").write_text("channels: [./ours]\ndependencies: [corelib>=1]\n", encoding="utf-8")
    run = "from mlpin.cli import main\nassert main(['lock', '-q', '--cache-dir', 'cache', '--python', '3.11']) == 0"
    assert "rattler" in loaded(run, tmp_path)
    assert not loaded(run, tmp_path) & {"rattler", "mlpin.index.channels", "mlpin.resolver.conda", "urllib3"}
