"""A whole family in one folder: two stages, of which the first hands on latents, with a training and a recipe."""

from toy_presets import TOY, PaintOptions, SketchOptions

from cascade.models.families.family import Family, StageEntry

FAMILY = Family(
    room=__name__,
    presets=(TOY,),
    stages={
        SketchOptions: StageEntry(".stages:Sketch", training=".training:SketchTraining"),
        PaintOptions: StageEntry(".stages:Paint"),
    },
    recipes=".recipes:RECIPES",
    clips=".training:plain_clips",
    initial_checkpoints=".networks:create_checkpoints",
    scorers={"brightness": ".scorers:brightness"},
)
