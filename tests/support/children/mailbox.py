"""Stands in for sendmail: appends the mail on stdin to the file argv[1]."""

import sys

with open(sys.argv[1], "a", encoding="utf-8") as box:
    box.write(sys.stdin.read())
