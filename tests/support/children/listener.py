"""An event listener: appends headers and payload of each event to the file argv[1].

It answers OK, or argv[2] (FAIL, or a result that breaks the protocol) instead, after at most
argv[3] seconds, chosen at random.
"""

import random
import sys
import time

answer = sys.argv[2] if len(sys.argv) > 2 else "OK"
seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 0
while True:
    sys.stdout.write("READY\n")
    sys.stdout.flush()
    line = sys.stdin.readline()
    if not line:
        break
    length = int(dict(pair.split(":") for pair in line.split())["len"])
    payload = sys.stdin.read(length)
    with open(sys.argv[1], "a", encoding="utf-8") as record:
        record.write(f"{line}{payload}\n")
    if seconds:
        time.sleep(random.uniform(0, seconds))  # noqa: S311 - no secret
    sys.stdout.write(f"RESULT {len(answer)}\n{answer}")
    sys.stdout.flush()
