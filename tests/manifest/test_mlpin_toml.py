"""`mlpin.toml`."""

from __future__ import annotations

from pathlib import Path

from .builders import names, reading, refused


def test_a_file(tmp_path: Path) -> None:
    found = reading(
        tmp_path,
        'name = "P"\nrequires-python = ">=3.10"\npython = "3.11"\ndependencies = [\n"numpy"]\n'
        '[optional-dependencies]\nx = ["scipy"]\n[dependency-groups]\n'
        'dev = ["p[x]", {include-group = "t"}]\nt = ["pytest"]\n',
        "mlpin.toml",
    )
    assert (found.kind, found.project, found.requires_python) == ("mlpin", "p", ">=3.10")
    assert (found.requirements[0].origin.line, names(found.groups["dev"])) == (5, ["scipy", "pytest"])
    assert found.default_groups == ("dev",)
    assert found.layers[0].python == ("3.11",)


def test_another_name(tmp_path: Path) -> None:
    assert reading(tmp_path, 'dependencies = ["numpy"]\n', "ours.toml").kind == "mlpin"


def test_broken(tmp_path: Path) -> None:
    assert "no dependencies" in refused(tmp_path, 'python = "3.11"\n', "mlpin.toml").message
    assert refused(tmp_path, "dependencies = [\n\n3]\n", "mlpin.toml").where == "mlpin.toml:1"
