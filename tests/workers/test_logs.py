"""Log lines name their job."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import logging
from cascade.workers.logs import configure_logging, logging_job
configure_logging("INFO")
logger = logging.getLogger("cascade.example")
logger.info("at the start")
with logging_job("video_1"):
    logger.info("inside")
    logger.debug("too much")
logger.warning("at the end")
logging.getLogger("httpx").info("a URL")
"""


def test_every_line_names_the_job_that_it_is_about() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    lines = [line.split(" ", 2)[2] for line in done.stderr.splitlines()]
    assert lines == [
        "INFO cascade.example [-]: at the start",
        "INFO cascade.example [video_1]: inside",
        "WARNING cascade.example [-]: at the end",
    ]
