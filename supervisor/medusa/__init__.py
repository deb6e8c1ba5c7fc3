"""The names of Supervisor 4's vendored medusa that plugins import.

The web server is `supervisor.http` now, and our own code does not import this package.  The
docstring of each shim names the plugin that needs it.
"""
