"""The conda part of a lock: read from tables that may be anything, written as a file that conda's clients read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rattler.explicit_environment import ExplicitEnvironmentSpec

from mlpin.conda.record import CondaRecord
from mlpin.errors import InputError
from mlpin.lock import conda, conda_file
from mlpin.lock.conda import LockedConda
from tests.lock.locks import conda as package
from tests.lock.locks import lock, text


def read(*packages: dict[str, Any], **own: Any) -> tuple[LockedConda, ...]:
    return lock(text(own={"conda": list(packages), **own})).conda


def test_what_is_written_is_read() -> None:
    record = CondaRecord(
        "torch", "2.5.1", "cuda124_0", 3, "https://me:secret@conda.example/t/tok-en/own", "linux-64",
        "torch-2.5.1-cuda124_0.conda", "https://me:secret@conda.example/t/tok-en/own/linux-64/torch-2.5.1-cuda124_0.conda",
        ("__cuda >=12", "numpy >=2"), ("jax <1",), noarch="", timestamp=5, sha256="ab" * 32, size=7, license="BSD",
    )  # fmt: skip
    (found,) = read(conda.table(conda.of_record(record, ["torch"], record.url)))
    assert found.channel == "https://conda.example/own"
    assert found.url == "https://conda.example/own/linux-64/torch-2.5.1-cuda124_0.conda"
    assert found.record == record._replace(channel=found.channel, url=found.url)
    assert (found.provides, found.needs, found.hashes) == (("torch",), ("__cuda", "numpy"), {"sha256": "ab" * 32})
    assert found.line > 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "a b"}, "`tool.mlpin.conda[0].name` cannot be `a b`"),
        ({"name": None}, "`tool.mlpin.conda[0].name` is missing"),
        ({"name": 3}, "must be a string"),
        ({"version": "1.0\n--evil"}, "cannot be `1.0?--evil`"),
        ({"build": ""}, "`tool.mlpin.conda[0].build` cannot be ``"),
        ({"build-number": -1}, "must be a whole number"),
        ({"build-number": True}, "must be a whole number"),
        ({"channel": "a\0b"}, "cannot be `a?b`"),
        ({"subdir": "../x"}, "cannot be `../x`"),
        ({"url": "https://conda.example/a.whl"}, "must be the address of a conda package"),
        ({"url": "--evil.conda"}, "cannot be `--evil.conda`"),
        ({"url": "https://conda.example/a-1-0.conda#md5"}, "cannot be"),
        ({"hashes": {}}, "has neither a sha256 nor an md5"),
        ({"hashes": {"sha256": "xyz"}}, "must be 64 hexadecimal digits"),
        ({"hashes": "x"}, "must be a table"),
        ({"depends": ["a", ""]}, "cannot hold ``"),
        ({"depends": "a"}, "must be a list of strings"),
        ({"provides": [3]}, "must be a list of strings"),
        ({"size": "big"}, "must be a whole number"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any], said: str) -> None:
    table = {key: value for key, value in {**package("a"), **change}.items() if value is not None}
    with pytest.raises(InputError) as caught:
        read(table)
    assert said in caught.value.message
    assert caught.value.where
    assert caught.value.where.startswith("pylock.toml")


def test_the_rest_of_the_part() -> None:
    made = lock(
        text(
            target={"virtual-packages": {"__cuda": "12.4", "__archspec": "1=x86_64"}},
            own={
                "channels": ["conda-forge", "https://me:secret@conda.example/own"],
                "conda-file": {"name": "conda.lock", "sha256": "AB" * 32},
                "conda": [package("pytorch", provides=["Torch_X"])],
            },
        )
    )
    assert made.channels == ("conda-forge", "https://conda.example/own")
    assert made.conda_file == ("conda.lock", "ab" * 32)
    assert made.virtual_packages == {"__cuda": "12.4", "__archspec": "1=x86_64"}
    assert made.provided.keys() == {"torch-x"}
    none = lock(text())
    assert (none.conda, none.channels, none.conda_file, none.virtual_packages) == ((), (), None, {})


@pytest.mark.parametrize(
    "own",
    [
        {"conda": [package("a"), package("a", "2.0")]},
        {"conda": 3},
        {"conda": ["a"]},
        {"channels": [3]},
    ],
)
def test_a_part_that_is_none(own: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        lock(text(own=own))
    with pytest.raises(InputError):
        assert lock(text(own={"conda-file": {"name": "../x"}})).conda_file


@pytest.mark.parametrize(
    ("lock_name", "name"),
    [
        ("pylock.toml", "conda.lock"),
        ("pylock.train.toml", "conda.train.lock"),
        ("other.toml", "other.conda.lock"),
    ],
)
def test_names(lock_name: str, name: str) -> None:
    assert conda_file.name_of(lock_name) == name
    assert conda_file.place_of(Path("x") / lock_name) == Path("x") / name


def test_dependencies_go_first() -> None:
    """Whatever the order of the lock; a circle (python and pip have one) begins with Python."""
    packages = read(
        package("z"),
        package("python", depends=["z >=1", "pip", "__glibc >=2.17"]),
        package("pip", depends=["python >=3", "wheel"]),
        package("b", depends=["conda-forge::a[version='>=1']", "absent"]),
        package("wheel"),
        package("a", depends=["python", "a"]),
    )
    names = [one.name for one in conda.ordered(packages)]
    assert names == ["wheel", "z", "python", "a", "b", "pip"]
    assert [one.name for one in conda.ordered(packages[::-1])] == names


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("numpy", "numpy"),
        ("numpy >=1.21,<3", "numpy"),
        ("numpy=1.21=py*", "numpy"),
        ("Numpy[version='>=1']", "numpy"),
        ("conda-forge/linux-64::_openmp_mutex >=4", "_openmp_mutex"),
        ("numpy>=1", "numpy"),
        ("python_abi 3.13.* *_cp313", "python_abi"),
    ],
)
def test_the_name_in_a_dependency(spec: str, name: str) -> None:
    assert conda.name_in(spec) == name


def test_the_explicit_file() -> None:
    """Hashes are those that every client reads; what a shell or a client would expand is escaped."""
    url = "https://me:secret@conda.example/t/tok/c/noarch/b-1!2-$HOME_0.conda"
    packages = read(
        package("a", depends=["b"]), package("b", url=url, hashes={"sha256": "ef" * 32}, subdir="noarch", build="x")
    )
    made = conda_file.explicit(packages, "linux-64", "conda.train.lock")
    assert made == conda_file.explicit(packages[::-1], "linux-64", "conda.train.lock")
    assert made.splitlines()[1:] == [
        "#   conda create -n NAME --file conda.train.lock",
        "#   micromamba create -n NAME -f conda.train.lock",
        "# platform: linux-64",
        "@EXPLICIT",
        f"https://conda.example/c/noarch/b-1!2-%24HOME_0.conda#{'ef' * 32}",
        f"https://conda.example/conda-forge/linux-64/a-1.0-h0_0.conda#{'cd' * 16}",
    ]
    parsed = ExplicitEnvironmentSpec.from_str(made)
    assert (str(parsed.platform), len(parsed.packages)) == ("linux-64", 2)
    assert conda_file.table("x", made)["sha256"] == conda_file.sha256_of(made.replace("\n", "\r\n").encode())


def test_files_of_a_local_channel() -> None:
    """Paths from the lock's folder, so that the lock is the same on every machine."""
    (found,) = read(package("a", url="channel/noarch/a-1.0-0.conda"))
    assert found.is_local
    made = conda_file.explicit([found], "linux-64")
    assert f"\n./channel/noarch/a-1.0-0.conda#{'cd' * 16}\n" in made
    assert "# Be in its folder" in made
    (odd,) = read(package("a", url="my channel/a-1.0-0.conda"))
    with pytest.raises(InputError, match="cannot stand in a file for conda's clients"):
        conda_file.explicit([odd], "linux-64")
