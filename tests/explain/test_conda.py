"""`mlpin explain` over conda channels, as a user runs it: clashes, what mends them, and why a package is what it is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import jsonschema
import pytest

from mlpin.conda.spec import match_spec
from mlpin.manifest.conda_edits import any_build, moved, respecified
from tests.conda.channels import Package, channel, package
from tests.index.server import IndexServer
from tests.projects import Project, Ran
from tests.test_explain import SCHEMA, Serve
from tests.wheels import wheel


def python(minor: int) -> Package:
    return package("python", f"3.{minor}.5", "0_cpython", constrains=[f"python_abi 3.{minor}.* *_cp3{minor}"])


def built(name: str, version: str, minor: int, *depends: str) -> Package:
    """A package for one Python, as conda-forge builds them."""
    asked = [f"python >=3.{minor},<3.{minor + 1}.0a0", f"python_abi 3.{minor}.* *_cp3{minor}", *depends]
    return package(name, version, f"py3{minor}_0", depends=asked)


PACKAGES = (
    *(python(minor) for minor in (10, 11, 12)),
    *(package("python_abi", f"3.{minor}", f"5_cp3{minor}") for minor in (10, 11, 12)),
    *(built("numpy", "1.26.4", minor) for minor in (10, 11, 12)),
    *(built("numpy", version, minor) for minor in (11, 12) for version in ("2.0.2", "2.1.3", "2.2.6")),
    built("numpy", "2.3.0", 12),
    *(built("olds", "1.0", minor, "numpy <2.2") for minor in (10, 11)),
    built("olds", "2.0", 12, "numpy >=2.2,<3.0a0"),
    package("gpu", "5.0", "cuda118_1", depends=["__cuda >=11.8", "__glibc >=2.17,<3.0.a0"]),
    package("gpu", "5.0", "cuda129_1", number=2, depends=["__cuda >=12.9"]),
    package("driven", "12.9", "0", constrains=["__cuda >=12"]),
    package("lib", "1.0", "h1_0"),
    package("lib", "1.1", "h1_0"),
    package("user", "1.0", "h1_0", depends=["lib >=1.1"]),
    package("dates", "2024a", "0"),
    package("apart", "1.0", "0", depends=["lib 3.0.*"]),
)


@pytest.fixture
def here(tmp_path: Path) -> str:
    return channel(tmp_path / "main", *PACKAGES).as_uri()


SETTINGS = 'platform = "linux-x86_64"\n'


def asks(project: Project, *lines: str, channels: Sequence[str], mlpin: str = SETTINGS) -> None:
    listed = "".join(f"  - {line}\n" for line in lines)
    project.write("environment.yml", f"channels: [{', '.join(channels)}]\ndependencies:\n{listed}")
    project.write("mlpin.toml", mlpin)


def data(project: Project, *arguments: str) -> dict:  # type: ignore[type-arg]
    value = json.loads(project.run("explain", *arguments, "--format", "json").out)
    jsonschema.validate(value, json.loads(SCHEMA.read_text()))
    return dict(value)


def edits(ran: Ran) -> list[str]:
    return [line.split("  ")[-1] for line in ran.out.splitlines() if " -> " in line]


# -- lines


@pytest.mark.parametrize(
    ("lines", "because", "mended"),
    [
        (
            ["python=3.12", "olds=1.0"],
            ["olds 1.0 needs python 3.10 or 3.11"],
            ["olds=1.0 -> olds=2.0", "python=3.12 -> python=3.11"],
        ),
        (
            ["python=3.12", "olds", "numpy <2"],
            ["olds 1.0 needs numpy <2.2; 2.0 needs numpy >=2.2,<3"],
            ["numpy <2 -> numpy"],
        ),
        (["python=3.12", "'numpy>=2.4'  # new"], ["no build of numpy is `numpy>=2.4`"], ["numpy>=2.4 -> numpy>=2.3"]),
        (["lib=1.0=h9*"], ["no build of lib is `lib=1.0=h9*`"], ["lib=1.0=h9* -> lib=1.0"]),
        (["lib <1.1", "user"], ["user 1.0 needs lib >=1.1"], ["lib <1.1 -> lib"]),
        (["dates=2023c"], ["no build of dates"], ["dates=2023c -> dates=2024a"]),
        (["python=3.11", "nosuch"], ["nosuch is in none of the channels", "is the name right? None of"], []),
        (["lib=1.0", "apart"], ["apart 1.0 needs lib 3.0; ", "main has 1.0 and 1.1"], []),
    ],
)
def test_a_line_that_clashes_moves_to_what_works(
    lines: list[str], because: list[str], mended: list[str], project: Project, here: str
) -> None:
    asks(project, *lines, channels=[here])
    ran = project.run("explain")
    assert ran.code == 1
    for text in because:
        assert text in ran.words
    assert [one for one in mended if one not in edits(ran)] == []
    for number in range(1, len(edits(ran)) + 1):
        assert project.run("explain", "--apply", str(number)).code == 0, number
        asks(project, *lines, channels=[here])
        (project.root / "pylock.toml").unlink()


def test_python_in_the_target_is_no_line(project: Project, here: str) -> None:
    asks(project, "olds=1.0", channels=[here], mlpin=SETTINGS + 'python = "3.12"\n')
    ran = project.run("explain")
    assert "mlpin.toml:2 Python 3.12" in ran.words
    assert 'python = "3.12" -> python = "3.11"' in edits(ran)
    asks(project, "olds=1.0", "python=3.12", channels=[here], mlpin=SETTINGS + 'python = "3.12"\n')
    ran = project.run("explain")
    for number in range(1, ran.out.count(" in all\n") + 1):
        assert project.run("explain", "--apply", str(number)).code == 0
        asks(project, "olds=1.0", "python=3.12", channels=[here], mlpin=SETTINGS + 'python = "3.12"\n')


@pytest.mark.parametrize(
    ("name", "text", "changed"),
    [
        ("pixi.toml", 'olds = "1.0"', 'olds = "2.0"'),
        ("pixi.toml", 'olds = { version = "1.*" }', 'olds = { version = "2.*" }'),
        ("pixi.toml", 'olds = "==1.0"  # old', 'olds = "==2.0"  # old'),
        ("mlpin.toml", '  "olds =1.0",  # old', '  "olds =2.0",  # old'),
    ],
)
def test_each_manifest_is_written_in_its_own_words(
    name: str, text: str, changed: str, project: Project, here: str
) -> None:
    if name == "pixi.toml":
        head = f'[workspace]\nname = "x"\nchannels = ["{here}"]\nplatforms = ["linux-64"]\n[dependencies]\n'
        whole = f'{head}python = "3.12.*"\n{text}\n'
    else:
        whole = f'{SETTINGS}channels = ["{here}"]\n[conda]\ndependencies = [\n  "python =3.12",\n{text}\n]\n'
    project.write(name, whole)
    ran = project.run("explain")
    assert ran.code == 1, ran.words
    assert "olds 1.0 needs python 3.10 or 3.11" in ran.words
    number = [changed.split("  #", maxsplit=1)[0].strip(' ",') in one for one in edits(ran)].index(True) + 1
    assert project.run("explain", "--apply", str(number)).code == 0
    assert (project.root / name).read_text() == whole.replace(text, changed)


def test_a_long_line_of_a_table_is_cut_to_what_changes_with_its_key(project: Project, here: str) -> None:
    head = f'[workspace]\nname = "x"\nchannels = ["{here}"]\nplatforms = ["linux-64"]\n[dependencies]\n'
    project.write("pixi.toml", head + 'python = "3.12.*"\nolds = { version = "1.0.*", build = "py*" }\n')
    assert "olds 1.0.* -> 2.0.*" in edits(project.run("explain"))


# -- what the target brings along


@pytest.mark.parametrize(
    ("line", "settings", "premise", "edit"),
    [
        ("driven=12.9", '[virtual-packages]\n__cuda = "11.8"\n', "mlpin.toml:3 __cuda 11.8", '__cuda = "12.0"'),
        ("gpu=5.0=cuda118*", '[virtual-packages]\n__cuda = ""\n', "mlpin.toml:3 no __cuda", '__cuda = "11.8"'),
        ("gpu", "", "no accelerator", "add --accelerator cuda"),
        (
            "gpu",
            'accelerator = "cuda"\nglibc = "2.12"\ndriver = "525.60"\n',
            "mlpin.toml:3 glibc 2.12",
            'glibc = "2.17"',
        ),
        ("__cuda>=12", "", "because the target has no __cuda", "add --accelerator cuda 0 packages in all"),
        ("__cuda>=12.1", '[virtual-packages]\n__cuda = "11.8"\n', "target has __cuda 11.8", '__cuda = "12.1"'),
    ],
)
def test_a_fact_of_the_target(line: str, settings: str, premise: str, edit: str, project: Project, here: str) -> None:
    asks(project, line, channels=[here], mlpin=SETTINGS + settings)
    ran = project.run("explain")
    assert premise in ran.words
    assert edit in ran.words.partition("What works")[2], ran.out
    assert project.run("explain", "--apply", "1").code == 0


def test_channels_that_conda_adds_by_itself(project: Project, tmp_path: Path) -> None:
    few = channel(tmp_path / "few", package("lib", "1.0", "0")).as_uri()
    asks(project, "python=3.11", channels=[few])
    assert "mlpin does not: `conda-forge` may be missing" in project.run("explain").words


def test_channel_priority_is_an_option(project: Project, here: str, tmp_path: Path) -> None:
    first = channel(tmp_path / "first", package("lib", "0.9", "h1_0")).as_uri()
    asks(project, "user", channels=[first, here])
    ran = project.run("explain")
    assert "channel-priority strict" in ran.words
    assert "strict channel priority" in ran.words
    assert "--channel-priority flexible" in ran.words
    assert project.run("explain", "--apply", "1").code == 0
    asks(project, "user", channels=[first, here], mlpin=SETTINGS + 'channel-priority = "strict"\n')
    (project.root / "pylock.toml").unlink()
    assert 'channel-priority = "strict" -> channel-priority = "flexible"' in edits(project.run("explain"))


# -- both worlds


@pytest.fixture
def index(serve: Serve) -> IndexServer:
    return serve(
        wheel("pure", "1.0", ["numpy<2"]),
        wheel("pure", "2.0", ["numpy<3"]),
        wheel("numpy", "1.26.4"),
        wheel("numpy", "2.4.0"),
        wheel("newest", "1.0", requires_python=">=3.12"),
    )


def both(project: Project, here: str, index: IndexServer, *lines: str, pip: Sequence[str]) -> None:
    below = "".join(f"\n    - {line}" for line in pip)
    asks(project, *lines, f"pip:{below}", channels=[here], mlpin=SETTINGS + f'index-url = "{index.url}"\n')


def test_a_clash_of_a_conda_line_and_one_of_pip(project: Project, here: str, index: IndexServer) -> None:
    both(project, here, index, "python=3.11", "numpy=2.1", pip=["pure==1.0"])
    ran = project.run("explain")
    assert "environment.yml:4 numpy=2.1" in ran.words
    assert "pure 1.0 needs numpy<2" in ran.words
    assert "numpy=2.1 -> numpy=1.26" in edits(ran)
    assert "pure==1.0 -> pure==2.0" in edits(ran)
    both(project, here, index, "python=3.11", pip=["newest"])
    ran = project.run("explain")
    assert "environment.yml:3 python=3.11" in ran.words
    assert edits(ran) == ["python=3.11 -> python=3.12"]


# -- why


def test_why_a_conda_package(project: Project, here: str, index: IndexServer) -> None:
    both(project, here, index, "python=3.11", "numpy", pip=["pure"])
    assert project.run("lock").code == 0
    ran = project.run("explain", "NumPy")
    assert "numpy 2.2.6 numpy-2.2.6-py311_0.conda from" in ran.words
    assert "stands in for PyPI's numpy" in ran.words
    assert "environment.yml:4 numpy" in ran.words
    assert "numpy<3 by pure 2.0" in ran.words or "and 1 more package" in ran.words
    assert "2.3.0: numpy 2.3.0 needs python 3.12 against environment.yml:3 python=3.11" in ran.words
    assert "python=3.11" in project.run("explain", "python").words
    assert "pure-2.0" in project.run("explain", "pure").words
    assert project.run("explain", "nothing").code == 1
    value = json.loads(project.run("explain", "numpy", "--format", "json").out)
    assert value["build"]["stands_for"] == ["numpy"]


def test_why_a_build_and_no_newer_one(project: Project, here: str, tmp_path: Path) -> None:
    other = channel(
        tmp_path / "other", package("lib", "2.0", "h1_0"), package("tracked", "2", "0", track_features="slow")
    ).as_uri()
    first = channel(tmp_path / "first", *PACKAGES, package("tracked", "1", "0")).as_uri()
    settings = SETTINGS + '[virtual-packages]\n__cuda = "12.2"\n'
    asks(project, "gpu", "lib", "tracked", channels=[first, other], mlpin=settings)
    assert project.run("lock").code == 0
    ran = project.run("explain", "gpu")
    assert "not cuda129_1: gpu 5.0 " in ran.words
    assert "the target has 12.2" in ran.words
    assert "strict channel priority" in project.run("explain", "lib").words
    assert "strict channel priority" in project.run("explain", "tracked").words
    asks(project, "lib=1.0", channels=[first], mlpin=settings)
    assert project.run("lock").code == 0
    assert "1.1: environment.yml:3 lib=1.0" in project.run("explain", "lib").words


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ("numpy<2", "numpy<2 can be had: 1 package would change numpy 2.2.6 → 1.26.4"),
        ("numpy=2.1", "numpy=2.1 can be had: 1 package would change numpy 2.2.6 → 2.1.3"),
        ("numpy>=2.3", "numpy 2.3.0 needs python 3.12"),
        ("python=3.12", "environment.yml:3 python=3.11 command line python=3.12"),
        ("numpy>=2", "nothing holds it back, numpy 2.2.6 does already"),
        ("numpy[", "error:"),
    ],
)
def test_a_wish_for_a_conda_package(wish: str, said: str, project: Project, here: str) -> None:
    asks(project, "python=3.11", "numpy", channels=[here])
    assert said in project.run("explain", "--why-not", wish).words


# -- the forms


@pytest.mark.parametrize("form", ["json", "markdown", "sarif", "html"])
def test_every_form(form: str, project: Project, here: str) -> None:
    asks(project, "python=3.12", "olds=1.0", channels=[here])
    text = project.run("explain", "--format", form).out
    assert "olds 1.0 needs python 3.10 or 3.11" in text
    assert "olds=2.0" in text
    if form == "json":
        assert data(project)["minimal"]


# -- words


@pytest.mark.parametrize(
    ("spec", "new", "said"),
    [
        ("=2.1", "2.4.1", "=2.4"),
        ("2.1.*", "2.4.1", "2.4.*"),
        ("==2.1.2", "2.4.1", "==2.4.1"),
        ("2.1.2", "2.4.1", "2.4.1"),
        ("=25.06", "25.04.00", "=25.04"),
        (">=2.3", "2.2.6", ">=2.2"),
        (">2.3", "2.2.6", ">=2.2"),
        (">= 2.3, <3", "2.2.6", ">= 2.2, <3"),
        (">=1.2,<2", "2.2.6", ">=1.2"),
        (">=1.2,!=2.2.6", "2.2.6", ">=1.2"),
        ("~=2.1.0", "2.4.1", "~=2.4.1"),
        ("=1", "2", "=2"),
        ("<2", "3", ""),
        ("2.1|2.2", "3", None),
        ("^2.*$", "3", None),
    ],
)
def test_a_version_as_its_author_writes_it(spec: str, new: str, said: str | None) -> None:
    assert respecified(spec, new) == said


@pytest.mark.parametrize(
    ("line", "new", "said", "any_of_it"),
    [
        ("pytorch=2.1.*", "2.4.1", "pytorch=2.4.*", None),
        ("conda-forge::numpy >=2.3", "2.2.6", "conda-forge::numpy >=2.2", None),
        ("pytorch=2.5.1=*cuda12*", "2.6.0", "pytorch=2.6.0=*cuda12*", "pytorch=2.5.1"),
        ("pytorch=2.5.1=py3.12_cuda12.4", "2.6.0", "pytorch=2.6.0", "pytorch=2.5.1"),
        ("pytorch >=2.5,<2.6 *cuda*", "2.6.0", "pytorch >=2.5 *cuda*", "pytorch >=2.5,<2.6"),
        ("pytorch * *cuda*", "2.6.0", None, "pytorch"),
        ("numpy[version='>=2']", "1.0", None, None),
    ],
)
def test_a_line_for_another_version(line: str, new: str, said: str | None, any_of_it: str | None) -> None:
    found = moved(line, new)
    assert said is None or found == said
    assert found is None or match_spec(found).name == match_spec(line).name
    assert any_build(line) == any_of_it
