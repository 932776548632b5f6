"""The command line: no work of its own."""
