"""Policies: the models that are sampled from, trained and evaluated, and the one way they read a state."""
