"""Every manifest of the shared collection is read without loss.

The lines are counted here by means of their own, far simpler than the readers: each becomes a
requirement, an option, or a message that names file and line.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from mlpin.errors import InputError
from mlpin.manifest import Context, Manifest, read

SHARED = Path(__file__).parents[2].parent / "shared" / "manifests"
FILES = (
    sorted(path for path in SHARED.rglob("*") if path.is_file() and path.suffix != ".json") if SHARED.is_dir() else []
)

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not FILES, reason="the collection ../shared/manifests is not here"),
]


def reading(path: Path) -> Manifest:
    def fetch(url: str) -> str:
        raise AssertionError(f"asked for {url}")

    return read(path, Context(SHARED, {}, fetch))


def ids(path: Path) -> str:
    return path.relative_to(SHARED).as_posix()


def of_kind(*suffixes: str) -> list[Path]:
    return [path for path in FILES if path.suffix in suffixes]


def expected_lines(path: Path) -> dict[str, list[int]]:
    """The line numbers of a requirements file and of those it names, apart from blank ones and comments."""
    found: dict[str, list[int]] = {}
    stack = [path]
    while stack:
        here = stack.pop()
        numbers = found.setdefault(ids(here), [])
        for number, text in enumerate(here.read_text().splitlines(), start=1):
            if not text.strip() or text.lstrip().startswith("#"):
                continue
            numbers.append(number)
            if text.startswith(("-r ", "-c ")):
                stack.append(here.parent / text[3:].strip())
    return found


@pytest.mark.parametrize("path", of_kind(".txt"), ids=ids)
def test_requirements(path: Path) -> None:
    manifest = reading(path)
    places = {one.origin.place for one in (*manifest.requirements, *manifest.constraints)}
    for layer in manifest.layers:
        for index in (layer.index_url, *(layer.extra_indexes or ()), *(layer.find_links or ())):
            if index:
                places.add(index.origin)
    for file, numbers in expected_lines(path).items():
        lines = (SHARED / file).read_text().splitlines()
        for number in numbers:
            line = lines[number - 1]
            if not line.startswith(("-r ", "-c ")):
                assert f"{file}:{number}" in places, line
    asked = sum(
        1
        for file, numbers in expected_lines(path).items()
        for number in numbers
        if not re.match(r"-[^e]", (SHARED / file).read_text().splitlines()[number - 1])
    )
    assert len(manifest.requirements) == asked


@pytest.mark.parametrize("path", of_kind(".toml"), ids=ids)
def test_pyproject(path: Path) -> None:
    manifest = reading(path)
    text = path.read_text()
    data = tomllib.loads(text)
    project = data["project"]
    assert len(manifest.requirements) == len(project["dependencies"])
    lines = text.splitlines()
    written = [*manifest.requirements]
    for name, listed in project.get("optional-dependencies", {}).items():
        own = [one for one in listed if not re.match(rf"{project['name']}\[", one)]
        assert len(manifest.extras[name]) >= len(own)
        written += manifest.extras[name]
    for name, listed in data.get("dependency-groups", {}).items():
        assert len(manifest.groups[name]) == len(listed)
        written += manifest.groups[name]
    for one in written:
        assert one.origin.line
        assert one.origin.text in lines[one.origin.line - 1]
    sources = data.get("tool", {}).get("uv", {}).get("sources", {})
    for name, source in sources.items():
        if isinstance(source, list):
            pins = [pin for layer in manifest.layers for pin in (layer.pins or {}).get(name, ())]
            assert [pin.index for pin in pins] == [one["index"] for one in source]
        else:
            assert [one.source is not None for one in manifest.requirements if one.name == name] == [True]


@pytest.mark.parametrize("path", of_kind(".yml", ".yaml"), ids=ids)
def test_environments(path: Path) -> None:
    data = yaml.safe_load(path.read_text())
    conda = [
        one
        for one in data["dependencies"]
        if isinstance(one, str) and not re.match(r"(python|pip)\b(?!-)", one.rpartition("::")[2])
    ]
    with pytest.raises(InputError) as caught:
        reading(path)
    error = caught.value
    lines = path.read_text().splitlines()
    assert error.where is not None
    file, _, number = error.where.rpartition(":")
    assert file == ids(path)
    assert conda[0].strip() in lines[int(number) - 1]
    shown = len(error.notes)
    assert shown == min(len(conda), 5)
    assert len(conda) == shown or f"{len(conda) - shown} more" in error.message
    for note, name in zip(error.notes, conda, strict=False):
        _, at, said = note.split(":", 2)
        assert name in said
        assert name in lines[int(at) - 1]


@pytest.mark.parametrize("path", of_kind(".cfg"), ids=ids)
def test_setup_cfg(path: Path) -> None:
    """Both of the collection hold settings of tools alone."""
    assert "install_requires" not in path.read_text()
    with pytest.raises(InputError, match="declares no dependencies") as caught:
        reading(path)
    assert caught.value.where == ids(path)


@pytest.mark.parametrize("path", of_kind(".yml", ".yaml"), ids=ids)
def test_the_pip_sections_alone(path: Path, tmp_path: Path) -> None:
    """The environments again, without their conda packages: the pip lines are read one by one."""
    data = yaml.safe_load(path.read_text())
    sections = [one["pip"] for one in data["dependencies"] if isinstance(one, dict)]
    if not sections:
        pytest.skip("this environment has no pip section")
    lines = [
        text
        if "pip:" in text or not re.match(r"\s+- (?!pip:)", text) or text.strip()[2:] in sections[0]
        else f"#{text}"
        for text in path.read_text().splitlines()
    ]
    copy = tmp_path / path.name
    copy.write_text("\n".join(lines))
    found = read(copy, Context(tmp_path, {}, str))
    assert [one.origin.text for one in found.requirements] == [text.strip() for text in sections[0]]
    for one in found.requirements:
        assert one.origin.text in lines[one.origin.line - 1]


def test_nothing_is_left_over() -> None:
    known = {*of_kind(".txt"), *of_kind(".toml"), *of_kind(".yml", ".yaml"), *of_kind(".cfg")}
    assert known == set(FILES)
    assert len(FILES) >= 40
