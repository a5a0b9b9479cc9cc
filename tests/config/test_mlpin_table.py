"""The [tool.mlpin] table and the MLPIN_* variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpin.errors import InputError
from mlpin.fields import Fields
from mlpin.requirement import Declared, Origin
from mlpin.settings import IndexPin, IndexSetting, Settings, SuppliedMetadata, TargetSettings, merged
from mlpin.settings_files import mlpin_environ, mlpin_table, uv_environ

from .reading import context, own, said, wrong


def test_every_simple_key(tmp_path: Path) -> None:
    found = own(
        """
        python = ["3.11", "3.12.4", "3.11"]
        platform = "linux-x86_64"
        glibc = "2.31"
        extras = ["Train_X"]
        all-extras = false
        groups = ["Dev"]
        default-groups = []
        index-url = "https://mirror.example/simple"
        extra-index-urls = ["https://extra.example/simple"]
        find-links = ["wheels", "https://links.example/page.html"]
        no-index = false
        index-strategy = "unsafe-best-match"
        exclude = ["Open_CV"]
        exclude-newer = "7 days"
        exclude-newer-package = { Torch = "2026-11-01", numpy = false }
        prerelease = "disallow"
        resolution = "lowest-direct"
        only-binary = ["Torch", "numpy"]
        no-binary = ":all:"
        offline = true
        cache-dir = "../cache"
        no-cache = false
        timeout = 2.5
        retries = 0
        cert = "~/corp.pem"
        client-cert = "/etc/me.pem"
        proxy = "http://proxy.example:8080"
        trusted-hosts = ["index.example:8443"]
        keyring = true
        """,
        tmp_path,
        {"HOME": "/home/me"},
    )
    wheels = (tmp_path / "wheels").as_uri()
    assert found.layer == "[tool.mlpin] of pyproject.toml"
    assert found.default_groups == ()
    assert said(found) == {
        "python": ("3.11", "3.12.4"),
        "platform": "linux-x86_64",
        "glibc": "2.31",
        "extras": ("train-x",),
        "all_extras": False,
        "groups": ("dev",),
        "index_url": IndexSetting("https://mirror.example/simple", default=True, origin="pyproject.toml"),
        "extra_indexes": (IndexSetting("https://extra.example/simple", origin="pyproject.toml"),),
        "find_links": (
            IndexSetting(wheels, format="flat", origin="pyproject.toml"),
            IndexSetting("https://links.example/page.html", format="flat", origin="pyproject.toml"),
        ),
        "no_index": False,
        "index_strategy": "unsafe-best-match",
        "exclude": ("open-cv",),
        "exclude_newer": "7 days",
        "exclude_newer_package": {"torch": "2026-11-01", "numpy": "false"},
        "prerelease": "disallow",
        "resolution": "lowest-direct",
        "only_binary": ("torch", "numpy"),
        "no_binary": (":all:",),
        "offline": True,
        "cache_dir": str(tmp_path.parent / "cache"),
        "no_cache": False,
        "timeout": 2.5,
        "retries": 0,
        "cert": "/home/me/corp.pem",
        "client_cert": "/etc/me.pem",
        "proxy": "http://proxy.example:8080",
        "trusted_hosts": ("index.example:8443",),
        "keyring": True,
    }


def test_short_forms(tmp_path: Path) -> None:
    found = own(
        'python = "3.11"\npre = true\nno-binary = true\nonly-binary = false\nexclude-newer = 2026-11-01', tmp_path
    )
    assert found.python == ("3.11",)
    assert (found.prerelease, found.no_binary, found.only_binary) == ("allow", (":all:",), (":none:",))
    assert found.exclude_newer == "2026-11-01"
    assert said(own("pre = false", tmp_path)) == {}


def test_at_the_top_of_a_file(tmp_path: Path) -> None:
    found = mlpin_table(Fields({"offline": True}, "mlpin.toml"), base=tmp_path, context=context(tmp_path))
    assert found == Settings(layer="mlpin.toml", offline=True)


def test_constraints_and_overrides(tmp_path: Path) -> None:
    (tmp_path / "pins.txt").write_text(
        "--extra-index-url https://pins.example/simple\nscipy<1.15  # why\nTorch==2.8.0\n"
    )
    (tmp_path / "more.in").write_text("attrs>=24\n")
    lines: dict[tuple[str | int, ...], int] = {
        ("tool", "mlpin", "constraints", 0): 7,
        ("tool", "mlpin", "overrides", 0): 9,
    }
    data = {
        "constraints": ["Numpy[x] <2.3; python_version < '3.13'", "-c pins.txt"],
        "overrides": ["protobuf>=5", "more.in"],
        "extra-index-urls": ["https://extra.example/simple"],
    }
    found = mlpin_table(
        Fields(data, "pyproject.toml", ("tool", "mlpin")),
        base=tmp_path,
        context=context(tmp_path),
        lines=lambda path: lines[tuple(path)],
    )
    assert found.constraints == (
        Declared(
            "numpy",
            Origin("config", "pyproject.toml", 7, "Numpy[x] <2.3; python_version < '3.13'"),
            specifier="<2.3",
            marker='python_version < "3.13"',
        ),
        Declared("scipy", Origin("manifest", "pins.txt", 2, "scipy<1.15"), specifier="<1.15"),
        Declared("torch", Origin("manifest", "pins.txt", 3, "Torch==2.8.0"), specifier="==2.8.0"),
    )
    assert [(one.name, one.origin.place) for one in found.overrides or ()] == [
        ("protobuf", "pyproject.toml:9"),
        ("attrs", "more.in:1"),
    ]
    # what a constraints file says of indexes holds too
    assert [index.url for index in found.extra_indexes or ()] == [
        "https://extra.example/simple",
        "https://pins.example/simple",
    ]
    assert found.layer == "[tool.mlpin] of pyproject.toml"


def test_named_indexes_and_pins(tmp_path: Path) -> None:
    found = own(
        """
        extra-index-urls = ["https://extra.example/simple"]
        [indexes]
        pytorch = { url = "https://torch.example/whl/cu128" }
        ours = { url = "https://ours.example/simple", explicit = false }
        local = { url = "wheels", format = "flat" }
        main = { url = "https://main.example/simple", default = true }
        [packages]
        Torch = { index = "pytorch" }
        our_lib = [{ index = "ours", marker = "sys_platform == 'linux'" }, { index = "local" }]
        """,
        tmp_path,
    )
    at = "pyproject.toml"
    assert found.index_url == IndexSetting("https://main.example/simple", "main", default=True, origin=at)
    assert found.extra_indexes == (
        IndexSetting("https://torch.example/whl/cu128", "pytorch", explicit=True, origin=at),
        IndexSetting("https://ours.example/simple", "ours", origin=at),
        IndexSetting((tmp_path / "wheels").as_uri(), "local", explicit=True, format="flat", origin=at),
        IndexSetting("https://extra.example/simple", origin=at),
    )
    assert found.pins == {
        "torch": (IndexPin("pytorch"),),
        "our-lib": (IndexPin("ours", 'sys_platform == "linux"'), IndexPin("local")),
    }


def test_an_empty_list_cuts_off_lower_layers_beside_named_indexes_too(tmp_path: Path) -> None:
    found = own('extra-index-urls = []\n[indexes]\nours = "https://ours.example/simple"', tmp_path)
    below = Settings(extra_indexes=(IndexSetting("https://pip.example/simple"),))
    assert [index.name for index in merged([found, below]).extra_indexes or ()] == ["ours"]
    assert merged([own("extra-index-urls = []", tmp_path), below]).extra_indexes == ()


def test_supplied_metadata(tmp_path: Path) -> None:
    found = own(
        """
        [metadata."Flash_Attn == 2.8.03"]
        requires-dist = ["torch", "einops>=0.7"]
        requires-python = ">= 3.9"
        provides-extra = ["Test"]
        [metadata.apex]
        """,
        tmp_path,
    )
    assert found.metadata == (
        SuppliedMetadata("flash-attn", "2.8.3", ("torch", "einops>=0.7"), ">=3.9", ("test",)),
        SuppliedMetadata("apex", ""),
    )


def test_targets(tmp_path: Path) -> None:
    found = own(
        """
        [targets.train]
        python = ["3.11", "3.12"]
        platform = "linux-x86_64"
        glibc = "2.31"
        extras = ["train"]
        groups = []
        [targets.laptop]
        platform = "macos-14-arm64"
        """,
        tmp_path,
    )
    assert found.targets == {
        "train": TargetSettings("train", ("3.11", "3.12"), "linux-x86_64", "2.31", ("train",), ()),
        "laptop": TargetSettings("laptop", platform="macos-14-arm64"),
    }


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("pyton = '3.11'", "`tool.mlpin.pyton` is not a key that mlpin knows", "did you mean `python`?"),
        ("python = 3.11", "`tool.mlpin.python` must be a string or a list of strings, not a number", None),
        (
            "python = '3.11.x'",
            "`tool.mlpin.python`: `3.11.x` is not a Python version that mlpin can lock for",
            "written like 3.11 or 3.11.4",
        ),
        (
            "python = []",
            "`tool.mlpin.python` is an empty list",
            "leave the key out, or name a version like 3.11",
        ),
        ("glibc = 'new'", "`tool.mlpin.glibc`: `new` is not a version of glibc", "written like 2.28"),
        (
            "platform = 'windows-amd64'\nglibc = '2.28'",
            "`tool.mlpin.glibc`: `glibc` is set, but `windows-amd64` has no glibc",
            "leave it out for this target",
        ),
        ("extras = 'train'", "`tool.mlpin.extras` must be a list of strings, not a string", None),
        ("groups = ['a b']", "`tool.mlpin.groups` holds `a b`, which is not a name", None),
        ("index-url = ''", "`tool.mlpin.index-url` is empty", None),
        (
            "index-url = 'ftp://me:s3cret@index.example/'",
            "`tool.mlpin.index-url` holds `ftp://****@index.example/`, which is neither ",
            None,
        ),
        (
            "extra-index-urls = ['https://me:s3cret@/simple']",
            "`tool.mlpin.extra-index-urls` holds `https://****@/simple`, which is not a URL",
            None,
        ),
        (
            "index-strategy = 'first-match'",
            "`tool.mlpin.index-strategy` cannot be `first-match`",
            "one of: first-index, unsafe-first-match, unsafe-best-match",
        ),
        (
            "constraints = ['numpy=2']",
            "`tool.mlpin.constraints`: `numpy=2` is not a requirement: ",
            "`=` is how conda writes it; in a Python requirement it is `==`",
        ),
        (
            "constraints = ['-c pins.txt']",
            "`tool.mlpin.constraints` names `pins.txt`, and there is no such file",
            None,
        ),
        (
            "exclude-newer = '1 month'",
            "`tool.mlpin.exclude-newer`: `1 month` counts in months, which differ in length",
            "write 30 days",
        ),
        (
            "exclude-newer-package = { torch = 'soon' }",
            "`tool.mlpin.exclude-newer-package.torch`: `soon` is not a moment or a span of time",
            "a timestamp like 2026-11-01T12:00:00Z, a date like 2026-11-01, or a span like 7 days",
        ),
        ("pre = true\nprerelease = 'disallow'", "`tool.mlpin.pre` contradicts `prerelease`", "leave one of them out"),
        (
            "resolution = 'newest'",
            "`tool.mlpin.resolution` cannot be `newest`",
            "one of: highest, lowest, lowest-direct",
        ),
        ("timeout = 0", "`tool.mlpin.timeout` must be a number of seconds above 0", None),
        ("timeout = true", "`tool.mlpin.timeout` must be a number", None),
        ("retries = 1.5", "`tool.mlpin.retries` must be a whole number, 0 or more", None),
        ("retries = nan", "`tool.mlpin.retries` must be a whole number, 0 or more", None),
        ("cache-dir = ''", "`tool.mlpin.cache-dir` is empty", None),
        (
            "trusted-hosts = ['https://me:s3cret@index.example']",
            "`tool.mlpin.trusted-hosts` holds `https://****@index.example`, which is not a host or host:port",
            None,
        ),
        (
            "[rules.torch-x]\noff = true",
            "`tool.mlpin.rules.torch-x.reason` is missing: a rule is switched off for a reason, which the lock records",
            None,
        ),
        ("driver = 'new'", "`tool.mlpin.driver`: `new` is not a version of NVIDIA's driver", None),
        ("cuda = 'twelve'", "`tool.mlpin.cuda`: `twelve` is not a range of CUDA versions", None),
        ("gpus = ['A100', ' ']", "`tool.mlpin.gpus` holds an empty name", None),
        ("prefer = 'pip'", "`tool.mlpin.prefer` cannot be `pip`", "one of: conda, pypi"),
        (
            "channel-priority = 'true'",
            "`tool.mlpin.channel-priority` cannot be `true`",
            "one of: strict, flexible, disabled",
        ),
        (
            "channels = ['two words']",
            "`tool.mlpin.channels` holds `two words`, which is not a channel",
            "a name, a URL, or a path like ./channel",
        ),
        (
            "channels = ['s3://me:s3cret@conda.example']",
            "`tool.mlpin.channels` holds `s3://****@conda.example`, which is neither ",
            None,
        ),
        (
            "virtual-packages = { cuda = '12.4' }",
            "`tool.mlpin.virtual-packages` holds `cuda`, which is not the name of a virtual package",
            "did you mean `__cuda`?",
        ),
        (
            "virtual-packages = { __cuda = 'new' }",
            "`tool.mlpin.virtual-packages` holds `new` for `__cuda`, which is not a version",
            None,
        ),
        (
            "virtual-packages = { __cuda = 12.4 }",
            "`tool.mlpin.virtual-packages.__cuda` must be a string, not a number",
            None,
        ),
        (
            "channels = ['a']\n[conda]\nchannels = ['b']",
            "`tool.mlpin.conda.channels` stands above this table too",
            "leave one of them out",
        ),
        ("[conda]\ndependency = ['a']", "`tool.mlpin.conda.dependency` is not a key that mlpin knows", None),
        ("[targets.a]\nchannels = 1", "`tool.mlpin.targets.a.channels` must be a string or a list of strings, ", None),
        (
            "[indexes]\nours = { url = 'https://ours.example', formt = 'flat' }",
            "`tool.mlpin.indexes.ours.formt` is not a key that mlpin knows",
            "did you mean `format`?",
        ),
        ("[indexes]\nours = {}", "`tool.mlpin.indexes.ours` has no `url`", None),
        (
            "[indexes]\nours = { url = 'https://c.example', format = 'conda', default = true }",
            "`tool.mlpin.indexes.ours.default` cannot be true for a conda channel",
            "list it first in `channels`",
        ),
        (
            "[indexes]\nours = { url = 'https://c.example', format = 'conda' }\n[packages]\nlib = { index = 'ours' }",
            "`tool.mlpin.packages.lib.index` names `ours`, which is a conda channel",
            None,
        ),
        (
            "index-url = 'https://a.example'\n[indexes]\nours = { url = 'https://b.example', default = true }",
            "`tool.mlpin.indexes.ours.default` contradicts `index-url`, which is the default index too",
            None,
        ),
        (
            "[indexes]\nours = 'https://ours.example'\n[packages]\nlib = { index = 'our' }",
            "`tool.mlpin.packages.lib.index` names `our`, which no table of indexes here has",
            "indexes here: ours",
        ),
        ("[packages]\nlib = {}", "`tool.mlpin.packages.lib` has no `index`", None),
        ("[packages]\nlib = { prefer = 'both' }", "`tool.mlpin.packages.lib.prefer` cannot be `both`", None),
        ("[packages]\nlib = [{ prefer = 'conda' }]", "`tool.mlpin.packages.lib[0].prefer` is not a key that ", None),
        (
            "[metadata.'apex==new']",
            "`tool.mlpin.metadata.apex==new` holds `new`, which is not a version (PEP 440)",
            None,
        ),
        (
            "[metadata.apex]\nrequires-dist = ['torch==']",
            "`tool.mlpin.metadata.apex.requires-dist`: `torch==` is not a requirement: ",
            None,
        ),
        (
            "[targets.'Train.GPU']",
            "`tool.mlpin.targets.Train.GPU` cannot be a target: PEP 751 allows no dot in the name of a lock's target",
            "call it `train-gpu`",
        ),
        (
            "[targets.Train]",
            "`tool.mlpin.targets.Train` cannot be a target: the name of a target has small letters, ",
            "call it `train`",
        ),
        (
            "[targets.train]\naccelerator = 'tpu'",
            "`tool.mlpin.targets.train.accelerator` cannot be `tpu`",
            "one of: cuda, rocm, cpu, metal",
        ),
        (
            "[targets.train]\nplatform = 'linux'\npython = '2.7'",
            "`tool.mlpin.targets.train.python`: `2.7` is not a Python version that mlpin can lock for",
            None,
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str, hint: str | None) -> None:
    found, way_out = wrong(text, tmp_path)
    assert found.startswith(message) if message.endswith(" ") else found == message
    if hint:
        assert way_out == hint


def test_conda(tmp_path: Path) -> None:
    found = own(
        """
        channel-priority = "flexible"
        channel-alias = "https://conda.example/"
        virtual-packages = { __cuda = "12.4", __archspec = "1=x86_64_v3", __glibc = "" }
        prefer = "conda"
        [indexes]
        ours = { url = "https://me:s3cret@conda.example/ours", format = "conda" }
        torch = "https://torch.example/whl"
        [packages]
        Numpy = { prefer = "pypi" }
        torch = { prefer = "pypi", index = "torch", marker = "sys_platform == 'linux'" }
        [conda]
        channels = ["ours", "conda-forge/label/dev/", "./local", "~/mine", "file:///srv/c", "nodefaults", "ours"]
        dependencies = ["numpy >=2"]
        groups = { dev = ["gdb"] }
        [targets.train]
        channels = "pytorch"
        virtual-packages = { __cuda = "11.8" }
        """,
        tmp_path,
        {"HOME": "/home/me"},
    )
    local = (tmp_path / "local").as_posix()
    assert found.channels == ("ours", "conda-forge/label/dev", local, "/home/me/mine", "/srv/c")
    assert (found.channel_priority, found.channel_alias, found.prefer) == ("flexible", "https://conda.example", "conda")
    assert found.virtual_packages == (("__cuda", "12.4"), ("__archspec", "1=x86_64_v3"), ("__glibc", ""))
    assert found.prefers == {"numpy": "pypi", "torch": "pypi"}
    assert found.pins == {"torch": (IndexPin("torch", 'sys_platform == "linux"'),)}
    at = "pyproject.toml"
    assert found.extra_indexes == (
        IndexSetting("https://me:s3cret@conda.example/ours", "ours", explicit=True, format="conda", origin=at),
        IndexSetting("https://torch.example/whl", "torch", explicit=True, origin=at),
    )
    assert found.targets == {
        "train": TargetSettings("train", channels=("pytorch",), virtual_packages=(("__cuda", "11.8"),))
    }
    below = Settings(channels=("defaults",))
    assert merged([own("channels = []", tmp_path), below]).channels == ()
    assert merged([own("[conda]\nchannel-priority = 'strict'", tmp_path), below]).channels == ("defaults",)


def test_hardware_rules_and_families(tmp_path: Path) -> None:
    found = own(
        """
        driver = "550.54.14"
        gpus = ["RTX 4090", "sm_90"]
        cuda = "12"
        matrix = "ours.toml"
        [indexes]
        pytorch = "https://mirror.example/whl"
        [rules.a-b]
        off = true
        reason = "we build it ourselves"
        [targets.train]
        accelerator = "cuda"
        cuda = ">=12.1,<12.7"
        """,
        tmp_path,
    )
    assert (found.driver, found.gpus, found.cuda) == ("550.54.14", ("RTX 4090", "sm_90"), "==12.*")
    assert found.matrix == (str(tmp_path / "ours.toml"),)
    assert found.families == {"pytorch": "https://mirror.example/whl"}
    assert found.rules_off == {"a-b": "we build it ourselves"}
    assert found.targets is not None
    assert found.targets["train"].accelerator == "cuda"
    assert found.targets["train"].cuda == "<12.7,>=12.1"


def test_an_error_in_a_constraints_file_names_that_file(tmp_path: Path) -> None:
    (tmp_path / "pins.txt").write_text("numpy\n\nscipy==\n")
    with pytest.raises(InputError) as caught:
        own("constraints = ['pins.txt']", tmp_path)
    assert caught.value.where == "pins.txt:3"


# MLPIN_*


def test_variables_of_mlpin(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("numpy<2\n")
    environ = {
        "MLPIN_INDEX_URL": "https://mirror.example/simple",
        "MLPIN_EXTRA_INDEX_URL": "https://a.example/simple  https://b.example/simple",
        "MLPIN_FIND_LINKS": "wheels",
        "MLPIN_NO_INDEX": "off",
        "MLPIN_PYTHON": "3.11 3.12",
        "MLPIN_PLATFORM": "linux-aarch64",
        "MLPIN_GLIBC": "2.31",
        "MLPIN_CONSTRAINT": "c.txt",
        "MLPIN_EXCLUDE_NEWER": "P7D",
        "MLPIN_PRE": "yes",
        "MLPIN_ONLY_BINARY": "Torch,numpy",
        "MLPIN_OFFLINE": "1",
        "MLPIN_CACHE_DIR": "cache",
        "MLPIN_NO_CACHE": "",
        "MLPIN_TIMEOUT": "3",
        "MLPIN_RETRIES": "2",
        "MLPIN_CHANNELS": "ours ./local",
        "MLPIN_CHANNEL_PRIORITY": "flexible",
        "MLPIN_CHANNEL_ALIAS": "https://conda.example/",
        "MLPIN_VIRTUAL_PACKAGES": "__cuda=12.4 __archspec=1=skylake",
        "MLPIN_PREFER": "conda",
        "MLPIN_SOMETHING": "else",
        "PATH": "/bin",
    }
    found = mlpin_environ(environ, base=tmp_path)
    assert said(found) == {
        "index_url": IndexSetting("https://mirror.example/simple", default=True, origin="MLPIN_INDEX_URL"),
        "extra_indexes": (
            IndexSetting("https://a.example/simple", origin="MLPIN_EXTRA_INDEX_URL"),
            IndexSetting("https://b.example/simple", origin="MLPIN_EXTRA_INDEX_URL"),
        ),
        "find_links": (IndexSetting((tmp_path / "wheels").as_uri(), format="flat", origin="MLPIN_FIND_LINKS"),),
        "no_index": False,
        "python": ("3.11", "3.12"),
        "platform": "linux-aarch64",
        "glibc": "2.31",
        "constraints": (Declared("numpy", Origin("manifest", "c.txt", 1, "numpy<2"), specifier="<2"),),
        "exclude_newer": "P7D",
        "prerelease": "allow",
        "only_binary": ("torch", "numpy"),
        "offline": True,
        "cache_dir": str(tmp_path / "cache"),
        "timeout": 3.0,
        "retries": 2,
        "channels": ("ours", (tmp_path / "local").as_posix()),
        "channel_priority": "flexible",
        "channel_alias": "https://conda.example",
        "virtual_packages": (("__cuda", "12.4"), ("__archspec", "1=skylake")),
        "prefer": "conda",
    }


def test_no_variables_say_nothing(tmp_path: Path) -> None:
    assert said(mlpin_environ({"MLPIN_INDEX_URL": "", "MLPIN_EXTRA_INDEX_URL": " "}, base=tmp_path)) == {}
    assert said(uv_environ({}, base=tmp_path)) == {}
    assert said(uv_environ({"UV_INDEX": "", "UV_EXCLUDE_NEWER": "", "UV_PYTHON": "3.12"}, base=tmp_path)) == {}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("MLPIN_TIMEOUT", "soon", "`MLPIN_TIMEOUT` must be a number, not `soon`"),
        ("MLPIN_OFFLINE", "perhaps", "`MLPIN_OFFLINE` must be true or false, not `perhaps`"),
        ("MLPIN_PRERELEASE", "all", "`MLPIN_PRERELEASE` cannot be `all`"),
        ("MLPIN_PYTHON", "3", "`MLPIN_PYTHON`: `3` is not a Python version that mlpin can lock for"),
        ("MLPIN_CONSTRAINT", "none.txt", "`MLPIN_CONSTRAINT` names `none.txt`, and there is no such file"),
        ("MLPIN_INDEX_URL", "s3://me:s3cret@x/", "`MLPIN_INDEX_URL` holds `s3://****@x/`, which is neither "),
    ],
)
def test_a_wrong_variable_is_named(tmp_path: Path, name: str, value: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        mlpin_environ({name: value}, base=tmp_path)
    assert caught.value.message.startswith(message)
    assert caught.value.where == "environment"
