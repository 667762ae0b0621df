"""The one process of a project that opens its store and serves everyone else over a Unix socket."""
