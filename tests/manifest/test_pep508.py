"""Requirement lines. The property: reading by one expression and by `packaging` give the same value."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from mlpin.errors import InputError
from mlpin.manifest import pep508
from mlpin.requirement import Origin, normalise

HERE = Origin("manifest", "requirements.txt", 7, "")

name = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,6}[A-Za-z0-9])?", fullmatch=True)
number = st.integers(0, 120).map(str)
release = st.lists(number, min_size=1, max_size=4).map(".".join)
suffix = st.sampled_from(
    ["", "", "a1", "b2", "rc3", ".post1", ".dev4", "c1", "alpha", "-1", ".post", "+cu128", ".*", "x"]
)
epoch = st.sampled_from(["", "", "", "1!", "v"])
operator = st.sampled_from(["==", ">=", "<=", ">", "<", "!=", "~=", "===", "=", "=>"])
space = st.sampled_from(["", "", " ", "  ", "\t"])
clause = st.builds("".join, st.tuples(operator, space, epoch, release, suffix))
clauses = st.lists(clause, max_size=3).flatmap(
    lambda parts: st.sampled_from([",", ", ", " ,", ",,"]).map(lambda glue: glue.join(parts))
)
variable = st.sampled_from(
    ["python_version", "sys_platform", "platform_machine", "extra", "os.name", "python_implementation"]
)
quoted = st.sampled_from(['"3.9"', "'linux'", "'3'", '"a b"', "'x\"y'", "3.9", '""'])
item = st.builds(
    "".join, st.tuples(variable, space, st.sampled_from(["==", "<", ">=", " in ", " not in ", "~="]), space, quoted)
)
marker = st.recursive(
    item,
    lambda inner: st.builds(
        lambda left, word, right, brackets: f"({left} {word} {right})" if brackets else f"{left} {word} {right}",
        inner,
        st.sampled_from(["and", "or"]),
        inner,
        st.booleans(),
    ),
    max_leaves=4,
)
extras = st.one_of(st.just(""), st.lists(name, max_size=3).map(lambda parts: f"[{', '.join(parts)}]"))
line = st.builds(
    "".join,
    st.tuples(
        space, name, space, extras, space, clauses, space, st.one_of(st.just(""), marker.map(lambda text: f"; {text}"))
    ),
)


@given(line)
def test_agrees_with_packaging(text: str) -> None:
    try:
        expected = Requirement(text.strip())
    except InvalidRequirement:
        with pytest.raises(InputError):
            pep508.declared(text, HERE, bases=())
        assert pep508._SIMPLE.fullmatch(text) is None
        return
    found = pep508.declared(text, HERE, bases=())
    assert found.name == normalise(expected.name)
    assert found.extras == tuple(sorted({normalise(extra) for extra in expected.extras}))
    assert found.specifier == str(expected.specifier)
    assert found.marker == (str(expected.marker) if expected.marker else "")


@given(line)
def test_what_is_read_can_be_written_and_read_again(text: str) -> None:
    try:
        found = pep508.declared(text, HERE, bases=())
    except InputError:
        return
    extra = f"[{','.join(found.extras)}]" if found.extras else ""
    again = pep508.declared(f"{found.name}{extra}{found.specifier} ; {found.marker}".rstrip(" ;"), HERE, bases=())
    assert again == found


@given(clauses)
def test_specifiers_agree_with_packaging(text: str) -> None:
    try:
        expected = str(SpecifierSet(text))
    except InvalidSpecifier:
        with pytest.raises(InputError):
            pep508.specifier(text, HERE)
        return
    assert pep508.specifier(text, HERE) == expected


ENVIRONMENTS = [
    {
        "python_version": version,
        "python_full_version": f"{version}.0",
        "sys_platform": platform,
        "platform_machine": machine,
    }
    for version in ("3.8", "3.9", "3.12")
    for platform in ("linux", "win32")
    for machine in ("x86_64", "arm64")
]
simple_item = st.builds(
    lambda variable, operator, value: f"{variable} {operator} '{value}'",
    st.sampled_from(["sys_platform", "platform_machine"]),
    st.sampled_from(["==", "!=", "in", "not in"]),
    st.sampled_from(["linux", "win32", "arm64", "x86_64 arm64"]),
) | st.builds(
    lambda operator, value: f'python_version {operator} "{value}"',
    st.sampled_from(["==", "!=", "<", ">=", ">", "<="]),
    st.sampled_from(["3.8", "3.9", "3.10"]),
)
simple_marker = st.recursive(
    simple_item,
    lambda inner: st.builds(
        lambda left, word, right, brackets: f"({left} {word} {right})" if brackets else f"{left} {word} {right}",
        inner,
        st.sampled_from(["and", "or"]),
        inner,
        st.booleans(),
    ),
    max_leaves=6,
)


@given(simple_marker)
def test_a_negated_marker_holds_where_the_marker_does_not(text: str) -> None:
    opposite = pep508.negated(pep508.marker(text, HERE))
    for environment in ENVIRONMENTS:
        assert Marker(opposite).evaluate(environment) is not Marker(text).evaluate(environment)


@given(simple_marker, simple_marker)
def test_markers_are_combined(first: str, second: str) -> None:
    both, either = Marker(pep508.both(first, second)), Marker(pep508.either([first, second]))
    for environment in ENVIRONMENTS:
        said = [Marker(text).evaluate(environment) for text in (first, second)]
        assert both.evaluate(environment) is all(said)
        assert either.evaluate(environment) is any(said)


def test_no_opposite() -> None:
    with pytest.raises(ValueError, match="~="):
        pep508.negated('python_version ~= "3.8"')


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("numpy=1.26", "`==`"),
        ("numpy 1.26", "operator"),
        ("numpy>=1.*", "`.*` is only possible"),
        ("numpy \\", "space after the backslash"),
    ],
)
def test_hints(text: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        pep508.declared(text, HERE, bases=())
    assert caught.value.where == "requirements.txt:7"
    assert caught.value.hint is not None
    assert hint in caught.value.hint


@pytest.mark.parametrize("text", ["a; " + "(" * 5000, "a==" + "9" * 5000, "a==1.0\n", "", "a;;b", "@", "a @", "é"])
def test_odd_text_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        pep508.declared(text.replace("\n", "\nb"), HERE, bases=())


@pytest.mark.parametrize(
    "text",
    ["a" + " " * 50_000 + "x", "a-" * 50_000, "a==" + "1," * 50_000, "a[b" + ",b" * 50_000, "a" + "[b," * 50_000],
)
def test_long_lines_cost_their_length(text: str) -> None:
    start = time.monotonic()
    with pytest.raises(InputError):
        pep508.declared(text, HERE, bases=())
    assert time.monotonic() - start < 5


def test_no_credential_in_a_message() -> None:
    with pytest.raises(InputError) as caught:
        pep508.declared("a @ https://me:secret@host.example/x.whl", HERE, bases=())
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('extra == "gpu"', ("", "gpu")),
        ('python_version < "3.9" and extra == "Gpu_X"', ('python_version < "3.9"', "gpu-x")),
        ('(os_name == "nt" or os_name == "posix") and extra == "a"', ('os_name == "nt" or os_name == "posix"', "a")),
        ('os_name == "nt" or os_name == "posix" and extra == "a"', (None, "")),
        ('os_name == "nt"', ('os_name == "nt"', "")),
    ],
)
def test_without_extra(text: str, expected: tuple[str | None, str]) -> None:
    assert pep508.without_extra(text) == expected
