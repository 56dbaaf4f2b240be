"""Turns what clients send into job requests, checked against the preset and the deployment's limits."""

from __future__ import annotations

import secrets
from dataclasses import replace

from cascade.models.presets.spec import MAX_SEED
from cascade.models.presets.table import get_preset
from cascade.service.api.prompt_warnings import prompt_warnings
from cascade.service.api.schemas.requests import CreateVideo, RemixVideo
from cascade.service.api.views import duration
from cascade.service.problems import ApiError
from cascade.workers.jobs.record import Job, JobRequest, Motion
from cascade.workers.settings import Settings
from cascade.workers.storage.motions import Motions
from cascade.workers.webhooks.safe_http import check_url


def new_request(body: CreateVideo, settings: Settings, motions: Motions) -> JobRequest:
    """Write the job request of a new video.

    Raises:
        ApiError, InvalidParameter: name the field, and what is allowed.
    """
    model = offered_model(body.model, settings)
    seconds = duration(get_preset(model).stages[-1])
    if body.seconds is not None and str(body.seconds) != seconds:
        raise ApiError(422, f'preset "{model}" makes videos of {seconds} seconds', "seconds")
    fields = body.model_dump(exclude={"model", "seconds"})
    fields["seed"] = secrets.randbelow(MAX_SEED + 1) if body.seed is None else body.seed
    fields["motion"] = _find_motion(model, body.motion, motions)
    request = JobRequest(preset=model, **fields)
    _check(request, settings)
    return request


def remix_request(body: RemixVideo, source: Job, settings: Settings) -> JobRequest:
    """Write the job request of a remix: that of `source` with the changes of `body`.

    Raises:
        ApiError, InvalidParameter: name the field, and what is allowed.
    """
    changes = body.model_dump(exclude={"from_stage", "draft"}, exclude_none=True)
    changes["steps"] = {**source.request.steps, **body.steps}
    changes["guidance_scale"] = {**source.request.guidance_scale, **body.guidance_scale}
    request = replace(source.request, **{"stop_after": None, "best_of": 1, "seed": source.seed} | changes)
    _check(request, settings)
    return request


def offered_model(name: str | None, settings: Settings) -> str:
    """Return the preset that a request names, or the first one. Raises ApiError if the deployment does not offer it."""
    model = settings.presets[0] if name is None else name
    if model not in settings.presets:
        presets = ", ".join(settings.presets)
        raise ApiError(422, f'there is no preset "{model}"; choose one of {presets}', "model")
    return model


def check_length(field: str, text: str, max_chars: int) -> None:
    """Raise ApiError naming the request's `field` if its text is longer than allowed."""
    if len(text) > max_chars:
        raise ApiError(422, f"{field} has {len(text)} characters; {max_chars} are allowed", field)


def _find_motion(model: str, name: str | None, motions: Motions) -> Motion | None:
    if name is None:
        return None
    motion = motions.find(model, name)
    if motion is None:
        names = ", ".join(motion.name for motion in motions.list(model)) or "it has none"
        raise ApiError(422, f'preset "{model}" has no motion "{name}"; choose from: {names}', "motion")
    return motion


def _check(request: JobRequest, settings: Settings) -> None:
    check_length("prompt", request.prompt, settings.max_prompt_chars)
    check_length("negative_prompt", request.negative_prompt or "", settings.max_prompt_chars)
    if settings.long_prompts == "refuse":
        stages = get_preset(request.preset).stages
        for field, text in (("prompt", request.prompt), ("negative_prompt", request.negative_prompt or "")):
            for warning in prompt_warnings(field, text, stages, settings.checkpoints_dir):
                raise ApiError(422, warning, field)
    if request.stop_after is not None:
        get_preset(request.preset).check_stage(request.stop_after, "stop_after")
    if request.best_of > settings.max_best_of:
        raise ApiError(422, f"best_of may be 1 to {settings.max_best_of}", "best_of")
    if request.webhook_url is not None:
        try:
            check_url(
                request.webhook_url,
                private_targets=settings.webhook_private_targets,
                plain_http=settings.webhook_plain_http,
            )
        except ValueError as error:
            raise ApiError(422, f"webhook_url {error}", "webhook_url") from error
