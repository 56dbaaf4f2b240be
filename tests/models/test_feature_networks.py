"""Given feature networks: small ones in the published formats, made here, are asked as the published ones are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor, nn
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    PreTrainedTokenizerFast,
)

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip
from cascade.models.evaluation.feature_networks import FeatureNetworks
from cascade.models.evaluation.report import write_report
from cascade.models.evaluation.run_folder import RunIdentity
from cascade.models.evaluation.runner import Evaluation
from cascade.models.evaluation.suites import SUITES, Suite
from cascade.models.families.shapes.moving_shapes import MovingShapes
from cascade.models.media.video import write_mp4
from cascade.models.presets.table import SHAPES
from cascade.models.runtime.execution import Execution


class I3D(nn.Module):
    """Mean brightness per colour, first frame less last, and the shape it was shown."""

    def forward(self, clip: Tensor, rescale: bool, resize: bool, return_features: bool) -> Tensor:
        assert not rescale
        assert not resize
        assert return_features
        assert clip.shape[2] >= 9  # as the published one needs
        means = clip.mean(dim=[3, 4])
        sizes = torch.tensor([[clip.shape[2], clip.shape[3], clip.shape[4]]])
        return torch.cat([means[:, :, 0] - means[:, :, -1], sizes.to(clip)], dim=1)


class Inception(nn.Module):
    def forward(self, images: Tensor, return_features: bool = False, no_output_bias: bool = False) -> Tensor:
        assert return_features != no_output_bias
        means = images.mean(dim=[2, 3])
        return means if return_features else (means / 255).softmax(dim=1)


class VGG16(nn.Module):
    def forward(self, images: Tensor, resize_images: bool, return_lpips: bool) -> Tensor:
        assert return_lpips
        assert not resize_images
        assert images.shape[-1] >= 64
        return images.mean(dim=[2, 3]) / 255


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("networks")
    for name, network in (("i3d", I3D()), ("inception", Inception()), ("vgg16", VGG16())):
        torch.jit.save(torch.jit.script(network), str(folder / f"{name}.pt"))
    torch.manual_seed(0)
    text = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "vocab_size": 4,
        "eos_token_id": 3,
    }
    vision = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 32,
        "patch_size": 8,
    }
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)).save_pretrained(
        folder / "clip"
    )
    words = Tokenizer(models.WordLevel({"[UNK]": 0, "red": 1, "blue": 2, "[EOS]": 3}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="[UNK]", eos_token="[EOS]", pad_token="[EOS]", model_max_length=16
    )
    pictures = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    CLIPProcessor(pictures, tokenizer).save_pretrained(folder / "clip")
    yield folder


@pytest.fixture
def frames() -> Tensor:
    """Red fading in: (12, 3, 20, 32)."""
    clip = torch.full((12, 3, 20, 32), -1.0)
    clip[:, 0] = torch.linspace(-1, 1, 12)[:, None, None]
    return clip


def test_given_networks_are_asked_in_their_published_way(given: Path, frames: Tensor) -> None:
    networks = FeatureNetworks.load(given)
    seen = networks.judge(frames, "red")
    assert seen.clip.tolist() == pytest.approx(
        [-2, 0, 0, 24, 224, 224]
    )  # red rises by 2; every frame is shown twice
    spread = (0, 2, 3, 5, 6, 8, 9, 11)  # of twelve, eight are looked at
    assert seen.frames[:, 0].tolist() == pytest.approx([round(255 * k / 11) for k in spread])
    assert seen.classes.sum() == pytest.approx(1)
    assert -1 <= seen.similarity <= 1
    assert 0.5 < seen.consistency <= 1
    assert networks.judge(frames, "blue").similarity != seen.similarity
    # Two clips apart by 1 in one colour's mean: 1² from VGG-16's stand-in.
    assert networks.perceptual_distance(-torch.ones_like(frames), frames[-1:].expand_as(frames)) == 1.0
    assert networks.perceptual_distance(frames, frames) == 0
    said = networks.description
    assert all(name in said for name in ("I3D", "Inception-v3", "VGG-16", "CLIP"))
    assert "each frame several times" in said
    assert "not comparable with the paper's Table 1" in said
    assert "small network" not in said


@pytest.mark.parametrize(("frames", "shown"), [(1, 16), (8, 16), (15, 30), (16, 16), (29, 29)])
def test_i3d_is_shown_each_frame_of_a_short_clip_several_times(given: Path, frames: int, shown: int) -> None:
    assert FeatureNetworks.load(given).judge(torch.zeros(frames, 3, 20, 32), "red").clip[3] == shown


def test_a_clip_keeps_the_mean_of_its_frames_classes_and_of_their_certainty(given: Path) -> None:
    """Black, then red: softmax of (0, 0, 0) and of (1, 0, 0).

    p is 1/3 thrice, and e / (e + 2) = 0.5761 and twice 0.2119: sum p log p is -1.0986 and -0.9753.
    """
    clip = -torch.ones(2, 3, 20, 32)
    clip[1, 0] = 1
    seen = FeatureNetworks.load(given).judge(clip, "red")
    assert seen.classes.tolist() == pytest.approx([0.4547, 0.2726, 0.2726], abs=1e-4)
    assert seen.certainty == pytest.approx((-1.0986 - 0.9753) / 2, abs=1e-4)


def test_clips_image_tower_looks_once(given: Path, frames: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    networks, looks = FeatureNetworks.load(given), []
    features = networks.clip.model.get_image_features
    monkeypatch.setattr(
        networks.clip.model, "get_image_features", lambda **images: (looks.append(1), features(**images))[1]
    )
    networks.judge(frames, "red")
    assert len(looks) == 1


def test_without_them_the_small_network_takes_their_part_and_the_report_says_so(frames: Tensor) -> None:
    networks = FeatureNetworks.load(None)
    seen = networks.judge(frames, "a red circle")
    assert seen.clip.shape == (128,)
    assert seen.classes.sum() == pytest.approx(1, rel=1e-4)
    assert "small network" in networks.description
    clips = MovingShapes("train", 8, 80, 128, seed=1)
    sharp = clips[0].frames
    blurred = nn.functional.avg_pool2d(sharp, 5, stride=1, padding=2, count_include_pad=False)
    more = nn.functional.avg_pool2d(sharp, 13, stride=1, padding=6, count_include_pad=False)
    distance = networks.perceptual_distance
    assert distance(sharp, sharp) == 0
    assert 0 < distance(sharp, blurred) < distance(sharp, more)


def test_a_folder_without_networks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds none of"):
        FeatureNetworks.load(tmp_path)


@pytest.mark.slow
def test_a_protocol_makes_videos_of_listed_captions_and_compares_them_with_the_listed_videos(
    given: Path, shapes_checkpoints: Path, tmp_path: Path
) -> None:
    lines = []
    for index in range(3):
        sample = MovingShapes("train", 29, 40, 64, seed=5)[index]
        name = f"{min(index, 1)}.mp4"  # the second video has two captions
        write_mp4(Clip(sample.frames[None], 8), tmp_path / name)
        lines.append(json.dumps({"video": name, "caption": sample.caption}))
    listing = tmp_path / "list.jsonl"
    listing.write_text("\n".join(lines))
    preset = replace(SHAPES, stages=tuple(replace(stage, steps=1) for stage in SHAPES.stages))
    suite, folder = Suite("test", listed=3, references=3, size=(64, 64)), tmp_path / "report"

    def load(networks: FeatureNetworks) -> Evaluation:
        checkpoints = Checkpoints(shapes_checkpoints)
        return Evaluation.load(preset, suite, folder, checkpoints, Execution(), networks, listing)

    records = load(FeatureNetworks.load(given)).run(lambda *_: None)
    assert [record["kind"] for record in records] == ["reference"] * 2 + ["listed"] * 3
    captions = {json.loads(line)["caption"] for line in lines}
    assert {record["prompt"] for record in records[2:]} == captions
    files = write_report(folder, "test", suite.description, records)
    rows = {row["figure"]: row for row in json.loads(files[0].read_text())["rows"]}
    assert (rows["FVD"]["count"], rows["Inception Score"]["count"]) == (2, 3)
    assert rows["text-video similarity"]["count"] == 3
    assert "I3D" in files[1].read_text()
    with pytest.raises(ValueError, match="another run, which differs in networks"):
        load(FeatureNetworks()).run(lambda *_: None)


def test_every_listed_video_that_can_be_used_is_looked_at_once(tmp_path: Path) -> None:
    """Of three videos one has two captions, and one is broken: the next in its place has a turn of its own."""
    names, lines = ("0.mp4", "0.mp4", "1.mp4", "broken.mp4"), []
    for index, name in enumerate(names):
        if name == "broken.mp4":
            (tmp_path / name).write_text("no video")
        else:
            write_mp4(Clip(torch.full((1, 29, 3, 40, 64), index / 4), 8), tmp_path / name)
        lines.append(json.dumps({"video": name, "caption": f"number {index}"}))
    listing, folder = tmp_path / "list.jsonl", tmp_path / "report"
    listing.write_text("\n".join(lines))
    identity = RunIdentity(SHAPES.name, {}, "", "", {}, None)
    suite = Suite("test", references=9, size=(64, 64))
    records = Evaluation(SHAPES, suite, folder, {}, FeatureNetworks(), identity, listing).run(lambda *_: None)
    assert [record["kind"] for record in records] == ["reference"] * 3
    seen = [load_file(file)["clip"] for file in (folder / "features/real/expert-translation").glob("*")]
    assert len(seen) == 2
    assert not torch.equal(*seen)


def test_nothing_of_listed_videos_is_cropped(tmp_path: Path) -> None:
    """White at the left and right edges, which a square cut from the middle would lack."""
    frames = -torch.ones(29, 3, 40, 80)
    frames[..., :16] = frames[..., -16:] = 1
    write_mp4(Clip(frames[None], 8), tmp_path / "0.mp4")
    listing = tmp_path / "list.jsonl"
    listing.write_text(json.dumps({"video": "0.mp4", "caption": "edges"}))
    identity = RunIdentity(SHAPES.name, {}, "", "", {}, None)
    suite = Suite("test", listed=1, references=1, size=(64, 64))
    run = Evaluation(SHAPES, suite, tmp_path, {}, FeatureNetworks(), identity, listing)
    picture = run._real_videos[0].frames[0]
    assert picture.shape == (3, 64, 64)
    assert picture[:, :, :8].mean() > 0.8
    assert picture[:, :, 28:36].mean() < -0.8


def test_a_protocol_needs_a_list(shapes_checkpoints: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--data"):
        Evaluation.load(
            SHAPES,
            SUITES["msr-vtt"],
            tmp_path,
            Checkpoints(shapes_checkpoints),
            Execution(),
            FeatureNetworks(),
        )
