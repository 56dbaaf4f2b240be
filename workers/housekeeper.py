"""The housekeeper process: delivers webhooks and deletes what has expired. Several may run side by side."""

from __future__ import annotations

import logging
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import BotoCoreError, ClientError
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from cascade.workers.adoption import Adoption
from cascade.workers.jobs.retention import Retention
from cascade.workers.logs import configure_logging
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings, get_settings
from cascade.workers.webhooks.delivery import Webhooks

logger = logging.getLogger(__name__)

DELIVERY_THREADS = 8
IDLE_S = 0.5
SWEEP_INTERVAL_S = 5.0


def run_housekeeper(settings: Settings) -> None:
    """Work until SIGTERM or Ctrl-C."""
    configure_logging(settings.log_level)
    servers = Servers.connect(settings)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with ThreadPoolExecutor(DELIVERY_THREADS + 1, thread_name_prefix="housekeeper") as pool:
        for _ in range(DELIVERY_THREADS):
            pool.submit(_deliver, Webhooks.of(servers), stop)
        pool.submit(_adopt_and_sweep, servers, stop)
        logger.info("the housekeeper is ready")
        stop.wait()


def _deliver(webhooks: Webhooks, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            if not webhooks.deliver_next():
                stop.wait(IDLE_S)
        except RedisError as error:
            logger.warning("webhooks will go on when Redis does: %s", error)
            stop.wait(IDLE_S)
        except Exception:
            logger.exception("a webhook hit a fault; it is tried again")
            stop.wait(IDLE_S)


def _adopt_and_sweep(servers: Servers, stop: threading.Event) -> None:
    """Adopt what an earlier version left, once; then sweep again and again."""
    adoption, retention, adopted = Adoption.of(servers), Retention.of(servers), False
    while not stop.is_set():
        try:
            if not adopted:
                adoption.adopt()
                adopted = True
            retention.sweep()
        except (RedisError, OperationalError, BotoCoreError, ClientError) as error:
            logger.warning("housekeeping will go on when the servers do: %s", error)
        except Exception:
            logger.exception("housekeeping hit a fault; it is tried again")
        stop.wait(SWEEP_INTERVAL_S)


if __name__ == "__main__":
    run_housekeeper(get_settings())
