"""What of a prompt a video will not show, in words for the client: text that no encoder reads, and words without meaning."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from cascade.models.presets.spec import AnyStageSpec
from cascade.models.presets.table import PRESETS
from cascade.models.prompt_guide import prompt_doubts
from cascade.models.prompt_length import unused_text
from cascade.workers.jobs.record import Job


class NoTokenizer(Exception):
    """What a text encoder reads cannot be told here, or not yet."""


def job_warnings(job: Job, checkpoints: Path) -> list[str]:
    """Say what of a job's prompts is not used, and what its preset will not understand."""
    request = job.request
    return all_warnings(request.preset, request.prompt, request.negative_prompt or "", job.plan, checkpoints)


def all_warnings(
    preset: str, prompt: str, negative_prompt: str, stages: Iterable[AnyStageSpec], checkpoints: Path
) -> list[str]:
    """Say what of two prompts is not used, a sentence for each limit, and what `preset` will not understand of the first."""
    stages = tuple(stages)
    return [
        *prompt_warnings("prompt", prompt, stages, checkpoints),
        *(f"prompt: {doubt}" for doubt in _doubts(prompt, preset)),
        *prompt_warnings("negative_prompt", negative_prompt, stages, checkpoints),
    ]


def prompt_warnings(field: str, text: str, stages: Iterable[AnyStageSpec], checkpoints: Path) -> list[str]:
    """Say what of one text is not used, a sentence for each limit; nothing where all of it is used, or nobody can tell.

    Args:
        field: of the request, `prompt` or `negative_prompt`.
        checkpoints: folder of local checkpoints, whose tokenizers count.
    """
    titles: dict[str, list[str]] = {}
    for spec in stages:
        fault = _fault(text, spec, checkpoints)
        if fault:
            titles.setdefault(fault, []).append(spec.title)
    return [f"{field}: {fault} (stages: {', '.join(names)})" for fault, names in titles.items()]


@lru_cache(maxsize=4096)  # a list of videos asks for the same prompts each time
def _doubts(prompt: str, preset: str) -> tuple[str, ...]:
    return prompt_doubts(prompt, preset) if preset in PRESETS else ()


def _fault(text: str, spec: AnyStageSpec, checkpoints: Path) -> str:
    try:
        unused = _known_unused_text(text, spec, checkpoints)
    except NoTokenizer:
        return _fault_by_words(len(text.split()), spec)
    if unused:
        return f'the text encoder reads {spec.max_prompt_tokens} tokens; not used: "{unused}"'
    return ""


def _fault_by_words(words: int, spec: AnyStageSpec) -> str:
    limit = spec.max_prompt_tokens
    if limit is not None and words > limit:  # a word has one token at least
        return f"the text encoder reads {limit} tokens; of {words} words the end is not used"
    return ""


@lru_cache(maxsize=4096)
def _known_unused_text(text: str, spec: AnyStageSpec, checkpoints: Path) -> str:
    """Return what `unused_text` does; raise NoTokenizer, which is not kept, where a tokenizer is not here: it may come."""
    unused = unused_text(text, spec, checkpoints)
    if unused is None:
        raise NoTokenizer(spec.text_encoder)
    return unused
