"""Caption cleaning against that of the published pipeline."""

from __future__ import annotations

import pytest
from diffusers import IFPipeline

from cascade.models.text.caption_cleaning import clean_caption


@pytest.mark.parametrize(
    "caption",
    [
        "A panda besides the waterfall is holding a sign that says “Show 1”.",
        "<person> at https://example.com/cat.png – free download!! #12345 @name",
        "snake_case_words_all-the-way, 1024x768 photo 12 <b>bold</b> &amp;quot; IMG123456.jpg",
        "  Toad   practicing  karate...   'quoted'  ",
        "12:45 page 3 worldwide free shipping click for details 127.0.0.1 ABC123 a1b2",
    ],
)
def test_captions_are_cleaned_as_the_published_pipeline_does(caption: str) -> None:
    reference = IFPipeline.__new__(IFPipeline)
    assert clean_caption(caption) == reference._clean_caption(caption)
