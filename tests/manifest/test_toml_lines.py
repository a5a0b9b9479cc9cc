"""Lines of keys and items in TOML, against a search for values that stand once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpin.errors import InputError
from mlpin.manifest.toml_lines import TomlFile

TEXT = '''
a.b = "1"  # [x]
"quoted.key" = ["2", # ]
  '3', [ "4",
 {c = "5", d = {e = ["6"]}} ],
]
long = """
# not a comment
x = 1"""
after = 'y'
[t."u v"]
date = 1979-05-27 07:32:00
w = ["7"]
[[list]]
x = "8"
[[list]]
x = "9"
[list.sub]
y = "10"
[[list.inner]]
z = "11"
[[list.inner]]
z = "12"
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a", "b"), 2),
        (("quoted.key", 0), 3),
        (("quoted.key", 1), 4),
        (("quoted.key", 2, 0), 4),
        (("quoted.key", 2, 1, "c"), 5),
        (("quoted.key", 2, 1, "d", "e", 0), 5),
        (("after",), 10),
        (("t", "u v", "w", 0), 13),
        (("list", 0, "x"), 15),
        (("list", 1, "x"), 17),
        (("list", 1, "sub", "y"), 19),
        (("list", 1, "inner", 0, "z"), 21),
        (("list", 1, "inner", 1, "z"), 23),
        (("t", "u v", "gone"), 11),
        (("nothing",), 0),
    ],
)
def test_lines(path: tuple[str | int, ...], line: int) -> None:
    assert TomlFile(TEXT, Path("x.toml"), "x.toml").line(path) == line


values = st.recursive(
    st.text("ab\"'#[]{},=\\\n", max_size=6) | st.integers() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('ab. #"', max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text('ab. ]"', max_size=3), values, max_size=5))
def test_every_value_of_a_written_file_has_a_line(data: dict[str, object]) -> None:
    import tomli_w

    text = tomli_w.dumps(data)
    file = TomlFile(text, Path("x"), "x")
    lines = text.split("\n")

    def walk(value: object, path: tuple[str | int, ...]) -> None:
        if isinstance(value, dict):
            for key, entry in value.items():
                walk(entry, (*path, key))
        elif isinstance(value, list):
            for position, entry in enumerate(value):
                walk(entry, (*path, position))
        elif isinstance(value, int):
            assert str(value).lower() in lines[file.line(path) - 1]

    walk(data, ())


@given(st.text("a=[]{}\"'\n#.,\\1 ", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        TomlFile(text, Path("x"), "x")
    except InputError as error:
        assert error.where is not None
