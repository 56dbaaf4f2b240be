"""The wheel: one import name, and all that generating needs, without the repository beside it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import av
import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from what git tracks, as a clean clone has it."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(
        ["tar", "--create", "--null", "--files-from=-", "--file", folder / "source.tar"],
        cwd=ROOT,
        input=tracked,
        check=True,
    )
    subprocess.run(["tar", "--extract", "--file", folder / "source.tar", "--directory", source], check=True)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, source],
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.slow
def test_the_wheel_puts_one_name_into_site_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"cascade"}
    expected = (
        "cascade/py.typed",
        "cascade/models/weights/shapes/keyframes/unet/diffusion_pytorch_model.safetensors",
        "cascade/service/web/index.html",
    )
    assert not [name for name in expected if name not in names]
    assert [name for name in names if name.endswith(".lua")]
    assert [name for name in names if name.endswith("licenses/LICENSE")]


@pytest.mark.slow
def test_an_installed_wheel_generates_without_the_repository(wheel: Path, tmp_path: Path) -> None:
    """In a new environment that borrows this one's libraries, but not its editable installation of the project."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", wheel],
        check=True,
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith("CASCADE_")}
    env["PYTHONPATH"] = sysconfig.get_path("purelib")
    where = subprocess.run(
        [python, "-c", "import cascade; print(cascade.__file__)"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(where.stdout.strip()).is_relative_to(tmp_path)
    command = [
        str(tmp_path / "venv" / "bin" / "cascade"),
        "generate",
        "a red circle",
        "--seed",
        "1",
        "-o",
        "circle.mp4",
    ]
    subprocess.run(command, cwd=tmp_path, env=env, check=True, capture_output=True)
    with av.open(tmp_path / "circle.mp4") as container:
        assert sum(1 for _ in container.decode(video=0)) == 29
