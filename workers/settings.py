"""All configuration, in one place: typed, validated at start, read from `CASCADE_` environment variables.

The gateway, the workers and the command line share it, so that one set of variables describes a deployment.
"""

from __future__ import annotations

import json
import re
from dataclasses import fields
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from cascade.models.presets.spec import queue_name
from cascade.models.presets.table import PRESETS
from cascade.models.runtime.execution import Attention, DType, Execution, Offload, TextDevice
from cascade.workers.addresses import (
    check_bucket,
    check_host,
    check_region,
    check_server_url,
    is_loopback,
    shown,
)
from cascade.workers.redis_url import RedisAddress, parse_redis_url
from cascade.workers.settings_faults import describe, describe_fault

PATH_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")
DEVICE = re.compile(r"auto|cpu|mps|(cuda|xpu|hpu|npu)(:\d{1,3})?")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
MAX_TIME = 1_000_000_000
MAX_NUMBER = 1 << 50
EXECUTION = TypeAdapter(Execution)
EXECUTION_FIELDS = tuple(field.name for field in fields(Execution))


class Settings(BaseSettings):
    """One attribute, one variable: `redis_url` is `CASCADE_REDIS_URL`."""

    model_config = SettingsConfigDict(
        env_prefix="CASCADE_",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,  # it may be a secret
    )

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
    stage_execution: Annotated[dict[str, dict[str, Any]], NoDecode] = Field(
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

    orphan_age_s: int = Field(
        86_400,
        ge=0,
        description="Objects of which there is no record, as after a loss of Redis's data, go after this; 0 keeps them.",
    )

    lease_s: float = Field(
        30.0,
        ge=1,
        description="A stage whose worker does not renew its lease for this long goes to another worker.",
    )
    max_attempts: int = Field(3, ge=1, description="How often a stage is tried before its job fails.")
    retry_backoff_s: float = Field(2.0, ge=0, description="Wait before the second try; doubles each time.")
    stage_time_limit_s: int = Field(3600, ge=1, description="A stage may take this long.")
    preview_steps: int = Field(
        4,
        ge=0,
        description="A running first stage shows what it takes the clip to be, every so many steps; 0 is never.",
    )
    outage_limit_h: float = Field(
        24.0,
        gt=0,
        description="How long a stage waits for Redis, S3 or disk space that is away before its job fails.",
    )
    drain_s: float = Field(
        30.0, ge=0, description="A worker told to stop finishes its stage within this, else hands it back."
    )

    host: str = Field("127.0.0.1", description="Address the gateway listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port of the gateway; 0 takes a free one.")
    root_path: str = Field(
        "", description="Path prefix below which a proxy offers the gateway, such as /cascade; empty is none."
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        ("127.0.0.1", "::1"),
        description="Addresses and networks, comma-separated, whose X-Forwarded-For, -Proto and -Prefix count.",
    )
    public_url: str | None = Field(
        None,
        description="The gateway as clients reach it, in URLs of files; unset is where a request came to.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Origins whose pages may call the API, comma-separated, such as https://example.com; * is all.",
    )
    content: Literal["gateway", "redirect"] = Field(
        "gateway",
        description="How files are downloaded: gateway (through it, with byte ranges) or redirect (by presigned URLs of S3).",
    )
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
    max_stored_bytes_per_project: int = Field(
        100 << 30,
        ge=1,
        description="Stored bytes of one project's videos; above it, new ones are refused with 429.",
    )
    rate_limit_per_minute: int = Field(60, ge=1, description="New videos a minute and API key.")
    request_rate_limit_per_minute: int = Field(
        6000, ge=1, description="Other requests a minute and API key; reads and changes are counted apart."
    )
    max_event_streams_per_key: int = Field(
        100, ge=1, description="Open event streams of an API key, in each gateway process."
    )
    max_connections: int = Field(
        1000,
        ge=8,
        description="Open connections of a gateway process; the one that waits longest for its request makes room.",
    )
    max_connections_per_client: int = Field(
        250, ge=4, description="Of these, connections from one address; behind a proxy all come from one."
    )
    request_timeout_s: float = Field(
        10.0, gt=0, description="The head of a request must arrive within this, and so must its body."
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Names that a gateway without keys also answers to, comma-separated; loopback names always.",
    )
    tls_in_front: bool = Field(
        False,
        description="Clients reach the gateway by HTTPS only: it answers with Strict-Transport-Security.",
    )
    webhook_private_targets: bool = Field(
        False, description="Let webhooks call private, loopback and link-local addresses."
    )
    webhook_plain_http: bool = Field(
        False, description="Let webhooks call http URLs; where private targets are allowed, they may anyway."
    )
    webhook_max_attempts: int = Field(8, ge=1, description="How often a webhook is tried.")
    webhook_backoff_s: float = Field(
        5.0, ge=0, description="Wait before a webhook's second try; doubles each time."
    )
    webhook_timeout_s: float = Field(
        10.0, gt=0, description="A webhook's whole delivery, from the look-up of the name to the answer."
    )
    max_best_of: int = Field(4, ge=1, le=16, description="Most drafts of one video.")
    max_body_bytes: int = Field(64 * 1024, ge=1024, description="Largest request body.")
    max_prompt_chars: int = Field(1000, ge=1, description="Longest prompt and negative prompt.")
    long_prompts: Literal["warn", "refuse"] = Field(
        "warn",
        description="A prompt of more tokens than the text encoder reads: warn (in `warnings`) or refuse (422).",
    )

    data_dir: Path = Field(
        Path(".cascade"), description="Where `cascade up` keeps the data of its own Redis and S3 servers."
    )
    log_prompts: bool = Field(False, description="Write prompts into the gateway's log.")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")

    @property
    def redis_address(self) -> RedisAddress:
        """Return what `redis_url` says, for every client alike."""
        return parse_redis_url(self.redis_url.get_secret_value())

    @property
    def authenticates(self) -> bool:
        """Return whether requests need an API key."""
        return not self.on_loopback if self.auth == "auto" else self.auth == "on"

    @property
    def on_loopback(self) -> bool:
        """Return whether only this machine reaches the gateway."""
        return is_loopback(self.host)

    def execution(self, preset: str, stage: str) -> Execution:
        """Return how a stage of a preset runs; what is set for its queue goes before what is set for its name."""
        common = {name: getattr(self, name) for name in EXECUTION_FIELDS}
        by_name = self.stage_execution.get(stage, {})
        by_queue = self.stage_execution.get(queue_name(preset, stage), {})
        return EXECUTION.validate_python(common | by_name | by_queue)

    @field_validator("*")
    @classmethod
    def _check_number(cls, value: object, field: ValidationInfo) -> object:
        """Refuse what servers and clocks do not take: more than 30 years, or 1 PiB."""
        most = MAX_TIME if str(field.field_name).endswith(("_s", "_h")) else MAX_NUMBER
        if isinstance(value, int | float) and value > most:
            raise ValueError(f"must be {most} or less, not {shown(value)}")
        return value

    @field_validator("redis_url")
    @classmethod
    def _check_redis_url(cls, value: SecretStr) -> SecretStr:
        parse_redis_url(value.get_secret_value())
        return value

    @field_validator("host")
    @classmethod
    def _check_host(cls, value: str) -> str:
        return check_host(value)

    @field_validator("s3_endpoint_url", "s3_public_endpoint_url")
    @classmethod
    def _check_server_url(cls, value: str | None) -> str | None:
        return None if value is None else check_server_url(value)

    @field_validator("s3_bucket")
    @classmethod
    def _check_bucket(cls, value: str) -> str:
        return check_bucket(value)

    @field_validator("s3_region")
    @classmethod
    def _check_region(cls, value: str) -> str:
        return check_region(value)

    @field_validator("device")
    @classmethod
    def _check_device(cls, value: str) -> str:
        return _check_device_name(value)

    @field_validator("log_level")
    @classmethod
    def _check_log_level(cls, value: str) -> str:
        if value.upper() not in LOG_LEVELS:
            raise ValueError(f"{shown(value)} is no log level; choose from {', '.join(LOG_LEVELS)}")
        return value.upper()

    @field_validator("stage_execution", mode="before")
    @classmethod
    def _decode_json(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"must be JSON by queue or stage: {error}") from None

    @model_validator(mode="after")
    def _check_s3_keys(self) -> Self:
        if (self.s3_access_key is None) != (self.s3_secret_key is None):
            raise ValueError("CASCADE_S3_ACCESS_KEY and CASCADE_S3_SECRET_KEY: set both or neither")
        return self

    @field_validator("stage_execution")
    @classmethod
    def _check_execution(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        presets = PRESETS.values()
        stages = dict.fromkeys(name for preset in presets for name in (*preset.queues, *preset.stage_names))
        for stage, changes in value.items():
            if stage not in stages:
                raise ValueError(f"unknown stage {shown(stage)}; choose from {', '.join(stages)}")
            unknown = changes.keys() - EXECUTION_FIELDS
            if unknown:
                allowed = ", ".join(EXECUTION_FIELDS)
                names = shown(", ".join(sorted(unknown)))[1:-1]
                raise ValueError(f"{stage}: unknown {names}; choose from {allowed}")
            try:
                _check_device_name(EXECUTION.validate_python(changes).device)
            except ValidationError as error:
                wrong = "; ".join(f"{fault['loc'][0]} {describe_fault(fault)}" for fault in error.errors())
                raise ValueError(f"{stage}: {wrong}") from None
            except ValueError as error:
                raise ValueError(f"{stage}: {error}") from None
        return value

    @field_validator("presets", "allowed_hosts", "trusted_proxies", "cors_origins", mode="before")
    @classmethod
    def _split_list(cls, value: object) -> object:
        return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value

    @field_validator("root_path")
    @classmethod
    def _check_root_path(cls, value: str) -> str:
        path = value.rstrip("/")
        if path and PATH_PREFIX.fullmatch(path) is None:
            raise ValueError(f"{shown(value)} is no path prefix, such as /cascade")
        return path

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str | None) -> str | None:
        return None if value is None else check_server_url(value)

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in value if value != ("*",) else ():
            try:
                ip_network(proxy)
            except ValueError as error:
                raise ValueError(
                    f"{shown(proxy)} is no address and no network, such as 10.0.0.0/8; * alone is all"
                ) from error
        return value

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if origin != "*" and re.fullmatch(r"[a-z][a-z0-9+.-]*://[^\s/?#@*]+", origin.lower()) is None:
                raise ValueError(
                    f"{shown(origin)} is no origin: a scheme and a host, such as https://example.com, or * alone"
                )
        return tuple(origin.lower() for origin in value)  # as browsers write them

    @field_validator("allowed_hosts")
    @classmethod
    def _check_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(check_host(name).removesuffix(".").lower() for name in value)

    @field_validator("presets")
    @classmethod
    def _check_presets(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in value if name not in PRESETS]
        if unknown or not value:
            raise ValueError(f"unknown presets {unknown}; choose from {', '.join(PRESETS)}")
        return tuple(dict.fromkeys(value))


class WrongSettings(ValueError):
    """Variables that cannot be used; the message names each, and what is allowed."""


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Read the settings of this process, once. Raises WrongSettings naming each wrong variable."""
    try:
        return Settings()
    except ValidationError as error:
        raise WrongSettings(describe(error)) from None


def _check_device_name(value: str) -> str:
    if DEVICE.fullmatch(value) is None:
        raise ValueError(f"{shown(value)} is no device; choose from auto, cpu, cuda, cuda:1, mps, xpu")
    return value
