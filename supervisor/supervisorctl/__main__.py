"""`python -m supervisor.supervisorctl` works like the script (client floor)."""

from supervisor.supervisorctl import main

main()
