"""The conda part of a lock against manifest, file and environment: one thing is disturbed at a time."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from mlpin.check import conda, environment, integrity
from mlpin.check.model import Drift
from mlpin.lock import conda_file, locked
from mlpin.lock.file import dumps
from mlpin.lock.locked import Lock
from mlpin.project import TargetPlan
from mlpin.requirement import Declared, Origin
from mlpin.stack import distributions
from mlpin.target import Target, parse_platform
from tests.lock.locks import TARGET, lock, package, text
from tests.lock.locks import conda as record
from tests.projects import Project
from tests.stack.test_installed import info

MACHINE = {"__cuda": "12.4", "__glibc": "2.28", "__archspec": "1=x86_64"}
PYTHON = record("python", "3.11.9", "h1_0_cpython", depends=["__glibc >=2.17"])
NUMPY = record("numpy", "1.26.4", "py311h1_0", provides=["numpy"], depends=["python >=3.11,<3.12.0a0"])
TORCH = record(
    "pytorch", "2.5.1", "cuda_0", channel="pytorch", provides=["torch"], depends=["numpy >=1.19", "python", "__cuda"]
)
PARTS = (PYTHON, NUMPY, TORCH)
ALONE = ({**NUMPY, "provides": []}, {**TORCH, "provides": []}, PYTHON)
"""The same where no distribution of the lock needs them."""
SITE = "lib/python3.11/site-packages"


def own(*packages: dict[str, Any], **more: Any) -> dict[str, Any]:
    channels = ["pytorch", "conda-forge"]
    return {"channels": channels, "conda": list(packages or PARTS), **more}


def made(*packages: dict[str, Any], distributions: Any = (), **more: Any) -> Lock:
    target = {**TARGET, "virtual-packages": MACHINE}
    return lock(text(*distributions, target=target, own=own(*packages, **more)))


def plan(
    *lines: str | Declared, channels: tuple[str, ...] = (), virtual: tuple[tuple[str, str], ...] = ()
) -> TargetPlan:
    target = Target("", "3.11", parse_platform("linux-x86_64"), virtual=virtual)
    declared = tuple(wanted(line) if isinstance(line, str) else line for line in lines)
    return TargetPlan(target, Path("pylock.toml"), declared, (), (), channels=channels)


def wanted(spec: str, marker: str = "") -> Declared:
    from mlpin.conda.spec import match_spec

    origin = Origin("manifest", "environment.yml", 7, spec)
    return Declared(match_spec(spec).name, origin, marker=marker, conda=spec)


def said(found: list[Drift]) -> list[tuple[str, str]]:
    return [(one.kind, one.message) for one in found]


# -- the manifest


@pytest.mark.parametrize(
    ("line", "drift"),
    [
        ("pytorch", ()),
        ("pytorch >=2", ()),
        ("pytorch=2.5.1=cuda*", ()),
        ("pytorch::pytorch", ()),
        ("__cuda >=12", ()),
        ("py*", ()),
        ("scipy", ("unlocked", "`scipy` is not locked")),
        ("__rocm", ("unlocked", "`__rocm` is not locked")),
        ("pytorch >=3", ("version", "`pytorch >=3` is wanted, and pytorch 2.5.1 cuda_0 is locked")),
        ("pytorch=2.5=cpu*", ("version", "`pytorch=2.5=cpu*` is wanted, and pytorch 2.5.1 cuda_0 is locked")),
        (
            "conda-forge::pytorch",
            ("version", "`conda-forge::pytorch` is wanted, and pytorch 2.5.1 cuda_0 of pytorch is locked"),
        ),
        ("__cuda >=13", ("version", "`__cuda >=13` is wanted, and __cuda 12.4 0 is locked")),
    ],
)
def test_lines(line: str, drift: tuple[str, str]) -> None:
    found = list(conda.drifts(plan("pytorch", line), made(), ()))
    assert said(found) == ([drift] if drift else [])
    assert all((one.check, one.file, one.line) == ("manifest", "environment.yml", 7) for one in found)


def test_a_line_for_another_platform() -> None:
    lines = (wanted("scipy", "sys_platform == 'win32'"), wanted("pytorch", "sys_platform == 'linux'"))
    assert not list(conda.drifts(plan(*lines), made(), ()))


def test_what_nothing_asks_for() -> None:
    """By the lock's own edges; a distribution may be what a conda package is there for."""
    nothing = [
        ("unneeded", f"conda's {name} is locked, and nothing asks for it") for name in ("numpy 1.26.4", "pytorch 2.5.1")
    ]
    asked = plan("python")
    assert said(list(conda.drifts(asked, made(), ()))) == nothing
    assert not list(conda.drifts(asked, made(), {"torch"}))
    assert said(list(conda.drifts(asked, made(), {"numpy"}))) == nothing[1:]
    needing = package("lib", tool={"mlpin": {"requires": ["torch>=2"]}})
    assert not list(conda.drifts(asked, made(distributions=[needing]), {"lib"}))
    none = [("unneeded", "the lock has 3 conda packages, and no line asks for any")]
    assert said(list(conda.drifts(plan(), made(), {"torch"}))) == none


@pytest.mark.parametrize(
    ("line", "more", "message"),
    [
        ("torch>=2", "", ""),
        ("torch>=3", "", "`torch>=3` is wanted, and conda's pytorch 2.5.1 is locked"),
        ("torch @ https://files.example/torch-2.5.1-py3-none-any.whl", "", "and it is locked as conda's pytorch 2.5.1"),
        ("torch", 'constraints = ["torch<2"]', "the constraint `torch<2` does not admit conda's pytorch 2.5.1"),
    ],
)
def test_distributions_that_conda_provides(project: Project, line: str, more: str, message: str) -> None:
    project.requires(line, mlpin=f'{more}\n[tool.mlpin.conda]\ndependencies = ["python"]')
    project.write("pylock.toml", text(target=TARGET, own={"conda": list(PARTS)}))
    ran = project.run("check", "--format", "json")
    found = [one["message"] for one in json.loads(ran.out)["drift"] if one["check"] == "manifest"]
    assert len(found) == bool(message)
    assert all(message in one for one in found)


@pytest.mark.parametrize(
    ("channels", "drift"),
    [
        (("pytorch", "conda-forge"), False),
        ((), False),
        (("conda-forge", "pytorch"), True),
        (("pytorch",), True),
    ],
)
def test_channels(channels: tuple[str, ...], *, drift: bool) -> None:
    found = list(conda.drifts(plan("pytorch", channels=channels), made(), ()))
    assert [one.kind for one in found] == ["option"] * drift


def test_channels_are_the_same_with_credentials_and_from_elsewhere(tmp_path: Path) -> None:
    stated = ("https://me:secret@conda.example/t/tok/own/", f"{tmp_path}/channel")
    other = made(channels=["https://conda.example/own", "./channel"])
    other.path = tmp_path / "pylock.toml"
    assert not list(conda.drifts(plan("pytorch", channels=stated), other, ()))
    (found,) = conda.drifts(plan("pytorch", channels=(*stated, "https://me:secret@x.example/c")), other, ())
    assert "secret" not in found.message + found.expected + found.found


@pytest.mark.parametrize(
    ("virtual", "message"),
    [
        ((("__cuda", "12.4"),), ""),
        ((("__archspec", "1=x86_64"),), ""),
        ((("__cuda", "12.6"),), "the target has __cuda 12.6, the lock was made for 12.4"),
        ((("__cuda", ""),), "the target has __cuda not at all, the lock was made for 12.4"),
        ((("__osx", ""),), ""),
        ((("__osx", "14"),), "the target has __osx 14, the lock was made for none"),
    ],
)
def test_virtual_packages(virtual: tuple[tuple[str, str], ...], message: str) -> None:
    found = list(conda.drifts(plan("pytorch", virtual=virtual), made(), ()))
    assert said(found) == ([("target", message)] if message else [])


# -- the lock by itself


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A lock as mlpin writes one, with its file."""
    packages = made().conda
    explicit = conda_file.explicit(packages, "linux-64")
    (tmp_path / "conda.lock").write_text(explicit)
    tables: dict[str, Any] = {"lock-version": "1.0", "created-by": "mlpin", "packages": []}
    mine = {
        "target": {**TARGET, "virtual-packages": MACHINE},
        **own(),
        "conda-file": conda_file.table("conda.lock", explicit),
    }
    path = tmp_path / "pylock.toml"
    path.write_text(dumps({**tables, "tool": {"mlpin": mine}}))
    return path


def file_drifts(path: Path) -> list[Drift]:
    found = locked.read(path, f"env/{path.name}")
    assert found is not None
    return list(conda.file_drifts(found))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text, ""),
        (lambda text: text.replace("\n", "\r\n"), ""),
        (lambda text: f"# a word of mine\n{text}\n", ""),
        (lambda text: text.replace("numpy-1.26.4", "numpy-1.26.5"), "numpy-1.26.5-py311h1_0.conda#"),
        (lambda text: text.replace("cd" * 16, "ef" * 16, 1), "and 1 more"),
        (lambda text: text + "https://me:secret@x.example/t/tok/c/noarch/evil-1-0.conda\n", "//x.example/c/noarch/evil-1-0"),
        (lambda text: "\n".join(text.splitlines()[::-1]), " in its order"),
        (lambda _: "\0\x1b", "env/conda.lock is not what env/pylock.toml has"),
    ],
)  # fmt: skip
def test_the_file(written: Path, change: Any, message: str) -> None:
    """What counts is what a client would install."""
    path = written.with_name("conda.lock")
    path.write_bytes(change(path.read_text()).encode())
    found = file_drifts(written)
    assert [one.kind for one in found] == ["conda-file"] * bool(message)
    assert all(message in one.message and one.message.isprintable() for one in found)
    assert all("secret" not in one.message + one.found for one in found)


def test_the_file_is_missing(written: Path, project: Project) -> None:
    """And the way out that is named is one."""
    for path in (written, written.with_name("conda.lock")):
        project.write(path.name, path.read_text())
    assert project.run("check", "pylock.toml").code == 0
    (project.root / "conda.lock").unlink()
    ran = project.run("check", "pylock.toml")
    assert (ran.code, "there is no conda.lock, the file of the lock's conda packages" in ran.words) == (1, True)
    assert "`mlpin export pylock.toml --format conda-explicit -o conda.lock` writes it anew" in ran.words
    assert project.run("export", "pylock.toml", "--format", "conda-explicit", "-o", "conda.lock").code == 0
    assert project.run("check", "pylock.toml").code == 0


def test_an_edited_lock() -> None:
    """Its packages are looked at: whether they are their files, and have what they need."""
    renamed = {**NUMPY, "version": "2.0.0"}
    found = [one for one in integrity.drifts(made(PYTHON, renamed, TORCH), None) if one.kind != "edited"]
    assert said(found) == [("file", "numpy-1.26.4-py311h1_0.conda is no file of numpy 2.0.0 py311h1_0")]
    needy = record("needy", depends=["numpy >=3", "gone", "__cuda >=13", "__odd[", "python"])
    found = [one for one in integrity.drifts(made(*PARTS, needy), None) if one.kind != "edited"]
    assert said(found) == [
        ("graph", "conda's needy asks for numpy >=3, and numpy 1.26.4 py311h1_0 is there"),
        ("graph", "conda's needy depends on gone, which is not locked"),
        ("graph", "conda's needy asks for __cuda >=13, and __cuda 12.4 0 is there"),
        ("graph", "conda's needy depends on __odd[, which is not locked"),
    ]
    lib = package("lib", dependencies=[{"name": "torch"}])
    assert not [one for one in integrity.drifts(made(distributions=[lib]), None) if one.kind != "edited"]


# -- what is installed


class Prefix:
    """A conda environment, as conda writes it down."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.site = path / "lib" / "python3.11" / "site-packages"
        self.site.mkdir(parents=True)
        (path / "conda-meta").mkdir()
        for one in PARTS:
            self.has(**one)

    def has(self, name: str, version: str, build: str, **stated: Any) -> None:
        for old in (self.path / "conda-meta").glob(f"{name}-*.json"):
            old.unlink()
        hashes = stated.get("hashes", {})
        listed = {key: stated[key] for key in ("files", "paths_data") if key in stated}
        filename = f"{name}-{version}-{build}.conda"
        data = {"name": name, "fn": filename, "subdir": "linux-64", "files": [], **hashes, **listed}
        (self.path / "conda-meta" / f"{name}-{version}-{build}.json").write_text(json.dumps(data))

    def carries(self, info: str, *, by: str = "conda", site: str = SITE, conda: Any = NUMPY, **more: Any) -> None:
        """`conda` says that it has put this .dist-info there, with this INSTALLER."""
        digest = hashlib.sha256(f"{by}\n".encode()).hexdigest()
        data = {"paths": [{"_path": f"{site}/{info}/INSTALLER", "path_type": "hardlink", "sha256": digest}]}
        self.has(**{**conda, "files": [f"{site}/{info}/METADATA"], "paths_data": data, **more})

    def drifts(self, lock: Lock) -> list[Drift]:
        return list(environment.drifts(lock, None, distributions.read(self.path, "env")))


@pytest.fixture
def prefix(tmp_path: Path) -> Prefix:
    return Prefix(tmp_path / "env")


def test_an_environment_as_it_is_locked(prefix: Prefix) -> None:
    """What conda provides has metadata of a distribution, and is not too much; nor are tools."""
    for name, version in (("torch", "2.5.1"), ("numpy", "1.26.4")):
        info(prefix.site, name, version, installer="conda")
    info(prefix.site, "lib", "1.0", installer="pip")
    prefix.has("pip", "25.0", "pyh_0")
    assert prefix.drifts(made(distributions=[package("lib")])) == []


@pytest.mark.parametrize(
    ("there", "drift"),
    [
        (("numpy", "1.26.5", "py311h1_0"), ("version", "conda's numpy 1.26.5 py311h1_0 is installed, the lock has 1.26.4 py311h1_0")),
        (("numpy", "1.26.4", "py311h1_1"), ("build", "conda's numpy 1.26.4 py311h1_1 is installed, the lock has 1.26.4 py311h1_0")),
        (("more", "1.0", "0"), ("extra", "conda's more 1.0 0 is installed, but not in the lock")),
    ],
)  # fmt: skip
def test_other_packages(prefix: Prefix, there: tuple[str, str, str], drift: tuple[str, str]) -> None:
    prefix.has(*there)
    assert said(prefix.drifts(made())) == [drift]


@pytest.mark.parametrize(
    ("stated", "drift"),
    [
        ({"sha256": "AB" * 32}, False),
        ({"sha256": "ff" * 32}, True),
        ({"sha256": "ab" * 32, "md5": "ff" * 16}, False),
        ({"md5": "ff" * 16}, True),
        ({"sha256": "", "md5": None}, False),
        ({"sha256": 3}, False),
        ({"sha256": "ff" * 32, "fn": "numpy-1.26.4-py311h1_0.tar.bz2"}, False),
    ],
)
def test_other_bytes(prefix: Prefix, stated: dict[str, Any], *, drift: bool) -> None:
    prefix.has("numpy", "1.26.4", "py311h1_0", hashes=stated)
    assert [one.kind for one in prefix.drifts(made())] == ["source"] * drift


@pytest.mark.parametrize("content", ["", "[]", "{", '{"fn": ' + "[" * 9999, "\0"])
def test_a_record_that_cannot_be_read_says_nothing(prefix: Prefix, content: str) -> None:
    (prefix.path / "conda-meta" / "numpy-1.26.4-py311h1_0.json").write_text(content)
    assert prefix.drifts(made()) == []


def test_what_is_missing(prefix: Prefix) -> None:
    (prefix.path / "conda-meta" / "numpy-1.26.4-py311h1_0.json").unlink()
    assert said(prefix.drifts(made())) == [
        ("missing", "conda's numpy 1.26.4 py311h1_0 is in the lock, but not installed")
    ]


def test_no_conda_environment(tmp_path: Path) -> None:
    """Said once, not for each of hundreds of packages."""
    site = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    info(site, "other", "1.0")
    there = distributions.read(tmp_path / "env", "env")
    found = said(list(environment.drifts(made(), None, there)))
    assert ("missing", "the lock has 3 conda packages, and env is no conda environment") in found
    assert len(found) == 2


def test_the_way_out(project: Project) -> None:
    """Not `uv pip sync`, which takes away what conda has installed."""
    project.write("envs/pylock.toml", text(own=own(**{"conda-file": {"name": "conda.lock", "sha256": "0" * 64}})))
    info(project.root / "env" / "lib" / "python3.11" / "site-packages", "other", "1.0")
    ran = project.run("check", "envs/pylock.toml", "--env", "env")
    assert "`micromamba create -p NEW -f envs/conda.lock` makes the environment anew" in ran.words
    assert "uv pip sync" not in ran.words


def test_pip_over_conda(prefix: Prefix) -> None:
    """conda goes on saying that its package is there."""
    info(prefix.site, "torch", "2.6.0+cu124", installer="pip")
    message = "torch 2.6.0+cu124 was installed by pip, the lock has it as conda's pytorch 2.5.1 cuda_0"
    assert said(prefix.drifts(made())) == [("overwritten", message)]


REMOVED = "conda's numpy 1.26.4 py311h1_0 is recorded as installed, but its numpy-1.26.4.dist-info is gone"


@pytest.mark.parametrize("parts", [PARTS, ALONE], ids=["needed", "alone"])
@pytest.mark.parametrize(
    ("change", "drift"),
    [
        (lambda prefix: None, True),
        (lambda prefix: (prefix.site / "numpy-1.26.4.dist-info").mkdir(), True),
        (lambda prefix: info(prefix.site, "numpy", "1.26.4", installer="conda"), False),
        (lambda prefix: info(prefix.site, "numpy", "1.26.3", installer="conda"), False),
        (lambda prefix: prefix.carries("numpy-1.26.4.dist-info", site="site-packages"), False),
        (lambda prefix: prefix.carries("numpy-1.26.4.dist-info", site="lib/python3.12/site-packages"), False),
        (lambda prefix: prefix.carries("numpy-1.26.4.dist-info", site=f"{SITE}/numpy/_vendor"), False),
        (lambda prefix: prefix.carries("pip-25.0.dist-info"), False),
        (lambda prefix: prefix.carries("lib-1.0.dist-info"), False),
        (lambda prefix: prefix.carries("\0-1.dist-info"), False),
        (lambda prefix: prefix.carries("n" * 999 + ".dist-info"), False),
    ],
)
def test_pip_removes_what_conda_carries(prefix: Prefix, parts: Any, change: Any, *, drift: bool) -> None:
    """conda's list of files says what was there, as far as it is one of places that exist."""
    prefix.carries("numpy-1.26.4.dist-info")
    info(prefix.site, "lib", "1.0", installer="pip")
    change(prefix)
    assert said(prefix.drifts(made(*parts, distributions=[package("lib")]))) == [("missing", REMOVED)] * drift


@pytest.mark.parametrize("parts", [PARTS, ALONE], ids=["needed", "alone"])
@pytest.mark.parametrize(
    ("there", "stated", "drift"),
    [
        (("1.26.4", "conda"), {}, False),
        (("1.26.4", "pip"), {}, True),
        (("1.26.4", "uv"), {}, True),
        (("2.0", "pip"), {}, True),
        (("1.26.4", "mine"), {}, False),
        (("1.26.4", "pip"), {"by": "pip"}, False),
        (("1.26.4", "uv"), {"by": "pip"}, True),
        (("1.26.4", "pip"), {"site": "site-packages"}, True),
        (("1.26.4", "pip"), {"paths_data": {}}, False),
        (("1.26.4", "pip"), {"paths_data": {"paths": [3, {"_path": 3}, {"_path": f"{SITE}/numpy-1.26.4.dist-info/INSTALLER", "sha256": ""}]}}, False),
        (("1.26.4", "pip"), {"paths_data": {"paths": 3}, "files": [3, None]}, False),
        (("1.26.4.post1", "pip"), {"by": "pip", "info": "numpy-1.26.4.post1.dist-info"}, False),
    ],
)  # fmt: skip
def test_pip_over_conda_in_any_version(
    prefix: Prefix, parts: Any, there: tuple[str, str], stated: dict[str, Any], *, drift: bool
) -> None:
    """Who installed it is compared with what conda wrote down: packages that were built by pip may say so."""
    prefix.carries(**{"info": "numpy-1.26.4.dist-info", **stated})
    version, installer = there
    info(prefix.site, "numpy", version, installer=installer)
    message = f"numpy {version} was installed by {installer}, the lock has it as conda's numpy 1.26.4 py311h1_0"
    assert said(prefix.drifts(made(*parts))) == [("overwritten", message)] * drift


def test_two_packages_that_have_the_same_distribution(prefix: Prefix) -> None:
    """The one that was linked last is there, and is conda's."""
    prefix.carries("numpy-1.26.4.dist-info")
    info(prefix.site, "numpy", "1.26.4", installer="pip")
    for stated in ({"by": "pip"}, {"paths_data": None}):
        prefix.carries("numpy-1.26.4.dist-info", conda=TORCH, **stated)
        assert prefix.drifts(made()) == []


def test_what_conda_carries_by_another_name_is_not_too_much(prefix: Prefix) -> None:
    """Nor what conda did not build itself, and nothing needs."""
    prefix.carries("torch-2.5.1.dist-info", by="pip", conda=TORCH)
    info(prefix.site, "torch", "2.5.1", installer="pip")
    assert prefix.drifts(made(*ALONE)) == []


def test_locked_from_an_index_over_what_conda_carries(prefix: Prefix) -> None:
    """It is what the lock says."""
    prefix.carries("lib-0.9.dist-info")
    info(prefix.site, "lib", "1.0", installer="pip")
    assert prefix.drifts(made(distributions=[package("lib")])) == []
