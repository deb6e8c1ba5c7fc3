"""An event listener that misbehaves in the way argv[1] says; argv[2] is a file it may use.

silent: never says READY.  deaf: says READY, and never reads.  babbles: says nonsense.
endless: answers with a result that has no end.  huge: announces a result of a gigabyte.
dies: ends with the first event in hand, and takes the next time what it gets.
slow: answers when the file argv[2] exists.
"""

import os
import signal
import sys
import time


def read_event() -> str:
    line = sys.stdin.readline()
    length = int(dict(pair.split(":") for pair in line.split())["len"])
    return line + sys.stdin.read(length)


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


kind, path = sys.argv[1:]
if kind == "babbles":
    say("nonsense\n")
elif kind == "endless":
    say("READY\n")
    read_event()
    while True:
        say("RESULT " + "1" * 10_000)
elif kind == "huge":
    say("READY\n")
    read_event()
    say("RESULT 1000000000\n")
elif kind == "deaf":
    say("READY\n")
elif kind == "dies":
    first = not os.path.exists(path)
    say("READY\n")
    event = read_event()
    with open(path, "a", encoding="utf-8") as record:
        record.write(f"{event}\n")
    if first:
        sys.exit(1)
    say("RESULT 2\nOK")
elif kind == "slow":
    say("READY\n")
    read_event()
    while not os.path.exists(path):
        time.sleep(0.01)
    say("RESULT 2\nOKREADY\n")
while True:
    signal.pause()
