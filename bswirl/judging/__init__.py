"""Judging actions: the reference judge and the answer check. Nothing here needs a model."""
