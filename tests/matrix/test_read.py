"""Rule files as people write them: every mistake is told, with its place, all at once."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from mlpin.matrix.read import Mistake, Source, read, read_files
from mlpin.matrix.tables import Gpu

ORIGIN = 'source = "somebody"\nevidence = "reported"\ndate = 2026-11-21\n'


def rule(**changes: str) -> str:
    """A rule that is right, but for `changes`: what stands behind each `=`, empty for nothing at all."""
    lines = {
        "id": '"a-b"',
        "package": '"a"',
        "with": '"b"',
        "fails": '">=2"',
        "severity": '"declared"',
        "source": '"somebody"',
        "evidence": '"reported"',
        "date": "2026-11-21",
    } | {key.replace("_", "-"): value for key, value in changes.items()}
    return "[[rule]]\n" + "".join(f"{key} = {value}\n" for key, value in lines.items() if value)


def wrong(text: str) -> list[str]:
    """The mistakes of a file, as they are shown."""
    return [str(mistake) for mistake in read(text, "ours.toml")[1]]


def test_a_rule_as_it_is_written() -> None:
    found, mistakes = read(rule(versions='"<3"', line='"cu12*"', wheels_only="true", python='">=3.12"'), "ours.toml")
    assert not mistakes
    assert [(one.id, one.package, one.other, one.verb, one.table) for one in found.rules] == [
        ("a-b", "a", "b", "fails", (("<3", ">=2"),))
    ]
    made = found.rules[0]
    assert (made.line, made.wheels_only, made.python, made.source, made.date) == (
        ("cu12*",), True, ">=3.12", ("somebody",), "2026-11-21",
    )  # fmt: skip


def test_with_a_list_there_is_a_rule_for_each() -> None:
    found, mistakes = read(rule(**{"with": '["b", "c"]'}), "ours.toml")
    assert not mistakes
    assert [(one.id, one.other) for one in found.rules] == [("a-b", "b"), ("a-b", "c")]


def test_rows_and_the_words_that_stand_for_ranges() -> None:
    def table(needs: str) -> tuple[tuple[str, str], ...]:
        found, mistakes = read(rule(fails="", needs=needs), "ours.toml")
        assert not mistakes
        return found.rules[0].table

    assert table('[["==1.*", ">=2"], ["==2.*", ""]]') == (("==1.*", ">=2"), ("==2.*", ""))
    assert table('"same"') == (("", "same"),)
    assert table('"label"') == (("", "label"),)


def test_kernels_go_without_with() -> None:
    text = rule(**{"with": ""}, fails="", kernels='["sm_80", "sm_90a", "sm_100f", "sm_120+PTX", "compute_90"]')
    found, mistakes = read(text, "ours.toml")
    assert not mistakes
    assert (found.rules[0].verb, found.rules[0].other, len(found.rules[0].kernels)) == ("kernels", "", 5)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"source": ""}, "`source` is missing"),
        ({"source": '"  "'}, "`source` is missing"),
        ({"source": "[]"}, "`source` is missing"),
        ({"date": ""}, "`date` must be a day"),
        ({"date": '"yesterday"'}, "`date` must be a day"),
        ({"date": "2026-11-21T10:00:00"}, "`date` must be a day"),
        ({"date": "20261121"}, "`date` must be a string"),
        ({"evidence": ""}, "`evidence` must be one of metadata, documented, reported"),
        ({"evidence": '"hearsay"'}, "`evidence` must be one of"),
        ({"severity": ""}, "`severity` must be one of broken, declared, untested"),
        ({"severity": '"broken"'}, "`symptom` is missing"),
        ({"severity": '"bad"'}, "`severity` must be one of"),
        ({"needs": '">=1"'}, "exactly one of `needs`, `fails` and `kernels`"),
        ({"fails": ""}, "exactly one of `needs`, `fails` and `kernels`"),
        ({"id": ""}, "`id` must be lower case"),
        ({"id": '"A b"'}, "`id` must be lower case"),
        ({"package": ""}, "`package` must be a normalised name"),
        ({"package": '"Flash_Attn"'}, "`package` must be a normalised name"),
        ({"with": ""}, "`with` is missing"),
        ({"with": '"Flash_Attn"'}, "`with` must be a normalised name"),
        ({"with": '"a"'}, "`with` must be a normalised name other than the package's"),
        ({"with": '["b", 3]'}, "`with` must be a string or a list of strings"),
        ({"fails": '"2.0"'}, "`fails` `2.0` is not a version specifier"),
        ({"fails": '"same"'}, "`fails` `same` is not a version specifier"),
        ({"fails": '"=>2"'}, "is not a version specifier"),
        ({"fails": "2"}, "`fails` must be a range, or a list of [versions, range]"),
        ({"fails": '[["<1"]]'}, "`fails` must be a range, or a list of [versions, range]"),
        ({"fails": '[["<1", 2]]'}, "`fails` must be a range, or a list of [versions, range]"),
        ({"fails": '[["<1", "x"]]'}, "the range `x` is not"),
        ({"fails": '[["x", "<1"]]'}, "the versions `x` is not"),
        ({"versions": '"<3"', "fails": '[["<1", "<2"]]'}, "`versions` stands in the rows of `fails`"),
        ({"versions": '"three"'}, "`versions` `three` is not a version specifier"),
        ({"python": '"3.12"'}, "`python` `3.12` is not a version specifier"),
        ({"platforms": '["linux"]'}, "`linux` is no platform like linux-x86_64"),
        ({"platforms": '["manylinux-x86_64"]'}, "is no platform"),
        ({"accelerator": '"nvidia"'}, "`accelerator` must be one of"),
        ({"wheels_only": '"yes"'}, "`wheels-only` must be true or false"),
        ({"steer": "1"}, "`steer` must be true or false"),
        ({"symptom": "1"}, "`symptom` must be a string"),
        ({"fails": "", "kernels": '["sm_90"]'}, "`kernels` is about GPUs: it goes without `with`"),
        ({"fails": "", "with": "", "kernels": '["9.0"]'}, "`9.0` is no GPU architecture"),
        ({"fails": "", "with": "", "kernels": '["sm_9"]'}, "`sm_9` is no GPU architecture"),
        ({"fails": "", "with": "", "kernels": '["sm_90b"]'}, "`sm_90b` is no GPU architecture"),
        ({"fails": "", "with": "", "kernels": "90"}, "`kernels` must be a string or a list"),
        ({"serverity": '"broken"'}, "unknown key `serverity`; did you mean `severity`?"),
        ({"platform": '"linux-*"'}, "unknown key `platform`; did you mean `platforms`?"),
        ({"zzz": "1"}, "unknown key `zzz`"),
    ],
)  # fmt: skip
def test_mistakes_in_a_rule(changes: dict[str, str], what: str) -> None:
    shown = wrong("# a remark\n\n" + rule(**changes))
    assert any(what in one for one in shown), shown
    assert all(one.startswith("ours.toml:3: rule") for one in shown)
    assert not read(rule(**changes), "ours.toml")[0].rules


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('[[gpu]]\nnames = ["X"]\ncapability = "8.9"\ngfx = "gfx90a"\n', "`capability` must be like 8.9, or `gfx`"),
        ('[[gpu]]\nnames = ["X"]\n', "`capability` must be like 8.9"),
        ('[[gpu]]\nnames = ["X"]\ncapability = "sm_89"\n', "`capability` must be like 8.9"),
        ('[[gpu]]\ncapability = "8.9"\n', "`names` is missing"),
        ('[[line]]\nlabel = "cu1"\naccelerator = "cuda"\npath = "p"\nfamily = "f"\n', "`cuda` belongs to lines of CUDA"),
        ('[[line]]\nlabel = "c"\naccelerator = "cpu"\ncuda = "12.4"\npath = "p"\nfamily = "f"\n', "and to no others"),
        ('[[line]]\nlabel = "c"\naccelerator = "tpu"\n', "`accelerator` must be one of cuda, rocm, cpu, xpu"),
        ('[[line]]\nlabel = "c"\naccelerator = "cpu"\nversions = "new"\n', "`versions` `new` is not"),
        ('[[default]]\npackage = "a"\nline = "cpu"\nversion = "<2"\n', "unknown key `version`; did you mean `versions`?"),
        ('[[abi]]\npackage = "a"\ncxx11 = "TRUE"\n', "`cxx11` must be true or false"),
        ('[[alias]]\nconda = [1]\npackage = "a"\n', "`conda` must be a string or a list of strings"),
        ("[[toolkit]]\ncuda = 12\n", "`cuda` must be a string"),
        ('[[family]]\nname = "f"\npackages = "a"\nurl = "https://x"\n', "unknown key `url`"),
        ('[[wheels]]\npackage = "a"\nversion = "1"\nurl = "http://x"\n', "`url` must be https"),
        ('[[wheels]]\npackage = "a"\nurl = "https://x"\nfiles = ["a.tar.gz"]\n', "`a.tar.gz` is no wheel's file name"),
        ('[[wheels]]\npackage = "a"\nurl = "https://x"\nfiles = ["b/a.whl"]\n', "`b/a.whl` is no wheel's file name"),
        ('[[wheels]]\npackage = "a"\nurl = "https://x"\nsha256 = { "a.whl" = "abc" }\n', "`sha256` must be a table"),
        ('[[wheels]]\npackage = "a"\nurl = "https://x"\nsha256 = "abc"\n', "`sha256` must be a table"),
        ('[[metadata]]\npackage = "a"\nrequires = "torch"\nversions = "1"\n', "`versions` `1` is not"),
        ('[[metadata]]\npackage = "a"\nrequires = 3\n', "`requires` must be a string or a list"),
    ],
)  # fmt: skip
def test_mistakes_in_tables(text: str, what: str) -> None:
    shown = wrong("\n" + text + ORIGIN)
    assert any(what in one for one in shown), shown
    assert all(one.startswith("ours.toml:2: ") for one in shown)


@pytest.mark.parametrize(
    "table", ["gpu", "line", "default", "abi", "alias", "toolkit", "arch", "family", "wheels", "metadata"]
)
def test_no_table_goes_without_source_evidence_and_date(table: str) -> None:
    shown = " ".join(wrong(f"[[{table}]]\n"))
    assert "`source` is missing" in shown
    assert "`evidence` must be one of" in shown
    assert "`date` must be a day" in shown


def test_every_mistake_is_told_at_once_each_at_its_line() -> None:
    text = "\n".join(
        [
            rule(source="", fails='"x"'),  # 1
            rule(id='"fine"'),  # 9
            rule(id='"c"', date=""),  # 18
            '[[gpu]]\nnames = ["X"]\n' + ORIGIN,  # 26
        ]
    )
    places = [(mistake.line, mistake.what.split("`")[0]) for mistake in read(text, "ours.toml")[1]]
    starts = [number for number, line in enumerate(text.splitlines(), 1) if line.startswith("[[")]
    assert [line for line, _ in places] == [starts[0], starts[0], starts[2], starts[3]]
    assert [one.id for one in read(text, "ours.toml")[0].rules] == ["fine"]


def test_what_is_right_in_a_file_with_mistakes_is_still_there() -> None:
    found, mistakes = read(rule() + '[[gpu]]\nnames = ["A", "B"]\ncapability = "8.9"\n' + ORIGIN + "[[gpu]]\n", "o")
    assert mistakes
    assert found.gpus == (Gpu("A", "8.9"), Gpu("B", "8.9"))


def test_a_file_that_is_no_toml_is_told_with_its_line() -> None:
    assert read('[[rule]]\nid = "a\n', "ours.toml")[1][0].line == 2
    assert "is not TOML" in wrong("= 3")[0]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[rule]\nid = 'a'\n", "`rule` must be written as [[rule]]"),
        ("rule = [3]\n", "`rule` must be written as [[rule]]"),
        ("gpu = 'RTX 4090'\n", "`gpu` must be written as [[gpu]]"),
        ("[[rules]]\nid = 'a'\n", "unknown table `rules`"),
        ("version = 2\n", "unknown table `version`"),
    ],
)
def test_what_stands_outside_of_tables(text: str, what: str) -> None:
    assert any(what in one for one in wrong(text))


def test_an_empty_file_says_nothing() -> None:
    assert read("", "ours.toml") == (Source(), [])


def test_an_id_twice_in_one_file() -> None:
    assert wrong(rule() + rule() + rule()) == [
        "ours.toml:10: rule `a-b`: the id `a-b` is used 2 times, first at ours.toml:1",
        "ours.toml:19: rule `a-b`: the id `a-b` is used 3 times, first at ours.toml:1",
    ]


def test_an_id_twice_in_one_file_with_another_other_side() -> None:
    assert wrong(rule() + rule(**{"with": '"c"'}))


def test_an_id_twice_is_told_with_its_line() -> None:
    assert read(rule() + rule(), "ours.toml")[1][0].line == 10


def test_a_header_in_a_text_is_no_table() -> None:
    text = rule(note='"""\n[[rule]]\n"""') + rule(id='"c"', date="")
    assert read(text, "ours.toml")[1][0].line == text.splitlines().index("[[rule]]", 12) + 1


@pytest.mark.parametrize(
    "text",
    [
        "# [[gpu]]\n#[[gpu]]\n",
        'x = """\n[[gpu]]\n\\"""\n[[gpu]]\n"""""\n',
        "x = '''\n[[gpu]]\n'''\n",
        'x = \'"""\'\n',
        "x = \"''' # \"\n",
        "x = [\n[['[[gpu]]']],\n]\n",
        "\t# it is late\r\n",
    ],
)
def test_only_headers_are_counted(text: str) -> None:
    _, mistakes = read(f"{text}\n  [[ gpu ]] # this one\nnames = 'X'\n", "ours.toml")
    assert {mistake.line for mistake in mistakes if "capability" in mistake.what} == {text.count("\n") + 2}


def test_entries_in_a_list_have_no_line_of_their_own() -> None:
    assert wrong("gpu = [{ names = 'X' }]\n")[0].startswith("ours.toml: gpu: ")


def test_a_mistake_is_told_once() -> None:
    shown = wrong(rule(package="1", note="2", platforms='"x"'))
    assert len(shown) == len(set(shown)) == 4


def test_files_are_joined_in_their_order(tmp_path: Path) -> None:
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text(rule(id='"one"'))
    two.write_text(rule(id='"two"') + '[[gpu]]\nnames = "X"\ncapability = "9.0"\n' + ORIGIN)
    found, mistakes = read_files([two, one])
    assert not mistakes
    assert [rule.id for rule in found.rules] == ["two", "one"]
    assert found.gpus == (Gpu("X", "9.0"),)


def test_an_id_in_two_files(tmp_path: Path) -> None:
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text(rule())
    two.write_text(rule(package='"z"'))
    _, mistakes = read_files([one, two], lambda path: path.name)
    assert mistakes == [Mistake("two.toml", 1, "rule `a-b`: the id `a-b` is used 2 times, first at one.toml:1")]


def test_an_id_in_two_files_is_told_once(tmp_path: Path) -> None:
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text(rule())
    two.write_text(rule(**{"with": '["c", "d"]'}))
    assert len(read_files([one, two])[1]) == 1


def test_a_file_that_is_missing_or_not_utf_8_is_a_mistake_like_others(tmp_path: Path) -> None:
    good, latin, folder = tmp_path / "good.toml", tmp_path / "latin.toml", tmp_path / "folder"
    good.write_text(rule())
    latin.write_bytes(b"# caf\xe9\n")
    folder.mkdir()
    found, mistakes = read_files([tmp_path / "none.toml", latin, folder, good], lambda path: path.name)
    assert [str(mistake) for mistake in mistakes] == [
        "none.toml: cannot be read: No such file or directory",
        "latin.toml: cannot be read: it is not UTF-8",
        "folder: cannot be read: Is a directory",
    ]
    assert [one.id for one in found.rules] == ["a-b"]


def test_a_file_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text(rule())
    found, mistakes = read_files([tmp_path / "one.toml"] * 2)
    assert (len(found.rules), mistakes) == (1, [])


def test_mistakes_of_all_files_come_together(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.toml").write_text(rule(id=f'"{name}"', date=""))
    _, mistakes = read_files(sorted(tmp_path.glob("*.toml")), lambda path: path.name)
    assert [mistake.place for mistake in mistakes] == ["one.toml:1", "two.toml:1"]


def test_a_user_s_file_with_a_note_and_a_string_date() -> None:
    text = dedent("""
        [[rule]]
        id = "ours-1"
        package = "ours"
        with = "python"
        needs = ">=3.12"
        severity = "untested"
        source = ["wiki", "a colleague"]
        evidence = "reported"
        date = "2026-11-21"
        note = "kept"
    """)
    found, mistakes = read(text, "ours.toml")
    assert not mistakes
    assert (found.rules[0].note, found.rules[0].of_target, found.rules[0].date) == ("kept", True, "2026-11-21")
