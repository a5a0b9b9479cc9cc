"""What an environment says of its distributions: origin, installer, files; real and broken metadata."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from mlpin.errors import InputError
from mlpin.stack import distributions
from mlpin.stack.distributions import Direct, Recorded

from .test_installed import info, made, packages_of, posix

__all__ = ["made"]

SHA = "a" * 64


def one(folder: Path, name: str = "lib", version: str = "1.0", **files: str | bytes) -> distributions.Distribution:
    """The only distribution of a folder, with these files in its .dist-info."""
    info(folder, name, version)
    for file, content in files.items():
        path = folder / f"{name}-{version}.dist-info" / file.replace("__", ".")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (found,) = distributions.read(folder, "env").packages
    return found


def test_a_distribution_in_detail(made: Path) -> None:
    folder = packages_of(made)
    found = one(folder, "Lib_X", "1.0+CU124", WHEEL="Wheel-Version: 1.0\nTag: cp311-abi3-any\r\nTag: py3-none-any\n")
    assert found[:2] == ("lib-x", "1.0+CU124")
    assert (found.folder, found.info) == (folder, folder / "Lib_X-1.0+CU124.dist-info")
    assert (found.installer, found.direct, found.tags) == ("pip", None, ("cp311-abi3-any", "py3-none-any"))
    assert (found.prefix, found.system, found.record()) == (made, False, None)
    assert distributions.read(made, "env").packages == (found,)


@pytest.mark.parametrize(
    ("stated", "direct"),
    [
        (
            {"url": "https://me:secret@git.example/lib", "vcs_info": {"vcs": "git", "commit_id": "ABCDEF0123"}},
            Direct("https://git.example/lib", "abcdef0123"),
        ),
        (
            {"url": "https://files.example/l.whl?token=secret", "archive_info": {"hash": f"sha256={SHA}"}},
            Direct("https://files.example/l.whl?token=****", hash=f"sha256={SHA}"),
        ),
        (
            {"url": "file:///l.whl", "archive_info": {"hashes": {"md5": "x", "sha256": SHA.upper()}}},
            Direct("file:///l.whl", hash=f"sha256={SHA}"),
        ),
        ({"url": "file:///l.whl", "archive_info": {"hashes": {"md5": "x"}}}, Direct("file:///l.whl", hash="md5=x")),
        (
            {"url": "file:///src", "dir_info": {"editable": True}, "subdirectory": "py"},
            Direct("file:///src", editable=True, subdirectory="py", directory=True),
        ),
        ({"url": "file:///src", "dir_info": {}}, Direct("file:///src", directory=True)),
        ({"url": "u", "vcs_info": [], "archive_info": {"hash": 7, "hashes": [1]}, "subdirectory": {}}, Direct("u")),
        ({"url": "u", "vcs_info": {"commit_id": "--upload-pack"}}, Direct("u")),
        ({"url": "me:secret@host/x"}, Direct("host/x")),
        ({"url": 1}, None),
        ([], None),
        ("[" * 100_000, None),
        ("{", None),
    ],
)
def test_where_it_came_from(tmp_path: Path, stated: Any, direct: Direct | None) -> None:
    text = stated if isinstance(stated, str) else json.dumps(stated)
    assert one(tmp_path, direct_url__json=text).direct == direct


def test_the_lines_of_record(tmp_path: Path) -> None:
    lines = (
        b'lib.py,sha256=abc,10\r\n"odd, name.py",sha256=abc,10\nlib/./../x\\y.py,,\n\n../../../bin/lib,sha256=a=b,\n'
        b"/abs/olute,,7\nbad\0path,,\nsize.py,,many\nbytes\xff.py,,99999999999999999999\nshort\nlong,,1,2,3\n"
    )
    assert one(tmp_path, RECORD=lines).record() == (
        Recorded("lib.py", "sha256=abc", 10),
        Recorded("odd, name.py", "sha256=abc", 10),
        Recorded("x/y.py", "", None),
        Recorded("../../../bin/lib", "sha256=a=b", None),
        Recorded("/abs/olute", "", 7),
        Recorded("size.py", "", None),
        Recorded("bytes\N{REPLACEMENT CHARACTER}.py", "", None),
        Recorded("short", "", None),
        Recorded("long", "", 1),
    )


@pytest.mark.parametrize(
    ("installer", "lines", "fault"),
    [
        ("pip", b"lib-1.0.dist-info/METADATA,,\r\nlib-1.0.dist-info/RECORD,,\r\n", ""),
        ("uv", b"lib-1.0.dist-info/METADATA,,\nlib-1.0.dist-info/RECORD,,\nlib.p", "not whole"),
        ("uv", b"lib-1.0.dist-info/METADATA,,\n", "not whole"),
        ("pip", b"\xff\0" * 99, "not whole"),
        ("pip", b"", "not whole"),
        ("pip", None, "gone"),
        ("conda", b"", ""),
        ("Poetry 1.8", None, ""),
    ],
)
def test_a_record_that_its_installer_did_not_write(
    tmp_path: Path, installer: str, lines: bytes | None, fault: str
) -> None:
    stated = {"INSTALLER": installer} | ({} if lines is None else {"RECORD": lines})
    assert one(tmp_path, **stated).broken_record() == fault


def test_what_tools_need_and_what_that_needs(tmp_path: Path) -> None:
    needs = {
        "mlpin": ["a>=1", 'b[x] >=1; extra == "sbom"'],
        "a": ["A", "C.c"],
        "b": ['d; extra == "x"', 'e; extra == "y"', "f ; os_name == 'nt'"],
        "setuptools": ['g; extra == "test"'],
        "h": ["i"],
    }
    for name in (*needs, *["c-c", "d", "e", "f", "g", "i"]):
        lines = [f"Requires-Dist: {line}" for line in needs.get(name, [])]
        text = "\r\n".join([f"Name: {name}", "Version: 1", *lines, "", "Requires-Dist: i", ""])
        info(tmp_path, name, "1", metadata=text)
    found = distributions.read(tmp_path, "env").packages
    assert {one.name for one in found if not one.tool} == {"e", "g", "h", "i"}


@pytest.mark.parametrize("lines", [b"", b'"' + b"x" * 300_000, b'a,,1\n"open\nb,,2\n', b"\xff\xfe\x00"])
def test_a_record_that_is_no_table(tmp_path: Path, lines: bytes) -> None:
    found = one(tmp_path, RECORD=lines).record()
    assert found is not None
    assert len(found) <= 2


def test_what_was_linked_for_development(tmp_path: Path) -> None:
    source, folder = tmp_path / "src dir", tmp_path / "site-packages"
    folder.mkdir()
    for name, where in (
        ("My-Lib", f"{source}\n../"),
        ("gone", "/nowhere\n."),
        ("local", "src\n"),
        ("nul", "/\0\n"),
        ("long", "/" + "x" * 999),
    ):
        (folder / f"{name}.egg-link").write_text(where)
    (folder / "empty.egg-link").write_text("")
    for name in ("My_Lib", "Another"):
        (source / f"{name}.egg-info").mkdir(parents=True)
        (source / f"{name}.egg-info" / "PKG-INFO").write_text(f"Name: {name}\nVersion: 3\n")
    found = distributions.read(folder, "env")
    (linked,) = found.packages
    assert (linked.name, linked.version, linked.folder, linked.record()) == ("my-lib", "3", folder, None)
    assert linked.direct == Direct(source.as_uri(), editable=True, directory=True)
    assert {text for text, _, _ in found.skipped} == {
        f"{name}.egg-link" for name in ("gone", "local", "nul", "long", "empty")
    }


@posix
def test_every_folder_counts_and_who_owns_it(tmp_path: Path, made: Path) -> None:
    """Two versions in one folder are both there; what the system lends is marked."""
    minor = packages_of(made).parent.name
    for version in ("1.0", "2.0"):
        info(packages_of(made), "lib", version)
    info(tmp_path / "base" / "lib" / minor / "site-packages", "lib", "0.5")
    info(tmp_path / "base" / "lib" / "python3" / "dist-packages", "dbus", "1.0", installer="debian")
    settings = made / "pyvenv.cfg"
    settings.write_text(f"home = {tmp_path / 'base' / 'bin'}\ninclude-system-site-packages = true\n")
    found = distributions.read(made, "env").packages
    assert [(one.name, one.version, one.system) for one in found] == [
        ("lib", "1.0", False),
        ("lib", "2.0", False),
        ("lib", "0.5", True),
        ("dbus", "1.0", True),
    ]
    assert [one.system for one in distributions.read(tmp_path / "base", "base").packages] == [False, True]


@posix
def test_files_that_are_none(tmp_path: Path) -> None:
    """A pipe would wait for ever, a directory cannot be read."""
    info(tmp_path, "lib", "1.0")
    info(tmp_path, "bad", "1.0")
    for name in ("RECORD", "WHEEL", "direct_url.json"):
        os.mkfifo(tmp_path / "lib-1.0.dist-info" / name)
    (tmp_path / "lib-1.0.dist-info" / "INSTALLER").unlink()
    (tmp_path / "lib-1.0.dist-info" / "INSTALLER").mkdir()
    (tmp_path / "bad-1.0.dist-info" / "METADATA").unlink()
    os.mkfifo(tmp_path / "bad-1.0.dist-info" / "METADATA")
    (tmp_path / "loop-1.0.dist-info").symlink_to("loop-1.0.dist-info")
    (tmp_path / "pyvenv.cfg").write_text(f"include-system-site-packages = true\nhome = /{'x' * 999}\0")
    found = distributions.read(tmp_path, "env")
    (lib,) = found.packages
    assert (lib.name, lib.installer, lib.direct, lib.tags, lib.record()) == ("lib", "", None, (), None)
    assert [text for text, _, _ in found.skipped] == ["bad-1.0.dist-info", "loop-1.0.dist-info"]


@posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root reads everything")
def test_an_environment_that_may_not_be_read(made: Path) -> None:
    folder = packages_of(made)
    folder.chmod(0)
    try:
        with pytest.raises(InputError, match="cannot be read"):
            distributions.read(made, "env")
    finally:
        folder.chmod(stat.S_IRWXU)
