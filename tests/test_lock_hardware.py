"""Locks for hardware that is described: which builds are taken from where, what the lock says of it, and refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.index.server import IndexServer
from tests.projects import Project
from tests.wheels import Built, sdist, wheel

Serve = Callable[..., IndexServer]
LINUX = "cp311-cp311-manylinux_2_28_x86_64"
SOURCED = 'source = "tests"\nevidence = "reported"\ndate = 2026-11-21\n'


def built(name: str, version: str, *requires: str, **more: Any) -> Built:
    return wheel(name, version, requires, tags=LINUX, **more)


def torches(*labels: str, torch: str = "2.7.1", vision: str = "0.22.1") -> list[Built]:
    """torch and torchvision of one release, as the vendor builds them for each label; an empty one is that of PyPI."""
    marks = [f"+{label}" if label else "" for label in labels]
    return [
        one
        for mark in marks
        for one in (built("torch", f"{torch}{mark}"), built("torchvision", f"{vision}{mark}", f"torch=={torch}"))
    ]


@pytest.fixture
def vendor(serve: Serve) -> IndexServer:
    return serve(*torches("cu118", "cu126", "cu128"), wheel("helper", "9.0+cu118"))


@pytest.fixture
def pypi(serve: Serve) -> IndexServer:
    return serve(*torches(""), wheel("helper", "1.0"))


@pytest.fixture
def ours(project: Project) -> Project:
    project.requires("torch", "torchvision")
    return project


def options(vendor: IndexServer, *more: str) -> list[str]:
    return ["--python", "3.11", "--pytorch-index-url", vendor.lines, *more]


def package(project: Project, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in project.tables()["packages"] if one["name"] == name)
    return found


# -- which builds


@pytest.mark.parametrize(
    ("said", "label"),
    [
        (["--driver", "470.82.01"], "cu118"),
        (["--driver", "525.85.12"], "cu128"),
        (["--driver", "580.95.05", "--cuda", "12.6"], "cu126"),
        (["--driver", "580.95.05", "--cuda", "11"], "cu118"),
        (["--gpu", "B200"], "cu128"),
        (["--accelerator", "cuda"], "cu128"),
    ],
)
def test_the_newest_line_that_runs_there(
    ours: Project, vendor: IndexServer, pypi: IndexServer, said: list[str], label: str
) -> None:
    locked = ours.locked(*options(vendor, *said), index=pypi)
    assert locked == {"torch": f"2.7.1+{label}", "torchvision": f"0.22.1+{label}"}
    for name in locked:
        one = package(ours, name)
        assert one["tool"]["mlpin"]["line"] == label
        assert one["index"] == f"{vendor.lines}/{label}"
    assert ours.tables()["tool"]["mlpin"]["target"]["accelerator"] == "cuda"
    text = ours.text
    ran = ours.lock(*options(vendor, *said), index=pypi)
    assert "up to date" in ran.words
    assert ours.text == text


def test_without_an_accelerator_the_default_builds_are_taken_and_what_they_need_is_stated(
    ours: Project, vendor: IndexServer, pypi: IndexServer
) -> None:
    assert ours.locked(*options(vendor), index=pypi) == {"torch": "2.7.1", "torchvision": "0.22.1"}
    own = ours.tables()["tool"]["mlpin"]
    assert own["floor"]["driver"] == "525.60.13"
    assert own["floor"]["glibc"] == "2.28"
    assert "sm_90" in own["floor"]["gpus"]
    assert "accelerator" not in own["target"]
    assert own["matrix"]["digest"].startswith("sha256:")
    assert vendor.asked == []


def test_only_what_the_matrix_names_comes_from_the_vendor(
    ours: Project, vendor: IndexServer, pypi: IndexServer
) -> None:
    ours.requires("torch", "helper")
    assert ours.locked(*options(vendor, "--driver", "470.82"), index=pypi)["helper"] == "1.0"
    assert not [path for path in vendor.paths() if "helper" in path]


def test_a_build_of_one_line_for_all(ours: Project, serve: Serve, pypi: IndexServer) -> None:
    newer = [built("torchvision", "0.22.1+cu128", "torch==2.7.1")]
    vendor = serve(*torches("cu118"), *newer)
    locked = ours.locked(*options(vendor, "--driver", "550.54", "--cuda", "11.8"), index=serve())
    assert locked == {"torch": "2.7.1+cu118", "torchvision": "0.22.1+cu118"}


def test_cpu_builds(ours: Project, serve: Serve, pypi: IndexServer) -> None:
    vendor = serve(*torches("cpu"))
    locked = ours.locked(*options(vendor, "--accelerator", "cpu"), index=pypi)
    assert locked == {"torch": "2.7.1+cpu", "torchvision": "0.22.1+cpu"}


def test_a_build_for_cuda_runs_without_a_gpu(ours: Project, vendor: IndexServer, pypi: IndexServer) -> None:
    ran = ours.lock(*options(vendor, "--accelerator", "cpu"), index=pypi)
    assert "torch 2.7.1: is a build for CUDA (cu126): it runs without a GPU; builds for cpu that go" in ran.words
    assert ours.versions() == {"torch": "2.7.1", "torchvision": "0.22.1"}


def test_a_cpu_build_beside_torch_for_cuda_is_the_last_resort(ours: Project, serve: Serve) -> None:
    windows = "cp311-cp311-win_amd64"
    pairs = (("2.7.1", "0.22.1"), ("2.6.0", "0.21.0"))
    index = serve(*(wheel("torchvision", vision, [f"torch=={torch}"], tags=windows) for torch, vision in pairs))
    vendor = serve(
        *(wheel("torch", f"{torch}+cu118", tags=windows) for torch, _ in pairs),
        wheel("torchvision", "0.21.0+cu118", ["torch==2.6.0"], tags=windows),
    )
    given = options(vendor, "--driver", "550.54", "--platform", "windows-amd64")
    assert ours.locked(*given, index=index) == {"torch": "2.6.0+cu118", "torchvision": "0.21.0+cu118"}
    ours.requires("torch==2.7.1", "torchvision")
    ran = ours.lock(*given, index=index)
    assert "torchvision 0.22.1: is a build for cpu: what it adds to torch does not run on the GPU" in ran.words
    assert ours.versions() == {"torch": "2.7.1+cu118", "torchvision": "0.22.1"}


def test_what_a_name_says_of_cuda_counts(ours: Project, serve: Serve) -> None:
    ours.requires("cupy-cuda12x")
    index = serve(wheel("cupy-cuda12x", "14.0"))
    ran = ours.lock("--python", "3.11", "--driver", "470.82", index=index)
    assert ran.code == 1
    assert "cupy-cuda12x 14.0 is built for CUDA 12, which needs driver 525.60.13" in ran.words
    assert ours.locked("--python", "3.11", "--driver", "550.54", index=index) == {"cupy-cuda12x": "14.0"}


def test_an_extension_goes_with_the_major_version_of_cuda(ours: Project, serve: Serve) -> None:
    ours.requires("torch", "xformers")
    index = serve(built("xformers", "0.0.31", "torch==2.7.1"))
    vendor = serve(*torches("cu118", "cu126"))
    locked = ours.locked(*options(vendor, "--driver", "550.54"), index=index)
    assert locked == {"torch": "2.7.1+cu126", "xformers": "0.0.31"}
    ran = ours.lock(*options(vendor, "--driver", "470.82"), index=index)
    assert ran.code == 1
    assert "xformers 0.0.31 is built for CUDA 12, which needs driver 525.60.13" in ran.words


def test_a_labelled_pin_without_hardware_says_where_such_builds_are(ours: Project, pypi: IndexServer) -> None:
    ours.requires("torch==2.7.1+cu118")
    ran = ours.lock("--python", "3.11", index=pypi)
    assert ran.code == 1
    assert "builds labelled +cu118 are on the vendor's index, which is asked with `--accelerator cuda`" in ran.words


# -- extras, pre-releases


def test_an_extra_is_not_lost_to_the_hardware(ours: Project, serve: Serve) -> None:
    ours.requires("app[gpu]")
    index = serve(
        wheel("app", "1.0"),
        wheel("app", "2.0", ["nvidia-cuda-runtime-cu12; extra == 'gpu'"], extras=["gpu"]),
        wheel("nvidia-cuda-runtime-cu12", "12.4"),
    )
    ran = ours.lock("--python", "3.11", "--driver", "470.82", index=index)
    assert ran.code == 1
    assert "nvidia-cuda-runtime-cu12 12.4 needs an NVIDIA driver >=525.60.13" in ran.words
    assert "app" in ours.locked("--python", "3.11", "--driver", "550.54", index=index)


def test_an_extra_may_be_missing_where_nothing_else_is_left(ours: Project, serve: Serve) -> None:
    ours.requires("app[fast]")
    index = serve(
        wheel("app", "1.0"),
        wheel("app", "2.0", ["speed; extra == 'fast'"], extras=["fast"]),
        wheel("speed", "1.0", tags="cp311-cp311-win_amd64"),
    )
    ran = ours.lock("--python", "3.11", index=index)
    assert "app 1.0: it has no extra `fast`" in ran.words
    assert ours.versions() == {"app": "1.0"}


def test_an_extra_that_never_was_costs_nothing(ours: Project, serve: Serve) -> None:
    ours.requires("app[typo]")
    index = serve(*(wheel("app", f"{number}.0") for number in range(1, 20)))
    ran = ours.lock("--python", "3.11", index=index)
    assert "app 19.0: it has no extra `typo`" in ran.words
    assert index.shape() == ["page app", "metadata"]


def test_a_pre_release_does_not_stand_in_for_what_a_rule_takes_away(ours: Project, serve: Serve) -> None:
    ours.requires("nvidia-cuda-runtime-cu12")
    index = serve(wheel("nvidia-cuda-runtime-cu12", "0.0.0a0"), wheel("nvidia-cuda-runtime-cu12", "12.4"))
    ran = ours.lock("--python", "3.11", "--driver", "470.82", index=index)
    assert ran.code == 1, ours.versions()


def test_nothing_runs_there(ours: Project, vendor: IndexServer, pypi: IndexServer) -> None:
    ran = ours.lock(*options(vendor, "--driver", "390.12"), index=pypi)
    assert ran.code == 1
    assert "torch 2.7.1 is built for CUDA 12.6, which needs driver 525.60.13; the target has 390.12" in ran.words
    assert "documented: NVIDIA CUDA Compatibility" in ran.words
    assert "--driver 390.12 -> --driver 450.80.02 torch 2.7.1+cu118" in ran.words
    assert "broken" not in ran.words
    assert not (ours.root / "pylock.toml").exists()


def test_settings_say_the_same_as_options(ours: Project, vendor: IndexServer, pypi: IndexServer) -> None:
    ours.requires(
        "torch",
        mlpin=f'python = "3.11"\ndriver = "470.82"\ngpus = ["V100"]\n[tool.mlpin.indexes]\npytorch = "{vendor.lines}"',
    )
    assert ours.locked(index=pypi) == {"torch": "2.7.1+cu118"}
    assert ours.tables()["tool"]["mlpin"]["target"]["gpus"] == ["V100"]


def test_the_result_as_data_has_the_hardware(ours: Project, vendor: IndexServer, pypi: IndexServer) -> None:
    ran = ours.lock(*options(vendor, "--driver", "470.82", "--gpu", "V100", "--format", "json"), index=pypi)
    (target,) = json.loads(ran.out)["targets"]
    assert target["hardware"] == {
        "accelerator": "cuda",
        "driver": "470.82",
        "gpus": [{"name": "V100", "runs": "7.0"}],
        "cuda": None,
    }


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (["--gpu", "RTX 4900"], "`RTX 4900` is no GPU that mlpin knows hint: did you mean"),
        (["--driver", "470.82", "--cuda", "12.4"], "driver 470.82 runs no CUDA ==12.4: that needs driver 525.60.13"),
        (["--driver", "470.82", "--accelerator", "rocm"], "the target names NVIDIA hardware"),
        (["--platform", "macos-14-arm64", "--accelerator", "cuda"], "macOS has no cuda"),
        (["--accelerator", "metal"], "linux-x86_64 has no Metal"),
        (["--driver", "new"], "`new` is not a version of NVIDIA's driver"),
    ],
)
def test_a_machine_that_cannot_be(ours: Project, said: list[str], words: str) -> None:
    ran = ours.lock("--python", "3.11", "--offline", *said)
    assert (ran.code, words in ran.words) == (2, True), ran.words


def test_a_wrong_target_is_named(ours: Project) -> None:
    ours.requires("torch", mlpin='python = "3.11"\n[tool.mlpin.targets.amd]\ngpus = ["MI300X"]')
    ran = ours.lock("--offline", "--driver", "535")
    assert (ran.code, "target `amd`: a target cannot have NVIDIA's and AMD's hardware" in ran.words) == (2, True)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (["--accelerator", "rocm"], "untested: which GPUs and drivers its rocm6.3 build runs on is not known"),
        (["--gpu", "MI300X"], "untested: which GPUs and drivers its rocm6.3 build runs on is not known"),
        (["--accelerator", "metal", "--platform", "macos-14-arm64"], "untested: which Macs its Metal backend runs on"),
        (["--gpu", "B200", "--driver", "550.54"], "untested: B200 is known to CUDA 12.8 and newer, which came with"),
    ],
)
def test_what_is_not_known_is_not_called_fine(ours: Project, serve: Serve, said: list[str], words: str) -> None:
    ours.requires("torch")
    vendor = serve(*torches("rocm6.3", "cu128"))
    pypi = serve(wheel("torch", "2.7.1", tags="cp311-none-macosx_11_0_arm64"))
    ran = ours.lock(*options(vendor, *said), index=pypi)
    assert (ran.code, words in ran.words) == (0, True), ran.words


# -- the vendor's index


def test_a_vendor_that_cannot_be_reached(ours: Project, vendor: IndexServer, pypi: IndexServer) -> None:
    given = ["--python", "3.11", "--driver", "550.54", "--pytorch-index-url"]
    ran = ours.lock(*given, "http://127.0.0.1:9/whl", index=pypi)
    assert ran.code == 3
    assert "--pytorch-index-url URL names a mirror of it, `none` does without it" in ran.words
    assert ours.locked(*given, "none", index=pypi) == {"torch": "2.7.1", "torchvision": "0.22.1"}
    assert vendor.asked == []


def test_a_file_without_a_hash_is_read_for_it(ours: Project, serve: Serve, pypi: IndexServer) -> None:
    ours.requires("torch")
    vendor = serve(*torches("cu118"), hashes=False)
    ours.locked(*options(vendor, "--driver", "470.82"), index=pypi)
    (stated,) = package(ours, "torch")["wheels"]
    assert stated["hashes"] == {"sha256": vendor.files[stated["url"].rpartition("/")[2]].sha256}


def test_a_file_that_is_listed_and_not_there_is_passed_over(ours: Project, serve: Serve, pypi: IndexServer) -> None:
    ours.requires("torch")
    vendor = serve(*torches("cu118"), *torches("cu118", torch="2.6.0"), hashes=False)
    newest = f"torch-2.7.1+cu118-{LINUX}.whl"
    vendor.fault(f"/files/{newest}", 404)
    ran = ours.lock(*options(vendor, "--driver", "470.82"), index=pypi)
    assert f"{newest}: passed over: the index lists it, but answers that it is not there" in ran.words
    assert ours.versions() == {"torch": "2.6.0+cu118"}
    ran = ours.lock(*options(vendor, "--driver", "470.82", "-U"), "-c", str(ours.write("c.txt", "torch==2.7.1\n")))
    assert ran.code != 0


# -- release files


def released(place: str, *labels: str, **more: str) -> str:
    """A table of files of `ours-ext` 1.0 at a place, one for each label."""
    files = json.dumps([f"ours_ext-1.0+{label}-cp311-cp311-linux_x86_64.whl" for label in labels])
    rest = "".join(f"{key} = {value}\n" for key, value in more.items())
    return f'[[wheels]]\npackage = "ours-ext"\nversion = "1.0"\nurl = "{place}"\nfiles = {files}\n{rest}{SOURCED}'


LABEL_RULE = (
    '[[rule]]\nid = "ours-label"\npackage = "ours-ext"\nwith = "torch"\nneeds = "label"\nseverity = "broken"\n'
    f'symptom = "undefined symbol"\n{SOURCED}'
)
LABELS = ("cu12torch2.6cxx11abiTRUE", "cu12torch2.7cxx11abiTRUE", "cu11torch2.7cxx11abiTRUE")


@pytest.fixture
def extension(ours: Project, serve: Serve) -> IndexServer:
    files = [wheel("ours-ext", f"1.0+{label}", ["torch"], tags="cp311-cp311-linux_x86_64") for label in LABELS]
    place = serve(*files)
    ours.requires("torch", "ours-ext", mlpin='matrix = ["ours.toml"]')
    ours.write("ours.toml", LABEL_RULE + released(f"{place.root}/files", *LABELS))
    return place


@pytest.mark.parametrize(("driver", "torch", "label"), [("550.54", "cu128", LABELS[1]), ("470.82", "cu118", LABELS[2])])
def test_release_files_are_an_index(
    ours: Project, extension: IndexServer, vendor: IndexServer, serve: Serve, driver: str, torch: str, label: str
) -> None:
    index = serve(sdist("ours-ext", "1.0"))
    assert ours.locked(*options(vendor, "--driver", driver), index=index) == {
        "torch": f"2.7.1+{torch}",
        "ours-ext": f"1.0+{label.lower()}",
    }
    one = package(ours, "ours-ext")
    (stated,) = one["wheels"]
    filename = f"ours_ext-1.0+{label}-cp311-cp311-linux_x86_64.whl"
    assert stated["hashes"]["sha256"] == extension.files[filename].sha256
    assert "index" not in one
    assert "ours-label" in one["tool"]["mlpin"]["rules"]


def test_no_release_file_fits(ours: Project, extension: IndexServer, serve: Serve) -> None:
    vendor = serve(built("torch", "2.5.1+cu124"))
    ran = ours.lock(*options(vendor, "--driver", "550.54"), index=serve(sdist("ours-ext", "1.0")))
    assert ran.code == 1
    assert "ours-ext 1.0, 3 builds, each for one torch of 2.6, 2.7 and one CUDA of 11, 12" in ran.words
    assert "of torch the target is offered 2.5.1+cu124" in ran.words
    assert "is a source archive; its wheels are for torch 2.6, 2.7 with CUDA 11, 12" in ran.words


def test_a_source_archive_by_request_alone(ours: Project, extension: IndexServer, serve: Serve) -> None:
    vendor = serve(built("torch", "2.5.1+cu124"))
    index = serve(sdist("ours-ext", "1.0", ["torch"]))
    locked = ours.locked(*options(vendor, "--driver", "550.54", "--no-binary", "ours-ext"), index=index)
    assert locked == {"torch": "2.5.1+cu124", "ours-ext": "1.0"}


def test_release_files_that_cannot_be_reached(
    ours: Project, extension: IndexServer, vendor: IndexServer, serve: Serve
) -> None:
    ours.write("ours.toml", LABEL_RULE + released("http://127.0.0.1:9/files", *LABELS, requires='["torch"]'))
    ran = ours.lock(*options(vendor, "--driver", "550.54"), index=serve())
    assert ran.code == 3
    assert "its hash is stated nowhere, so ours-ext 1.0+cu12torch2.7cxx11abitrue must be downloaded once" in ran.words


def test_a_release_file_with_a_known_hash_is_not_downloaded(
    ours: Project, extension: IndexServer, vendor: IndexServer, serve: Serve
) -> None:
    known = {f"ours_ext-1.0+{label}-cp311-cp311-linux_x86_64.whl": "0" * 64 for label in LABELS}
    table = "{ " + ", ".join(f'"{name}" = "{value}"' for name, value in known.items()) + " }"
    place = "http://127.0.0.1:9/files"
    ours.write("ours.toml", LABEL_RULE + released(place, *LABELS, requires='["torch"]', sha256=table))
    ours.locked(*options(vendor, "--driver", "550.54"), index=serve())
    one = package(ours, "ours-ext")
    assert one["wheels"][0]["hashes"] == {"sha256": "0" * 64}
    assert one["tool"]["mlpin"]["metadata"] == "supplied"
    assert extension.asked == []


# -- rules of a project's own


PAIR = '[[rule]]\nid = "a-b"\npackage = "a"\nwith = "b"\nfails = ">=2"\nsymptom = "undefined symbol"\n' + SOURCED


@pytest.mark.parametrize("severity", ['"broken"', '"untested"\nsteer = true'])
def test_the_rule_that_decided_stands_in_the_lock(project: Project, serve: Serve, severity: str) -> None:
    index = serve(wheel("a", "1.0"), wheel("b", "1.0"), wheel("b", "2.0"))
    project.requires("a", "b", mlpin='matrix = ["ours.toml"]')
    project.write("ours.toml", f"{PAIR}severity = {severity}\n")
    assert project.locked(index=index) == {"a": "1.0", "b": "1.0"}
    assert package(project, "a")["tool"]["mlpin"]["rules"] == ["a-b"]


def test_a_rule_that_is_switched_off(project: Project, serve: Serve) -> None:
    index = serve(wheel("a", "1.0"), wheel("b", "1.0"), wheel("b", "2.0"))
    off = '[tool.mlpin.rules]\na-b = { off = true, reason = "tried here" }'
    project.requires("a", "b", mlpin=f'matrix = ["ours.toml"]\n{off}')
    project.write("ours.toml", f'{PAIR}severity = "broken"\n')
    assert project.locked(index=index) == {"a": "1.0", "b": "2.0"}
    assert project.tables()["tool"]["mlpin"]["matrix"]["off"] == {"a-b": "tried here"}


def test_a_pin_against_a_rule_is_a_conflict_that_names_it(project: Project, serve: Serve) -> None:
    index = serve(wheel("a", "1.0"), wheel("b", "1.0"), wheel("b", "2.0"))
    project.requires("a", "b==2.0", mlpin='matrix = ["ours.toml"]')
    project.write("ours.toml", f'{PAIR}severity = "broken"\n')
    ran = project.lock(index=index)
    assert ran.code == 1
    assert "a 1.0 does not work with b>=2: undefined symbol rule a-b, reported: tests" in ran.words
    assert "b 2.0 needs b==2.0" not in ran.words
    (target,) = json.loads(project.lock("--format", "json", index=index).out)["targets"]
    assert [edge["rule"]["id"] for edge in target["clash"] if edge["rule"]] == ["a-b"]


def test_an_untested_rule_warns(project: Project, serve: Serve) -> None:
    index = serve(wheel("a", "1.0"), wheel("b", "1.0"), wheel("b", "2.0"))
    project.requires("a", "b", mlpin='matrix = ["ours.toml"]')
    project.write("ours.toml", f'{PAIR}severity = "untested"\n')
    ran = project.lock(index=index)
    assert "a 1.0: untested: may not work with b 2.0 (undefined symbol) [a-b]" in ran.words
    assert project.versions()["b"] == "2.0"
