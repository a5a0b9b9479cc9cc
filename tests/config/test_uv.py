"""uv's table, variables and files."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpin.errors import InputError
from mlpin.requirement import Declared, Origin
from mlpin.settings import IndexSetting, Settings, SuppliedMetadata
from mlpin.settings_files import uv_environ, uv_files, uv_project_files, uv_user_files, with_index_credentials

from .reading import context, said, uv, wrong


def test_a_table_of_uv(tmp_path: Path) -> None:
    found = uv(
        """
        default-groups = ["dev"]
        cache-dir = "/uv/cache"
        environments = ["sys_platform == 'linux'"]
        something-new = { a = 1 }
        index-url = "https://old.example/simple"
        extra-index-url = ["https://extra.example/simple"]
        find-links = ["wheels"]
        no-index = false
        index-strategy = "unsafe-first-match"
        constraint-dependencies = ["numpy<2.3"]
        override-dependencies = ["protobuf[x]>=5"]
        exclude-dependencies = ["Open_CV"]
        prerelease = "allow"
        resolution = "lowest"
        exclude-newer = "2026-11-01T00:00:00Z"
        exclude-newer-package = { torch = false, numpy = "3 days" }
        no-build = true
        no-binary = false
        no-binary-package = ["mpi4py"]
        offline = true
        no-cache = true
        allow-insecure-host = ["index.example"]
        keyring-provider = "subprocess"
        native-tls = true
        [[index]]
        name = "torch"
        url = "https://torch.example/whl"
        explicit = true
        authenticate = "always"
        [[index]]
        url = "flat"
        format = "flat"
        [[index]]
        name = "main"
        url = "https://main.example/simple"
        default = true
        [[dependency-metadata]]
        name = "Flash_Attn"
        version = "2.8.3"
        requires-dist = ["torch"]
        [pip]
        index-url = "https://other.example/simple"
        [workspace]
        members = ["a"]
        """,
        tmp_path,
    )
    at = "pyproject.toml"
    assert found.layer == "[tool.uv] of pyproject.toml"
    assert said(found) == {
        "index_url": IndexSetting("https://main.example/simple", "main", default=True, origin=at),
        "extra_indexes": (
            IndexSetting("https://torch.example/whl", "torch", explicit=True, origin=at),
            IndexSetting((tmp_path / "flat").as_uri(), format="flat", origin=at),
            IndexSetting("https://extra.example/simple", origin=at),
        ),
        "find_links": (IndexSetting((tmp_path / "wheels").as_uri(), format="flat", origin=at),),
        "no_index": False,
        "index_strategy": "unsafe-first-match",
        "constraints": (Declared("numpy", Origin("config", at, 0, "numpy<2.3"), specifier="<2.3"),),
        "overrides": (Declared("protobuf", Origin("config", at, 0, "protobuf[x]>=5"), ("x",), ">=5"),),
        "exclude": ("open-cv",),
        "prerelease": "allow",
        "resolution": "lowest",
        "exclude_newer": "2026-11-01T00:00:00Z",
        "exclude_newer_package": {"torch": "false", "numpy": "3 days"},
        "only_binary": (":all:",),
        "no_binary": ("mpi4py",),
        "offline": True,
        "no_cache": True,
        "trusted_hosts": ("index.example",),
        "keyring": True,
        "metadata": (SuppliedMetadata("flash-attn", "2.8.3", ("torch",)),),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[index]]\nname = 'a'", "`tool.uv.index[0].url` is missing"),
        (
            "[[index]]\nname = 'a'\nurl = 'https://a.example'\n[[index]]\nname = 'a'\nurl = 'https://b.example'",
            "`tool.uv.index[1].name` is `a`, as that of another index",
        ),
        (
            "[[index]]\ndefault = true\nurl = 'https://a.example'\n[[index]]\ndefault = true\nurl = 'https://b.example'",
            "`tool.uv.index[1].default` is true of another index too",
        ),
        ("index = 'https://a.example'", "`tool.uv.index` must be a list, not a string"),
        ("keyring-provider = 'import'", "`tool.uv.keyring-provider` cannot be `import`"),
        ("no-build = 'yes'", "`tool.uv.no-build` must be true or false, not a string"),
        ("constraint-dependencies = ['x =1']", "`tool.uv.constraint-dependencies`: `x =1` is not a requirement: "),
    ],
)
def test_what_is_wrong_in_a_table_of_uv(tmp_path: Path, text: str, message: str) -> None:
    found, _ = wrong(text, tmp_path, uv)
    assert found.startswith(message)


def test_variables_of_uv(tmp_path: Path) -> None:
    (tmp_path / "o.txt").write_text("protobuf>=5\n")
    (tmp_path / "x.txt").write_text("opencv-python\n")
    found = uv_environ(
        {
            "UV_DEFAULT_INDEX": "main=https://main.example/simple",
            "UV_INDEX_URL": "https://old.example/simple",
            "UV_INDEX": "corp=https://corp.example/simple?a=b https://b.example/simple?c=d",
            "UV_EXTRA_INDEX_URL": "https://extra.example/simple",
            "UV_FIND_LINKS": "/srv/my wheels,https://links.example/",
            "UV_OVERRIDE": "o.txt",
            "UV_EXCLUDE": "x.txt",
            "UV_NO_BUILD": "true",
            "UV_NO_BINARY_PACKAGE": "mpi4py lxml",
            "UV_INSECURE_HOST": "a.example b.example",
            "UV_REQUEST_TIMEOUT": "7",
            "UV_KEYRING_PROVIDER": "disabled",
            "UV_SYSTEM_CERTS": "true",
            "UV_CACHE_DIR": "/uv",
        },
        base=tmp_path,
    )
    assert said(found) == {
        "index_url": IndexSetting("https://main.example/simple", "main", default=True, origin="UV_DEFAULT_INDEX"),
        "extra_indexes": (
            IndexSetting("https://corp.example/simple?a=b", "corp", origin="UV_INDEX"),
            IndexSetting("https://b.example/simple?c=d", origin="UV_INDEX"),
            IndexSetting("https://extra.example/simple", origin="UV_EXTRA_INDEX_URL"),
        ),
        "find_links": (
            IndexSetting("file:///srv/my%20wheels", format="flat", origin="UV_FIND_LINKS"),
            IndexSetting("https://links.example/", format="flat", origin="UV_FIND_LINKS"),
        ),
        "overrides": (Declared("protobuf", Origin("manifest", "o.txt", 1, "protobuf>=5"), specifier=">=5"),),
        "exclude": ("opencv-python",),
        "only_binary": (":all:",),
        "no_binary": ("mpi4py", "lxml"),
        "trusted_hosts": ("a.example", "b.example"),
        "timeout": 7.0,
        "keyring": False,
    }


def test_credentials_of_named_indexes() -> None:
    settings = Settings(
        index_url=IndexSetting("https://main.example/simple"),
        extra_indexes=(
            IndexSetting("https://old:one@corp.example/simple", "our-corp.1"),
            IndexSetting("https://two.example/simple", "two"),
            IndexSetting("https://three.example/simple", "three"),
        ),
    )
    environ = {
        "UV_INDEX_OUR_CORP_1_USERNAME": "me",
        "UV_INDEX_OUR_CORP_1_PASSWORD": "p@ss",
        "UV_INDEX_TWO_PASSWORD": "token",
        "UV_INDEX_THREE_USERNAME": "uv",
        "MLPIN_INDEX_THREE_USERNAME": "own",
    }
    found = with_index_credentials(settings, environ)
    assert found.index_url == settings.index_url
    assert [index.url for index in found.extra_indexes or ()] == [
        "https://me:p%40ss@corp.example/simple",
        "https://:token@two.example/simple",
        "https://own@three.example/simple",
    ]
    assert with_index_credentials(Settings(), environ) == Settings()


def test_files_of_uv(tmp_path: Path) -> None:
    project, home, etc = tmp_path / "project", tmp_path / "home", tmp_path / "etc"
    for file, text in {
        project / "uv.toml": "offline = true\nconstraint-dependencies = [\n  'numpy<2',\n]\nfind-links = ['w']",
        home / ".config/uv/uv.toml": "prerelease = 'allow'",
        etc / "uv/uv.toml": "resolution = 'lowest'",
    }.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    environ = {"HOME": str(home)}
    here = context(project)
    (nearest,) = uv_project_files(project, environ, here)
    assert nearest.layer == "uv.toml"
    assert nearest.constraints == (Declared("numpy", Origin("config", "uv.toml", 3, "numpy<2"), specifier="<2"),)
    assert [index.url for index in nearest.find_links or ()] == [(project / "w").as_uri()]
    user, system = uv_user_files(environ, here, etc=etc, windows=False)
    assert (user.prerelease, system.resolution) == ("allow", "lowest")
    assert user.layer == "../home/.config/uv/uv.toml"
    assert [layer.offline for layer in uv_files(project, {"XDG_CONFIG_DIRS": str(tmp_path)}, here)][:1] == [True]

    named = {**environ, "UV_CONFIG_FILE": "../home/.config/uv/uv.toml"}
    assert [layer.prerelease for layer in uv_project_files(project, named, here)] == ["allow"]
    assert uv_user_files(named, here, etc=etc, windows=False) == []
    off = {**environ, "UV_NO_CONFIG": "1"}
    assert [*uv_project_files(project, off, here), *uv_user_files(off, here, etc=etc, windows=False)] == []
    with pytest.raises(InputError, match="there is no such file"):
        uv_project_files(project, {"UV_CONFIG_FILE": "none.toml"}, here)


def test_a_broken_file_of_uv_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "uv.toml").write_text("offline = true\nresolution = 'newest'\n")
    with pytest.raises(InputError) as caught:
        uv_files(tmp_path, {}, context(tmp_path))
    assert str(caught.value) == "uv.toml:2: `resolution` cannot be `newest`"
    (tmp_path / "uv.toml").write_text("offline = \n")
    with pytest.raises(InputError, match=r"uv\.toml:1: is not valid TOML"):
        uv_files(tmp_path, {}, context(tmp_path))
