"""The housekeeper process: delivers webhooks and deletes what has expired. Several may run side by side."""

from __future__ import annotations

import logging
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import BotoCoreError, ClientError
from redis.exceptions import RedisError

from cascade.workers.job_queue import Conveyor
from cascade.workers.jobs.retention import sweep
from cascade.workers.settings import Settings, get_settings

logger = logging.getLogger(__name__)

DELIVERERS = 8
IDLE_S = 0.5
SWEEP_INTERVAL_S = 5.0


def run_housekeeper(settings: Settings) -> None:
    """Work until SIGTERM or Ctrl-C."""
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it would log the targets' URLs
    conveyor = Conveyor.connect(settings)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with ThreadPoolExecutor(DELIVERERS + 1, thread_name_prefix="housekeeper") as pool:
        for _ in range(DELIVERERS):
            pool.submit(_deliver, conveyor, stop)
        pool.submit(_sweep, conveyor, stop)
        logger.info("the housekeeper is ready")
        stop.wait()


def _deliver(conveyor: Conveyor, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            if not conveyor.webhooks.deliver_next():
                stop.wait(IDLE_S)
        except RedisError as error:
            logger.warning("webhooks will go on when Redis does: %s", error)
            stop.wait(IDLE_S)
        except Exception:
            logger.exception("a webhook hit a fault; it is tried again")
            stop.wait(IDLE_S)


def _sweep(conveyor: Conveyor, stop: threading.Event) -> None:
    while not stop.wait(SWEEP_INTERVAL_S):
        try:
            sweep(conveyor)
        except (RedisError, BotoCoreError, ClientError) as error:
            logger.warning("sweeping will go on when the servers do: %s", error)
        except Exception:
            logger.exception("sweeping hit a fault; it is tried again")


if __name__ == "__main__":
    run_housekeeper(get_settings())
