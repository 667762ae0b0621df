"""What keys do, screen by screen; `bswirl_tui.actions` makes one registry of it."""
