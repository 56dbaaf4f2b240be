"""Diffusers' own pipelines as stages: any text-to-video pipeline first, any video-to-video pipeline after it."""

from cascade.models.families.family import Family, StageEntry
from cascade.models.presets.pipelines import WAN, TextToVideoOptions, VideoToVideoOptions

FAMILY = Family(
    room=__name__,
    presets=(WAN,),
    stages={
        TextToVideoOptions: StageEntry(".pipeline:PipelineStage"),
        VideoToVideoOptions: StageEntry(".pipeline:PipelineStage"),
    },
)
