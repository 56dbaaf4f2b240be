"""What to do with a stack that has just started: the page, a first video, and where everything is."""

from __future__ import annotations

import json
import shlex

from cascade.models.presets.spec import Preset
from cascade.models.presets.table import get_preset
from cascade.service.cli.program import own_command
from cascade.service.client import DEFAULT_URL
from cascade.workers.settings import Settings

ANY_PROMPT = "a calm sea"


def example_prompt(preset: Preset) -> str:
    """Return a prompt that a preset can do."""
    return next(iter(preset.example_prompts), ANY_PROMPT)


def next_steps(settings: Settings, url: str) -> str:
    """Say what to do next: commands that work as they stand in another terminal, in the same folder.

    Args:
        url: of the gateway.
    """
    prompt = example_prompt(get_preset(settings.presets[0]))
    cascade = own_command()
    there = "" if url == DEFAULT_URL else f" --url {shlex.quote(url)}"
    body = shlex.quote(json.dumps({"prompt": prompt}, ensure_ascii=False))
    key = ' -H "authorization: Bearer $CASCADE_API_KEY"' if settings.authenticates else ""
    keys = (
        f"needed: {cascade} keys create NAME prints one, for CASCADE_API_KEY and for the page"
        if settings.authenticates
        else f"none needed from this machine; {cascade} keys create NAME makes one"
    )
    data_dir = settings.data_dir.resolve()
    lines = {
        "page": url,
        "a video": f"{cascade} submit {shlex.quote(prompt)}{there}",
        "": f"{cascade} watch ID{there}   with the id that this prints",
        "over HTTP": f"curl -s {url}/v1/videos{key} -H 'content-type: application/json' -d {body}",
        "data": f"{data_dir}  (logs in logs/)",
        "keys": keys,
    }
    return "\n".join(f"{name:<11}{text}" for name, text in lines.items())
