"""The object store with servers that want more than ours does: a region by name, Content-MD5, an IPv6 address."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from botocore.exceptions import ClientError

from cascade.service.stack.embedded import credentials_of, free_port, s3_program
from cascade.workers.settings import Settings
from cascade.workers.storage.object_store import ObjectStore

KEYS = ("jobs/a/1", "jobs/a/2")


@dataclass
class StrictServer:
    """A server of S3's protocol over HTTP that refuses what AWS, or an older server, refuses.

    Attributes:
        region: of its buckets; None knows no regions, and refuses that one is named.
        locked: keys that stay whatever is asked.
    """

    region: str | None
    locked: tuple[str, ...] = ()
    buckets: set[str] = field(default_factory=set)
    objects: set[str] = field(default_factory=lambda: set(KEYS))
    url: str = ""

    def create_bucket(self, name: str, body: bytes) -> tuple[int, str]:
        named = re.search(rb"<LocationConstraint>(.*)</LocationConstraint>", body)
        expected = None if self.region in (None, "us-east-1") else self.region
        if (named and named[1].decode()) != expected:
            return 400, "<Error><Code>IllegalLocationConstraintException</Code><Message>no</Message></Error>"
        if name in self.buckets:
            return 409, "<Error><Code>BucketAlreadyOwnedByYou</Code><Message>yours</Message></Error>"
        self.buckets.add(name)
        return 200, ""

    def delete_objects(self, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        if headers.get("content-md5") != b64encode(md5(body).digest()).decode():
            return 400, "<Error><Code>InvalidRequest</Code><Message>Content-MD5 is missing</Message></Error>"
        asked = set(re.findall(r"<Key>(.*?)</Key>", body.decode()))
        self.objects -= asked - set(self.locked)
        errors = "".join(
            f"<Error><Key>{key}</Key><Code>AccessDenied</Code><Message>locked</Message></Error>"
            for key in sorted(asked & set(self.locked))
        )
        return 200, f"<DeleteResult>{errors}</DeleteResult>"

    def list_objects(self) -> tuple[int, str]:
        contents = "".join(f"<Contents><Key>{key}</Key></Contents>" for key in sorted(self.objects))
        return 200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"


@contextmanager
def serving(store: StrictServer) -> Iterator[StrictServer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_request(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query, keep_blank_values=True)
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            bucket = parts.path.strip("/").split("/")[0]
            status, text = 404, "<Error><Code>NoSuchBucket</Code><Message>none</Message></Error>"
            if self.command == "PUT":
                status, text = store.create_bucket(bucket, body)
            elif bucket in store.buckets:
                status, text = store.list_objects()
                if "delete" in query:
                    status, text = store.delete_objects(headers, body)
            content = b"" if self.command == "HEAD" else text.encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_HEAD = do_PUT = do_POST = do_request  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        store.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield store
        finally:
            server.shutdown()
            thread.join()


def store_at(server: StrictServer, region: str) -> ObjectStore:
    return ObjectStore(
        Settings(s3_endpoint_url=server.url, s3_region=region, s3_access_key="a", s3_secret_key="b")
    )


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "auto"])
def test_a_bucket_is_made_in_every_region(region: str) -> None:
    with serving(StrictServer(region)) as server:
        store_at(server, region).ensure_bucket()
        assert server.buckets == {"cascade"}
        store_at(server, region).ensure_bucket()


def test_a_bucket_is_made_where_regions_are_not_known() -> None:
    with serving(StrictServer(None)) as server:
        store_at(server, "garage").ensure_bucket()
        assert server.buckets == {"cascade"}


def test_two_processes_may_make_the_bucket_at_once() -> None:
    with serving(StrictServer("eu-west-1")) as server:
        store = store_at(server, "eu-west-1")
        store._create_bucket()
        store._create_bucket()  # the other one looked before the first had made it


def test_servers_that_want_content_md5_delete() -> None:
    with serving(StrictServer("us-east-1", buckets={"cascade"})) as server:
        store_at(server, "us-east-1").delete_prefix("jobs/a")
        assert server.objects == set()


def test_an_object_that_stays_is_an_error() -> None:
    with serving(StrictServer("us-east-1", locked=(KEYS[0],), buckets={"cascade"})) as server:
        with pytest.raises(ClientError, match="AccessDenied"):
            store_at(server, "us-east-1").delete_prefix("jobs/a")
        assert server.objects == {KEYS[0]}


def test_a_server_at_an_ipv6_address_is_reached_and_signed_for(tmp_path: Path) -> None:
    credentials = replace(credentials_of(tmp_path), s3_port=free_port())
    program = s3_program(credentials, tmp_path)
    address = f"[::1]:{credentials.s3_port}"
    argv = [address if one.startswith("127.0.0.1:") else one for one in program.argv]
    settings = Settings(
        s3_endpoint_url=f"http://{address}/",
        s3_access_key=credentials.s3_access_key,
        s3_secret_key=credentials.s3_secret_key,
    )
    with subprocess.Popen(argv, env=os.environ | program.env, stdout=subprocess.DEVNULL) as process:
        try:
            store = ObjectStore(settings, attempts=10)
            store.ensure_bucket()
            store.put("a/b", b"content", "text/plain")
            assert store.get("a/b") == b"content"
            assert httpx.get(store.presign("a/b", "b.txt", "text/plain")).content == b"content"
            store.delete_prefix("a/")
        finally:
            process.terminate()
