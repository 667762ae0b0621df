"""Generating data: full solutions, and alternative next steps at every state of each."""
