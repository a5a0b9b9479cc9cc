"""`mlpin export`: which lock, where to, and locks that are not as they should be."""

from __future__ import annotations

import sys

import pytest

from tests.projects import Project

LOCK = 'lock-version = "1.0"\ncreated-by = "another"\n'
PACKAGE = LOCK + '[[packages]]\nname = "lib"\nversion = "1.0"\nindex = "https://user:secret@index.example/simple/"\n'
WHEEL = '[[packages.wheels]]\nurl = "https://files.example/{file}"\nhashes = {{ sha256 = "{digest}" }}\n'
LIB = PACKAGE + WHEEL.format(file="lib-1.0-py3-none-any.whl", digest="ab" * 32)


def test_the_lock_in_question(project: Project) -> None:
    assert "there is no lock here" in project.run("export").words
    for name in ("pylock.train.toml", "pylock.serve.toml"):
        project.write(name, LIB)
    ran = project.run("export")
    assert (ran.code, "one of: --target serve, --target train" in ran.words) == (2, True)
    ran = project.run("export", "--target", "test")
    assert (ran.code, "there is no pylock.test.toml" in ran.words) == (2, True)
    chosen = project.run("export", "--target", "train")
    assert "Made by `mlpin export` from pylock.train.toml." in chosen.out
    assert project.run("export", "pylock.train.toml").out == chosen.out
    assert project.run("export", "pylock.train.toml", "--target", "serve").code == 2
    assert project.run("export", "nothing").code == 2


def test_no_credential_comes_out(project: Project) -> None:
    project.write("pylock.toml", LIB)
    for kind in ("requirements", "uv", "sbom", "pip-constraints"):
        ran = project.run("export", "--format", kind)
        assert ran.code == 0, ran.words
        assert "secret" not in ran.out + ran.err
    assert "--index-url https://index.example/simple\n" in project.run("export").out


def test_the_file_is_written_whole_or_not_at_all(project: Project) -> None:
    project.write("pylock.toml", LIB)
    assert project.run("export", "-o", "out/requirements.txt").out == ""
    assert (project.root / "out/requirements.txt").read_text() == project.run("export").out
    ran = project.run("export", "-o", "pylock.toml")
    assert (ran.code, "is the lock itself" in ran.words) == (2, True)
    assert project.text == LIB
    project.write("file", "")
    assert project.run("export", "-o", "file/requirements.txt").code == 2
    assert project.run("export", "--format", "uv", "--no-hashes").code == 2


def test_a_lock_that_was_edited_by_hand(project: Project) -> None:
    project.write("pylock.toml", LIB.replace("another", "mlpin"))
    ran = project.run("export")
    assert (ran.code, "pylock.toml was edited by hand" in " ".join(ran.err.split())) == (0, True)
    assert "lib==1.0" in ran.out


def test_extras_and_groups_of_a_lock(project: Project) -> None:
    """Those of PEP 751: what an installer leaves out unless told otherwise is left out, and said."""
    groups = LOCK + 'extras = ["x"]\ndependency-groups = ["default", "dev"]\ndefault-groups = ["default"]\n'
    markers = {
        "always": "",
        "default": "'default' in dependency_groups",
        "dev": "'dev' in dependency_groups",
        "extra": "('x' in extras)",
        "both": "'default' in dependency_groups and sys_platform == 'win32'",
    }
    for name, marker in markers.items():
        groups += f'[[packages]]\nname = "{name}"\nversion = "1.0"\nmarker = "{marker}"\n'.replace('marker = ""\n', "")
        groups += WHEEL.format(file=f"{name}-1.0-py3-none-any.whl", digest="ab" * 32)
    project.write("pylock.toml", groups)
    ran = project.run("export", "--format", "pip-constraints")
    assert [line for line in ran.out.splitlines() if "==1.0" in line] == [
        "always==1.0",
        "both==1.0 ; python_version >= '0' and sys_platform == 'win32'",
        "default==1.0",
    ]
    assert "left out, as only an extra or a group of pylock.toml has them: dev, extra" in ran.words


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[project]\nname = 'x'\n",
        "packages = 3\nlock-version = '1.0'\ncreated-by = 'x'\n",
        LIB.replace("1.0", "9.9", 1),
        LIB.replace('"1.0"\nindex', '"1.0\\n--index-url evil"\nindex'),
        LIB.replace('"lib"', '"lib\\n--index-url evil"'),
        LIB.replace("files.example", "files.example\\n--index-url"),
        LIB.replace("abab", "--index-url", 1),
        LIB.replace("index.example", "index.example\\n--pre"),
        LIB.replace('"lib"', '"lib"\nmarker = "os_name == \'a\\n--pre\'"'),
        LIB + '[packages.tool.mlpin]\nextras = ["a] --pre"]\n',
        LIB.replace("lib-1.0-py3-none-any.whl", "lib.whl"),
        LIB.replace("ab" * 32, ""),
        LIB + "\udcff",
        LIB.replace("lib", "l\x00b"),
    ],
)
def test_what_is_no_lock_is_refused(project: Project, text: str) -> None:
    (project.root / "pylock.toml").write_bytes(text.encode(errors="surrogateescape"))
    ran = project.run("export")
    assert (ran.code, ran.out) == (2, "")
    assert "error: pylock.toml" in ran.words


def test_a_line_cannot_say_more_than_it_is(project: Project) -> None:
    """What pip would expand or split is escaped in a URL, and refused in a path."""
    far = LIB.replace('index = "https://user:secret@index.example/simple/"\n', "")
    project.write("pylock.toml", far.replace("files.example/", "files.example/${TOKEN} --pre/"))
    assert "lib @ https://files.example/$%7BTOKEN%7D%20--pre/lib-1.0-py3-none-any.whl \\\n" in project.run("export").out
    project.write("pylock.toml", far.replace('url = "https://files.example/', 'path = "a --pre/'))
    ran = project.run("export")
    assert (ran.code, "cannot stand in a requirements file" in ran.words) == (2, True)


def test_comments_stay_comments(project: Project) -> None:
    project.write("pylock.toml", LIB + '[tool.mlpin]\nrequirements = ["lib  # a\\n--pre"]\n')
    assert "\n--pre" not in project.run("export").out


def test_without_the_library_for_sboms(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cyclonedx.model.bom", None)
    project.write("pylock.toml", LIB)
    ran = project.run("export", "--format", "sbom")
    assert (ran.code, "pip install 'mlpin[sbom]'" in ran.words) == (2, True)


def test_a_url_that_cannot_be_exported_whole_is_named(project: Project) -> None:
    project.write("pylock.toml", LIB.replace("none-any.whl", "none-any.whl?token=s3cret"))
    ran = project.run("export")
    assert "a URL of lib has a secret in it, which is left out" in ran.words
    assert "s3cret" not in ran.out + ran.err
