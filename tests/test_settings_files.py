"""All layers of settings together, and what the door to them costs."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

from mlpin.fields import Fields
from mlpin.manifest.model import Context
from mlpin.settings import IndexSetting, Settings, merged
from mlpin.settings_files import all_layers, mlpin_table, uv_table

SECRET = "https://me:s3cret@index.example/simple"


def context(root: Path, environ: Mapping[str, str] | None = None) -> Context:
    def refuse(url: str) -> str:
        raise AssertionError(url)

    return Context(root, environ or {}, refuse)


def own(text: str, root: Path) -> Settings:
    fields = Fields(tomllib.loads(text), "pyproject.toml", ("tool", "mlpin"))
    return mlpin_table(fields, base=root, context=context(root))


def uv(text: str, root: Path) -> Settings:
    fields = Fields(tomllib.loads(text), "pyproject.toml", ("tool", "uv"))
    return uv_table(fields, base=root, context=context(root))


def test_every_layer_in_its_order(tmp_path: Path) -> None:
    project, home = tmp_path / "project", tmp_path / "home"
    (home / ".config/uv").mkdir(parents=True)
    (home / ".config/pip").mkdir()
    project.mkdir()
    (project / "uv.toml").write_text('extra-index-url = ["https://5.example"]')
    (home / ".config/uv/uv.toml").write_text('extra-index-url = ["https://8.example"]')
    (home / ".config/pip/pip.conf").write_text("[global]\nextra-index-url = https://9.example\n")
    environ = {
        "HOME": str(home),
        "VIRTUAL_ENV": str(tmp_path),
        "XDG_CONFIG_DIRS": str(tmp_path / "none"),
        "MLPIN_EXTRA_INDEX_URL": "https://2.example",
        "UV_EXTRA_INDEX_URL": "https://7.example",
    }
    here = context(project, environ)

    def layer(number: int, name: str = "") -> Settings:
        return Settings(name, extra_indexes=(IndexSetting(f"https://{number}.example"),))

    def order(command_line: Settings, *manifest: Settings) -> list[str]:
        layers = all_layers(command_line, manifest, environ, directory=project, context=here, etc=tmp_path / "etc")
        found = merged(layers).extra_indexes or ()
        return [index.url.removeprefix("https://")[0] for index in found]

    table = own('extra-index-urls = ["https://3.example"]', project)
    theirs = uv('extra-index-url = ["https://6.example"]', project)
    assert order(layer(1), table, layer(4, "requirements.txt"), theirs) == list("123456789")
    # a single value is that of the highest layer that has one, and an empty list stops all below
    assert order(layer(1), table._replace(extra_indexes=()), layer(4), theirs) == ["1", "2"]
    assert order(Settings()) == ["2", "5", "7", "8", "9"]


def test_secrets_stay_in_urls_and_out_of_origins(tmp_path: Path) -> None:
    found = own(f'index-url = "{SECRET}"\nconstraints = ["x @ https://me:s3cret@index.example/x-1.0.tar.gz"]', tmp_path)
    assert found.index_url is not None
    assert found.index_url.url == SECRET
    assert "s3cret" not in found.index_url.origin
    assert "s3cret" not in (found.constraints or ())[0].origin.text


def test_importing_is_cheap() -> None:
    code = "import sys, mlpin.settings_files; print([m for m in sys.argv[1:] if m in sys.modules])"
    heavy = ["packaging", "configparser", "datetime", "tomllib", "httpx", "shlex"]
    run = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
