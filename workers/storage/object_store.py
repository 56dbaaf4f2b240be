"""S3 objects: put, get, delete, and presigned download URLs."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from cascade.workers.errors import ArtifactLost
from cascade.workers.settings import Settings


class ObjectStore:
    """One bucket. Errors of the server are botocore's (`BotoCoreError`, `ClientError`)."""

    def __init__(self, settings: Settings) -> None:
        self.bucket = settings.s3_bucket
        self._expiry_s = settings.presign_expiry_s
        self._client = _client(settings, settings.s3_endpoint_url)
        # A presigned URL is signed for its host: it needs the address that clients use.
        self._public = _client(settings, settings.s3_public_endpoint_url or settings.s3_endpoint_url)

    def ensure_bucket(self) -> None:
        """Create the bucket if it is not there."""
        try:
            self._client.head_bucket(Bucket=self.bucket)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            self._client.create_bucket(Bucket=self.bucket)

    def check(self) -> None:
        """Raise botocore's error if the server or the bucket cannot be reached."""
        self._client.head_bucket(Bucket=self.bucket)

    def put(self, key: str, content: bytes, media_type: str) -> None:
        """Store an object, in the place of one with the same key."""
        self._client.put_object(Bucket=self.bucket, Key=key, Body=content, ContentType=media_type)

    def get(self, key: str) -> bytes:
        """Read an object. Raises ArtifactLost if there is none."""
        try:
            response = self._client.get_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                raise ArtifactLost(f"object {key} is gone") from error
            raise
        body: bytes = response["Body"].read()
        return body

    def presign(self, key: str, filename: str, media_type: str) -> str:
        """Sign a URL that downloads the object as `filename`, until `presign_expiry_s` is over."""
        url: str = self._public.generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self.bucket,
                "Key": key,
                # Some servers forget an object's content type when they restart.
                "ResponseContentType": media_type,
                "ResponseContentDisposition": f'inline; filename="{filename}"',
            },
            ExpiresIn=self._expiry_s,
        )
        return url

    def delete_prefix(self, prefix: str, ending: str = "") -> None:
        """Delete every object whose key begins with `prefix` and ends with `ending`."""
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
            keys = [{"Key": item["Key"]} for item in page.get("Contents", []) if item["Key"].endswith(ending)]
            if keys:
                self._client.delete_objects(Bucket=self.bucket, Delete={"Objects": keys, "Quiet": True})


def _client(settings: Settings, endpoint_url: str | None) -> Any:
    access, secret = settings.s3_access_key, settings.s3_secret_key
    return boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        region_name=settings.s3_region,
        aws_access_key_id=access and access.get_secret_value(),
        aws_secret_access_key=secret and secret.get_secret_value(),
        config=Config(
            connect_timeout=5,
            read_timeout=60,
            retries={"max_attempts": 4, "mode": "standard"},
            s3={"addressing_style": "path" if endpoint_url else "auto"},
            signature_version="s3v4",
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
