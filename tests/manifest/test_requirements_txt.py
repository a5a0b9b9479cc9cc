"""Requirements files, line by line, as pip's documentation has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpin.errors import IndexUnavailable
from mlpin.requirement import PathSource, UrlSource, VcsSource

from .builders import brief, names, reading, refused

SHA = "a" * 64


def test_plain_lines(tmp_path: Path) -> None:
    found = reading(
        tmp_path,
        "# a comment\n\nnumpy>=1.2,<2 ; python_version < '3.9'  # why\n"
        "Torch_Vision[a, B_c]==0.1+cu128\nx ;\ny;python_version>'3'\n",
    )
    assert [brief(one) for one in found.requirements] == [
        'numpy<2,>=1.2 ; python_version < "3.9"',
        "torch-vision[a,b-c]==0.1+cu128",
        "x",
        'y ; python_version > "3"',
    ]
    assert found.requirements[0].origin.place == "requirements.txt:3"
    assert found.requirements[0].origin.text == "numpy>=1.2,<2 ; python_version < '3.9'"


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfnumpy\r\ntorch\r\n",
        "numpy\ntorch\n".encode("utf-16"),
        b"\xff\xfe" + "numpy\ntorch\n".encode("utf-16-le"),
        "numpy\ntorch\n".encode("utf-32"),
        "# -*- coding: latin-1 -*- \xe9\nnumpy\ntorch".encode("latin-1"),
        "# \xe9\nnumpy\rtorch".encode(),
    ],
)
def test_encodings(tmp_path: Path, content: bytes) -> None:
    assert names(reading(tmp_path, content).requirements) == ["numpy", "torch"]


@pytest.mark.parametrize(
    ("content", "place", "word"),
    [
        (b"numpy\n# \xe9\n", "requirements.txt:2", "UTF-8"),
        (b"# coding: klingon\nnumpy\n", "requirements.txt:1", "klingon"),
        (b"numpy\nto\0rch\n", "requirements.txt:2", "NUL"),
        ("numpy\n".encode("utf-16-le"), "requirements.txt:1", "NUL"),
    ],
)
def test_what_is_not_text(tmp_path: Path, content: bytes, place: str, word: str) -> None:
    error = refused(tmp_path, content)
    assert error.where == place
    assert word in error.message


def test_missing_directory_unreadable(tmp_path: Path) -> None:
    (tmp_path / "dir.txt").mkdir()
    assert "directory" in refused(tmp_path, "-r dir.txt", "a.txt").message
    error = refused(tmp_path, "numpy\n-r gone.txt\n")
    assert error.where == "requirements.txt:2"
    assert "gone.txt" in error.message
    assert refused(tmp_path, "-r a\tb").where == "requirements.txt:1"


def test_continued_lines_and_hashes(tmp_path: Path) -> None:
    found = reading(
        tmp_path,
        f"numpy==1.2 \\\n    --hash=sha256:{SHA} \\\n    --hash sha512:{SHA}{SHA}\n    # via torch\n"
        "torch \\\n# ends\nx\n",
    )
    numpy, torch, x = found.requirements
    assert numpy.hashes == (f"sha256:{SHA}", f"sha512:{SHA}{SHA}")
    assert numpy.origin.text == "numpy==1.2"
    assert (numpy.origin.line, torch.origin.line, x.origin.line) == (1, 5, 7)


@pytest.mark.parametrize("value", ["md5:" + "a" * 32, "sha256:abc", "sha256", SHA])
def test_bad_hash(tmp_path: Path, value: str) -> None:
    assert refused(tmp_path, f"\nnumpy --hash={value}").where == "requirements.txt:2"


def test_options(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    found = reading(
        tmp_path,
        "--pre --extra-index-url https://one.example/simple\n-i https://index.example/simple\n"
        "--extra-index-url=https://two.example/simple\n-f wheels\n--find-links https://links.example/\n"
        "--only-binary :all:\n--no-binary=Foo_Bar,baz\n--trusted-host index.example\n--no-index\n"
        "--prefer-binary\n--require-hashes\n--use-feature=fast-deps\n",
    )
    (layer,) = found.layers
    assert layer.index_url is not None
    assert (layer.index_url.url, layer.index_url.default) == ("https://index.example/simple", True)
    assert layer.index_url.origin == "requirements.txt:2"
    assert [one.url for one in layer.extra_indexes or ()] == [
        "https://one.example/simple",
        "https://two.example/simple",
    ]
    assert [(one.url, one.format) for one in layer.find_links or ()] == [
        ((tmp_path / "wheels").as_uri(), "flat"),
        ("https://links.example/", "flat"),
    ]
    assert layer.prerelease == "allow"
    assert (layer.only_binary, layer.no_binary) == ((":all:",), ("foo-bar", "baz"))
    assert (layer.trusted_hosts, layer.no_index) == (("index.example",), True)
    assert [note.origin.line for note in found.notes] == [10, 11, 12]


@pytest.mark.parametrize(
    ("lines", "only", "no"),
    [
        (["--only-binary=a,b", "--no-binary=a"], ("b",), ("a",)),
        (["--only-binary=a", "--only-binary=:none:"], (":none:",), None),
        (["--no-binary=a", "--only-binary=:all:"], (":all:",), (":none:",)),
        (["--only-binary=:all:,:none:,a"], ("a",), None),
    ],
)
def test_formats_exclude_each_other(
    tmp_path: Path, lines: list[str], only: tuple[str, ...] | None, no: tuple[str, ...] | None
) -> None:
    (layer,) = reading(tmp_path, "\n".join(lines)).layers
    assert (layer.only_binary, layer.no_binary) == (only, no)


def test_a_file_without_options_has_no_layer(tmp_path: Path) -> None:
    assert reading(tmp_path, "numpy").layers == ()


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("--upgrade", "--upgrade"),
        ("--index-url", "needs a value"),
        ("--pre=yes", "takes no value"),
        ("-x", "-x"),
        ("--extra-index-url 'https://a", "closing"),
        ("-e", "-e"),
    ],
)
def test_options_that_pip_does_not_have(tmp_path: Path, line: str, word: str) -> None:
    error = refused(tmp_path, f"numpy\n{line}\n")
    assert error.where == "requirements.txt:2"
    assert word in error.message


def test_words_that_pip_drops_are_noted(tmp_path: Path) -> None:
    found = reading(tmp_path, "--pre numpy\nscipy --pre --config-settings a=b\n--hash=sha256:0")
    assert names(found.requirements) == ["scipy"]
    assert [note.origin.line for note in found.notes] == [1, 2, 2, 3]


@pytest.mark.parametrize(
    ("line", "name", "source"),
    [
        (
            "git+https://host.example/a/b.git@v1.0#egg=Foo_Bar",
            "foo-bar",
            ("git", "https://host.example/a/b.git", "v1.0", ""),
        ),
        (
            "-e git+ssh://git@host.example/a/b.git@feature/x",
            "",
            ("git", "ssh://git@host.example/a/b.git", "feature/x", ""),
        ),
        ("git+git@host.example:a/b.git", "", ("git", "ssh://git@host.example/a/b.git", "", "")),
        (
            "x @ git+https://host.example/b@main#subdirectory=py/x",
            "x",
            ("git", "https://host.example/b", "main", "py/x"),
        ),
        ("-e 'x @ git+https://host.example/b'", "x", ("git", "https://host.example/b", "", "")),
        ("hg+https://host.example/b@tip#egg=x", "x", ("hg", "https://host.example/b", "tip", "")),
        ("git+file:///srv/repo.git@abc#egg=x&subdirectory=s", "x", ("git", "file:///srv/repo.git", "abc", "s")),
        ("git://host.example/b.git#egg=x", "x", ("git", "git://host.example/b.git", "", "")),
    ],
)
def test_version_control(tmp_path: Path, line: str, name: str, source: tuple[str, str, str, str]) -> None:
    (found,) = reading(tmp_path, line).requirements
    assert found.name == name
    assert found.source == VcsSource(*source)


def test_urls(tmp_path: Path) -> None:
    found = reading(
        tmp_path,
        "https://host.example/torch-1.8.1%2Bcpu-cp37-cp37m-linux_x86_64.whl ; sys_platform == 'linux'\n"
        f"https://host.example/foo_bar-1.0.tar.gz#sha256={SHA}\n"
        "https://host.example/archive/refs/tags/v1.zip#egg=baz[x]&subdirectory=sub\n"
        "qux[e] @ https://host.example/qux-2-py3-none-any.whl ; python_version > '3'\n",
    )
    assert [brief(one) for one in found.requirements] == [
        'torch ; sys_platform == "linux"',
        "foo-bar",
        "baz[x]",
        'qux[e] ; python_version > "3"',
    ]
    assert found.requirements[1].hashes == (f"sha256:{SHA}",)
    assert found.requirements[1].source == UrlSource("https://host.example/foo_bar-1.0.tar.gz")
    assert found.requirements[2].source == UrlSource("https://host.example/archive/refs/tags/v1.zip", "sub")


def test_paths(tmp_path: Path) -> None:
    found = reading(
        tmp_path,
        "./x\n-e ../y[dev]\nwheels/foo-1.0-py3-none-any.whl\n/abs/z\nfile:///abs/z%20z\n-e .\n"
        "-e ./x ; python_version < '3.9'\nbar-2.0.tar.gz\nq @ file:///abs/q\n-e file:rel#egg=rel\n",
        "sub/r.txt",
    )
    here = tmp_path / "sub"
    assert [(one.name, one.extras, one.marker) for one in found.requirements] == [
        ("", (), ""),
        ("", ("dev",), ""),
        ("foo", (), ""),
        ("", (), ""),
        ("", (), ""),
        ("", (), ""),
        ("", (), 'python_version < "3.9"'),
        ("bar", (), ""),
        ("q", (), ""),
        ("rel", (), ""),
    ]
    assert [one.source for one in found.requirements] == [
        PathSource((here / "x").as_posix()),
        PathSource((tmp_path / "y").as_posix(), editable=True),
        PathSource((here / "wheels/foo-1.0-py3-none-any.whl").as_posix()),
        PathSource("/abs/z"),
        PathSource("/abs/z z"),
        PathSource(here.as_posix(), editable=True),
        PathSource((here / "x").as_posix(), editable=True),
        PathSource((here / "bar-2.0.tar.gz").as_posix()),
        PathSource("/abs/q"),
        PathSource((here / "rel").as_posix(), editable=True),
    ]


def test_a_path_is_looked_for_where_pip_is_run_first(tmp_path: Path) -> None:
    (found,) = reading(tmp_path, "-e .", "requirements/dev.txt", others={"pyproject.toml": ""}).requirements
    assert found.source == PathSource(tmp_path.as_posix(), editable=True)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("https://host.example/a/b.git", "git+https"),
        ("git+https://host.example/a@", "revision"),
        ("git+https:///a", "host"),
        ("ssh://git@host.example/a", "git+ssh"),
        ("ftp://host.example/a-1.zip", "ftp"),
        ("./not-a-wheel.whl", "wheel"),
        ("https://host.example/x.whl", "wheel"),
        ("git+https://host.example/a#egg=b&subdirectory=../c", "leads out"),
        ("file://other.example/x", "host"),
        ("x @ https://host.example/y-1-py3-none-any.whl", "`y`"),
        ("https://host.example/a.zip ; nonsense", "marker"),
        ("numpy=1.0", "numpy=1.0"),
    ],
)
def test_references_that_cannot_be_used(tmp_path: Path, line: str, word: str) -> None:
    error = refused(tmp_path, f"a\nb\n{line}\n")
    assert error.where == "requirements.txt:3"
    assert word in error.message


def test_a_fragment_that_says_nothing_is_noted(tmp_path: Path) -> None:
    found = reading(tmp_path, "git+https://host.example/bitsandbytes.git/#0.45.5")
    assert "0.45.5" in found.notes[0].message
    assert found.notes[0].origin.line == 1


def test_variables(tmp_path: Path) -> None:
    found = reading(
        tmp_path,
        "--index-url https://${USER_1}:${TOKEN}@index.example/simple\nx @ https://u:p@h.example/${VER}.zip\n"
        "y==${VER}\ngit+https://me:hunter2@h.example/r.git\n",
        environ={"USER_1": "me", "TOKEN": "s3cret", "VER": "1.5", "lower": "no"},
    )
    (layer,) = found.layers
    assert layer.index_url is not None
    assert layer.index_url.url == "https://me:s3cret@index.example/simple"
    x, y, vcs = found.requirements
    assert x.source == UrlSource("https://u:p@h.example/1.5.zip")
    assert x.origin.text == "x @ https://****@h.example/${VER}.zip"
    assert (y.specifier, y.origin.text) == ("==1.5", "y==${VER}")
    assert vcs.origin.text == "git+https://****@h.example/r.git"


def test_variables_that_are_not_set_stay(tmp_path: Path) -> None:
    (layer,) = reading(tmp_path, "-i https://${TOKEN}@index.example/${lower}", environ={"TOKEN": ""}).layers
    assert layer.index_url is not None
    assert layer.index_url.url == "https://${TOKEN}@index.example/${lower}"


def test_errors_show_no_value_of_a_variable(tmp_path: Path) -> None:
    error = refused(tmp_path, "numpy=${TOKEN}\n", environ={"TOKEN": "s3cret"})
    assert "s3cret" not in str(error) + str(error.hint)


def test_nested_files(tmp_path: Path) -> None:
    found = reading(
        tmp_path,
        "-r sub/more.txt\n-c pins.txt\nnumpy\n",
        others={
            "sub/more.txt": "-r ../last.txt\ntorch",
            "last.txt": "scipy",
            "pins.txt": "numpy<2\nuvicorn[standard]<1\n",
        },
    )
    assert names(found.requirements) == ["scipy", "torch", "numpy"]
    assert [brief(one) for one in found.constraints] == ["numpy<2", "uvicorn<1"]
    assert found.constraints[0].origin.place == "pins.txt:1"
    assert [path.name for path in found.inputs] == ["requirements.txt", "more.txt", "last.txt", "pins.txt"]
    assert [note.origin.place for note in found.notes] == ["pins.txt:2"]


def test_cycles_and_diamonds(tmp_path: Path) -> None:
    found = reading(
        tmp_path,
        "-r a.txt\n-r b.txt\n-r requirements.txt\n",
        others={"a.txt": "-r c.txt\n", "b.txt": "-r c.txt\n-r a.txt", "c.txt": "numpy\n-r a.txt"},
    )
    assert names(found.requirements) == ["numpy"]
    assert sorted(note.origin.place for note in found.notes) == ["b.txt:1", "b.txt:2", "c.txt:2", "requirements.txt:3"]


def test_many_includes_do_not_multiply(tmp_path: Path) -> None:
    others = {f"{level}.txt": f"-r {level + 1}.txt\n-r {level + 1}.txt\n" for level in range(60)}
    found = reading(tmp_path, "-r 0.txt", others={**others, "60.txt": "numpy"})
    assert names(found.requirements) == ["numpy"]


def test_too_deep(tmp_path: Path) -> None:
    others = {f"{level}.txt": f"-r {level + 1}.txt" for level in range(200)}
    assert "deep" in refused(tmp_path, "-r 0.txt", others=others).message


def test_fetched_files(tmp_path: Path) -> None:
    found = reading(
        tmp_path,
        "-r https://u:p@host.example/reqs/a.txt\n",
        pages={
            "https://u:p@host.example/reqs/a.txt": "torch\n-c b.txt\n",
            "https://u:p@host.example/reqs/b.txt": "x<1",
        },
    )
    assert found.requirements[0].origin.place == "https://****@host.example/reqs/a.txt:1"
    assert [brief(one) for one in found.constraints] == ["x<1"]


def test_a_file_that_cannot_be_fetched(tmp_path: Path) -> None:
    with pytest.raises(IndexUnavailable) as caught:
        reading(tmp_path, "numpy\n-r https://host.example/a.txt\n")
    assert "requirements.txt:2" in caught.value.notes[0]


def test_a_fetched_file_names_no_local_one(tmp_path: Path) -> None:
    error = refused(
        tmp_path, "-r https://host.example/a.txt\n", pages={"https://host.example/a.txt": "-r file:///etc/passwd"}
    )
    assert error.where == "https://host.example/a.txt:1"


@pytest.mark.parametrize("line", ["-e ./x", "./x", "git+https://host.example/x"])
def test_constraints_need_names(tmp_path: Path, line: str) -> None:
    assert refused(tmp_path, "-c c.txt", others={"c.txt": f"\n{line}"}).where == "c.txt:2"
