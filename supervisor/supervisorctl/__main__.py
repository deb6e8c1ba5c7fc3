"""Entry point of `python -m supervisor.supervisorctl` (client floor)."""

from supervisor.supervisorctl import main

main()
