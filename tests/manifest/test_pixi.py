"""pixi.toml and [tool.pixi]: both worlds, features as groups, environments as targets."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpin.conda.spec import match_spec
from mlpin.manifest import Manifest, find
from mlpin.requirement import Declared, PathSource, UrlSource, VcsSource
from mlpin.settings import IndexPin, Settings, TargetSettings

from .builders import brief, names, reading, refused

NAME = "pixi.toml"
HEAD = '[workspace]\nname = "My_Net"\nversion = "0.1"\nchannels = ["conda-forge"]\nplatforms = ["linux-64"]\n'
FOUR = HEAD.replace('"linux-64"', '"linux-64", "osx-64", "osx-arm64", "win-64"')


def pixi(directory: Path, text: str) -> Manifest:
    return reading(directory, text, NAME)


def layer(found: Manifest) -> Settings:
    return found.layers[-1]


def spec(one: Declared) -> str:
    """A conda requirement as its MatchSpec, another in brief."""
    return f"{one.conda} ; {one.marker}".removesuffix(" ; ") if one.conda else brief(one)


def specs(listed: tuple[Declared, ...]) -> list[str]:
    return [spec(one) for one in listed]


def target(name: str, platform: str, **said: object) -> TargetSettings:
    return TargetSettings(name, platform=platform)._replace(**said)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('"*"', "x *"),
        ('"1.26"', "x ==1.26"),
        ('"1.26.*"', "x 1.26.*"),
        ('"11.8*"', "x 11.8*"),
        ('"=3.11"', "x=3.11"),
        ('">= 1 , < 2.0a0"', "x >=1,<2.0a0"),
        ('"~=1.2"', "x ~=1.2"),
        ('"3.10|3.11"', "x 3.10|3.11"),
        ('"* *cuda*"', "x * *cuda*"),
        ('{ version = "1.0", build = "py*" }', "x ==1.0 py*"),
        ('{ build = "lgpl_*" }', "x * lgpl_*"),
        ('{ version = ">=2", channel = "nvidia" }', "nvidia::x >=2"),
        ('{ channel = "https://h.example/c" }', "https://h.example/c::x *"),
        ('{ build-number = ">=1", subdir = "linux-64" }', 'x *[build_number=">=1",subdir="linux-64"]'),
        ('{ version = "1.*", build-number = 3 }', 'x 1.*[build_number="3"]'),
    ],
)
def test_conda_package(tmp_path: Path, value: str, expected: str) -> None:
    (one,) = pixi(tmp_path, f"{HEAD}[dependencies]\nX = {value}\n").requirements
    assert (one.name, one.conda, one.origin.line) == ("x", expected, 7)
    assert one.origin.text.startswith("X = ")
    assert match_spec(one.conda).name == "x"


def test_pypi_packages(tmp_path: Path) -> None:
    found = pixi(
        tmp_path,
        HEAD + '[pypi-dependencies]\nparso = ">=0.8.4, <0.9"\nany = "*"\n'
        'Ray = { version = "==2.5.*", extras = ["data", "Default"] }\n'
        'a = { git = "https://h.example/a.git", branch = "main", subdirectory = "py" }\n'
        'b = { path = "../b", editable = true }\nc = { url = "https://h.example/c-1-py3-none-any.whl" }\n'
        'd = { version = ">=1", env-markers = "sys_platform == \'linux\'" }\n'
        'my_net = { path = ".", editable = true }\n',
    )
    assert [brief(one) for one in found.requirements] == [
        *("parso<0.9,>=0.8.4", "any", "ray[data,default]==2.5.*", "a", "b", "c"),
        *('d>=1 ; sys_platform == "linux"', "my-net"),
    ]
    assert [one.source for one in found.requirements if one.source] == [
        VcsSource("git", "https://h.example/a.git", "main", "py"),
        PathSource((tmp_path.parent / "b").as_posix(), editable=True),
        UrlSource("https://h.example/c-1-py3-none-any.whl"),
        PathSource(tmp_path.as_posix(), editable=True),
    ]


def test_an_only_environment_is_the_unnamed_target(tmp_path: Path) -> None:
    found = pixi(
        tmp_path,
        HEAD + 'channel-priority = "disabled"\nexclude-newer = "2026-01-01"\nrequires-pixi = ">=0.40"\n'
        '[dependencies]\npython = "3.11.*"\n[tasks]\nx = "y"\n[activation]\nscripts = ["a.sh"]\n'
        '[system-requirements]\ncuda = "12.4"\nlibc = { family = "glibc", version = "2.31" }\nmacos = "13.0"\n'
        'linux = "5.10"\narchspec = "x86_64_v3"\n',
    )
    assert (found.kind, found.project, found.version) == ("pixi", "my-net", "0.1")
    assert (found.requires_python, specs(found.requirements)) == ("==3.11.*", ["python 3.11.*"])
    assert not found.targets
    assert not found.notes
    assert layer(found) == Settings(
        layer=NAME,
        python=("3.11",),
        platform="linux-x86_64",
        glibc="2.31",
        channels=("conda-forge",),
        channel_priority="disabled",
        exclude_newer="2026-01-01",
        virtual_packages=(("__archspec", "1=x86_64_v3"), ("__cuda", "12.4"), ("__linux", "5.10")),
    )


def test_platforms_are_targets(tmp_path: Path) -> None:
    found = pixi(
        tmp_path,
        FOUR.replace('"win-64"', '"win-64", "linux-ppc64le"')
        + '[system-requirements]\ncuda = "12"\nmacos = "12.3"\n[dependencies]\nnumpy = "*"\n',
    )
    cuda = (("__cuda", "12"),)
    assert dict(found.targets) == {
        "linux-64": target("linux-64", "linux-x86_64", virtual_packages=cuda),
        "osx-64": target("osx-64", "macos-12.3-x86_64"),
        "osx-arm64": target("osx-arm64", "macos-12.3-arm64"),
        "win-64": target("win-64", "windows-amd64", virtual_packages=cuda),
    }
    assert ["linux-ppc64le" in note.message for note in found.notes] == [True]


def test_names_of_targets_go_by_the_platforms_declared(tmp_path: Path) -> None:
    two = HEAD.replace('"linux-64"', '"linux-64", "linux-ppc64le"') + '[dependencies]\nnumpy = "*"\n'
    assert dict(pixi(tmp_path, two).targets) == {"linux-64": target("linux-64", "linux-x86_64")}
    none = HEAD.replace('"linux-64"', '"linux-s390x", "linux-ppc64le"') + '[dependencies]\nnumpy = "*"\n'
    assert dict(pixi(tmp_path, none).targets) == {}


@pytest.mark.parametrize(
    ("name", "hint"), [("osx-arm", "`osx-arm64`?"), ("Linux-64", "`linux-64`?"), ("jetson", "one of: linux-64")]
)
def test_a_platform_that_pixi_does_not_know(tmp_path: Path, name: str, hint: str) -> None:
    error = refused(tmp_path, f'[workspace]\nplatforms = ["linux-64", "{name}"]\n[dependencies]\nx = "*"\n', NAME)
    assert error.where == f"{NAME}:2"
    assert f"`{name}`" in error.message
    assert hint in (error.hint or "")


def test_what_stands_for_a_platform_replaces_the_rest(tmp_path: Path) -> None:
    found = pixi(
        tmp_path,
        FOUR + '[dependencies]\npython = ">=3.9"\nx = "1.*"\n[target.unix.dependencies]\nx = "2.*"\n'
        '[target.osx-arm64.dependencies]\nx = "3.*"\n[target.win.pypi-dependencies]\nx = "*"\n'
        '[target.win-64.dependencies]\npython = "3.10.*"\n[target.linux-64.host-dependencies]\ncmake = "*"\n'
        '[target.linux.tasks]\nt = "x"\n',
    )
    assert specs(found.requirements) == [
        'python >=3.9 ; sys_platform != "win32"',
        'x 1.* ; sys_platform == "win32"',
        'x 2.* ; sys_platform == "linux" or sys_platform == "darwin" and platform_machine == "x86_64"',
        'x 3.* ; sys_platform == "darwin" and platform_machine == "arm64"',
        'x ; sys_platform == "win32"',
        'python 3.10.* ; sys_platform == "win32"',
        'cmake * ; sys_platform == "linux" and platform_machine == "x86_64"',
    ]
    assert {name: one.python for name, one in found.targets.items() if one.python} == {"win-64": ("3.10",)}


def test_features_and_environments(tmp_path: Path) -> None:
    """As in a project for training on one platform, with and without a GPU."""
    found = pixi(
        tmp_path,
        HEAD + '[dependencies]\npython = "3.10.*"\n[feature.GPU.system-requirements]\ncuda = "12.0"\n'
        '[feature.GPU]\nchannels = ["nvidia"]\n[feature.GPU.dependencies]\npytorch-gpu = "*"\n'
        '[feature.cpu.dependencies]\npytorch-cpu = "*"\n[feature.cpu.pypi-dependencies]\nevo = "*"\n'
        '[feature.py311.dependencies]\npython = ">=3.10,<3.12"\n'
        '[environments]\ndefault = ["GPU"]\ncpu = { features = ["cpu", "py311"], solve-group = "a" }\n',
    )
    assert (specs(found.requirements), found.requires_python) == (["python 3.10.*"], "==3.10.*")
    assert {name: specs(listed) for name, listed in found.groups.items()} == {
        "gpu": ["pytorch-gpu *"],
        "cpu": ["pytorch-cpu *", "evo"],
        "py311": ["python >=3.10,<3.12"],
    }
    linux = target("", "linux-x86_64", python=("3.10",))
    assert dict(found.targets) == {
        "default": linux._replace(
            name="default",
            groups=("gpu",),
            channels=("nvidia", "conda-forge"),
            virtual_packages=(("__cuda", "12.0"),),
        ),
        "cpu": linux._replace(name="cpu", groups=("cpu", "py311")),
    }
    assert found.default_groups == ("gpu",)
    assert ["solve-group" in note.message for note in found.notes] == [True]


def test_an_environment_without_the_default_feature(tmp_path: Path) -> None:
    found = pixi(
        tmp_path,
        HEAD + '[dependencies]\npython = "3.13.*"\n[feature.old.dependencies]\npython = "=3.9"\n'
        "[environments]\nold = { features = ['old'], no-default-feature = true }\nnew = []\n",
    )
    assert (found.requirements, found.requires_python) == ((), "")
    assert {name: specs(listed) for name, listed in found.groups.items()} == {
        "default": ["python 3.13.*"],
        "old": ["python=3.9"],
    }
    assert {name: (one.groups, one.python) for name, one in found.targets.items()} == {
        "default": (("default",), ("3.13",)),
        "old": (("old",), ("3.9",)),
        "new": (("default",), ("3.13",)),
    }
    assert found.default_groups == ("default",)


def test_an_empty_default_environment_that_nobody_wrote_is_no_target(tmp_path: Path) -> None:
    found = pixi(tmp_path, HEAD + '[feature.a.dependencies]\nx = "*"\n[environments]\na = ["a"]\nb = ["a"]\n')
    assert list(found.targets) == ["a", "b"]


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        (('">=3.12.13,<3.13"',), ("3.12",)),
        (('">=3.10"',), None),
        (('"*"',), None),
        (('"3.11.4"',), ("3.11.4",)),
        (('">=3.10"', '"3.12.*"'), ("3.12",)),
        (('">=3.10"', '">=3.11"'), ("3.11",)),
        (('"*"', '"3.9.*|3.11.*"'), ("3.9",)),
        (('">=3.12"', '"3.9.*"'), None),
    ],
)
def test_python_of_an_environment(tmp_path: Path, versions: tuple[str, ...], expected: tuple[str] | None) -> None:
    tables = ("[dependencies]", "[feature.a.dependencies]")
    text = "\n".join(f"{table}\npython = {version}" for table, version in zip(tables, versions, strict=False))
    features = ["a"][: len(versions) - 1]
    found = pixi(tmp_path, f"{HEAD}{text}\n[environments]\ndefault = {features}\n")
    assert layer(found).python == expected


def test_platforms_with_virtual_packages(tmp_path: Path) -> None:
    """The newer form: the same subdir twice, told apart by name."""
    found = pixi(
        tmp_path,
        '[workspace]\nchannels = ["rapidsai", "conda-forge", "nodefaults"]\n'
        'platforms = ["osx-arm64", "linux-64",\n'
        '  { name = "linux-64-cuda", platform = "linux-64", cuda = "13.0.2", glibc = "2.35" },\n'
        '  { platform = "linux-aarch64", cuda = { driver = "12.8", arch = "8.7" }, __foo = "1" }]\n'
        '[dependencies]\npython = "3.12.*"\n'
        '[feature.run]\nplatforms = ["linux-64-cuda", "linux-aarch64"]\nchannels = ["nvidia"]\n'
        '[feature.run.dependencies]\nlib = "*"\n[feature.run.target.linux-aarch64.dependencies]\nnvvm = "*"\n'
        '[feature.run.target."*-cuda".dependencies]\nfast = "*"\n'
        '[environments]\ndefault = ["run"]\ntools = []\n',
    )
    assert {name: specs(listed) for name, listed in found.groups.items()} == {
        "run": ["lib *", 'nvvm * ; sys_platform == "linux" and platform_machine == "aarch64"'],
        "run-linux-64-cuda": ["fast *"],
    }
    arm = "linux-aarch64-cuda-12-8-cuda-arch-8-7-foo-1"
    assert list(found.targets) == [
        *("linux-64-cuda", arm),
        *("tools-osx-arm64", "tools-linux-64", "tools-linux-64-cuda", f"tools-{arm}"),
    ]
    assert found.targets["linux-64-cuda"] == target(
        "linux-64-cuda",
        "linux-x86_64",
        python=("3.12",),
        glibc="2.35",
        groups=("run", "run-linux-64-cuda"),
        channels=("nvidia", "rapidsai", "conda-forge"),
        virtual_packages=(("__cuda", "13.0.2"),),
    )
    assert found.targets[arm].virtual_packages == (("__cuda", "12.8"), ("__cuda_arch", "8.7"), ("__foo", "1"))
    assert found.targets["tools-linux-64"].virtual_packages is None


def test_channels_by_priority(tmp_path: Path) -> None:
    found = pixi(
        tmp_path,
        '[workspace]\nplatforms = ["linux-64"]\nchannels = ["b", { channel = "a", priority = 2 }, "./local"]\n'
        '[dependencies]\nx = "*"\n',
    )
    assert layer(found).channels == ("a", "b", (tmp_path / "local").as_posix())


def test_indexes(tmp_path: Path) -> None:
    found = pixi(
        tmp_path,
        HEAD + '[pypi-options]\nindex-url = "https://i.example/simple"\nno-build = ["x"]\nprerelease-mode = "allow"\n'
        'extra-index-urls = [{ url = "https://e.example/simple", exclude-newer = false }]\n'
        'dependency-overrides = { numpy = ">=2" }\nfind-links = [{ path = "./links" }]\nno-build-isolation = true\n'
        '[pypi-dependencies]\ntorch = { version = "==2.6.0", index = "https://u:secret@t.example/whl/cu124/" }\n'
        '[feature.cpu.target.unix.pypi-dependencies]\ntorch = { index = "https://t.example/whl/cpu" }\n'
        '[feature.cpu.pypi-options]\nextra-index-urls = ["https://f.example/simple"]\n'
        "[environments]\ncpu = ['cpu']\n",
    )
    own = layer(found)
    assert own.index_url is not None
    assert (own.index_url.url, own.prerelease, own.only_binary) == ("https://i.example/simple", "allow", ("x",))
    assert [(one.url, one.name, one.explicit) for one in own.extra_indexes or ()] == [
        ("https://e.example/simple", "", False),
        ("https://f.example/simple", "", False),
        ("https://u:secret@t.example/whl/cu124/", "t.example/whl/cu124", True),
        ("https://t.example/whl/cpu", "t.example/whl/cpu", True),
    ]
    assert own.pins == {
        "torch": (
            IndexPin("t.example/whl/cu124"),
            IndexPin("t.example/whl/cpu", 'sys_platform != "win32"', group="cpu"),
        )
    }
    assert [one.url for one in own.find_links or ()] == [(tmp_path / "links").as_uri()]
    assert [brief(one) for one in own.overrides or ()] == ["numpy>=2"]
    assert ["`pypi-options` of the feature `cpu`" in note.message for note in found.notes] == [True]
    assert not any("secret" in one.origin.text for one in found.requirements)


def test_packages_that_pixi_builds(tmp_path: Path) -> None:
    """The workspace's own package stands for what it needs at run time; others are left out with a note."""
    found = pixi(
        tmp_path,
        HEAD + '[package]\nname = "dask-core"\n[package.host-dependencies]\nsetuptools = "*"\n'
        '[package.run-dependencies]\nclick = ">=8.1"\n[package.target.win-64.run-dependencies]\ncolorama = "*"\n'
        '[dependencies]\ndask-core = { path = "." }\ndistributed = { git = "https://h.example/distributed" }\n',
    )
    assert specs(found.requirements) == ["click >=8.1", 'colorama * ; sys_platform == "win32"']
    assert [(note.origin.line, "`distributed`" in note.message) for note in found.notes] == [(16, True)]


def test_notes(tmp_path: Path) -> None:
    found = pixi(
        tmp_path,
        HEAD + 'conda-pypi-map = { conda-forge = "map.json" }\nexclude-newer = "soon"\n[dependencies]\nx = "*"\n'
        '[constraints]\nopenssl = ">=3"\n[weird]\n[feature.a.constraints]\nz = "<1"\n'
        '[feature.a]\nchannel-priority = "strict"\nplatforms = ["win-64"]\n[environments]\na = ["a"]\n',
    )
    said = ("weird", "no platform", "conda-pypi-map", "channel-priority", "exclude-newer", "constraints")
    assert len(found.notes) == len(said)
    assert all(any(word in note.message for note in found.notes) for word in said)
    assert specs(found.constraints) == ["openssl >=3"]


def test_pyproject(tmp_path: Path) -> None:
    found = reading(
        tmp_path,
        '[project]\nname = "net"\nrequires-python = ">= 3.11"\ndependencies = ["pandas<3"]\n'
        '[project.optional-dependencies]\ntest = ["pytest"]\n[dependency-groups]\ndev = ["ruff"]\n'
        '[tool.uv]\nindex-url = "https://uv.example/simple"\n[tool.mlpin]\nchannels = ["mine"]\n'
        '[tool.pixi.project]\nchannels = ["conda-forge"]\nplatforms = ["osx-arm64", "linux-64"]\n'
        '[tool.pixi.pypi-dependencies]\nnet = { path = ".", editable = true }\n'
        '[tool.pixi.dependencies]\njax = "*"\nnet = "*"\n'
        '[tool.pixi.feature.cuda]\nplatforms = ["linux-64"]\nsystem-requirements = { cuda = "12" }\n'
        '[tool.pixi.feature.cuda.dependencies]\n__cuda = "*"\n'
        '[tool.pixi.feature.dev.pypi-dependencies]\nnet = { path = ".", editable = true, extras = ["test"] }\n'
        "[tool.pixi.environments]\ncuda = ['cuda']\nci = ['test', 'dev']\n",
        "pyproject.toml",
    )
    assert specs(found.requirements) == ["pandas<3", "python >=3.11", "jax *", "net *"]
    assert (found.requires_python, found.kind, found.default_groups) == (">=3.11", "pyproject", ())
    assert {name: specs(listed) for name, listed in found.groups.items()} == {
        "dev": ["ruff", "pytest"],
        "cuda": ["__cuda *"],
    }
    assert {name: (one.extras, one.groups) for name, one in found.targets.items()} == {
        "osx-arm64": (None, None),
        "linux-64": (None, None),
        "cuda": (None, ("cuda",)),
        "ci-osx-arm64": (("test",), ("dev",)),
        "ci-linux-64": (("test",), ("dev",)),
    }
    assert [one.channels for one in found.layers if one.channels] == [("mine",), ("conda-forge",)]


def test_pyproject_without_the_default_feature(tmp_path: Path) -> None:
    found = reading(
        tmp_path,
        '[project]\nname = "net"\ndependencies = ["pandas"]\n'
        '[tool.pixi.workspace]\nchannels = []\nplatforms = ["linux-64"]\n[tool.pixi.dependencies]\npython = "3.12.*"\n'
        '[tool.pixi.feature.lint.dependencies]\nruff = "*"\n'
        '[tool.pixi.environments]\nlint = { features = ["lint"], no-default-feature = true }\n',
        "pyproject.toml",
    )
    assert found.requirements == ()
    assert names(found.groups["default"]) == ["pandas", "python"]
    assert {name: one.groups for name, one in found.targets.items()} == {"default": ("default",), "lint": ("lint",)}


def test_find(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(HEAD + '[dependencies]\nx = "*"\n')
    (tmp_path / "requirements.txt").write_text("numpy\n")
    assert find(tmp_path).path.name == NAME
    (tmp_path / "pyproject.toml").write_text('[tool.pixi.workspace]\nname = "x"\n')
    assert find(tmp_path).path.name == NAME
    (tmp_path / "pyproject.toml").write_text('[tool.pixi.dependencies]\nx = "*"\n')
    assert find(tmp_path).path.name == "pyproject.toml"
    (tmp_path / NAME).write_text('[workspace]\nname = "x"\n[tasks]\na = "b"\n')
    assert [path.name for path in find(tmp_path).passed_over] == ["requirements.txt"]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[dependencies]\nnumpy = "^1.2"\n', 7, "caret"),
        ('[dependencies]\nnumpy = "bla bla bla"\n', 7, "not a MatchSpec"),
        ("[dependencies]\nnumpy = 3\n", 7, "a version or a table"),
        ('[dependencies]\nnumpy = { biuld = "x" }\n', 7, "biuld"),
        ('[dependencies]\n"a b" = "*"\n', 7, "name of a conda package"),
        ('[dependencies]\n"c::x" = "*"\n', 7, "name of a conda package"),
        ('[dependencies]\nx = { md5 = "]" }\n', 7, "brackets"),
        ('[dependencies]\nx = { channel = "https://u:secret@h.example/c" }\n', 7, "password"),
        ('[pypi-dependencies]\ntorch = "2.1"\n', 7, "no operator"),
        ('[pypi-dependencies]\ntorch = { git = "x" }\n', 7, "repository"),
        ('[pypi-dependencies]\ntorch = { index = "ssh://h" }\n', 7, "index"),
        ('[target.windows.dependencies]\nx = "*"\n', 6, "`windows` is not a platform"),
        ('[environments]\na = ["gpu"]\n', 7, "`gpu`, which there is not"),
        ('[environments]\n"a.b" = []\na-b = []\n', 8, "both be the target"),
        ('[feature.a.dependencies]\nx = "*"\n[feature.A.tasks]\n', 8, "name of another one"),
        ('[feature.a]\nplatforms = ["jetson"]\n[environments]\na = ["a"]\n', 7, "`jetson` is not a platform"),
        ("[system-requirements]\ncuda = [1]\n", 7, "`cuda` is not a version"),
        ('[pypi-options]\nindex-strategy = "x"\n', 7, "index-strategy"),
        ("", 0, "declares no dependencies"),
    ],
)
def test_refused(tmp_path: Path, text: str, line: int, words: str) -> None:
    error = refused(tmp_path, HEAD + text, NAME)
    assert error.where == (f"{NAME}:{line}" if line else NAME)
    assert words in error.message
    assert "secret" not in error.message


@pytest.mark.parametrize(
    "text",
    [
        *('channels = "conda-forge"', "channels = [1]", 'channel-priority = "flexible"', 'solve-strategy = "x"'),
        *('platforms = ["linux64"]', 'platforms = [{ cuda = "1" }]', "platforms = [3]"),
    ],
)
def test_refused_workspace(tmp_path: Path, text: str) -> None:
    assert refused(tmp_path, f'[workspace]\n{text}\n[dependencies]\nx = "*"\n', NAME).where == f"{NAME}:2"
