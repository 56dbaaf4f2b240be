"""The unmodified LiteLLM drives a stack: python litellm_client.py URL PROMPT FILE."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it would ask for prices on the internet

import litellm

url, prompt, file = sys.argv[1:]
at: dict[str, Any] = {"api_base": f"{url}/v1", "api_key": "unused"}
video = litellm.video_generation(
    prompt,
    model="openai/shapes",
    size="128x80",
    seconds="3.625",
    extra_body={
        "seed": 7,
        "steps": {"keyframes": 2},
        "stop_after": "keyframes",
    },
    **at,
)
while video.status in ("queued", "in_progress"):
    time.sleep(0.1)
    video = litellm.video_status(video.id, **at)
Path(file).write_bytes(litellm.video_content(video.id, **at))
print(json.dumps({"status": video.status, "progress": video.progress, "model": video.model}))
