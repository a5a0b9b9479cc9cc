"""Environments of conda's, locked and installed for real: packages are linked, pip runs inside, check looks at them."""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conda.channels import PLAIN, ZST, ChannelServer, Package, channel, package
from tests.conda.prefix import HERE, Prefix, carrier, pip, python, subdir
from tests.conftest import hermetic
from tests.index.server import IndexServer
from tests.projects import Project, Ran
from tests.test_installers import PIP, UV, _pip_version
from tests.wheels import wheel

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the package of Python is made for Linux")

CONDA = {"tinylib": "h1_0", "python": "0_cpython", "pip": "pyh_0", "corelib": "py_0", "numpyish": "py_0"}
INSTALLED = {"app": ("1", "pip"), "dep": ("1", "pip"), "corelib": ("3", "conda"), "numpyish": ("1.5", "conda")}


@cache
def packages() -> tuple[Package, ...]:
    return (
        python(),
        pip(),
        package("tinylib", "1.2", "h1_0", subdir=subdir(), files={"lib/libtiny.so.1": b"\x7fELF 1"}),
        package("tinylib", "1.2", "h2_1", subdir=subdir(), files={"lib/libtiny.so.1": b"\x7fELF 2"}),
        carrier("numpyish", "1.5", script="numpyish"),
        carrier("numpyish", "2.0", script="numpyish"),
        carrier("corelib", "3", constrains=["numpyish <2"], kind="tar.bz2"),
        carrier("other", "1"),
    )


def environment(url: str, *lines: str) -> str:
    wanted = [f"python={HERE}", "tinylib=1.2=h1*", "corelib", "numpyish", "pip", *lines]
    return f"channels: [{url}]\ndependencies:\n" + "".join(f"  - {line}\n" for line in wanted)


def mlpin(*arguments: str, cwd: Path, environ: Mapping[str, str]) -> Ran:
    """mlpin as a user runs it."""
    command = [sys.executable, "-m", "mlpin", *arguments]
    done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)


# -- locked, linked, installed by pip, checked


class Site(NamedTuple):
    """A project with a lock, servers of what is in it, and an environment made of it."""

    root: Path
    folder: Path
    """Where the channels lie that are served."""
    channel: str
    pypi: IndexServer
    prefix: Prefix

    def check(self, prefix: Path) -> Ran:
        return mlpin("check", "--env", str(prefix), cwd=self.root, environ=self.prefix.environ)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """pip's part is installed by the pip that conda's part brings."""
    if _pip_version() < PIP:
        pytest.skip(f"pip {PIP[0]}.{PIP[1]} or newer is not installed for {sys.executable}: it reads no pylock.toml")
    base = tmp_path_factory.mktemp("site")
    for name in ("home", "project"):
        (base / name).mkdir()
    channel(base / "channels/one", *packages(), forms=(PLAIN, ZST))
    wheels = [wheel("app", "1", ["numpyish>=1", "dep"]), wheel("dep", "1"), wheel("corelib", "4")]
    wheels += [wheel("numpyish", version) for version in ("1.5", "1.9")]
    with ChannelServer(base / "channels") as channels, IndexServer(wheels) as index:
        prefix = Prefix(base / "prefix", hermetic(base / "home"))
        made = Site(base / "project", base / "channels", f"{channels.url}/one", index, prefix)
        (made.root / "environment.yml").write_text(environment(made.channel, "pip: [app]"))
        ran = mlpin("lock", "--index-url", index.url, cwd=made.root, environ=prefix.environ)
        assert ran.code == 0, ran.words
        prefix.link(made.root / "conda.lock")
        prefix.pip("install", "-r", "pylock.toml", cwd=made.root)
        yield made


def test_what_is_locked_is_installed(site: Site) -> None:
    assert site.prefix.conda() == CONDA
    there = site.prefix.distributions()
    assert {name: said for name, said in there.items() if name != "pip"} == INSTALLED
    assert there["pip"][1] == "conda"
    code = "import app, dep, corelib, numpyish, sys; print(sys.prefix, numpyish.__version__)"
    assert site.prefix.run("-c", code).split() == [str(site.prefix.path), "1.5"]
    assert site.prefix.run(site.prefix.path / "bin/numpyish") == "1.5\n"
    ran = site.check(site.prefix.path)
    assert (ran.code, ran.words) == (0, "No drift: manifest, lock, matrix and env, with 7 packages in pylock.toml")


def test_the_files_are_the_ones_that_the_channel_has(site: Site) -> None:
    lines = [line for line in (site.root / "conda.lock").read_text().splitlines() if "://" in line]
    files = {f"{site.channel}/{one.subdir}/{one.filename}#{hashlib.md5(one.data).hexdigest()}" for one in packages()}
    assert len(lines) == len(CONDA)
    assert files.issuperset(lines)


def relinked(site: Site, prefix: Prefix, *, without: str = "", more: str = "") -> None:
    """What a conda client makes of other wishes: the file with lines left out and added."""
    lines = (site.root / "conda.lock").read_text().splitlines()
    lines = [line for line in lines if not without or f"/{without}-" not in line]
    wanted = [one for one in packages() if one.filename == more]
    lines += [f"{site.channel}/{one.subdir}/{one.filename}#{one.record['md5']}" for one in wanted]
    file = prefix.path.with_name("other.lock")
    file.write_text("\n".join(lines))
    prefix.link(file)


Disturb = Callable[[Site, Prefix], object]


@pytest.mark.parametrize(
    ("disturb", "words"),
    [
        pytest.param(
            lambda site, prefix: relinked(site, prefix, without="tinylib", more="tinylib-1.2-h2_1.conda"),
            "conda's tinylib 1.2 h2_1 is installed, the lock has 1.2 h1_0",
            id="build",
        ),
        pytest.param(
            lambda site, prefix: relinked(site, prefix, without="numpyish", more="numpyish-2.0-py_0.conda"),
            "conda's numpyish 2.0 py_0 is installed, the lock has 1.5 py_0",
            id="version",
        ),
        pytest.param(
            lambda site, prefix: relinked(site, prefix, without="tinylib"),
            "conda's tinylib 1.2 h1_0 is in the lock, but not installed",
            id="removed",
        ),
        pytest.param(
            lambda site, prefix: relinked(site, prefix, more="other-1-py_0.conda"),
            "conda's other 1 py_0 is installed, but not in the lock",
            id="added",
        ),
        pytest.param(
            lambda site, prefix: prefix.pip("install", "-U", "numpyish", "-i", site.pypi.url),
            "numpyish 1.9 was installed by pip, the lock has it as conda's numpyish 1.5 py_0",
            id="pip-over-conda",
        ),
        pytest.param(
            lambda site, prefix: prefix.pip("install", "--force-reinstall", "numpyish==1.5", "-i", site.pypi.url),
            "numpyish 1.5 was installed by pip, the lock has it as conda's numpyish 1.5 py_0",
            id="pip-over-conda-in-the-same-version",
        ),
        pytest.param(
            # No line asks for corelib as a distribution.
            lambda site, prefix: prefix.pip("install", "-U", "corelib", "-i", site.pypi.url),
            "corelib 4 was installed by pip, the lock has it as conda's corelib 3 py_0",
            id="pip-over-what-is-conda-s-alone",
        ),
        pytest.param(
            # `uv pip sync` does the same: it knows nothing of conda.
            lambda site, prefix: prefix.pip("uninstall", "-y", "numpyish"),
            "conda's numpyish 1.5 py_0 is recorded as installed, but its numpyish-1.5.dist-info is gone",
            id="pip-removes-conda",
        ),
        pytest.param(
            lambda site, prefix: prefix.pip("uninstall", "-y", "corelib"),
            "conda's corelib 3 py_0 is recorded as installed, but its corelib-3.dist-info is gone",
            id="pip-removes-what-is-conda-s-alone",
        ),
    ],
)
def test_what_is_disturbed_is_found(site: Site, project: Project, tmp_path: Path, disturb: Disturb, words: str) -> None:
    prefix = site.prefix._replace(path=tmp_path / "prefix")
    shutil.copytree(site.prefix.path, prefix.path, symlinks=True)
    disturb(site, prefix)
    ran = project.run("check", str(site.root), "--env", str(prefix.path))
    assert ran.code == 1
    assert words in ran.words
    assert "1 error" in ran.words


def test_a_file_that_is_not_the_locked_one(site: Site, tmp_path: Path) -> None:
    """The same name, version and build, built anew: no client links it, and one that was linked is found."""
    locked = next(one for one in packages() if one.filename == "numpyish-1.5-py_0.conda")
    other = carrier("numpyish", "1.5", script="numpyish", files={"more.py": ""})
    channel(site.folder / "two", *(one for one in packages() if one != locked), other)
    text = (site.root / "conda.lock").read_text().replace(site.channel, site.channel.replace("/one", "/two"))
    lock, prefix = tmp_path / "conda.lock", site.prefix._replace(path=tmp_path / "prefix")
    lock.write_text(text)
    with pytest.raises(Exception, match=r"(?i)hash|checksum|mismatch"):
        prefix.link(lock)
    lock.write_text(text.replace(locked.record["md5"], other.record["md5"]))
    prefix.link(lock)
    ran = site.check(prefix.path)
    said = f"conda's numpyish 1.5 py_0 was installed from another file than is locked: its md5 is {other.record['md5']}"
    assert ran.code == 1
    assert said in ran.words


@pytest.mark.skipif(not UV.exists(), reason=f"uv is not installed beside {sys.executable}")
def test_uv_installs_the_rest(site: Site, tmp_path: Path) -> None:
    prefix = site.prefix._replace(path=tmp_path / "prefix")
    prefix.link(site.root / "conda.lock")
    command = [str(UV), "pip", "install", "--no-deps", "-r", "pylock.toml", "--python", str(prefix.python)]
    subprocess.run(command, cwd=site.root, env=prefix.environ, capture_output=True, check=True)
    there = prefix.distributions()
    assert (there["app"], there["numpyish"]) == (("1", "uv"), ("1.5", "conda"))
    assert site.check(prefix.path).code == 0


def test_a_channel_that_is_a_folder(site: Site, project: Project, tmp_path: Path) -> None:
    """Its files stand as paths in the lock, and project and channel may be somewhere else together."""
    channel(project.root / "channel", *packages())
    project.write("environment.yml", environment("./channel"))
    assert project.locked() == {}
    assert str(tmp_path) not in project.text + (project.root / "conda.lock").read_text()
    moved = project.root.rename(tmp_path / "elsewhere")
    prefix = site.prefix._replace(path=tmp_path / "prefix")
    prefix.link(moved / "conda.lock")
    assert prefix.conda() == CONDA
    ran = mlpin("check", "--env", str(prefix.path), cwd=moved, environ=prefix.environ)
    assert ran.code == 0, ran.words


# -- the other forms of a lock, taken by what reads them


def exported(site: Site, form: str, to: Path) -> Path:
    ran = mlpin("export", "--format", form, "-o", str(to), cwd=site.root, environ=site.prefix.environ)
    assert ran.code == 0, ran.words
    return to


def test_pixi_lock(site: Site, tmp_path: Path) -> None:
    prefix = site.prefix._replace(path=tmp_path / "prefix")
    wheels = prefix.link_pixi(exported(site, "pixi", tmp_path / "pixi.lock"))
    assert prefix.conda() == CONDA
    # The pip of this Python: the one inside would have to be compiled first.
    command = [sys.executable, "-m", "pip", "--python", str(prefix.python), "install", "--no-input", "--no-deps"]
    subprocess.run([*command, *wheels], env=prefix.environ, capture_output=True, check=True)
    assert {name: said for name, said in prefix.distributions().items() if name != "pip"} == INSTALLED
    assert site.check(prefix.path).code == 0


def test_explicit(site: Site, tmp_path: Path) -> None:
    file = exported(site, "conda-explicit", tmp_path / "conda.lock")
    assert file.read_text() == (site.root / "conda.lock").read_text()


def test_environment_yml_is_locked_to_the_same(site: Site, project: Project) -> None:
    exported(site, "environment.yml", project.root / "environment.yml")
    assert project.locked(index=site.pypi) == {"app": "1", "dep": "1"}
    assert (project.root / "conda.lock").read_text() == (site.root / "conda.lock").read_text()


# -- who is let in, and what goes wrong, at the command line

SECRETS = ("us3r", "s3cret", "tok3n")
GIVEN = ("environment.yml", "mlpin.toml", ".netrc")
"""Where they stand."""


class Private(NamedTuple):
    """A project whose channel asks who one is."""

    server: ChannelServer
    project: Path
    environ: dict[str, str]

    def lock(self, url: str, *arguments: str) -> Ran:
        """Of what was given, nothing may be left in the project or the cache, nor be said."""
        (self.project / "environment.yml").write_text(f"channels: ['{url}']\ndependencies: [tinylib]\n")
        ran = mlpin("lock", "--retries", "0", *arguments, cwd=self.project, environ=self.environ)
        files = [path for top in (self.project, Path(self.environ["HOME"])) for path in top.rglob("*")]
        kept = {str(path): path.read_bytes() for path in files if path.is_file() and path.name not in GIVEN}
        for secret in SECRETS:
            assert secret not in ran.out + ran.err
            assert not [name for name, data in kept.items() if secret.encode() in data]
        return ran


@pytest.fixture
def private(tmp_path: Path, environ: dict[str, str]) -> Iterator[Private]:
    (tmp_path / "project").mkdir()
    channel(tmp_path / "channels/one", package("tinylib", "1.2", "h1_0", subdir=subdir()), forms=(PLAIN, ZST))
    with ChannelServer(tmp_path / "channels") as server:
        yield Private(server, tmp_path / "project", environ)


@pytest.mark.parametrize("how", ["login", "netrc", "token", "variable", "mirror"])
def test_a_private_channel(private: Private, how: str) -> None:
    server = private.server
    url, login = f"{server.url}/one", f"{server.with_login('us3r', 's3cret')}/one"
    if how == "token":
        server.token, url = "tok3n", f"{server.url}/t/tok3n/one"
    else:
        server.login = ("us3r", "s3cret")
        url = {"login": login, "variable": "${CHANNEL}", "mirror": "forge"}.get(how, url)
    home = Path(private.environ["HOME"])
    if how == "netrc":
        (home / ".netrc").write_text("machine 127.0.0.1 login us3r password s3cret\n")
    elif how == "variable":
        private.environ["CHANNEL"] = login
    elif how == "mirror":
        (private.project / "mlpin.toml").write_text(f'indexes.forge = {{ url = "{login}", format = "conda" }}\n')
    ran = private.lock(url, "-v")
    assert ran.code == 0, ran.words
    assert f"{server.url}/one/{subdir()}/tinylib-1.2-h1_0.conda#" in (private.project / "conda.lock").read_text()


def breaks(private: Private) -> str:
    folder = private.server.folder / "one" / subdir()
    (folder / "repodata.json.zst").unlink()  # rattler asks for this one three times
    (folder / "repodata.json").write_text("<html>Sign in</html>")
    return f"{private.server.url}/one"


def asks(private: Private) -> str:
    private.server.login = ("us3r", "s3cret")
    return f"{private.server.with_login('us3r', 's3cretish')}/one"


def wants_token(private: Private) -> str:
    private.server.token = "tok3nish"
    return f"{private.server.url}/t/tok3n/one"


def fails(private: Private) -> str:
    private.server.status = 503
    return f"{private.server.with_login('us3r', 's3cret')}/one"


@pytest.mark.parametrize(
    ("url", "arguments", "code", "words"),
    [
        pytest.param(asks, (), 3, "401", id="wrong-password"),
        pytest.param(wants_token, (), 3, "403", id="wrong-token"),
        pytest.param(fails, (), 3, "503", id="failing"),
        pytest.param(lambda _: "http://us3r:s3cret@127.0.0.1:9/one", (), 3, "refused", id="down"),
        pytest.param(lambda it: f"{it.server.url}/none", (), 2, "and no noarch", id="unknown"),
        pytest.param(lambda it: f"{it.server.url}/t/tok3n/one", ("--offline",), 3, "--offline", id="offline"),
        pytest.param(breaks, (), 3, "read", id="broken"),
    ],
)
def test_what_goes_wrong(
    private: Private, url: Callable[[Private], str], arguments: tuple[str, ...], code: int, words: str
) -> None:
    ran = private.lock(url(private), *arguments)
    assert (ran.code, words in ran.words) == (code, True), ran.words
    assert [path.name for path in private.project.iterdir()] == ["environment.yml"]


def test_an_interrupt_ends_it_at_once(private: Private) -> None:
    private.server.hold.clear()
    url = f"{private.server.with_login('us3r', 's3cret')}/one"
    (private.project / "environment.yml").write_text(f"channels: ['{url}']\ndependencies: [tinylib]\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "mlpin", "lock"],
        cwd=private.project, env=private.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - a shell's job ignores it
    )  # fmt: skip
    assert private.server.reached.wait(20)
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, time.monotonic() - started < 3) == (130, True)
    assert "Traceback" not in err
    assert not any(secret in out + err for secret in SECRETS)
    assert [path.name for path in private.project.iterdir()] == ["environment.yml"]
