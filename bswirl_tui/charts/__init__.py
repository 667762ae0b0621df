"""Curves as cells of a terminal: plain functions and data, without Textual and without numpy."""
