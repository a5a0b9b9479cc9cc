"""Which distributions of PyPI a conda package stands in for, and where to look for one."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from mlpin.conda.names import SHIPPED, conda_names, provides
from mlpin.conda.record import CondaRecord
from mlpin.matrix.matrix import Matrix
from mlpin.requirement import normalise

TABLE = tomllib.loads((Path(__file__).parents[2] / "data" / "names.toml").read_text(encoding="utf-8"))


def record(name: str, *depends: str, noarch: str = "") -> CondaRecord:
    return CondaRecord(name, "1.0", "0", 0, "conda-forge", "linux-64", "", "", depends, noarch=noarch)


@pytest.mark.parametrize(
    ("name", "distributions"),
    [
        ("numpy", "numpy"),
        ("scikit-learn", "scikit-learn"),
        ("typing_extensions", "typing-extensions"),
        ("ruamel.yaml", "ruamel-yaml"),
        ("pytorch", "torch"),
        ("matplotlib", "matplotlib"),
        ("matplotlib-base", "matplotlib"),
        ("tensorflow-base", "tensorflow"),
        ("dask-core", "dask"),
        ("msgpack-python", "msgpack"),
        ("cython-blis", "blis"),
        ("python-tzdata", "tzdata"),
        # several in the mapping
        ("jaxlib", "jaxlib"),
        ("ray-core", "ray"),
        ("onnxruntime", "onnxruntime"),
        ("docutils", "docutils"),
        ("antlr-python-runtime", "antlr4-python3-runtime"),
        ("py-opencv", "opencv-python opencv-python-headless"),
        ("pyside6", "pyside6 shiboken6"),
        ("airflow", "apache-airflow"),
        # none
        ("python", ""),
        ("tensorflow-gpu", ""),
        ("opencv", ""),
        ("libtorch", ""),
        ("typing-extensions", ""),
        ("blis", ""),
        ("qgis", ""),
        ("_ipython_minor_entry_point", ""),
        ("_of_some_private_channel", ""),
        # other channels
        ("numpy-base", "numpy"),
        ("torchtriton", "triton"),
        ("ignite", "pytorch-ignite"),
        ("faiss-gpu", "faiss"),
        ("torchvision-cpu", "torchvision"),
        ("cudf", "cudf"),
        ("our_package", "our-package"),
    ],
)
def test_what_a_package_for_python_provides(name: str, distributions: str) -> None:
    assert provides(record(name, "python >=3.11")) == tuple(distributions.split())


@pytest.mark.parametrize(
    ("found", "is_there"),
    [
        (record("attrs", "python"), True),
        (record("attrs", noarch="python"), True),
        (record("mlflow", "python_abi 3.11.* *_cp311"), True),
        (record("attrs", "libgcc >=13"), False),
        (record("fastapi", "fastapi-core ==0.115.0", noarch="generic"), False),
        (record("libopencv", "ffmpeg"), False),
        (record("libopencv", "python"), True),
        (record("pytorch-gpu", "pytorch 2.7.1 cuda*"), False),
        (record("__cuda"), False),
    ],
)
def test_only_what_is_for_python_provides_anything(found: CondaRecord, is_there: bool) -> None:
    assert bool(provides(found)) is is_there


@pytest.mark.parametrize(
    ("distribution", "names"),
    [
        ("requests", "requests"),
        ("never-heard-of", "never-heard-of"),
        ("Torch", "pytorch pytorch-cpu torch"),
        ("numpy", "numpy numpy-base"),
        ("matplotlib", "matplotlib-base matplotlib"),
        ("typing.extensions", "typing_extensions"),
        ("huggingface-hub", "huggingface_hub huggingface-hub"),
        ("importlib-metadata", "importlib-metadata importlib_metadata"),
        ("opt-einsum", "opt_einsum opt-einsum"),
        ("opencv-python-headless", "py-opencv libopencv opencv-python-headless"),
        ("tzdata", "python-tzdata"),
        ("jax-cuda12-plugin", "jax-cuda12-plugin"),
        ("torchvision", "torchvision torchvision-cpu"),
        ("airflow", ""),
        ("faiss-cpu", ""),
    ],
)
def test_where_to_look_for_a_distribution(distribution: str, names: str) -> None:
    assert conda_names(distribution) == tuple(names.split())


def test_both_directions_agree() -> None:
    named = {*TABLE["different"], *TABLE["spelled"], *TABLE["decided"], *TABLE["first"], "numpy", "scipy"}
    missing = {
        (name, one) for name in named for one in provides(record(name, "python")) if name not in conda_names(one)
    }
    assert not missing


def test_the_aliases_of_the_matrix_say_the_same() -> None:
    assert {
        conda: provides(record(conda, "python"))
        for conda, package in Matrix.shipped().aliases.items()
        if normalise(package) not in provides(record(conda, "python"))
    } == {}


def test_the_table_is_small() -> None:
    assert SHIPPED.stat().st_size < 60_000
