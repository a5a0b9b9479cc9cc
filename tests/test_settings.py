"""What layers of settings mean together."""

from __future__ import annotations

import pytest

from mlpin.errors import UsageError
from mlpin.requirement import Declared, Origin
from mlpin.settings import IndexPin, IndexSetting, Settings, TargetSettings, choice, merged


def index(url: str, name: str = "", *, explicit: bool = False, default: bool = False, origin: str = "") -> IndexSetting:
    return IndexSetting(f"https://{url}.example/simple", name, explicit, default=default, origin=origin)


def test_nothing_said_stays_unsaid() -> None:
    assert merged([]) == Settings(layer="merged")
    assert merged([Settings(layer="a"), Settings(layer="b")]) == Settings(layer="merged")


def test_a_single_value_is_that_of_the_highest_layer_that_has_it() -> None:
    found = merged([Settings(), Settings(prerelease="allow"), Settings(prerelease="disallow", timeout=5.0)])
    assert (found.prerelease, found.timeout) == ("allow", 5.0)
    assert merged([Settings(offline=False), Settings(offline=True)]).offline is False


def test_selections_are_replaced_not_joined() -> None:
    found = merged(
        [Settings(extras=("train",)), Settings(extras=("dev",), python=("3.12",)), Settings(python=("3.11",))]
    )
    assert (found.extras, found.python) == (("train",), ("3.12",))
    assert merged([Settings(groups=()), Settings(groups=("dev",))]).groups == ()


def test_lists_are_joined_highest_first() -> None:
    one, two, three = (Declared(name, Origin("config")) for name in ("one", "two", "three"))
    found = merged([Settings(constraints=(two,)), Settings(), Settings(constraints=(one, two, three))])
    assert found.constraints == (two, one, three)


def test_an_empty_list_cuts_off_what_is_below() -> None:
    a, b = index("a"), index("b")
    layers = [Settings(extra_indexes=(a,)), Settings(extra_indexes=()), Settings(extra_indexes=(b,))]
    assert merged(layers).extra_indexes == (a,)
    assert merged(layers[1:]).extra_indexes == ()


def test_a_closed_list_does_too() -> None:
    a, b = index("a", "ours"), index("b")
    above = Settings(extra_indexes=(a,), closed=("extra_indexes",))
    assert merged([above, Settings(extra_indexes=(b,))]).extra_indexes == (a,)


def test_of_indexes_of_one_name_or_address_the_highest_counts() -> None:
    layers = [
        Settings(extra_indexes=(index("mine", "ours", origin="mlpin.toml"),)),
        Settings(extra_indexes=(index("theirs", "ours"), index("x", origin="high"))),
        Settings(extra_indexes=(index("x", origin="low")._replace(url="https://x.example/simple/"),)),
    ]
    assert [(one.url, one.origin) for one in merged(layers).extra_indexes or ()] == [
        ("https://mine.example/simple", "mlpin.toml"),
        ("https://x.example/simple", "high"),
    ]


def test_a_named_default_that_was_replaced_can_still_be_pinned_to() -> None:
    corp = index("corp", "corp", default=True)
    found = merged([Settings(index_url=index("other", default=True)), Settings(index_url=corp)])
    assert found.index_url == index("other", default=True)
    assert found.extra_indexes == (index("corp", "corp", explicit=True),)
    assert merged([Settings(index_url=corp)]).extra_indexes is None


def test_tables_are_joined_key_by_key() -> None:
    layers = [
        Settings(
            pins={"torch": (IndexPin("cu"),)},
            targets={"train": TargetSettings("train", platform="linux-x86_64")},
            exclude_newer_package={"torch": "1 day"},
        ),
        Settings(
            pins={"torch": (IndexPin("cpu"),), "ours": (IndexPin("corp"),)},
            targets={"train": TargetSettings("train", glibc="2.31"), "serve": TargetSettings("serve")},
            exclude_newer_package={"torch": "2 days", "numpy": "false"},
        ),
    ]
    found = merged(layers)
    assert found.pins == {"torch": (IndexPin("cu"),), "ours": (IndexPin("corp"),)}
    assert found.targets == {
        "train": TargetSettings("train", platform="linux-x86_64"),
        "serve": TargetSettings("serve"),
    }
    assert found.exclude_newer_package == {"torch": "1 day", "numpy": "false"}


@pytest.mark.parametrize(
    ("layers", "only", "no"),
    [
        ([Settings(only_binary=("torch",)), Settings(only_binary=("numpy",))], ("torch",), None),
        ([Settings(only_binary=(":none:",)), Settings(only_binary=(":all:",))], (), None),
        ([Settings(only_binary=(":all:",)), Settings(no_binary=("numpy",))], (":all:",), ()),
        ([Settings(only_binary=("numpy",)), Settings(no_binary=("numpy", "torch"))], ("numpy",), ("torch",)),
        ([Settings(no_binary=("numpy",)), Settings(only_binary=(":all:",))], (":all:",), ("numpy",)),
        ([Settings(only_binary=(":all:",), no_binary=("numpy",))], (":all:",), ("numpy",)),
        ([Settings(only_binary=(":none:", "torch"))], ("torch",), None),
    ],
)
def test_formats(layers: list[Settings], only: tuple[str, ...] | None, no: tuple[str, ...] | None) -> None:
    found = merged(layers)
    assert (found.only_binary, found.no_binary) == (only, no)


def test_choice() -> None:
    assert choice("allow", ("allow", "disallow"), "--prerelease") == "allow"
    with pytest.raises(UsageError) as caught:
        choice("al", ("allow", "disallow"), "--prerelease")
    assert caught.value.message == "--prerelease cannot be `al`"
    assert caught.value.hint == "one of: allow, disallow"
