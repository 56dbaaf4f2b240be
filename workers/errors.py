"""Faults of the conveyor."""


class JobNotFound(Exception):
    """There is no such job (any more)."""


class ArtifactLost(Exception):
    """Stored bytes are gone, or are not the bytes that were stored."""
