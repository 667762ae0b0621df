"""The terminal app of bswirl."""
