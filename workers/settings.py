"""All configuration, in one place: typed, validated at start, read from `CASCADE_` environment variables.

The gateway, the workers and the command line share it, so that one set of variables describes a deployment.
"""

from __future__ import annotations

from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, TypeAdapter, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from cascade.models.presets.spec import queue_name
from cascade.models.presets.table import PRESETS
from cascade.models.runtime.execution import Attention, DType, Execution, Offload, TextDevice

EXECUTION = TypeAdapter(Execution)
EXECUTION_FIELDS = tuple(field.name for field in fields(Execution))


class Settings(BaseSettings):
    """One attribute, one variable: `redis_url` is `CASCADE_REDIS_URL`."""

    model_config = SettingsConfigDict(env_prefix="CASCADE_", extra="ignore", frozen=True)

    presets: Annotated[tuple[str, ...], NoDecode] = Field(
        (next(iter(PRESETS)),),
        description="Cascades this deployment offers, comma-separated; the first is the default.",
    )
    checkpoints_dir: Path = Field(
        Path("checkpoints"),
        description="Folder of local checkpoints; a name neither there nor shipped is a hub name.",
    )
    device: str = Field("auto", description="Device of the workers: auto, cpu, cuda, cuda:1, ...")
    dtype: DType = Field(
        "auto",
        description="Precision of the networks: auto, float32, float16, bfloat16; auto fits the device.",
    )
    offload: Offload = Field(
        "none",
        description="Main memory for idle networks: none, model (whole networks), group (layer by layer, slow).",
    )
    vae_slicing: bool = Field(True, description="The VAE works frame by frame: less memory, hardly slower.")
    vae_tiling: bool = Field(
        False, description="The VAE works on tiles of a frame: least memory, faint seams."
    )
    compile: bool = Field(False, description="Compile the UNet: minutes at the first job, then faster steps.")
    attention: Attention = Field(
        "auto", description="Attention kernel: auto (torch chooses), flash, efficient, cudnn, math."
    )
    text_device: TextDevice = Field(
        "same",
        description="Where text encoders run: same (as the UNet), cpu (slow, frees 10 GB with T5 XXL).",
    )
    text_8bit: bool = Field(
        False, description="Text encoders in 8 bits: half the memory; needs bitsandbytes."
    )
    stage_execution: dict[str, dict[str, Any]] = Field(
        {},
        description="Where a stage differs in the eight settings above, as JSON by queue or by stage of all presets: "
        '`{"PRESET.STAGE": {"dtype": "float16"}}`.',
    )

    redis_url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"), description="Queue, job records and small tensors."
    )
    s3_endpoint_url: str | None = Field(None, description="S3 server as workers reach it; unset is AWS.")
    s3_public_endpoint_url: str | None = Field(
        None, description="S3 server as clients reach it, in presigned URLs; unset is the same."
    )
    s3_region: str = Field("us-east-1", description="S3 region.")
    s3_bucket: str = Field("cascade", description="Bucket for clips and videos; made at start if missing.")
    s3_access_key: SecretStr | None = Field(None, description="S3 access key; unset uses boto3's chain.")
    s3_secret_key: SecretStr | None = Field(None, description="S3 secret key.")
    presign_expiry_s: int = Field(3600, ge=1, le=604800, description="How long download URLs hold.")

    inline_artifact_max_bytes: int = Field(
        1 << 20, ge=0, description="Tensors up to this size travel through Redis, larger ones through S3."
    )
    intermediate_ttl_s: int = Field(
        86_400, ge=1, description="How long the tensors between stages are stored after a video has ended."
    )
    result_ttl_s: int = Field(
        604_800, ge=1, description="How long a video is stored after it has ended, record and files."
    )

    lease_s: float = Field(
        30.0,
        ge=1,
        description="A stage whose worker does not renew its lease for this long goes to another worker.",
    )
    max_attempts: int = Field(3, ge=1, description="How often a stage is tried before its job fails.")
    retry_backoff_s: float = Field(2.0, ge=0, description="Wait before the second try; doubles each time.")
    stage_time_limit_s: int = Field(3600, ge=1, description="A stage may take this long.")
    visibility_timeout_s: int = Field(
        7200, ge=1, description="When Redis redelivers an unacknowledged task; above the stage time limit."
    )
    drain_s: float = Field(
        30.0, ge=0, description="A worker told to stop finishes its stage within this, else hands it back."
    )

    host: str = Field("127.0.0.1", description="Address the gateway listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port of the gateway; 0 takes a free one.")
    auth: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Whether API keys are needed: on, off, or auto (off on a loopback host, on elsewhere).",
    )
    max_active_jobs: int = Field(
        1000, ge=1, description="Unfinished videos in all; more are refused with 503."
    )
    max_active_jobs_per_project: int = Field(
        100, ge=1, description="Unfinished videos of one project; more are refused with 429."
    )
    rate_limit_per_minute: int = Field(60, ge=1, description="New videos a minute and API key.")
    webhook_private_targets: bool = Field(
        False, description="Let webhooks call private, loopback and link-local addresses."
    )
    webhook_max_attempts: int = Field(8, ge=1, description="How often a webhook is tried.")
    webhook_backoff_s: float = Field(
        5.0, ge=0, description="Wait before a webhook's second try; doubles each time."
    )
    webhook_timeout_s: float = Field(10.0, gt=0, description="A webhook's target must answer within this.")
    max_best_of: int = Field(4, ge=1, le=16, description="Most drafts of one video.")
    max_body_bytes: int = Field(64 * 1024, ge=1024, description="Largest request body.")
    max_prompt_chars: int = Field(1000, ge=1, description="Longest prompt and negative prompt.")

    data_dir: Path = Field(
        Path(".cascade"), description="Where `cascade up` keeps the data of its own Redis and S3 servers."
    )
    log_prompts: bool = Field(False, description="Write prompts into the gateway's log.")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")

    @property
    def authenticates(self) -> bool:
        """Return whether requests need an API key."""
        if self.auth == "auto":
            return self.host not in ("127.0.0.1", "::1", "localhost")
        return self.auth == "on"

    def execution(self, preset: str, stage: str) -> Execution:
        """Return how a stage of a preset runs; what is set for its queue goes before what is set for its name."""
        common = {name: getattr(self, name) for name in EXECUTION_FIELDS}
        by_name = self.stage_execution.get(stage, {})
        by_queue = self.stage_execution.get(queue_name(preset, stage), {})
        return EXECUTION.validate_python(common | by_name | by_queue)

    @field_validator("stage_execution")
    @classmethod
    def _check_execution(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        presets = PRESETS.values()
        stages = dict.fromkeys(name for preset in presets for name in (*preset.queues, *preset.stage_names))
        for stage, changes in value.items():
            if stage not in stages:
                raise ValueError(f'unknown stage "{stage}"; choose from {", ".join(stages)}')
            unknown = changes.keys() - EXECUTION_FIELDS
            if unknown:
                allowed = ", ".join(EXECUTION_FIELDS)
                raise ValueError(f"{stage}: unknown {', '.join(sorted(unknown))}; choose from {allowed}")
            EXECUTION.validate_python(changes)
        return value

    @field_validator("presets", mode="before")
    @classmethod
    def _split_presets(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value

    @field_validator("presets")
    @classmethod
    def _check_presets(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in value if name not in PRESETS]
        if unknown or not value:
            raise ValueError(f"unknown presets {unknown}; choose from {', '.join(PRESETS)}")
        return value

    @model_validator(mode="after")
    def _check_visibility_timeout(self) -> Self:
        if self.visibility_timeout_s <= self.stage_time_limit_s + self.drain_s:
            raise ValueError(
                f"CASCADE_VISIBILITY_TIMEOUT_S ({self.visibility_timeout_s}) must be above "
                f"CASCADE_STAGE_TIME_LIMIT_S + CASCADE_DRAIN_S "
                f"({self.stage_time_limit_s} + {self.drain_s:g}): a running stage would be delivered twice"
            )
        return self


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Read the settings of this process, once. Raises pydantic.ValidationError naming each wrong variable."""
    return Settings()
