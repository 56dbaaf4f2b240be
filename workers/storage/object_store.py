"""S3 objects: put, get, delete, and presigned download URLs."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from hashlib import md5
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from cascade.workers.errors import ArtifactLost
from cascade.workers.settings import Settings
from cascade.workers.storage.server_clock import CLOCK

CHUNK_BYTES = 256 * 1024
FIRST_REGION = "us-east-1"
NO_SUCH_PLACE = ("InvalidLocationConstraint", "IllegalLocationConstraintException")


@dataclass(frozen=True)
class StoredObject:
    """An object in a listing, and how many seconds ago it was stored, by the server's clock."""

    key: str
    age_s: float


class ObjectStore:
    """One bucket. Errors of the server are botocore's (`BotoCoreError`, `ClientError`)."""

    def __init__(self, settings: Settings, timeout_s: float = 60, attempts: int = 5) -> None:
        """Prepare the connections; the server may take `timeout_s` for each answer, and is asked up to `attempts` times."""
        self.bucket = settings.s3_bucket
        self._region = settings.s3_region
        self._expiry_s = settings.presign_expiry_s
        self._client = _client(settings, settings.s3_endpoint_url, timeout_s, attempts)
        # A presigned URL is signed for its host: it needs the address that clients use.
        public_url = settings.s3_public_endpoint_url or settings.s3_endpoint_url
        self._public = _client(settings, public_url, timeout_s, attempts)

    def ensure_bucket(self) -> None:
        """Create the bucket if it is not there."""
        try:
            self._client.head_bucket(Bucket=self.bucket)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            self._create_bucket()

    def check(self) -> str:
        """Return what the server calls itself, if it does; raise botocore's error if it or the bucket cannot be reached."""
        answer = self._client.head_bucket(Bucket=self.bucket)
        return str(answer["ResponseMetadata"]["HTTPHeaders"].get("server", ""))

    def put(self, key: str, content: bytes, media_type: str) -> None:
        """Store an object, in the place of one with the same key."""
        self._client.put_object(Bucket=self.bucket, Key=key, Body=content, ContentType=media_type)

    def get(self, key: str) -> bytes:
        """Read an object. Raises ArtifactLost if there is none."""
        body: bytes = self._open(key)["Body"].read()
        return body

    def open(self, key: str, first: int, length: int) -> Iterator[bytes]:
        """Read `length` bytes, above 0, of an object from byte `first` on, in chunks. Raises ArtifactLost if there is none."""
        response = self._open(key, Range=f"bytes={first}-{first + length - 1}")
        if response["ContentLength"] > length:
            raise ArtifactLost(f"object {key} is longer than its record says, or its server knows no ranges")
        return _chunks(response["Body"])

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

    def pages(self, prefix: str) -> Iterator[list[StoredObject]]:
        """List the objects whose key begins with `prefix`, up to 1,000 at a time, in order of their keys."""
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
            # Both times are of the server's clock: no other machine's clock counts.
            now = parsedate_to_datetime(page["ResponseMetadata"]["HTTPHeaders"]["date"])
            yield [
                StoredObject(item["Key"], (now - item["LastModified"]).total_seconds())
                for item in page.get("Contents", [])
            ]

    def delete(self, keys: Sequence[str]) -> None:
        """Delete up to 1,000 objects; one that is gone already is no error. Raises ClientError if some are refused."""
        objects = [{"Key": key} for key in keys]
        answer = self._client.delete_objects(Bucket=self.bucket, Delete={"Objects": objects, "Quiet": True})
        if answer.get("Errors"):
            raise ClientError({"Error": answer["Errors"][0]}, "DeleteObjects")

    def delete_prefix(self, prefix: str, ending: str = "") -> None:
        """Delete every object whose key begins with `prefix` and ends with `ending`."""
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
            keys = [item["Key"] for item in page.get("Contents", []) if item["Key"].endswith(ending)]
            if keys:
                self.delete(keys)

    def _create_bucket(self) -> None:
        """Create the bucket in the region of the settings; S3 wants it named, but for its first one."""
        place: dict[str, Any] = {}
        if self._region != FIRST_REGION:
            place = {"CreateBucketConfiguration": {"LocationConstraint": self._region}}
        try:
            self._client.create_bucket(Bucket=self.bucket, **place)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if place and code in NO_SUCH_PLACE:  # a server that knows no regions
                self._client.create_bucket(Bucket=self.bucket)
            elif code != "BucketAlreadyOwnedByYou":  # another process was faster
                raise

    def _open(self, key: str, **options: str) -> Any:
        try:
            return self._client.get_object(Bucket=self.bucket, Key=key, **options)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                raise ArtifactLost(f"object {key} is gone") from error
            raise


def _chunks(body: Any) -> Iterator[bytes]:
    with body:
        yield from body.iter_chunks(CHUNK_BYTES)


def _client(settings: Settings, endpoint_url: str | None, timeout_s: float, attempts: int) -> Any:
    access, secret = settings.s3_access_key, settings.s3_secret_key
    client = boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        region_name=settings.s3_region,
        aws_access_key_id=access and access.get_secret_value(),
        aws_secret_access_key=secret and secret.get_secret_value(),
        config=Config(
            connect_timeout=min(timeout_s, 5),
            read_timeout=timeout_s,
            retries={"total_max_attempts": attempts, "mode": "standard"},
            s3={"addressing_style": "path" if endpoint_url else "auto"},
            signature_version="s3v4",
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
    client.meta.events.register("before-call.s3.DeleteObjects", _add_md5)
    CLOCK.follow(client)
    return client


def _add_md5(params: dict[str, Any], **_: object) -> None:
    """Add the checksum that older servers require of a multi-delete; boto3 itself sends newer ones only."""
    digest = md5(params["body"], usedforsecurity=False).digest()
    params["headers"]["Content-MD5"] = b64encode(digest).decode()
