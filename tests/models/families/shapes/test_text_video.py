"""The text-video network tells clips from captions that differ in one attribute."""

from __future__ import annotations

from dataclasses import replace

from cascade.models.families.shapes.captions import canonical_caption
from cascade.models.families.shapes.moving_shapes import MovingShapes
from cascade.models.families.shapes.scene import COLOURS, MOTIONS
from cascade.models.families.shapes.scene import SHAPES as SHAPES_OF_SCENES
from cascade.models.families.shapes.text_video import load_text_video


def test_a_clip_fits_its_caption_better_than_captions_that_differ_in_one_attribute() -> None:
    """Of held-out combinations."""
    clips, right = MovingShapes("held-out", 8, 20, 32, seed=77), []
    network = load_text_video()
    for index in range(150):
        sample = clips[index]
        scene = sample.scene
        if scene.second is not None:
            continue
        others = [
            *(replace(scene, colour=colour) for colour in COLOURS if colour != scene.colour),
            *(replace(scene, shape=shape) for shape in SHAPES_OF_SCENES if shape != scene.shape),
            *(replace(scene, motion=motion) for motion in MOTIONS if motion != scene.motion),
        ]
        captions = [canonical_caption(one) for one in (scene, *others)]
        similarity = network.embed_captions(captions) @ network.embed_clips(sample.frames[None])[0]
        right.append(int(similarity.argmax()) == 0)
    assert sum(right) / len(right) > 0.6  # chance: 1 in 16
