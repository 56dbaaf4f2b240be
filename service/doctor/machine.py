"""Checks of the machine itself: Python, room on its disks, the gateway's port, and the clock."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from cascade.service.doctor.finding import Finding, note, ok, wrong
from cascade.service.stack.embedded import LOOPBACK, port_is_free
from cascade.workers.addresses import host_in_url
from cascade.workers.settings import Settings

OLDEST_PYTHON = (3, 11)
LEAST_FREE_BYTES = 1 << 30
GIB = 1 << 30
MOST_OFF_S = 60.0
EVERYWHERE = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104


def check_python() -> Finding:
    """Check the version, and whether the embedded servers run on such a machine."""
    version, system = platform.python_version(), f"{platform.system()} {platform.machine()}"
    text = f"{version} on {system}"
    if tuple(int(part) for part in platform.python_version_tuple()[:2]) < OLDEST_PYTHON:
        return wrong("Python", text, "install Python 3.11 or newer, and Cascade with it")
    if system != "Linux x86_64":
        return note("Python", f"{text}; the embedded servers of `cascade up` are for Linux x86_64 alone")
    return ok("Python", text)


def check_disks(settings: Settings, least_bytes: int = LEAST_FREE_BYTES) -> Iterator[Finding]:
    """Check that the data folder and the folder of temporary files can be written and have room."""
    folders = {
        "data": (settings.data_dir, "CASCADE_DATA_DIR"),
        "temp": (Path(tempfile.gettempdir()), "TMPDIR"),
    }
    for name, (folder, variable) in folders.items():
        there = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())
        free_bytes = shutil.disk_usage(there).free
        text = f"{folder}: {free_bytes / GIB:.1f} GiB free"
        subject = f"disk, {name}"
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            remedy = f"give {there} to the user that runs this, or set {variable} to another folder"
            yield wrong(subject, f"{folder}: {there} cannot be written to", remedy)
        elif free_bytes < least_bytes:
            remedy = f"free {least_bytes / GIB:.1f} GiB, or set {variable} to a folder on another disk"
            yield wrong(subject, text, remedy)
        else:
            yield ok(subject, text)


def check_port(settings: Settings) -> Finding:
    """Check that the gateway can listen on its port, or does."""
    host, port = settings.host, settings.port
    if port == 0:
        return ok("port", "the gateway takes a free one")
    if port_is_free(port, host):
        return ok("port", f"{port} on {host} is free for the gateway")
    if _is_gateway(f"http://{host_in_url(EVERYWHERE.get(host, host))}:{port}{settings.root_path}/healthz"):
        return ok("port", f"a gateway answers on {port}")
    return wrong(
        "port",
        f"{port} on {host} is in use by another program",
        "end it, or set CASCADE_PORT to another port",
    )


def check_clock(server: str = "", ahead_s: float = 0.0) -> Finding:
    """Check this machine's clock against a server's, or at least against the files of this installation.

    Args:
        server: whose clock it was compared with; none was unless given.
        ahead_s: how far that server is ahead of this machine.
    """
    remedy = "let the machine keep time by NTP (timedatectl set-ntp true)"
    now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    if abs(ahead_s) > MOST_OFF_S:
        direction = "behind" if ahead_s > 0 else "ahead of"
        return wrong("clock", f"{now} is {abs(ahead_s):.0f} s {direction} the clock of {server}", remedy)
    if time.time() < Path(__file__).stat().st_mtime - MOST_OFF_S:
        return wrong("clock", f"{now} is before this program was installed", remedy)
    return ok(
        "clock", f"{now}, as {server} says" if server else f"{now}; there was no server to compare with"
    )


def _is_gateway(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).is_success
    except httpx.TransportError:
        return False
