"""Writing, rotating and reading log files."""
