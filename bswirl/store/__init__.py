"""A project's data in DuckDB: questions, trees, verdicts, labels, runs. Only the owner process opens it."""
