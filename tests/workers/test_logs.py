"""Log lines name their job, and are lines whatever they hold."""

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


def test_what_a_record_holds_ends_no_line() -> None:
    script = (
        SCRIPT
        + r"""
for word in ("\n", "\r", "\x1b[2J", "\x85", "\u2028", "\ud800", "\u202e"):
    logger.warning("a prompt%s2026-01-01 ERROR forged", word)
try:
    raise ValueError("a prompt\n2026-01-01 ERROR forged")
except ValueError:
    logger.exception("a fault")
"""
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    lines = done.stderr.splitlines()
    assert sum("a prompt" in line and "forged" in line for line in lines) == 7
    assert not any(line.startswith("2026-01-01 ERROR forged") for line in lines)
    assert "    2026-01-01 ERROR forged" in lines
    assert done.stderr.isascii()
