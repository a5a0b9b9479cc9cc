"""METADATA out of a wheel, by as few bytes as possible; wheels that lie."""

from __future__ import annotations

import io
import random
import zipfile

import pytest

from mlpin.errors import BadDistribution
from mlpin.index import wheel as wheels
from mlpin.index.wheel import TAIL, metadata_of
from tests.wheels import headers, wheel, zipped

PATH = "a_b-1.0.dist-info/METADATA"
NAME = "a_b-1.0-py3-none-any.whl"


class Remote:
    """A file that is read by ranges, and the ranges that were asked for."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.asked: list[tuple[int, int]] = []

    def fetch(self, start: int, end: int) -> bytes:
        self.asked.append((start, end))
        return self.data[start:end]

    def read(self, project: str = "a-b", version: str = "1.0") -> str:
        return metadata_of(len(self.data), self.data[-TAIL:], self.fetch, NAME, project, version)


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def test_a_small_wheel_is_all_tail() -> None:
    built = wheel("a-b", "1.0", ["c"])
    remote = Remote(built.data)
    assert (remote.read(), remote.asked) == (built.metadata.decode(), [])


def test_metadata_before_the_directory_needs_no_second_request() -> None:
    built = wheel("a-b", "1.0", first={"a_b/big.bin": noise(1 << 20)})
    remote = Remote(built.data)
    assert (remote.read(), remote.asked) == (built.metadata.decode(), [])


def test_metadata_at_the_front_needs_one_more() -> None:
    built = wheel("a-b", "1.0", last={"a_b/big.bin": noise(1 << 20)})
    remote = Remote(built.data)
    assert remote.read() == built.metadata.decode()
    assert len(remote.asked) == 1
    assert sum(end - start for start, end in remote.asked) <= 2 * TAIL


def test_a_directory_larger_than_the_tail_needs_one_more() -> None:
    many = {f"a_b/{'x' * 80}{number:05}": b"" for number in range(1_000)}
    built = wheel("a-b", "1.0", first={"a_b/big.bin": noise(1 << 20), **many})
    remote = Remote(built.data)
    assert remote.read() == built.metadata.decode()
    assert len(remote.asked) == 1
    assert sum(end - start for start, end in remote.asked) < len(built.data) / 2


def test_a_comment_at_the_end() -> None:
    data = zipped({PATH: headers("a-b", "1.0").encode()}, comment=b"x" * 60_000)
    assert "Name: a-b" in Remote(data).read()


def test_the_metadata_of_a_vendored_wheel_is_not_taken() -> None:
    data = zipped({"c-9.dist-info/METADATA": b"Name: c\n", PATH: b"Name: a-b\n"})
    assert Remote(data).read() == "Name: a-b\n"
    data = zipped(
        {
            PATH: b"Name: a-b\n",
            "c-9.dist-info/METADATA": b"Name: c\n",
            "a_b/_vendor/d-1.dist-info/METADATA": b"Name: d\n",
        }
    )
    assert Remote(data).read() == "Name: a-b\n"


def test_another_spelling_of_the_directory() -> None:
    for path in ("A.B-1.0.0.dist-info/METADATA", "a_b-1.0.dist-info/METADATA", "a-b-1.dist-info/METADATA"):
        assert Remote(zipped({path: b"Name: a-b\n"})).read(version="1.0") == "Name: a-b\n"


def lying(data: bytes, *, compressed: int | None = None, size: int | None = None, offset: int | None = None) -> bytes:
    """The archive with other numbers in the directory's entry of METADATA."""
    at = data.rindex(b"PK\x01\x02", 0, data.rindex(PATH.encode()))
    entry = bytearray(data)
    for place, value in ((20, compressed), (24, size), (42, offset)):
        if value is not None:
            entry[at + place : at + place + 4] = value.to_bytes(4, "little")
    return bytes(entry)


@pytest.mark.parametrize(
    "numbers",
    [
        {"size": 5},
        {"size": 1 << 30},
        {"size": 0xFFFFFFFE},
        {"compressed": 5},
        {"compressed": 0},
        {"compressed": 1 << 30},
        {"offset": 7},
        {"offset": 1 << 30},
    ],
    ids=str,
)
def test_an_archive_that_lies(numbers: dict[str, int]) -> None:
    data = lying(wheel("a-b", "1.0", ["c"]).data, **numbers)
    with pytest.raises(BadDistribution) as caught:
        Remote(data).read()
    assert caught.value.where == NAME


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = zipped({PATH: b"Name: a-b\n" + bytes(64 << 20)})
    assert len(bomb) < 100_000
    with pytest.raises(BadDistribution, match="METADATA claims"):
        Remote(bomb).read()
    # … nor is one that says it is small.
    with pytest.raises(BadDistribution):
        Remote(lying(bomb, size=100)).read()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_work_or_are_refused(method: int) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr(PATH, "Name: a-b\n" * 50)
    assert Remote(buffer.getvalue()).read() == "Name: a-b\n" * 50
    broken = bytearray(buffer.getvalue())
    at = broken.index(PATH.encode()) + len(PATH) + 5
    broken[at : at + 20] = bytes(255 - value for value in broken[at : at + 20])
    with pytest.raises(BadDistribution):
        Remote(bytes(broken)).read()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a readable wheel"),
        (b"<html>login</html>", "not a readable wheel"),
        (zipped({}), "without METADATA"),
        (zipped({"a_b.py": b""}), "without METADATA"),
        (zipped({"x/a_b-1.0.dist-info/METADATA": b""}), "without METADATA"),
        (zipped({"a_b-1.0.dist-info/metadata": b""}), "without METADATA"),
    ],
)
def test_what_is_no_wheel(data: bytes, words: str) -> None:
    with pytest.raises(BadDistribution, match=words):
        Remote(data).read()


def test_truncated_anywhere_it_is_refused() -> None:
    data = wheel("a-b", "1.0", ["c"]).data
    for size in range(len(data)):
        with pytest.raises(BadDistribution):
            Remote(data[:size]).read()


def test_altered_anywhere_it_is_refused_or_the_same() -> None:
    built = wheel("a-b", "1.0", ["c"])
    dice = random.Random(1)
    for at in range(len(built.data)):
        data = bytearray(built.data)
        data[at] ^= 1 << dice.randrange(8)
        try:
            found = Remote(bytes(data)).read()
        except BadDistribution:
            continue
        assert found == built.metadata.decode()


def test_fewer_bytes_than_asked_for() -> None:
    built = wheel("a-b", "1.0", last={"a_b/big.bin": noise(1 << 20)})
    with pytest.raises(BadDistribution, match="fewer bytes"):
        metadata_of(
            len(built.data), built.data[-TAIL:], lambda start, end: built.data[start : end - 1], NAME, "a-b", "1.0"
        )


def test_a_directory_too_large_to_be_true(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheels, "MAX_DIRECTORY", 10_000)
    many = {f"a_b/{'x' * 80}{number:05}": b"" for number in range(1_000)}
    remote = Remote(wheel("a-b", "1.0", first=many).data)
    with pytest.raises(BadDistribution, match="too large"):
        remote.read()
    assert remote.asked == []


def test_a_directory_of_thousands_is_not_read_entry_by_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    class Counted(zipfile.ZipInfo):
        def __init__(self, filename: str = "NoName", *rest: object) -> None:
            made.append(filename)
            super().__init__(filename, *rest)  # type: ignore[arg-type]

    info = "a-1.0.dist-info"
    files = {f"a/module_{number}.py": b"" for number in range(2000)}
    data = zipped({**files, f"a/vendor/{info}/METADATA": b"no", f"{info}/METADATA": headers("a", "1.0").encode()})
    monkeypatch.setattr(zipfile, "ZipInfo", Counted)
    text = metadata_of(
        len(data), data[-TAIL:], lambda start, end: data[start:end], "a-1.0-py3-none-any.whl", "a", "1.0"
    )
    assert "Name: a" in text
    assert len(made) == 2
