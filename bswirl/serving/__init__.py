"""Models behind an OpenAI-compatible endpoint: what is asked, how it is sent, what it cost."""
