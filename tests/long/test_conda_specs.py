"""MatchSpecs, version specs and the order of versions, against what conda itself answered.

Every case of ../shared/conda agrees or stands below with the reason; one that begins to agree fails here too.
"""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from mlpin.conda.record import CondaRecord
from mlpin.conda.spec import MatchSpec, match_spec, version
from mlpin.conda.version_spec import version_spec
from mlpin.errors import InputError

CONDA = Path(__file__).parents[2].parent / "shared" / "conda"

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not CONDA.is_dir(), reason="the cases of ../shared/conda are not here"),
]

FAMILY = "mlpin's records have no license_family: it refuses the key, where it would find nothing"
SLOW = "a regular expression with look-around may take long, and records come from an index: refused"
AS_WRITTEN = "conda makes `defaults` of pkgs/main; mlpin asks for the channel that is written"
URL = "conda shortens the URL of a public channel to its name; mlpin leaves it, and matches the same"
ANY_BUILD = "conda writes the build `*`, which asks for nothing"

MATCHED_OTHERWISE = {
    **{f"*[license_family='{family}']": FAMILY for family in ("LGPL", "lgpl", "*GP*", "*gp*", "*GPL*", "*gpl*")},
    "my_pkg=1.17[build='^(?=.*red.*)(?:red_.*)$']": SLOW,
    "my_pkg=1.17[build='^(?=(?=.*_3)(?:.*red.*))(?:red_.*)$']": SLOW,
}
READ_OTHERWISE = {
    **{spec: reason for spec, reason in MATCHED_OTHERWISE.items() if reason is FAMILY},
    "pkgs/main::*": AS_WRITTEN,
    "pkgs/main::numpy": AS_WRITTEN,
    "pkgs/main::python": AS_WRITTEN,
    "pkgs/main/linux-64::python": AS_WRITTEN,
    "pkgs/main/linux-32::python": AS_WRITTEN,
    "pkgs/main::pandas==1.3.0=py39h123_0": AS_WRITTEN,
    "pkgs/main::numpy==1.21.0=py39h1234567_0": AS_WRITTEN,
    "https://repo.anaconda.com/pkgs/main/linux-64/_license-1.1-py27_1.tar.bz2": URL,
    "https://conda.anaconda.org/conda-canary/linux-64/conda-4.3.21.post699+1dab973-py36h4a561cd_0.tar.bz2": URL,
    "https://conda.anaconda.org/conda-canary/linux-64/conda-4.3.21.post699+1dab973-py36h4a561cd_0.conda": URL,
    "* 1 *": ANY_BUILD,
    "* * *": ANY_BUILD,
}

Case = dict[str, Any]


def cases(file: str, key: str) -> list[Case]:
    found: list[Case] = json.loads((CONDA / file).read_text(encoding="utf-8"))[key]
    return found


def allowed(spec: str, given: str) -> bool | None:
    try:
        return version_spec(spec)[given]
    except InputError:
        return None


def read(spec: str) -> MatchSpec | None:
    try:
        return match_spec(spec)
    except InputError:
        return None


def record(fields: Case) -> CondaRecord:
    channel, subdir = fields.get("channel", ""), fields.get("subdir", "")
    if subdir and channel.endswith(f"/{subdir}"):
        channel = channel.removesuffix(f"/{subdir}")
    return CondaRecord(
        name=fields["name"],
        version=fields["version"],
        build=fields["build"],
        build_number=fields["build_number"],
        channel=channel,
        subdir=subdir,
        filename=fields.get("fn", ""),
        url=fields.get("url", ""),
        track_features=tuple(fields.get("track_features", ())),
        md5=fields.get("md5", ""),
        license=fields.get("license", ""),
    )


def states(spec: MatchSpec, parsed: Case) -> bool:
    """Whether it has the fields that conda found, as far as a MatchSpec shows them; `*` asks for nothing."""
    shown = ("channel", "subdir", "version", "build")
    asked = {key: "" if parsed.get(key) == "*" else parsed.get(key, "") for key in shown}
    return spec.name == parsed["name"].lower() and all(getattr(spec, key) == asked[key] for key in shown)


def agrees(row: Case) -> bool:
    """Whether a MatchSpec is read and written as by conda, or refused as by conda."""
    spec = read(row["spec"])
    if spec is None or row["error"]:
        return spec is None and bool(row["error"])
    return str(spec) == row["canonical"] and (not row.get("parsed") or states(spec, row["parsed"]))


def test_versions_are_ordered_as_by_conda() -> None:
    for row in cases("version_order.json", "ascending"):
        places = list(enumerate(row["versions"]))
        for (i, one), (j, other) in product(places, places):
            assert (version(one) < version(other)) == (i < j), (one, other)
    for row in cases("version_order.json", "equal") + cases("version_order.json", "not_equal"):
        assert (version(row["a"]) == version(row["b"])) == row["conda"], row
    for row in cases("version_order.json", "starts_with"):
        assert allowed(f"{row['prefix']}.*", row["version"]) == row["conda"], row


def test_what_is_no_version_for_conda_is_none() -> None:
    for row in cases("version_order.json", "invalid"):
        try:
            version(row["version"])
            accepted = True
        except InputError:
            accepted = False
        assert accepted == row["conda_accepts"], row


def test_version_specs_allow_what_they_allow_for_conda() -> None:
    rows = cases("version_spec_cases.json", "cases")
    assert len(rows) > 500
    assert [row for row in rows if allowed(row["spec"], row["version"]) != row["match"]] == []


def test_match_specs_match_what_they_match_for_conda() -> None:
    rows = cases("matchspec_cases.json", "match")
    assert len(rows) > 300
    otherwise = set()
    for row in rows:
        spec = read(row["spec"])
        if spec is None or spec.matches(record(row["record"])) != row["match"]:
            otherwise.add(row["spec"])
    assert otherwise == set(MATCHED_OTHERWISE)


def test_match_specs_are_read_written_and_refused_as_by_conda() -> None:
    rows = cases("matchspec_cases.json", "parse")
    assert len(rows) > 400
    assert {row["spec"] for row in rows if not agrees(row)} == set(READ_OTHERWISE)
