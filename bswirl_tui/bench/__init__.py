"""Measuring the app from outside: a terminal, writers that keep the project busy, a bare app as peer."""
