"""Policies: the models that are sampled from, trained and evaluated, and the one way they read a state."""

import logging
import os
import sys

# Read when torch is first loaded. Its threads otherwise spin while they wait for each other: beside another
# busy process that made a step of the decode loop five times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Where the package `kernels` is installed, bitsandbytes and transformers fetch compiled code from the hub
# with it and run it. Nothing from the hub is ever executed here.
sys.modules.setdefault("kernels", None)  # type: ignore[arg-type]

# Without it bitsandbytes warns on its import, in every run's log.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
