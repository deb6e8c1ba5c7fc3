"""Says READY; at SIGTERM it writes argv[1] counted lines and exits."""

import signal
import sys


def end(_signum: int, _frame: object) -> None:
    sys.stdout.write("".join(f"{number}\n" for number in range(int(sys.argv[1]))))
    sys.stdout.flush()
    sys.exit(0)


signal.signal(signal.SIGTERM, end)
sys.stdout.write("READY\n")
sys.stdout.flush()
while True:
    signal.pause()
