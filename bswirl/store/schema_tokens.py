"""The tokens of samples, packed as bswirl/tokens.py does it.

A column by itself, which nothing reads but who asks for the tokens of one action.
"""

from __future__ import annotations

SAMPLE_COLUMNS = """
ALTER TABLE samples ADD COLUMN tokens BLOB;
"""
