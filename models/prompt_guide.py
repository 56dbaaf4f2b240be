"""What a preset understands of prompts, asked before a job is queued. Never imports torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from cascade.models.families.registry import family_of


class PromptGuide(Protocol):
    """Knows the words of a family's presets.

    Attributes:
        vocabulary: by attribute, such as colour, the words that prompts may use, one for each meaning.
    """

    vocabulary: Mapping[str, tuple[str, ...]]

    def doubts(self, prompt: str) -> tuple[str, ...]:
        """Return a sentence for each thing in a prompt that its presets will not show."""
        ...


def prompt_doubts(prompt: str, preset: str) -> tuple[str, ...]:
    """Return sentences about what a preset will not understand of a prompt; none where it cannot tell.

    Raises:
        KeyError: there is no such preset.
    """
    guide = _guide_of(preset)
    return () if guide is None else guide.doubts(prompt)


def vocabulary(preset: str) -> Mapping[str, tuple[str, ...]]:
    """Return the words that a preset knows, by attribute; empty where its vocabulary is open.

    Raises:
        KeyError: there is no such preset.
    """
    guide = _guide_of(preset)
    return {} if guide is None else guide.vocabulary


def _guide_of(preset: str) -> PromptGuide | None:
    family = family_of(preset)
    if family.prompt_guide is None:
        return None
    guide: PromptGuide = family.part(family.prompt_guide)
    return guide
