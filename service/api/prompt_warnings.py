"""What of a prompt the text encoders of its stages do not read, in words for the client."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cascade.models.presets.spec import AnyStageSpec
from cascade.models.prompt_length import unused_text
from cascade.workers.jobs.record import Job


def job_warnings(job: Job, checkpoints: Path) -> list[str]:
    """Say what of a job's prompts is not used, a sentence for each prompt and limit."""
    return [
        *prompt_warnings("prompt", job.request.prompt, job.plan, checkpoints),
        *prompt_warnings("negative_prompt", job.request.negative_prompt or "", job.plan, checkpoints),
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


def _fault(text: str, spec: AnyStageSpec, checkpoints: Path) -> str:
    unused = unused_text(text, spec, checkpoints)
    if unused:
        return f'the text encoder reads {spec.max_prompt_tokens} tokens; not used: "{unused}"'
    words, limit = len(text.split()), spec.max_prompt_tokens
    if unused is None and limit is not None and words > limit:  # a word has one token at least
        return f"the text encoder reads {limit} tokens; of {words} words the end is not used"
    return ""
