"""Tests of the app: a real owner, a real project, and Textual's pilot at the keys."""
