"""The packed form: everything comes back, the same bytes for the same source, nothing read before it is asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mlpin.matrix.matrix import SHIPPED, Matrix
from mlpin.matrix.packed import Packed, pack
from mlpin.matrix.read import Source, read, read_files

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "data" / "matrix").glob("*.toml"))
ORIGIN = 'source = "s"\nevidence = "reported"\ndate = 2026-11-21\n'


@pytest.fixture(scope="module")
def source() -> Source:
    found, mistakes = read_files(FILES)
    assert not mistakes
    return found


def rules(*rules: str) -> Source:
    text = "".join(f'[[rule]]\nseverity = "declared"\n{rule}\n{ORIGIN}' for rule in rules)
    found, mistakes = read(text, "ours.toml")
    assert not mistakes
    return found


def test_everything_comes_back(source: Source) -> None:
    packed = Packed(pack(source))
    rules = {rule for name in packed.packages for rule in packed.rules(name)}
    assert rules == set(source.rules)
    assert sum(len(packed.rules(name)) for name in packed.packages) == len(source.rules)
    assert packed.count == len({rule.id for rule in source.rules})
    assert sorted(packed.gpus()) == sorted(source.gpus)
    tables = packed.tables()
    assert tables == tuple(getattr(source, name) for name in tables._fields)
    for name in {item.package for item in source.wheels}:
        assert sorted(packed.wheels(name)) == sorted(item for item in source.wheels if item.package == name)
    for name in {item.package for item in source.metadata}:
        assert sorted(packed.metadata(name)) == sorted(item for item in source.metadata if item.package == name)
    assert packed.images() == (source.distributions, source.images)
    assert packed.others == {rule.other for rule in source.rules if rule.other and not rule.of_target}


def test_nothing_of_a_source_is_forgotten(source: Source) -> None:
    kept = {*Packed(pack(source)).tables()._fields, "rules", "gpus", "wheels", "metadata", "distributions", "images"}
    assert kept == set(Source._fields)


def test_the_same_source_gives_the_same_bytes(source: Source) -> None:
    again, _ = read_files(FILES)
    assert pack(source) == pack(again)


def test_the_order_of_rules_gpus_wheels_and_metadata_does_not_count(source: Source) -> None:
    turned = source._replace(
        rules=source.rules[::-1], gpus=source.gpus[::-1], wheels=source.wheels[::-1], metadata=source.metadata[::-1]
    )
    assert pack(turned) == pack(source)


def test_another_source_has_another_digest(source: Source) -> None:
    other = source._replace(rules=(source.rules[0]._replace(remedy="another"), *source.rules[1:]))
    assert Packed(pack(other)).digest != Packed(pack(source)).digest


def test_nothing_is_read_before_it_is_asked_for(source: Source) -> None:
    data = pack(source)
    end = data.index(b"\n") + 1
    places = json.loads(data[:end])["places"]
    start, length = places["torch"]
    # everything but torch's line is spoilt: whoever read more than that would fail
    body = b"?" * start + data[end + start : end + start + length] + b"?" * (len(data) - end - start - length)
    packed = Packed(data[:end] + body)
    assert packed.version
    assert "torch" in packed.packages
    assert packed.rules("torch")
    assert packed.rules("no-such-package") == ()
    assert packed.wheels("no-such-package") == ()
    with pytest.raises(json.JSONDecodeError):
        packed.rules("torchvision")


def test_places_are_those_of_bytes_not_of_letters() -> None:
    found = rules(
        'id = "a-1"\npackage = "a"\nwith = "c"\nfails = ""\nremedy = "für äöü …"',
        'id = "b-1"\npackage = "b"\nwith = "c"\nfails = ""',
    )
    packed = Packed(pack(found))
    assert packed.rules("a")[0].remedy == "für äöü …"
    assert packed.rules("b")[0].id == "b-1"


def test_the_version_is_the_day_of_the_newest_statement() -> None:
    older, newer = rules('id = "a-1"\npackage = "a"\nwith = "b"\nfails = ""').rules * 2
    assert Packed(pack(Source(rules=(older._replace(date="2020-01-01"), newer)))).version == "2026-11-21"
    assert Packed(pack(Source())).version == ""


def test_what_ships_is_up_to_date(source: Source) -> None:
    assert SHIPPED.read_bytes() == pack(source), "run python data/pack.py"
    ran = subprocess.run(
        [sys.executable, ROOT / "data" / "pack.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_a_slip_of_the_pen_writes_nothing() -> None:
    before = SHIPPED.stat().st_mtime_ns
    ran = subprocess.run(
        [sys.executable, ROOT / "data" / "pack.py", "--chek"], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout, SHIPPED.stat().st_mtime_ns) == (2, "", before)
    assert "python data/pack.py [--check]" in ran.stderr


# -- with a project's own rules


BASE = (
    'id = "a-b"\npackage = "a"\nwith = "b"\nfails = ">=2"',
    'id = "a-c"\npackage = "a"\nwith = "c"\nfails = ">=2"',
    'id = "z-b"\npackage = "z"\nwith = "b"\nfails = ">=2"',
)


def ids(matrix: Matrix, package: str) -> list[tuple[str, str]]:
    return [(rule.id, rule.table[0][1]) for rule in matrix.rules(package)]


def test_own_rules_stand_beside_the_shipped_ones() -> None:
    own = rules(
        'id = "ours"\npackage = "a"\nwith = "d"\nfails = ">=1"', 'id = "new"\npackage = "n"\nwith = "e"\nfails = ""'
    )
    matrix = Matrix(Packed(pack(rules(*BASE))), own)
    assert ids(matrix, "a") == [("a-b", ">=2"), ("a-c", ">=2"), ("ours", ">=1")]
    assert ids(matrix, "n") == [("new", "")]
    assert matrix.packages == ("a", "n", "z")
    assert matrix.has("ours")
    assert matrix.has("z-b")
    assert not matrix.has("nobody-s")
    assert matrix.others == {"b", "c", "d", "e"}
    assert matrix.knows("n")
    assert matrix.knows("e")
    assert not matrix.knows("q")


def test_own_rules_replace_shipped_ones_by_id() -> None:
    own = rules('id = "a-b"\npackage = "a"\nwith = "b"\nfails = ">=3"')
    matrix = Matrix(Packed(pack(rules(*BASE))), own)
    assert sorted(ids(matrix, "a")) == [("a-b", ">=3"), ("a-c", ">=2")]


def test_own_rules_replace_shipped_ones_by_id_whatever_they_are_about() -> None:
    own = rules('id = "a-b"\npackage = "b"\nwith = "a"\nfails = ">=3"')
    matrix = Matrix(Packed(pack(rules(*BASE))), own)
    assert ids(matrix, "b") == [("a-b", ">=3")]
    assert ids(matrix, "a") == [("a-c", ">=2")]


def test_switched_off_ones_are_gone_and_still_known() -> None:
    own = rules('id = "ours"\npackage = "a"\nwith = "d"\nfails = ">=1"')
    matrix = Matrix(Packed(pack(rules(*BASE))), own, {"a-b": "we know better", "ours": "not yet"})
    assert ids(matrix, "a") == [("a-c", ">=2")]
    assert [rule.id for rule in matrix.all_rules("a")] == ["a-b", "a-c", "ours"]
    assert matrix.off == {"a-b": "we know better", "ours": "not yet"}
    assert matrix.has("a-b")
    assert matrix.has("ours")


def test_a_rule_with_several_others_is_switched_off_whole() -> None:
    packed = Packed(pack(rules('id = "many"\npackage = "a"\nwith = ["b", "c"]\nfails = ""')))
    assert len(Matrix(packed).rules("a")) == 2
    assert Matrix(packed, off={"many": ""}).rules("a") == ()


def test_own_tables_come_after_the_shipped_ones() -> None:
    text = (
        f'[[gpu]]\nnames = "House GPU"\ncapability = "9.9"\n{ORIGIN}'
        f'[[alias]]\nconda = "house"\npackage = "torch"\n{ORIGIN}'
        f'[[wheels]]\npackage = "flash-attn"\nversion = "9.9"\nurl = "https://x"\n'
        f'files = "flash_attn-9.9-py3-none-any.whl"\n{ORIGIN}'
        f'[[metadata]]\npackage = "house"\nrequires = "torch"\n{ORIGIN}'
    )
    own, mistakes = read(text, "ours.toml")
    assert not mistakes
    matrix = Matrix.shipped(own)
    assert matrix.gpus[-1].name == "House GPU"
    assert matrix.aliases["house"] == "torch"
    assert matrix.wheels("flash-attn")[-1].version == "9.9"
    assert len(matrix.wheels("flash-attn")) > 1
    found = matrix.supplied("house", "1.0")
    assert found is not None
    assert found.requires == ("torch",)
    assert matrix.digest == Matrix.shipped().digest


def test_packages_that_have_files_or_metadata_alone() -> None:
    text = (
        f'[[wheels]]\npackage = "w"\nversion = "1"\nurl = "https://x"\nfiles = "w-1-py3-none-any.whl"\n{ORIGIN}'
        f'[[metadata]]\npackage = "m"\nrequires = "torch"\n{ORIGIN}'
    )
    own, mistakes = read(text, "ours.toml")
    assert not mistakes
    assert Packed(pack(own)).listed == ("m", "w")
    assert {"m", "w", "flash-attn"} <= set(Matrix.shipped(own).listed)
    assert Matrix.shipped().packages == Packed(SHIPPED.read_bytes()).packages
