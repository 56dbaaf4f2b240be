"""The small cascade of moving shapes: the stages of Show-1 with networks that learn on a CPU, and all that draws and
measures their data.

| what | file |
|---|---|
| networks: patches, caption prior and residual around an unchanged Show-1 UNet | `unet.py`, `caption_prior.py` |
| the image model that upscales the first frame | `image_unet.py` |
| temporal attention that sees all pixels of all frames | `space_time_attention.py` |
| stages | `stages.py` |
| the data: scenes, their captions and pictures, an endless set of clips | `scene.py`, `lexicon.py`, `captions.py`, `caption_words.py`, `one_shape_forms.py`, `two_shape_forms.py`, `typos.py`, `drawing.py`, `moving_shapes.py` |
| training: the stages, the text encoder's questions, what super-resolution is to undo, the recipes | `training.py`, `caption_questions.py`, `deformation.py`, `recipes.py` |
| untrained checkpoints to begin with | `random_checkpoints.py` |
| evaluation: suites, scenes to prompt with, what a clip shows, small feature networks | `suites.py`, `scenes.py`, `analyser.py`, `small_networks.py` |
| prompts in people's words and what fulfils them; outlines beside ideal ones | `people_prompts.py`, `wishes.py`, `outlines.py` |
| how well a clip fits a caption | `text_video.py`, `text_video_training.py`, `scorers.py` |
"""

from cascade.models.families.family import Family, StageEntry
from cascade.models.presets.shapes import (
    SHAPES,
    SmallInterpolationOptions,
    SmallKeyframesOptions,
    SmallSuperResolutionOptions,
)

FAMILY = Family(
    room=__name__,
    presets=(SHAPES,),
    stages={
        SmallKeyframesOptions: StageEntry(".stages:SmallKeyframes", ".training:SmallKeyframesTraining"),
        SmallInterpolationOptions: StageEntry(
            ".stages:SmallInterpolation",
            ".training:SmallInterpolationTraining",
            restoration="cascade.models.families.show1.restoration:InterpolationRestoration",
        ),
        SmallSuperResolutionOptions: StageEntry(
            ".stages:SmallSuperResolution",
            ".training:SmallSuperResolutionTraining",
            parts={"first-frame": ".training:FirstFrameTraining"},
            restoration="cascade.models.families.show1.restoration:SuperResolutionRestoration",
        ),
    },
    recipes=".recipes:RECIPES",
    prompt_guide=".prompt_guide:GUIDE",
    clips=".moving_shapes:training_clips",
    initial_checkpoints=".random_checkpoints:create_random_shapes",
    scorers={"text-video": ".scorers:text_video"},
    suites=".suites:SUITES",
    scenes=".scenes:shapes_scene",
    feature_networks=".small_networks:SmallNetworks",
    unpack_motion="cascade.models.families.show1.motion:unpack_motion",
    train_motion=".training:train_motion",
)
