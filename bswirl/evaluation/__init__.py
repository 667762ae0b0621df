"""Evaluating a policy: greedy final-answer accuracy, and the comparison of two policies."""
