"""Measuring what training costs: the same rows through several engines, each in a process of its own."""
