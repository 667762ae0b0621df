"""Branched step-wise RL: sample reasoning steps, judge them, audit the judge, train on the result."""

__version__ = "0.1.0"
