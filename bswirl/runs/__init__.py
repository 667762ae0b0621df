"""Run folders: a run's frozen input, its journal, its locks, and what a worker's work gets to see of them."""
