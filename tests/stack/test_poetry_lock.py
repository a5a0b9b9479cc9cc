"""`poetry.lock`, with markers of its own and without. Agreement with Poetry's export was checked on a real lock."""

from __future__ import annotations

from pathlib import Path

from mlpin.stack import Where

from . import samples
from .builders import pins, reading, refused, skipped


def test_a_lock_of_poetry_2(tmp_path: Path) -> None:
    found = reading(tmp_path, samples.POETRY, "poetry.lock")
    assert (found.kind, found.python, found.platform) == ("poetry.lock", "", "")
    assert pins(found) == ["cffi==1.16.0", "numpy==1.26.4", "torch==2.2.0+cpu"]
    assert found.packages[0].files == ("cffi-1.16.0-cp311-cp311-win_amd64.whl", "cffi-1.16.0.tar.gz")
    assert found.packages[0].line == 3
    assert skipped(found) == ["0: extra cuda"]


def test_the_target_chooses(tmp_path: Path) -> None:
    found = reading(tmp_path, samples.POETRY, "poetry.lock", Where("3.12", "windows-amd64"))
    assert pins(found) == ["cffi==1.16.0", "colorama==0.4.6", "numpy==2.1.0", "torch==2.2.0+cpu"]


def test_before_poetry_2_only_the_edges_tell(tmp_path: Path) -> None:
    found = reading(tmp_path, samples.POETRY_OLD, "poetry.lock")
    assert pins(found) == ["click==8.1.7", "numpy==1.26.4", "scipy==1.9.3"]
    assert found.packages[0].files == ("click-8.1.7-py3-none-any.whl", "click-8.1.7.tar.gz")
    on_windows = reading(tmp_path, samples.POETRY_OLD, "poetry.lock", Where("3.12", "windows-amd64"))
    assert pins(on_windows) == ["click==8.1.7", "colorama==0.4.6", "numpy==2.1.0", "scipy==1.11.0"]


def test_versions_that_nothing_tells_apart_all_stay(tmp_path: Path) -> None:
    text = '[[package]]\nname = "a"\nversion = "1"\n[[package]]\nname = "a"\nversion = "2"\n'
    text += '[metadata]\nlock-version = "2.0"\npython-versions = "*"\n'
    assert pins(reading(tmp_path, text, "poetry.lock")) == ["a==1", "a==2"]


def test_a_cycle_that_nothing_leads_to_stays(tmp_path: Path) -> None:
    text = '[[package]]\nname = "a"\nversion = "1"\n[package.dependencies]\nb = "*"\n'
    text += (
        '[[package]]\nname = "b"\nversion = "1"\n[package.dependencies]\nA = "*"\n[metadata]\nlock-version = "2.0"\n'
    )
    assert pins(reading(tmp_path, text, "poetry.lock")) == ["a==1", "b==1"]


def test_what_is_refused(tmp_path: Path) -> None:
    assert "1.0 to 2.1" in refused(tmp_path, '[metadata]\nlock-version = "3.0"\n', "poetry.lock").message
    broken = samples.POETRY.replace('markers = "python_version < \\"3.12\\""', "markers = 3")
    line = broken.split("\n").index('version = "1.26.4"') - 1
    assert refused(tmp_path, broken, "poetry.lock").where == f"poetry.lock:{line}"
