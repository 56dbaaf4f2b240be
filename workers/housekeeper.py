"""The housekeeper process: delivers webhooks, deletes what has expired, and reconciles. Several may run side by side."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import BotoCoreError, ClientError
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from cascade.workers.adoption import Adoption
from cascade.workers.jobs.purge import Purge
from cascade.workers.jobs.retention import Retention
from cascade.workers.logs import configure_logging
from cascade.workers.reconciler import Reconciler, ReconcilerLoop
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings, WrongSettings, get_settings
from cascade.workers.storage.orphans import Orphans
from cascade.workers.webhooks.delivery import Webhooks

logger = logging.getLogger(__name__)

DELIVERY_THREADS = 24
IDLE_S = 0.5
SWEEP_INTERVAL_S = 5.0
SERVER_TIMEOUT_S = 10.0
"""For each answer of a server: one that is frozen must not hold up what does not need it."""


def run_housekeeper(settings: Settings) -> None:
    """Work until SIGTERM or Ctrl-C."""
    configure_logging(settings.log_level)
    servers = Servers.connect_briefly(settings, SERVER_TIMEOUT_S)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    reconciler = ReconcilerLoop(Reconciler.of(servers), settings.lease_s)
    reconciler.start()
    with ThreadPoolExecutor(DELIVERY_THREADS + 1, thread_name_prefix="housekeeper") as pool:
        for _ in range(DELIVERY_THREADS):
            pool.submit(_deliver, Webhooks.of(servers), stop)
        pool.submit(_adopt_and_sweep, servers, stop)
        logger.info("the housekeeper is ready")
        stop.wait()
    reconciler.stop()


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
    adoption, adopted = Adoption.of(servers), False
    retention, purge, orphans = Retention.of(servers), Purge.of(servers), Orphans.of(servers)
    sweeps = (retention.sweep_jobs, retention.sweep_intermediates, purge.sweep, orphans.sweep)
    while not stop.is_set():
        if not adopted:
            adopted = _goes_well(adoption.adopt)
        for sweep in sweeps:
            _goes_well(sweep)
        stop.wait(SWEEP_INTERVAL_S)


def _goes_well(task: Callable[[], object]) -> bool:
    """Do something, and log a fault of it; the next round tries again."""
    try:
        task()
    except (RedisError, OperationalError, BotoCoreError, ClientError) as error:
        logger.warning("housekeeping will go on when the servers do: %s", error)
    except Exception:
        logger.exception("housekeeping hit a fault; it is tried again")
    else:
        return True
    return False


if __name__ == "__main__":
    try:
        run_housekeeper(get_settings())
    except WrongSettings as error:
        sys.exit(str(error))
