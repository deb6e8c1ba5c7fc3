"""Reports to a watchdog each 50 ms, until the file argv[1] exists; then it hangs.

argv[2] is what SIGABRT does: `dies`, `exits` (with 0) or `ignores` it.  It appends its variables
of the watchdog, and whether WATCHDOG_PID is its own pid, to the file argv[1].env.
"""

import os
import signal
import socket
import sys
import time

gate, reaction = sys.argv[1:]
if reaction == "exits":
    signal.signal(signal.SIGABRT, lambda *_: os._exit(0))
elif reaction == "ignores":
    signal.signal(signal.SIGABRT, signal.SIG_IGN)
with open(f"{gate}.env", "a", encoding="utf-8") as file:
    is_own = os.environ.get("WATCHDOG_PID") == str(os.getpid())
    file.write(f"{os.environ.get('WATCHDOG_USEC')} {is_own}\n")
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
    sender.connect(os.environ["NOTIFY_SOCKET"])
    sender.send(b"READY=1")
    while not os.path.exists(gate):
        sender.send(b"WATCHDOG=1")
        time.sleep(0.05)
while True:
    signal.pause()
