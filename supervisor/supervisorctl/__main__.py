"""Entry point of `python -m supervisor.supervisorctl`."""

from supervisor.supervisorctl import main

main()
