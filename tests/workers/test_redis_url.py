"""CASCADE_REDIS_URL means one thing to redis-py, to Celery and to all others, or is refused without being repeated."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import trustme
from kombu.exceptions import OperationalError
from pydantic import ValidationError
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from cascade.service.stack.embedded import credentials_of, free_port, redis_program
from cascade.workers.queue.celery_app import create_celery
from cascade.workers.redis_client import connect_redis
from cascade.workers.redis_url import RedisAddress, WrongRedisUrl, parse_redis_url
from cascade.workers.settings import Settings, WrongSettings, get_settings
from tests.conftest import run_server

PASSWORD = "p@ss/w?r#d:%25é[1]"
ENCODED = quote(PASSWORD, safe="")
SECRET = "Zq7xVt"
"""A piece of a password that no message may repeat."""


# Spellings


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://h", RedisAddress("h")),
        ("redis://", RedisAddress()),
        ("REDIS://h:1/", RedisAddress("h", 1)),
        ("  redis://h:1/2\n", RedisAddress("h", 1, db=2)),
        ("valkey://h/2", RedisAddress("h", db=2)),
        ("redis://h?db=2", RedisAddress("h", db=2)),
        ("redis://h/2?db=2", RedisAddress("h", db=2)),
        ("redis://[::1]:7/3", RedisAddress("::1", 7, db=3)),
        (f"redis://:{ENCODED}@h", RedisAddress("h", password=PASSWORD)),
        (f"redis://us%40er:{ENCODED}@h/1", RedisAddress("h", db=1, username="us@er", password=PASSWORD)),
        ("redis://:p@ss:word@h", RedisAddress("h", password="p@ss:word")),
        ("redis://user@h", RedisAddress("h", username="user")),
        ("redis://h?username=u&password=p%26", RedisAddress("h", username="u", password="p&")),
        ("unix:///run/a%20b.sock", RedisAddress(socket="/run/a b.sock")),
        ("unix:///run/redis@1.sock?db=4", RedisAddress(socket="/run/redis@1.sock", db=4)),
        ("unix://u:p@/r.sock?db=4", RedisAddress(socket="/r.sock", db=4, username="u", password="p")),
        ("redis+socket:///r.sock?virtual_host=4", RedisAddress(socket="/r.sock", db=4)),
        ("redis+unix:///r.sock?db=4&password=p", RedisAddress(socket="/r.sock", db=4, password="p")),
    ],
)
def test_every_spelling_of_the_manuals_is_read(url: str, expected: RedisAddress) -> None:
    assert parse_redis_url(url) == expected


@pytest.mark.parametrize("word", ["none", "NONE", "CERT_NONE", "cert_none", "ssl.CERT_NONE"])
def test_every_word_for_no_verification_is_that(word: str) -> None:
    tls = parse_redis_url(f"rediss://h?ssl_cert_reqs={word}").tls
    assert tls == {"ssl_cert_reqs": ssl.CERT_NONE, "ssl_check_hostname": False}


@pytest.mark.parametrize(
    "options", ["", "?ssl_cert_reqs=required", "?ssl_cert_reqs=CERT_REQUIRED", "?ssl_check_hostname=True"]
)
@pytest.mark.parametrize("scheme", ["rediss", "valkeys"])
def test_certificates_and_names_are_verified_by_default(scheme: str, options: str) -> None:
    tls = parse_redis_url(f"{scheme}://h{options}").tls
    assert tls == {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}


def test_further_options_go_to_every_client_and_timeouts_only_shrink() -> None:
    url = "redis://h?health_check_interval=7&socket_timeout=9&socket_keepalive=no&max_connections=20&client_name=x"
    address = parse_redis_url(url)
    options = address.client_options(socket_timeout=3, socket_connect_timeout=2, health_check_interval=30)
    assert options["health_check_interval"] == 7
    assert (options["socket_timeout"], options["socket_connect_timeout"]) == (3, 2)
    assert (options["socket_keepalive"], options["max_connections"]) == (False, 20)
    assert address.client_options(socket_timeout=10)["socket_timeout"] == 9
    celery = create_celery(Settings(redis_url=url))
    assert celery.conf.broker_transport_options["health_check_interval"] == 7
    assert celery.conf.broker_transport_options["client_name"] == "x"


# Refusals


@pytest.mark.parametrize(
    "url",
    [
        f"{SECRET}",
        f"{SECRET}:6379",
        f"{SECRET}://h",
        f"http://{SECRET}@h",
        f"redis:{SECRET}",
        f"sentinel://:{SECRET}@h:26379",
        f"redis+sentinel://:{SECRET}@h:26379/mymaster",
        f"redis+cluster://:{SECRET}@h",
        f"redis://:{SECRET}@a:1/0;redis://:{SECRET}@b:1/0",
        f"redis://:{SECRET}@a:1,b:2/0",
        f"redis://:{SECRET}/x@h:6379/0",
        f"redis://:12/{SECRET}@h:6379/0",
        f"redis://:/{SECRET}@h:6379/0",
        f"redis://:12?{SECRET}@h:6379/0",
        f"redis://:12?{SECRET}=1@h:6379/0",
        f"redis://:{SECRET}#x@h:6379/0",
        f"redis://:12#{SECRET}@h:6379/0",
        f"redis://:{SECRET}[x@h:6379/0",
        f"redis://:[{SECRET}]@h:6379/0",
        f"redis://:{SECRET} x@h:6379/0",
        f"redis://:{SECRET}\tx@h:6379/0",
        f"redis://:{SECRET}%@h:6379/0",
        f"redis://:{SECRET}%zz@h:6379/0",
        f"redis://:{SECRET}%ff@h:6379/0",
        f"redis://:{SECRET}@h:x/0",
        f"redis://:{SECRET}@h:0/0",
        f"redis://:{SECRET}@h:70000/0",
        f"redis://:a@{SECRET}/@h",
        f"redis://h/{SECRET}",
        f"redis://:{SECRET}@h/-1",
        f"redis://:{SECRET}@h/1?db=2",
        f"redis://:{SECRET}@h?db=1&db=1",
        f"redis://:{SECRET}@h?virtual_host=1",
        f"redis://h?{SECRET}=1",
        f"redis://h?{SECRET}",
        f"redis://:{SECRET}@h?ssl_cert_reqs=none",
        f"rediss://:{SECRET}@h?ssl_cert_reqs={SECRET}",
        f"rediss://:{SECRET}@h?ssl_ca_certs=/{SECRET}",
        f"rediss://:{SECRET}@h?ssl_ca_certs=",
        f"redis://:{SECRET}@h?socket_timeout=-1",
        f"redis://:{SECRET}@h?decode_responses=true",
        f"redis://:{SECRET}@h?protocol=3",
        f"unix://:{SECRET}@",
        f"unix://run/{SECRET}.sock",
        f"unix:/run/{SECRET}.sock",
    ],
)
def test_what_cannot_work_is_refused_by_the_variable_and_never_repeated(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASCADE_REDIS_URL", url)
    get_settings.cache_clear()  # nothing is left in it, as the call fails
    with pytest.raises(WrongSettings, match=r"^CASCADE_REDIS_URL: ") as refusal:
        get_settings()
    with pytest.raises(ValidationError) as by_pydantic:
        Settings()
    with pytest.raises(WrongRedisUrl):
        parse_redis_url(url)
    for said in (str(refusal.value), str(by_pydantic.value), repr(by_pydantic.value)):
        assert not any(SECRET[i : i + 3] in said for i in range(len(SECRET) - 2)), said
    assert "\n" not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_an_address_shows_no_secret() -> None:
    address = parse_redis_url(f"rediss://{SECRET}:{SECRET}@h?ssl_password={SECRET}&client_name=x")
    assert SECRET not in repr(address) + str(address)


# Real servers


@dataclass(frozen=True)
class Listening:
    """A Redis with a password that has to be encoded, on loopback (IPv4 and IPv6), on a socket, and with TLS."""

    port: int
    tls_port: int
    socket: Path
    authority: Path


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    folder = tmp_path_factory.mktemp("redis")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    program = redis_program(credentials_of(folder), folder)
    port = credentials_of(folder).redis_port
    config = Path(program.argv[1])
    config.write_text(
        f'bind 127.0.0.1 ::1\nport {port}\nunixsocket "{folder}/r s.sock"\nrequirepass "{PASSWORD}"\n'
        f'dir "{folder}"\nsave ""\n'
    )
    process = run_server(program, port)
    with tls_in_front(port, context) as tls_port:
        yield Listening(port, tls_port, folder / "r s.sock", folder / "ca.pem")
    process.terminate()
    process.wait(10)


@contextmanager
def tls_in_front(port: int, context: ssl.SSLContext) -> Iterator[int]:
    """Take TLS connections and hand what they send to a server on loopback; yields the port."""

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", port)

        async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                while data := await source.read(1 << 16):
                    target.write(data)
                    await target.drain()
            target.close()

        await asyncio.gather(copy(reader, server_writer), copy(server_reader, writer))

    async def start() -> asyncio.Server:
        return await asyncio.start_server(forward, "localhost", tls_port, ssl=context)

    async def stop(server: asyncio.Server) -> None:
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    tls_port = free_port()
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # handshakes that clients break off, as they should
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(start(), loop).result(20)
    yield tls_port
    asyncio.run_coroutine_threadsafe(stop(server), loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def by_every_client(url: str) -> list[bool]:
    """Set a value with redis-py and find it with its asyncio client, and by a queue of Celery's."""
    settings = Settings(redis_url=url)
    redis = connect_redis(settings)
    redis.flushdb()
    redis.set("here", settings.redis_address.db)
    found = [redis.get("here") == str(settings.redis_address.db).encode()]
    celery = create_celery(settings)
    with celery.connection_for_write() as connection:
        queue = connection.SimpleQueue("shapes.keyframes")
        queue.put("message")
        found.append(bool(redis.llen("shapes.keyframes")))
        queue.close()
    celery.close()
    redis.close()

    async def read() -> Any:
        client = AsyncRedis(**settings.redis_address.client_options())
        try:
            return await client.get("here")
        finally:
            await client.aclose()

    found.append(asyncio.run(read()) == str(settings.redis_address.db).encode())
    return found


@pytest.mark.parametrize(
    "spelling",
    [
        "redis://:{password}@127.0.0.1:{port}/3",
        "redis://default:{password}@[::1]:{port}?db=3",
        "valkey://localhost:{port}/3?password={password}",
        "unix://:{password}@{socket}?db=3",
        "unix://{socket}?db=3&password={password}",
        "redis+socket://default:{password}@{socket}?virtual_host=3",
        "redis+unix://:{password}@{socket}?db=3",
        "rediss://:{password}@localhost:{tls_port}/3?ssl_ca_certs={authority}&health_check_interval=5",
        "valkeys://:{password}@localhost:{tls_port}/3?ssl_cert_reqs=CERT_REQUIRED&ssl_ca_certs={authority}",
        "rediss://:{password}@127.0.0.1:{tls_port}/3?ssl_ca_certs={authority}&ssl_check_hostname=false",
        "rediss://:{password}@127.0.0.1:{tls_port}/3?ssl_cert_reqs=none",
    ],
)
def test_every_client_reaches_the_same_database(spelling: str, listening: Listening) -> None:
    url = spelling.format(
        password=ENCODED,
        port=listening.port,
        tls_port=listening.tls_port,
        socket=quote(str(listening.socket)),
        authority=listening.authority,
    )
    assert by_every_client(url) == [True, True, True]
    other = Redis(host="127.0.0.1", port=listening.port, db=3, password=PASSWORD)
    assert other.get("here") == b"3"
    assert other.llen("shapes.keyframes") == 1
    other.close()


@pytest.mark.parametrize(
    "options",
    [
        "localhost:{tls_port}/3",
        "localhost:{tls_port}/3?ssl_cert_reqs=optional",
        "127.0.0.1:{tls_port}/3?ssl_ca_certs={authority}",
    ],
)
def test_every_client_refuses_a_server_that_cannot_prove_who_it_is(
    options: str, listening: Listening
) -> None:
    place = options.format(tls_port=listening.tls_port, authority=listening.authority)
    settings = Settings(redis_url=f"rediss://:{ENCODED}@{place}")
    address = settings.redis_address
    client = Redis(**address.client_options(), retry=Retry(NoBackoff(), 0))
    with pytest.raises(RedisError, match="certificate verify failed"):
        client.ping()
    client.close()
    celery = create_celery(settings)
    with (
        celery.connection_for_write(transport_options=celery.conf.broker_transport_options) as connection,
        pytest.raises(OperationalError, match="certificate verify failed"),
    ):
        connection.ensure_connection(max_retries=1, interval_start=0)
    celery.close()

    async def ping() -> None:
        client = AsyncRedis(**address.client_options(), retry=AsyncRetry(NoBackoff(), 0))
        try:
            with pytest.raises(RedisError, match="certificate verify failed"):
                await client.ping()
        finally:
            await client.aclose()

    asyncio.run(ping())
