"""The published files: loaded whole, told apart from damaged ones, listed, pulled; and a start from Kandinsky 3."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import Kandinsky3UNet
from safetensors.torch import load_file, save_file
from torch import Tensor
from typer.testing import CliRunner

from cascade.models.checkpoints.conversion import convert
from cascade.models.checkpoints.files import verify
from cascade.models.checkpoints.hub import used_files
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.checkpoints.network import CheckpointNetwork
from cascade.models.checkpoints.requirements import requirements
from cascade.models.errors import CheckpointError
from cascade.models.families.fusion_frames.networks import (
    Autoencoder,
    InterpolationNetwork,
    KeyframesNetwork,
    TextProjections,
)
from cascade.models.families.fusion_frames.published import PUBLISHED as CONFIGURATIONS
from cascade.models.presets.kandinsky_video import (
    KANDINSKY_VIDEO,
    KANDINSKY_VIDEO_1_1,
    TEXT_ENCODER,
    VERSION_1_0,
    VERSION_1_1,
)
from cascade.models.runtime.execution import Execution
from cascade.service.cli import checkpoints as command
from cascade.service.cli.checkpoints import app
from cascade.workers.settings import get_settings
from tests.models.checkpoints.stand_in_hub import StandInHub
from tests.models.checkpoints.test_hub import environment
from tests.models.families.fusion_frames.golden import manifest
from tests.models.families.fusion_frames.small_checkpoints import (
    FILES,
    PUBLISHED,
    write_published,
    write_text_encoder,
)
from tests.models.families.fusion_frames.test_movq import vq_model

HERE = Execution(device="cpu")
UNETS = {
    "kandinsky_video.pt": (KeyframesNetwork, "keyframes_1_0"),
    "kandinsky_video_interpolation.pt": (InterpolationNetwork, "interpolation_1_0"),
    "t2v.pt": (KeyframesNetwork, "keyframes_1_1"),
    "interpolation.pt": (InterpolationNetwork, "interpolation_1_1"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("checkpoints")
    for repository in FILES:
        write_published(place, repository)
    write_text_encoder(place)
    return place


@pytest.mark.parametrize("file", UNETS)
def test_a_published_unet_file_has_the_manifests_tensors_and_a_null_embedding(file: str) -> None:
    kind, name = UNETS[file]
    with torch.device("meta"):
        network = kind.from_config(CONFIGURATIONS[file])
    expected = {f"unet.{key}": value for key, value in manifest(name)["tensors"].items()}
    expected["null_embedding"] = [4096]
    if file == "kandinsky_video.pt":
        expected |= {
            "projections.t5.0.weight": [4096, 4096],
            "projections.t5.1.weight": [4096],
            "projections.t5.1.bias": [4096],
        }
    assert {key: list(value.shape) for key, value in network.state_dict().items()} == expected


@pytest.mark.parametrize(
    ("file", "kind", "parameters"),
    [
        ("movq.pt", Autoencoder, 270_603_567),
        ("video_movq.pt", Autoencoder, 666_131_275),
        ("t5_projections.pt", TextProjections, 2 * 16_785_408),
    ],
)
def test_the_other_published_files_have_as_many_parameters_as_counted(
    file: str, kind: type[CheckpointNetwork], parameters: int
) -> None:
    with torch.device("meta"):
        network = kind.from_config(CONFIGURATIONS[file])
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


@pytest.mark.parametrize(
    ("repository", "file"), [(name, file) for name, files in FILES.items() for file in files]
)
def test_a_file_loads_with_every_tensor_by_its_published_name(
    folder: Path, repository: str, file: str
) -> None:
    kind, _ = FILES[repository][file]
    network = Checkpoints(folder).network(repository, kind, HERE, part=file)
    content = torch.load(folder / repository / file, weights_only=True)
    tensors = flat(content)
    assert network.state_dict().keys() == tensors.keys()
    assert all(torch.equal(value, tensors[name]) for name, value in network.state_dict().items())


def flat(content: dict[str, Any]) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for name, value in content.items():
        tensors |= (
            {f"{name}.{inner}": own for inner, own in value.items()}
            if isinstance(value, dict)
            else {name: value}
        )
    return tensors


@pytest.mark.parametrize("repository", FILES)
def test_whole_checkpoints_are_right(folder: Path, repository: str) -> None:
    for requirement in requirements(PUBLISHED[repository]):
        assert verify(folder / requirement.name, requirement) == []


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda content: content["unet"].pop("in_layer.weight"), r"t2v.pt: missing unet.in_layer.weight"),
        (lambda content: content["unet"].update(more=torch.ones(1)), r"t2v.pt: unexpected unet.more"),
        (lambda content: content["null_embedding"].fill_(torch.nan), r"t2v.pt: .*not finite"),
        (lambda content: content.update(epoch=3), r"t2v.pt: .*more than tensors"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(folder: Path, tmp_path: Path, damage: Any, fault: str) -> None:
    shutil.copytree(folder / VERSION_1_1, tmp_path / VERSION_1_1)
    file = tmp_path / VERSION_1_1 / "t2v.pt"
    content = torch.load(file, weights_only=True)
    damage(content)
    torch.save(content, file)
    requirement = requirements(KANDINSKY_VIDEO_1_1)[0]
    (found,) = verify(tmp_path / VERSION_1_1, requirement)
    assert re.match(fault, found), found
    with pytest.raises(CheckpointError, match=re.escape("t2v.pt")):
        Checkpoints(tmp_path).network(VERSION_1_1, KeyframesNetwork, HERE, part="t2v.pt")


def test_a_missing_file_is_named(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / VERSION_1_1, tmp_path / VERSION_1_1)
    (tmp_path / VERSION_1_1 / "video_movq.pt").unlink()
    requirement = requirements(KANDINSKY_VIDEO_1_1)[0]
    assert verify(tmp_path / VERSION_1_1, requirement) == ["video_movq.pt is missing"]
    with pytest.raises(CheckpointError, match=r"has no video_movq\.pt"):
        Checkpoints(tmp_path).network(VERSION_1_1, Autoencoder, HERE, part="video_movq.pt")


def test_a_file_of_unknown_name_needs_a_configuration_beside_it(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / VERSION_1_1
    place.mkdir(parents=True)
    shutil.copy(folder / VERSION_1_1 / "t2v.pt", place / "mine.pt")
    with pytest.raises(CheckpointError, match=r"mine\.json is missing"):
        Checkpoints(tmp_path).network(VERSION_1_1, KeyframesNetwork, HERE, part="mine.pt")


def test_what_both_versions_load_is_listed_once_each() -> None:
    listed = {preset.name: requirements(preset) for preset in (KANDINSKY_VIDEO, KANDINSKY_VIDEO_1_1)}
    assert [(each.name, each.parts) for each in listed["kandinsky-video"]] == [
        (
            VERSION_1_0,
            ("weights/kandinsky_video.pt", "weights/kandinsky_video_interpolation.pt", "weights/movq.pt"),
        ),
        (TEXT_ENCODER, ("text_encoder", "tokenizer")),
    ]
    assert [(each.name, each.parts) for each in listed["kandinsky-video-1.1"]] == [
        (VERSION_1_1, ("t2v.pt", "t5_projections.pt", "movq.pt", "interpolation.pt", "video_movq.pt")),
        (TEXT_ENCODER, ("text_encoder", "tokenizer")),
    ]


def test_of_the_hub_only_the_files_that_are_read_are_taken() -> None:
    names = ["README.md", "configs.json", "movq.pt", "t2v.pt", "weights/movq.pt", "weights/other.pt"]
    assert used_files(names, "t2v.pt") == ["t2v.pt"]
    assert used_files(names, "weights/movq.pt") == ["weights/movq.pt"]


def test_a_text_encoder_at_the_root_of_its_repository_is_found_there() -> None:
    names = [
        "README.md",
        "config.json",
        "tokenizer.json",
        "spiece.model",
        "model.safetensors",
        "flax_model.msgpack",
    ]
    expected = ["config.json", "tokenizer.json", "spiece.model", "model.safetensors"]
    assert used_files(names, "text_encoder") == expected
    assert used_files([*names, "text_encoder/config.json"], "text_encoder") == ["text_encoder/config.json"]


@pytest.fixture(scope="module")
def image_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kandinsky 3 in the diffusers layout, small: four levels, of 64 and 128 channels."""
    place = tmp_path_factory.mktemp("image") / "kandinsky-3"
    torch.manual_seed(3)
    unet = Kandinsky3UNet(
        in_channels=4,
        time_embedding_dim=64,
        groups=8,
        attention_head_dim=32,
        layers_per_block=2,
        block_out_channels=(64, 64, 128, 128),
        cross_attention_dim=32,
        encoder_hid_dim=16,
    )
    for name, parameter in unet.named_parameters():
        if "context_mlp" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    unet.save_pretrained(place / "unet")
    vq_model().save_pretrained(place / "movq")
    return place


def test_keyframes_begin_as_kandinsky_3_frame_by_frame(image_model: Path, tmp_path: Path) -> None:
    conversion = convert(image_model, tmp_path / "new")
    assert not conversion.left
    assert all("temporal" in name or name == "null_embedding" for name in conversion.new)
    network = Checkpoints(tmp_path).network("new", KeyframesNetwork, HERE, part="keyframes")
    image = Kandinsky3UNet.from_pretrained(image_model / "unet").eval()
    torch.manual_seed(4)
    x, text, mask = torch.randn(3, 4, 16, 16), torch.randn(1, 5, 16), torch.tensor([[True] * 3 + [False] * 2])
    times = torch.full((3,), 300)
    with torch.inference_mode():
        expected = image(
            x,
            times,
            encoder_hidden_states=text.expand(3, -1, -1),
            encoder_attention_mask=mask.expand(3, -1).float(),
        ).sample
        assert network.projection is not None
        context = network.projection(text).expand(3, -1, -1)
        output = network(x, times, context, mask.expand(3, -1), torch.arange(3), 3)
    torch.testing.assert_close(output, expected, rtol=1e-4, atol=1e-4)


def test_the_converted_autoencoder_is_kandinsky_3s(image_model: Path, tmp_path: Path) -> None:
    convert(image_model, tmp_path / "new")
    autoencoder = Checkpoints(tmp_path).network("new", Autoencoder, HERE, part="autoencoder")
    latents = torch.randn(2, 4, 4, 6)
    with torch.inference_mode():
        expected = vq_model().decode(latents, force_not_quantize=True).sample
        torch.testing.assert_close(autoencoder.decode(latents), expected, rtol=1e-4, atol=1e-5)


def test_interpolation_begins_as_kandinsky_3_of_the_middle_noisy_frame(
    image_model: Path, tmp_path: Path
) -> None:
    convert(image_model, tmp_path / "new", in_channels=20)
    network = Checkpoints(tmp_path).network("new", InterpolationNetwork, HERE, part="interpolation")
    image = Kandinsky3UNet.from_pretrained(image_model / "unet").eval()
    torch.manual_seed(4)
    x, text, times = torch.randn(2, 20, 16, 16), torch.randn(2, 5, 16), torch.full((2,), 300)
    with torch.inference_mode():
        expected = image(
            x[:, 8:12], times, encoder_hidden_states=text, encoder_attention_mask=torch.ones(2, 5)
        ).sample
        context = image.encoder_hid_proj(text)
        output = network(x, times, context, num_predicted_groups=2, skip_frames=torch.tensor([3, 3]))
    torch.testing.assert_close(output, expected.repeat(1, 3, 1, 1), rtol=1e-4, atol=1e-4)


def test_keyframes_with_a_first_frame_begin_as_kandinsky_3(image_model: Path, tmp_path: Path) -> None:
    convert(image_model, tmp_path / "new", in_channels=9)
    network = Checkpoints(tmp_path).network("new", KeyframesNetwork, HERE, part="keyframes")
    x, context = torch.randn(3, 9, 16, 16), torch.randn(3, 5, 32)
    other = torch.cat([x[:, :4], torch.randn(3, 5, 16, 16)], dim=1)
    with torch.inference_mode():
        outputs = [
            network(each, torch.full((3,), 300), context, None, torch.arange(3), 3) for each in (x, other)
        ]
        picture = network(x, torch.full((3,), 300), context)
    torch.testing.assert_close(outputs[0], outputs[1])
    torch.testing.assert_close(outputs[0], picture, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("channels", [3, 5, 8])
def test_other_numbers_of_channels_are_refused(image_model: Path, tmp_path: Path, channels: int) -> None:
    with pytest.raises(CheckpointError, match=f"not {channels}"):
        convert(image_model, tmp_path / "new", in_channels=channels)


def test_an_image_network_that_lacks_a_tensor_is_refused(image_model: Path, tmp_path: Path) -> None:
    source = tmp_path / "cut"
    shutil.copytree(image_model, source)
    file = source / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    del weights["conv_out.bias"]
    save_file(weights, file)
    with pytest.raises(CheckpointError, match=r"missing conv_out\.bias"):
        convert(source, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.fixture
def settings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the commands of this process find the checkpoints."""
    monkeypatch.setenv("CASCADE_CHECKPOINTS_DIR", str(folder))
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize("repository", FILES)
def test_the_commands_list_and_verify_both_versions(repository: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.console, "width", 300)
    preset = PUBLISHED[repository].name
    listed = CliRunner().invoke(app, ["list", preset], env={"COLUMNS": "300"})
    assert listed.exit_code == 0
    assert all(file in listed.output for file in FILES[repository])
    verified = CliRunner().invoke(app, ["verify", preset])
    assert verified.output.splitlines() == [f"{repository}: right", f"{TEXT_ENCODER}: right"]
    assert verified.exit_code == 0


def test_the_command_pulls_the_files_of_a_version_and_nothing_else(tmp_path: Path) -> None:
    text = ("config.json", "tokenizer.json", "model.safetensors", "flax_model.msgpack", "README.md")
    version = (*FILES[VERSION_1_1], "configs.json", "README.md")
    repositories = {
        TEXT_ENCODER: {file: file.encode() for file in text},  # alike ones would be fetched once
        VERSION_1_1: {file: file.encode() for file in version},
    }
    with StandInHub(repositories).serve() as hub:
        done = subprocess.run(
            [sys.executable, "-m", "cascade", "checkpoints", "pull", "kandinsky-video-1.1"],
            env=environment(hub, tmp_path),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert hub.files_asked() == sorted(
        [f"{VERSION_1_1}/{file}" for file in FILES[VERSION_1_1]]
        + [f"{TEXT_ENCODER}/{file}" for file in ("config.json", "model.safetensors", "tokenizer.json")]
    )
