"""Which reader reads what, and that nothing is imported for other formats."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mlpin
from mlpin import stack
from mlpin.errors import InputError

from . import samples
from .builders import reading, refused

HEAVY = ("packaging", "yaml", "tomllib", "json", "urllib3", "email", "mlpin.index", "mlpin.resolver", "mlpin.pipeline")


@pytest.mark.parametrize("name", samples.BY_NAME)
def test_content_tells_what_a_name_does_not(tmp_path: Path, name: str) -> None:
    text = samples.BY_NAME[name]
    by_name = reading(tmp_path, text, name)
    assert by_name.packages
    assert reading(tmp_path, text, "stack")._replace(source=name) == by_name
    assert stack.read_text(text.replace("\n", "\r\n"), name) == by_name
    assert stack.read_text("\ufeff" + text, name) == by_name


def test_the_name_comes_first(tmp_path: Path) -> None:
    assert "lock-version" in refused(tmp_path, samples.UV, "pylock.toml").message
    assert "not valid TOML" in refused(tmp_path, samples.FREEZE, "poetry.lock").message


@pytest.mark.parametrize(
    "text", ['[project]\nname = "a"\n', "name: x\ndependencies:\n- python=3.11\n", '[packages]\nnumpy = "*"\n']
)
def test_a_manifest_is_no_stack(tmp_path: Path, text: str) -> None:
    error = refused(tmp_path, text, "file")
    assert "says what is wanted" in error.message
    assert "mlpin lock" in (error.hint or "")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        stack.read(tmp_path / "missing.txt", "here/missing.txt")
    assert (caught.value.where, caught.value.message) == ("here/missing.txt", "there is no such file")
    assert refused(tmp_path, b"a==1\n\xff\n", "r.txt").where == "r.txt:2"
    with pytest.raises(InputError):
        stack.read_text("a\0b")


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("pins.txt", ()),
        ("explicit.txt", ()),
        ("table.txt", ()),
        ("list.json", ("json",)),
        ("conda-lock.yml", ("yaml",)),
        ("pixi.lock", ("yaml",)),
        ("uv.lock", ("packaging", "tomllib")),
    ],
)
def test_only_what_the_format_needs_is_imported(tmp_path: Path, name: str, allowed: tuple[str, ...]) -> None:
    text = {"pins.txt": "a==1.0\nb[c]==2.0+cu118\n", "explicit.txt": samples.EXPLICIT.partition("\n# pip")[0]}.get(name)
    (tmp_path / name).write_text(text or samples.BY_NAME[name], encoding="utf-8")
    script = (
        "import sys\nbefore = set(sys.modules)\nfrom pathlib import Path\nfrom mlpin import stack\n"
        f"stack.read(Path({name!r}), {name!r})\n"
        f"print([one for one in {HEAVY!r} if one in set(sys.modules) - before])"
    )
    environ = {**os.environ, "PYTHONPATH": str(Path(mlpin.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
    )
    assert set(json.loads(done.stdout.replace("'", '"'))) <= set(allowed)
