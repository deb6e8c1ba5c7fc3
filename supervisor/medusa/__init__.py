"""The few names of the old vendored medusa that plugins import (floor 6).

Supervisor 4 carried a web server of that name.  Ours is `supervisor.http`, and nothing of
ours imports this package.  Each shim says who needs it.
"""
