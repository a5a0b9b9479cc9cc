"""What `mlpin explain` says of the unsolvable environments of ../shared/conda, against py-rattler's own solver."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import rattler
import zstandard
from rattler.exceptions import SolverError

from mlpin.conda.virtual import platform_of
from tests.long.conda_cases import CONDA, Case, cases
from tests.projects import Project

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not CONDA.is_dir(), reason="the cases of ../shared/conda are not here"),
]

CHANNELS = CONDA / "channel"
UNSOLVABLE = [case for case in cases() if case.expected is None] if CONDA.is_dir() else []
PLENTY = {"__cuda": "99", "__glibc": "2.99"}
MENDED = {case.name for case in UNSOLVABLE} - {"missing-package"}


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The channels as rattler reads them from a folder."""
    root = tmp_path_factory.mktemp("channels")
    for channel in CHANNELS.iterdir():
        for subdir in ("linux-64", "noarch"):
            packed, plain = channel / subdir / "repodata.json.zst", root / channel.name / subdir / "repodata.json"
            plain.parent.mkdir(parents=True)
            with plain.open("wb") as file:
                if packed.is_file():
                    zstandard.ZstdDecompressor().copy_stream(io.BytesIO(packed.read_bytes()), file)
                else:
                    file.write(b'{"packages": {}, "packages.conda": {}}')
    return root


def ask(project: Project, case: Case) -> None:
    wishes = case.wishes
    virtual = "".join(f'{name} = "{version}"\n' for name, version in wishes.machine.items())
    project.write(
        "mlpin.toml",
        f'platform = "{platform_of(wishes.subdir)}"\nchannel-alias = "{CHANNELS.as_uri()}"\n'
        f'channel-priority = "{wishes.priority}"\n[virtual-packages]\n{virtual}',
    )
    channels, specs = ("".join(f"  - {one}\n" for one in some) for some in (wishes.channels, wishes.specs))
    project.write("environment.yml", f"channels:\n{channels}dependencies:\n{specs}")


def solvable(case: Case, specs: Sequence[str], root: Path) -> bool:
    """Whether rattler finds an answer for some of the lines."""
    virtual = []
    for name, text in case.wishes.virtual.items():
        version, _, build = text.partition("=")
        one = rattler.GenericVirtualPackage(
            rattler.PackageName(name), rattler.Version(version), rattler.BuildString(build or "0")
        )
        virtual.append(one)
    priority = rattler.ChannelPriority[case.wishes.priority.capitalize()]
    # In a channel that is a folder, `pytorch::` means the folder.
    given = [text.replace("pytorch::", f"{(root / 'pytorch').as_uri()}::") for text in specs]
    try:
        asyncio.run(
            rattler.solve(
                [rattler.Channel((root / name).as_uri()) for name in case.wishes.channels],
                [rattler.MatchSpec(text) for text in given],
                platforms=[case.wishes.subdir, "noarch"],  # type: ignore[list-item]
                virtual_packages=virtual,
                channel_priority=priority,
            )
        )
    except SolverError:
        return False
    return True


@pytest.mark.parametrize("case", UNSOLVABLE, ids=lambda case: case.name)
def test_the_clash_is_one_and_every_line_of_it_is_needed(case: Case, project: Project, unpacked: Path) -> None:
    ask(project, case)
    ran = project.run("explain", "-q", "--format", "json")
    assert ran.code == 1
    found = json.loads(ran.out)
    premises = [one for one in found["clash"] if one["role"] == "premise"]
    lines = [one["text"] for one in premises if one["kind"] == "requirement"]
    assert found["minimal"]
    assert {one["kind"] for one in premises} <= {"requirement", "target"}
    assert not solvable(case, lines, unpacked)
    for line in lines:
        assert solvable(case, [one for one in lines if one != line], unpacked), line
    # A fact of the target is none that the lines would clash without.
    facts = {one["about"]: PLENTY[one["about"]] for one in premises if one["kind"] == "target"}
    if facts:
        assert solvable(
            case._replace(wishes=case.wishes._replace(virtual={**case.wishes.virtual, **facts})), lines, unpacked
        )
    assert bool(found["repairs"]) == (case.name in MENDED)


@pytest.mark.parametrize("case", [one for one in UNSOLVABLE if one.name in MENDED], ids=lambda case: case.name)
def test_the_first_repair_makes_a_lock(case: Case, project: Project) -> None:
    ask(project, case)
    ran = project.run("explain", "-q", "--apply", "1")
    assert ran.code == 0, ran.words
    assert (project.root / "conda.lock").is_file()
