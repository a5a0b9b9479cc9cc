"""`pdm.lock`, with markers of its own and without. Agreement with `pdm export` was checked on a real lock."""

from __future__ import annotations

from pathlib import Path

from mlpin.stack import Where

from . import samples
from .builders import pins, reading, refused

OLD = samples.PDM.replace('strategy = ["inherit_metadata"]', "strategy = []").replace("\nmarker = ", "\n# marker = ")


def test_a_lock(tmp_path: Path) -> None:
    found = reading(tmp_path, samples.PDM, "pdm.lock")
    assert (found.kind, found.python, found.platform) == ("pdm.lock", "", "")
    assert pins(found) == ["coverage==7.4.3", "tomli==2.0.1", "tool==1.2"]
    assert found.packages[0].files == ("coverage-7.4.3.tar.gz", "coverage-7.4.3-py3-none-any.whl")
    assert found.packages[0].line == 25


def test_the_target_chooses(tmp_path: Path) -> None:
    on = Where("3.12", "windows-amd64")
    assert pins(reading(tmp_path, samples.PDM, "pdm.lock", on)) == ["colorama==0.4.6", "coverage==7.4.3", "tool==1.2"]
    assert pins(reading(tmp_path, OLD, "pdm.lock", on)) == ["colorama==0.4.6", "coverage==7.4.3", "tool==1.2"]


def test_without_markers_only_the_edges_tell(tmp_path: Path) -> None:
    assert pins(reading(tmp_path, OLD, "pdm.lock")) == ["coverage==7.4.3", "tomli==2.0.1", "tool==1.2"]


def test_a_url_with_a_semicolon_is_no_marker(tmp_path: Path) -> None:
    text = '[metadata]\nlock_version = "4.3"\n[[package]]\nname = "a"\nversion = "1"\n'
    text += "dependencies = [\"b @ https://h.example/b;x/b-1.tar.gz ; os_name == 'nt'\"]\n"
    text += '[[package]]\nname = "b"\nversion = "1"\n'
    assert pins(reading(tmp_path, text, "pdm.lock")) == ["a==1"]


def test_what_is_refused(tmp_path: Path) -> None:
    assert "mlpin reads 4" in refused(tmp_path, '[metadata]\nlock_version = "5.0"\n', "pdm.lock").message
    assert (
        refused(tmp_path, samples.PDM.replace('version = "7.4.3"', "version = 7.4"), "pdm.lock").where == "pdm.lock:25"
    )
