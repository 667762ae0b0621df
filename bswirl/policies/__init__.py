"""Policies: the models that are sampled from, trained and evaluated, and the one way they read a state."""

import logging

# On its import bitsandbytes warns of an optional kernel that nothing here needs, in every run's log.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
