"""pip's variables and files, put together as pip does it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpin.errors import InputError
from mlpin.requirement import Declared, Origin
from mlpin.settings import IndexSetting, Settings
from mlpin.settings_files import pip_layers

from .reading import context, said


class PipHome:
    """A machine with pip's files on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environ = {"HOME": str(root / "home"), "VIRTUAL_ENV": str(root / "venv")}

    def write(self, name: str, text: str) -> Path:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def layers(self, platform: str = "linux", **variables: str) -> list[Settings]:
        return pip_layers(
            {**self.environ, **variables}, context=context(self.root), platform=platform, etc=self.root / "etc"
        )

    def read(self, **variables: str) -> Settings:
        (layer,) = self.layers(**variables)
        return layer


@pytest.fixture
def pip(tmp_path: Path) -> PipHome:
    return PipHome(tmp_path)


def test_nothing_of_pip(pip: PipHome) -> None:
    assert pip.layers() == []
    assert pip.layers(PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_INDEX_URL="", PIP_CACHE_DIR="/x") == []


def test_a_file_of_pip(pip: PipHome) -> None:
    pip.write("pins.txt", "numpy<2\n")
    pip.write(
        "home/.config/pip/pip.conf",
        """\
# a comment
[global]
index-url = https://mirror.example/100%/simple
extra_index_url =
    https://a.example/simple

    https://b.example/simple
--find-links: wheels ~/more
no-index: off
TRUSTED-HOST = a.example
    b.example:8443
cert = ~/corp.pem
client-cert = me.pem
proxy = http://proxy.example:8080
timeout = 20
retries = 3
constraint = pins.txt
keyring-provider = subprocess
cache-dir = /pip/cache
require-hashes = true
prefer-binary = true
[install]
pre = yes
only-binary = Torch,numpy
no-binary = :none:
[freeze]
timeout = 99
""",
    )
    home, file = pip.root / "home", "home/.config/pip/pip.conf"
    found = pip.read()
    assert found.layer == file
    assert said(found) == {
        "index_url": IndexSetting("https://mirror.example/100%/simple", default=True, origin=f"{file} (index-url)"),
        "extra_indexes": (
            IndexSetting("https://a.example/simple", origin=f"{file} (extra-index-url)"),
            IndexSetting("https://b.example/simple", origin=f"{file} (extra-index-url)"),
        ),
        "find_links": (
            IndexSetting((pip.root / "wheels").as_uri(), format="flat", origin=f"{file} (find-links)"),
            IndexSetting((home / "more").as_uri(), format="flat", origin=f"{file} (find-links)"),
        ),
        "no_index": False,
        "trusted_hosts": ("a.example", "b.example:8443"),
        "cert": str(home / "corp.pem"),
        "client_cert": str(pip.root / "me.pem"),
        "proxy": "http://proxy.example:8080",
        "timeout": 20.0,
        "retries": 3,
        "constraints": (Declared("numpy", Origin("manifest", "pins.txt", 1, "numpy<2"), specifier="<2"),),
        "keyring": True,
        "prerelease": "allow",
        "only_binary": ("torch", "numpy"),
        "no_binary": (":none:",),
    }


def test_the_order_of_pips_files(pip: PipHome) -> None:
    pip.write("etc/xdg/pip/pip.conf", "[global]\ntimeout = 1\nretries = 1\n")
    assert pip.read().timeout == 1
    pip.write("etc/pip.conf", "[global]\ntimeout = 2\n")
    assert pip.read().timeout == 2
    pip.write("home/.pip/pip.conf", "[global]\ntimeout = 3\n")
    assert pip.read().timeout == 3
    pip.write("home/.config/pip/pip.conf", "[global]\ntimeout = 4\n")
    assert pip.read().timeout == 4
    pip.write("venv/pip.conf", "[global]\ntimeout = 5\n")
    assert pip.read().timeout == 5
    pip.write("named.conf", "[global]\ntimeout = 6\n")
    assert pip.read(PIP_CONFIG_FILE="named.conf").timeout == 6
    assert pip.read(PIP_CONFIG_FILE="named.conf", PIP_DEFAULT_TIMEOUT="7").timeout == 7
    found = pip.read(PIP_DEFAULT_TIMEOUT="7")
    assert (found.timeout, found.retries) == (7, 1)
    assert found.layer == "etc/xdg/pip/pip.conf, environment"


def test_a_named_file_leaves_the_users_out(pip: PipHome) -> None:
    pip.write("home/.config/pip/pip.conf", "[global]\nretries = 4\n")
    pip.write("named.conf", "[global]\ntimeout = 6\n")
    assert pip.read(PIP_CONFIG_FILE="named.conf").retries is None
    assert pip.read(PIP_CONFIG_FILE="missing.conf").retries == 4
    assert pip.layers(PIP_CONFIG_FILE="/dev/null") == []
    assert pip.read(PIP_CONFIG_FILE="/dev/null", PIP_RETRIES="1").retries == 1


def test_sections_go_before_files(pip: PipHome) -> None:
    pip.write("etc/pip.conf", "[install]\nextra-index-url = https://a.example\n")
    pip.write("venv/pip.conf", "[global]\nextra-index-url = https://b.example\n")
    assert [index.url for index in pip.read().extra_indexes or ()] == ["https://a.example"]
    # a variable replaces the list; an empty one says nothing
    assert [index.url for index in pip.read(PIP_EXTRA_INDEX_URL="https://c.example").extra_indexes or ()] == [
        "https://c.example"
    ]
    assert [index.url for index in pip.read(PIP_EXTRA_INDEX_URL="").extra_indexes or ()] == ["https://a.example"]


def test_pips_places_on_other_systems(pip: PipHome) -> None:
    pip.write("home/Library/Application Support/pip/pip.conf", "[global]\ntimeout = 1\n")
    pip.write("home/.config/pip/pip.conf", "[global]\ntimeout = 2\n")
    pip.write("roaming/pip/pip.ini", "[global]\ntimeout = 3\n")
    assert [layer.timeout for layer in pip.layers("darwin")] == [1]
    assert [layer.timeout for layer in pip.layers("win32", APPDATA=str(pip.root / "roaming"))] == [3]
    assert [layer.timeout for layer in pip.layers("linux")] == [2]


@pytest.mark.parametrize(
    ("variables", "field", "value"),
    [
        ({"PIP_PRE": "1"}, "prerelease", "allow"),
        ({"PIP_PRE": "0"}, "prerelease", None),
        ({"PIP_ALL_RELEASES": ":all:"}, "prerelease", "allow"),
        ({"PIP_ONLY_FINAL": ":all:"}, "prerelease", "disallow"),
        ({"PIP_NO_INDEX": "true"}, "no_index", True),
        ({"PIP_KEYRING_PROVIDER": "auto"}, "keyring", None),
        ({"PIP_KEYRING_PROVIDER": "disabled"}, "keyring", False),
        ({"PIP_UPLOADED_PRIOR_TO": "P3D"}, "exclude_newer", "P3D"),
        ({"PIP_UPLOADED_PRIOR_TO": "2026-11-01"}, "exclude_newer", "2026-11-01T00:00:00Z"),
        ({"PIP_UPLOADED_PRIOR_TO": "2026-11-01T12:00:00+01:00"}, "exclude_newer", "2026-11-01T12:00:00+01:00"),
    ],
)
def test_variables_of_pip(pip: PipHome, variables: dict[str, str], field: str, value: object) -> None:
    assert getattr(pip.read(**variables), field) == value


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("[global]\ntimeout = 5\npassword s3cret\n", "etc/pip.conf:3", "is neither a [section] nor `key = value`"),
        ("index-url = s3cret\n", "etc/pip.conf:1", "stands before any [section]"),
        ("[global]\ntimeout = 5\n[global]\n", "etc/pip.conf:3", "has the section [global] twice"),
        ("[global]\nindex-url = a\nindex_url = s3cret\n", "etc/pip.conf:3", "has `index-url` twice in [global]"),
        ("[global]\nno-index = maybe\n", "etc/pip.conf", "`no-index` must be true or false, not `maybe`"),
        ("[global]\nretries = many\n", "etc/pip.conf", "`retries` must be a number, not `many`"),
        (
            "[global]\nconstraint = none.txt\n",
            "etc/pip.conf",
            "`constraint` names `none.txt`, and there is no such file",
        ),
    ],
)
def test_a_broken_file_of_pip(pip: PipHome, text: str, where: str, message: str) -> None:
    pip.write("etc/pip.conf", text)
    with pytest.raises(InputError) as caught:
        pip.layers()
    assert (caught.value.where, caught.value.message) == (where, message)
    assert "s3cret" not in str(caught.value)


def test_a_wrong_variable_of_pip_is_named(pip: PipHome) -> None:
    with pytest.raises(InputError) as caught:
        pip.layers(PIP_DEFAULT_TIMEOUT="soon")
    assert str(caught.value) == "environment: `PIP_DEFAULT_TIMEOUT` must be a number, not `soon`"


def test_a_constraints_file_at_a_url(pip: PipHome) -> None:
    url = "https://index.example/pins.txt"
    (found,) = pip_layers(
        {"PIP_CONSTRAINT": url}, context=context(pip.root, pages={url: "numpy<2\n"}), etc=pip.root / "etc"
    )
    assert found.constraints == (Declared("numpy", Origin("manifest", url, 1, "numpy<2"), specifier="<2"),)
