"""Writes each line of stdin to stdout, cut where it says `|`, each piece in a write of its own.

`<` and `>` stand for the tokens between which output is captured; `!` at the beginning means
stderr instead.
"""

import os
import sys
import time

TOKENS = {"<": "<!--XSUPERVISOR:BEGIN-->", ">": "<!--XSUPERVISOR:END-->"}

for line in sys.stdin:
    fd = 2 if line.startswith("!") else 1
    for piece in line.removeprefix("!").split("|"):
        text = "".join(TOKENS.get(character, character) for character in piece)
        os.write(fd, text.encode())
        time.sleep(0.05)  # so that each piece is read by itself
