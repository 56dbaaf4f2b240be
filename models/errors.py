"""Faults of the models floor. Workers treat them as permanent: trying again would not help."""


class ModelError(Exception):
    """Anything the cascade itself cannot do."""


class CheckpointError(ModelError):
    """A checkpoint is missing or does not fit; the message names what is missing and where it was looked for."""
