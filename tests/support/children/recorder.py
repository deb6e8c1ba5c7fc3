"""An event listener: writes to the file argv[1] every byte that it reads from stdin.

argv[2:] are its first answers (OK, FAIL, or a line that breaks the protocol); then it is OK.
Before the first READY it waits for the file argv[1].go if one of the answers is WAIT.
"""

import os
import sys
import time

path, answers = sys.argv[1], sys.argv[2:]
if "WAIT" in answers:
    answers.remove("WAIT")
    while not os.path.exists(f"{path}.go"):
        time.sleep(0.02)


def read_event(record: int) -> bool:
    """Read and record one event; False at the end of stdin."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            return False
        line += byte
        os.write(record, byte)
    for _ in range(int(dict(pair.split(b":", 1) for pair in line.split())[b"len"])):
        first = os.read(0, 1)
        # `len` counts characters: in UTF-8 the first byte says how many follow.
        rest = (first >= b"\xc0") + (first >= b"\xe0") + (first >= b"\xf0")
        os.write(record, first + b"".join(os.read(0, 1) for _ in range(rest)))
    os.write(record, b"\n<end>\n")
    return True


record = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
while True:
    os.write(1, b"READY\n")
    if not read_event(record):
        break
    answer = (answers.pop(0) if answers else "OK").encode()
    is_result = answer in {b"OK", b"FAIL"}
    os.write(1, b"RESULT %d\n%s" % (len(answer), answer) if is_result else answer + b"\n")
