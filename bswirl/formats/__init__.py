"""Readers and writers of the files that questions and samples come in. Formats: docs/formats.md."""
