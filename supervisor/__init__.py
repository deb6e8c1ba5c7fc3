"""Supervisor: starts programs, watches over them and keeps their logs."""
