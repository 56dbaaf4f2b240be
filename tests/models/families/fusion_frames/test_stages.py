"""The three stages of both published versions, from files in the published layout: keyframes, interpolation, decoding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip, Latents, Output
from cascade.models.errors import CheckpointError, PresetError, StageInputError
from cascade.models.families.fusion_frames.decoding import Decoding, split_into_chunks
from cascade.models.families.fusion_frames.first_frame import fit
from cascade.models.families.fusion_frames.guidance import image_and_text_guidance, text_guidance
from cascade.models.families.fusion_frames.interpolation import (
    Interpolation,
    interpolation_predictor,
    put_between,
)
from cascade.models.families.fusion_frames.keyframes import Keyframes
from cascade.models.families.fusion_frames.networks import InterpolationNetwork
from cascade.models.families.fusion_frames.text import Context
from cascade.models.families.registry import load_stage
from cascade.models.presets.kandinsky_video import (
    KANDINSKY_VIDEO,
    KANDINSKY_VIDEO_1_1,
    VERSION_1_0,
    VERSION_1_1,
    InterpolationOptions,
    KeyframesOptions,
)
from cascade.models.presets.spec import Preset
from cascade.models.runtime.execution import Execution
from cascade.models.stage import AnyStage, StageInputs, run_stage
from tests.models.families.fusion_frames.small_checkpoints import (
    KEYFRAMES,
    small,
    write_published,
    write_text_encoder,
)

HERE = Execution(device="cpu")
PROMPT = "a red car on the mountain road"
PRESETS = {VERSION_1_0: small(KANDINSKY_VIDEO), VERSION_1_1: small(KANDINSKY_VIDEO_1_1)}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Checkpoints:
    folder = tmp_path_factory.mktemp("checkpoints")
    for repository in PRESETS:
        write_published(folder, repository)
    write_text_encoder(folder)
    return Checkpoints(folder)


def run(
    stage: AnyStage,
    spec: Any,
    seeds: tuple[int, ...] = (7,),
    previous: Output | None = None,
    prompt: str = PROMPT,
) -> tuple[Output, list[tuple[int, int]]]:
    steps: list[tuple[int, int]] = []
    embeddings = stage.text.encode(prompt, spec.negative_prompt)
    inputs = StageInputs(spec, prompt, spec.negative_prompt, embeddings, seeds, previous)
    return run_stage(stage, inputs, lambda step, of: steps.append((step, of))), steps


@pytest.mark.parametrize("version", PRESETS)
def test_a_published_version_makes_a_video_stage_by_stage(checkpoints: Checkpoints, version: str) -> None:
    preset, previous, kinds = PRESETS[version], None, []
    for spec in preset.stages:
        stage = load_stage(spec, checkpoints, HERE)
        previous, steps = run(stage, spec, previous=previous)
        planned = spec.planned_steps()
        assert steps[-1] == (planned, planned)
        assert [step for step, _ in steps] == list(range(1, planned + 1))
        kinds.append(type(stage))
        if isinstance(previous, Latents):
            assert previous.latents.shape == (1, spec.frames, 4, 4, 6)
            assert previous.autoencoder == version
            assert stage.preview(previous).frames.shape == (1, spec.frames, 3, 32, 48)
    assert kinds == [Keyframes, Interpolation, Decoding]
    assert isinstance(previous, Clip)
    assert previous.frames.shape == (1, preset.stages[-1].frames, 3, 32, 48)
    assert previous.fps == 8


@pytest.mark.parametrize("version", PRESETS)
def test_a_seed_fixes_its_video_whatever_is_beside_it(checkpoints: Checkpoints, version: str) -> None:
    keyframes, interpolation, _ = PRESETS[version].stages
    first, second = (load_stage(spec, checkpoints, HERE) for spec in (keyframes, interpolation))
    alone, _ = run(second, interpolation, (7,), run(first, keyframes, (7,))[0])
    beside, _ = run(second, interpolation, (5, 7), run(first, keyframes, (5, 7))[0])
    assert isinstance(alone, Latents)
    assert isinstance(beside, Latents)
    torch.testing.assert_close(alone.latents[0], beside.latents[1], rtol=1e-3, atol=1e-4)
    assert (beside.latents[0] - beside.latents[1]).abs().max() > 0.1


def test_the_prompt_and_the_negative_prompt_change_the_keyframes(checkpoints: Checkpoints) -> None:
    spec = PRESETS[VERSION_1_0].stages[0]
    stage = load_stage(spec, checkpoints, HERE)
    outputs = [
        run(stage, replace(spec, negative_prompt=negative), prompt=prompt)[0]
        for prompt, negative in ((PROMPT, ""), ("a dark road", ""), (PROMPT, "dark"))
    ]
    latents = [output.latents for output in outputs if isinstance(output, Latents)]
    assert all((latents[0] - other).abs().max() > 1e-3 for other in latents[1:])


def test_the_first_frame_may_be_given(checkpoints: Checkpoints) -> None:
    spec = PRESETS[VERSION_1_1].stages[0]
    stage = load_stage(spec, checkpoints, HERE)
    outputs = []
    for colour in (-1.0, 1.0):
        given = Clip(torch.full((1, 1, 3, 64, 128), colour), 1)
        output, steps = run(stage, spec, previous=given)
        assert isinstance(output, Latents)
        assert steps[0][0] == 2  # its own steps are done
        outputs.append(output.latents)
    assert (outputs[0] - outputs[1]).abs().max() > 1e-3


def test_interpolation_of_version_1_0_is_not_told_the_prompt(checkpoints: Checkpoints) -> None:
    keyframes = Latents(torch.randn(1, KEYFRAMES, 4, 4, 6), 2, VERSION_1_0)
    differences = {}
    for version, preset in PRESETS.items():
        spec = preset.stages[1]
        stage = load_stage(spec, checkpoints, HERE)
        one, other = (
            run(stage, spec, previous=keyframes, prompt=prompt)[0] for prompt in (PROMPT, "a dark road")
        )
        assert isinstance(one, Latents)
        assert isinstance(other, Latents)
        differences[version] = (one.latents - other.latents).abs().max().item()
    assert differences[VERSION_1_0] == 0
    assert differences[VERSION_1_1] > 1e-4


def test_two_passes_keep_the_keyframes_and_make_33_frames_of_3(checkpoints: Checkpoints) -> None:
    """And 225 of 15, as published: 4 · (4 · 15 - 3) - 3."""
    spec: Any = PRESETS[VERSION_1_0].stages[1]
    spec = replace(spec, frames=33, steps=1, options=replace(spec.options, skips=(3, 1)))
    assert spec.options.keyframes(225) == 15
    keyframes = torch.randn(1, KEYFRAMES, 4, 4, 6)
    stage = load_stage(spec, checkpoints, HERE)
    output, steps = run(stage, spec, previous=Latents(keyframes, 2, VERSION_1_0))
    assert isinstance(output, Latents)
    assert output.latents.shape[1] == 33
    assert steps == [(1, 2), (2, 2)]
    torch.testing.assert_close(output.latents[:, ::16], keyframes)


def test_other_keyframes_than_the_frames_are_made_of_are_refused(checkpoints: Checkpoints) -> None:
    spec = PRESETS[VERSION_1_0].stages[1]
    stage = load_stage(spec, checkpoints, HERE)
    with pytest.raises(StageInputError, match="3 latent frames"):
        run(stage, spec, previous=Latents(torch.zeros(1, 8, 4, 4, 6), 2, VERSION_1_0))


class Recorder(torch.nn.Module):
    """Predicts zeros, and keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.given: dict[str, Any] = {}

    def forward(self, x: Tensor, time: Tensor, **conditions: Any) -> Tensor:
        self.given = {"x": x, "time": time, **conditions}
        return torch.zeros_like(x[:, 4:16])


def test_context_guidance_takes_keyframes_perturbation_and_temporal_layers_from_its_second_branch() -> None:
    """Equation 4, and section 5.1: tp is 150 with keyframes and 0 without, s is 6 in both."""
    network, keyframes = Recorder(), torch.randn(2, 4, 4, 2, 2)
    text, no_text = (
        Context(torch.full((1, 2, 3), value), torch.tensor([[True, False]])) for value in (1.0, 0.0)
    )
    predict = interpolation_predictor(network, keyframes, text, no_text, 1.25, 6, 150, has_mask=True)
    sample = torch.randn(2, 12, 3, 2, 2)
    predict(sample, torch.tensor(700))
    given = network.given
    assert given["x"].shape == (12, 20, 2, 2)  # two branches of two videos of three groups
    torch.testing.assert_close(given["x"][0, :4], keyframes[0, 0])
    torch.testing.assert_close(given["x"][0, 4:16], sample[0, :, 0])
    torch.testing.assert_close(given["x"][0, 16:], keyframes[0, 1])
    torch.testing.assert_close(given["x"][4, :4], keyframes[1, 1])
    assert not given["x"][6:, :4].any()
    assert not given["x"][6:, 16:].any()
    assert given["perturbation_time"].tolist() == [150] * 6 + [0] * 6
    assert given["temporal_mask"].tolist() == [1] * 6 + [0] * 6
    assert given["skip_frames"].tolist() == [6] * 12
    assert given["context"][:, 0, 0].tolist() == [1] * 6 + [0] * 6
    assert given["num_predicted_groups"] == 3


def test_guidance_is_what_the_papers_write() -> None:
    both, image, none = (torch.tensor(value) for value in (3.0, 2.0, 1.0))
    assert text_guidance(6.0)(both, none) == 6 * 3 - 5 * 1
    assert image_and_text_guidance(3.0, 5.0)(both, image, none) == (1 - 3) * 1 + (3 - 5) * 2 + 5 * 3


def test_frames_lie_between_their_keyframes() -> None:
    keyframes = torch.tensor([0.0, 4.0, 8.0]).view(1, 3, 1, 1, 1)
    groups = torch.tensor([[1.0, 2.0, 3.0], [5.0, 6.0, 7.0]]).T.view(1, 3, 2, 1, 1)
    assert put_between(keyframes, groups).flatten().tolist() == list(range(9))


@pytest.mark.parametrize(
    ("frames", "sizes"), [(12, [4] * 3), (45, [5] * 9), (177, [5] * 35 + [2]), (3, [3]), (8, [4, 4])]
)
def test_a_video_is_decoded_in_the_published_chunks(frames: int, sizes: list[int]) -> None:
    assert [len(chunk) for chunk in split_into_chunks(torch.zeros(frames, 1, 1, 1), 4)] == sizes
    options: Any = KANDINSKY_VIDEO_1_1.stages[-1].options
    assert options.chunks(frames) == len(sizes)


def test_a_picture_is_shrunk_and_cropped_around_the_middle() -> None:
    wide = torch.full((3, 64, 200), -1.0)
    wide[:, :, 68:132] = 1
    assert fit(wide, 32, 32).shape == (3, 32, 32)
    assert (fit(wide, 32, 32)[:, 2:-2, 2:-2] == 1).all()
    same = torch.zeros(3, 16, 24)
    assert (fit(same, 16, 24) - same).abs().max() <= 1 / 127.5  # 8 bits, cut off


@pytest.mark.parametrize(
    ("stage", "change", "message"),
    [
        (0, {"width": 644}, "644x384 is not a multiple of 8"),
        (1, {"frames": 58}, "58 frames are not what 1 passes"),
        (1, {"frames": 61}, "made? of 16 keyframes|of 16 keyframes"),
        (2, {"frames": 45}, "decodes 45 frames"),
        (1, {"options": InterpolationOptions(skips=(20,))}, "skip 20 is not 0 to 19"),
        (1, {"options": InterpolationOptions(perturbation_level=1000)}, "perturbation level 1000"),
    ],
)
def test_a_preset_that_cannot_be_made_is_refused(stage: int, change: dict[str, Any], message: str) -> None:
    stages = list(KANDINSKY_VIDEO.stages)
    stages[stage] = replace(stages[stage], **change)
    with pytest.raises(PresetError, match=message):
        replace(KANDINSKY_VIDEO, stages=tuple(stages))


def test_both_published_presets_offer_the_published_numbers() -> None:
    """Table of the published pipelines: w = 5 and 0.25; text 5, image 3, first frame w = 5 and 0.5."""
    frames = {
        preset.name: [(spec.frames, spec.steps, spec.guidance_scale) for spec in preset.stages]
        for preset in (KANDINSKY_VIDEO, KANDINSKY_VIDEO_1_1)
    }
    assert frames == {
        "kandinsky-video": [(15, 50, 6.0), (57, 50, 1.25), (57, 1, 1.0)],
        "kandinsky-video-1.1": [(12, 50, 5.0), (45, 10, 1.5), (45, 1, 1.0)],
    }
    options: Any = KANDINSKY_VIDEO_1_1.stages[0].options
    assert (options.first_frame.image_guidance, options.first_frame.guidance_scale) == (3.0, 6.0)


def test_a_unet_without_a_place_for_the_first_frame_is_refused(checkpoints: Checkpoints) -> None:
    spec: Any = PRESETS[VERSION_1_1].stages[0]
    options = KeyframesOptions(
        unet=spec.options.unet, text_projections="t5_projections.pt", sampler=spec.options.sampler
    )
    with pytest.raises(CheckpointError, match="takes 9 channels"):
        load_stage(replace(spec, options=options), checkpoints, HERE)


def resized(preset: Preset, size: str) -> list[tuple[int, int]]:
    return [(spec.width, spec.height) for spec in preset.resolve(size)]


def test_all_stages_follow_the_size() -> None:
    assert resized(KANDINSKY_VIDEO, "512x512") == [(512, 512)] * 3


def test_what_is_sampled_between_keyframes_is_shown_frame_by_frame(checkpoints: Checkpoints) -> None:
    spec = PRESETS[VERSION_1_0].stages[1]
    stage = load_stage(spec, checkpoints, HERE)
    assert isinstance(stage, Interpolation)
    assert isinstance(stage.network, InterpolationNetwork)
    shown = stage.show_sample(torch.randn(1, 12, 14, 4, 6), 8)
    assert shown.frames.shape[:3] == (1, 42, 3)
