"""Policies: the models that are sampled from, trained and evaluated, and the one way they read a state."""

import logging
import os

# Read when torch is first loaded. Its threads otherwise spin while they wait for each other: beside another
# busy process that made a step of the decode loop five times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# On its import bitsandbytes warns of an optional kernel that nothing here needs, in every run's log.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
