"""The cascade: networks, schedulers, stages, presets, checkpoints and video files."""

import logging

# Where it is installed, bitsandbytes warns at its import of 4-bit kernels that nothing here uses.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
