"""Show-1 as it was published: steps, guidance, shapes, schedules and windows, stage by stage."""

from __future__ import annotations

from cascade.models.presets.show1 import SHOW_1, ExpertTranslationOptions, SuperResolutionOptions


def test_the_preset_has_the_published_constants() -> None:
    keyframes, interpolation, super_resolution, translation = SHOW_1.stages
    assert [(s.frames, s.width, s.height) for s in SHOW_1.stages] == [
        (8, 64, 40),
        (29, 64, 40),
        (29, 256, 160),
        (29, 576, 320),
    ]
    assert [s.steps for s in SHOW_1.stages] == [75, 75, 125, 50]
    assert [s.guidance_scale for s in SHOW_1.stages] == [9.0, 4.0, 7.0, 15.0]
    assert [s.schedule and s.schedule.sample_max_value for s in SHOW_1.stages] == [1.5, 1.5, 1.0, None]
    assert keyframes.schedule is not None
    assert keyframes.schedule.dynamic_thresholding_ratio == 0.95
    assert isinstance(super_resolution.options, SuperResolutionOptions)
    assert super_resolution.options.noise_level == 250
    assert super_resolution.options.first_frame is not None
    assert super_resolution.options.first_frame.noise_level == 150
    assert super_resolution.options.first_frame.steps == 70
    assert translation.negative_prompt == "low resolution, blur"
    assert isinstance(translation.options, ExpertTranslationOptions)
    assert translation.options.strength == 0.8
    assert interpolation.text_encoder == keyframes.checkpoint


def test_only_keyframes_take_motions() -> None:
    assert [spec.options.takes_motion for spec in SHOW_1.stages] == [True, False, False, False]
