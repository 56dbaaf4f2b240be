"""Deliveries of webhooks, and the secret that signs them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class DeliveryView(BaseModel):
    """One attempt to deliver a webhook. Times are Unix seconds."""

    message_id: str = Field(description="The `webhook-id` header.")
    event: str = Field(examples=["video.completed"])
    attempt: int
    at: int
    seconds: float
    status_code: int | None = Field(description="How the target answered.")
    error: str | None = Field(description="Why there is no answer.")
    taken: bool = Field(description="Whether the target accepted the message.")


class DeliveryList(BaseModel):
    """The attempts to deliver a video's webhooks, oldest first."""

    object: Literal["list"] = "list"
    data: list[DeliveryView]


class WebhookSecret(BaseModel):
    """The secrets that sign the webhooks of the caller's project."""

    secret: str = Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
    previous_secret: str | None = Field(
        description="The secret that it replaced; messages are signed with both for a day."
    )
    previous_expires_in_s: int | None = Field(description="How much longer `previous_secret` signs messages.")
