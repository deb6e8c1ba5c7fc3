"""Pictures of the architecture: floors and folders, and the ways through them.

The folders and arrows of the first are read from the imports of the package; the steps of the ways
are names, which must exist.
"""

from __future__ import annotations

from importlib import import_module
from itertools import pairwise
from operator import attrgetter

from drawing import Box, arrow, picture

from tests.support.floors import FLOORS, package_imports

FOLDERS = {
    "daemon": (1.0, "boot, reload, shutdown"),
    "http": (0.0, "server"),
    "rpc": (1.0, "methods"),
    "web": (2.0, "pages"),
    "process": (0.0, "states, children, listeners"),
    "client": (1.0, "transport, proxy"),
    "supervisorctl": (2.0, "shell and commands"),
    "config": (1.0, "text to typed configs"),
    "logs": (0.0, "log files"),
    "engine": (0.5, "loop, fds, files, time"),
    "common": (0.5, "facts and pure machines"),
}
"""Column and contents of each folder; its row is its floor."""

BYTE_PATH = (
    ("the child writes to its pipe", ""),
    ("the loop finds the pipe readable", "engine.loop:Loop.run_once"),
    ("the dispatcher reads", "process.streams:OutputDispatcher.handle_read_event"),
    ("captures are split out, they become events", "common.capture:CaptureSplitter.feed"),
    ("the rest is logged, and becomes a log event", "process.dispatchers:POutputDispatcher._log"),
    ("the handler writes, and rotates at the limit", "loggers:RotatingFileHandler.emit"),
    ("the fd accepts the bytes, or they are queued", "logs.sinks:Sink.write"),
    ("followers are notified", "logs.reading:notify_written"),
)
"""The way of a byte of output: what happens, and the function that does it."""

REQUEST_PATH = (
    ("the loop finds the socket readable", "engine.loop:Loop.run_once"),
    ("the connection reads", "http.connection:HTTPChannel.handle_read_event"),
    ("bytes become a request, with its handler", "http.reception:Reception.next_request"),
    ("an exchange begins", "http.exchange:Exchange.serve"),
    ("the handler returns a response", "xmlrpc:supervisor_xmlrpc_handler.respond"),
    ("a deferred one is polled when notified", "http.polling:Poller.start"),
    ("the response becomes bytes", "http.response:frame"),
    ("the socket accepts them, or they are queued", "http.outbox:Outbox.send"),
    ("the connection enters its next phase", "http.phases:PhaseMachine.enter"),
)
"""The way of a request, here an XML-RPC call."""

COLUMN, ROW = 190, 92
WIDTH, HEIGHT = 170, 46
MARGIN = 20


def architecture_diagram() -> str:
    """Return the floors with their folders; an arrow points to an imported folder.

    Arrows that follow from others are left out.
    """
    top = max(FLOORS.values())
    boxes = {
        folder: Box(
            MARGIN + WIDTH / 2 + column * COLUMN,
            MARGIN + HEIGHT / 2 + (top - FLOORS[folder]) * ROW,
            WIDTH,
            HEIGHT,
            (f"{folder}/", contents),
        )
        for folder, (column, contents) in FOLDERS.items()
    }
    arrows = [arrow(boxes[before], boxes[after]) for before, after in _edges()]
    return picture(
        "Folders of the package, each above those that it imports",
        2 * MARGIN + 2 * COLUMN + WIDTH,
        2 * MARGIN + HEIGHT + top * ROW,
        [*arrows, *(box.svg() for box in boxes.values())],
    )


def _edges() -> list[tuple[str, str]]:
    """Return the imports between folders that do not follow from others."""
    imported: dict[str, set[str]] = {folder: set() for folder in FLOORS}
    for found in package_imports():
        pair = [name.partition(".")[0] for name in (found.importer, found.imported)]
        if pair[0] in FLOORS and pair[1] in FLOORS and FLOORS[pair[0]] > FLOORS[pair[1]]:
            imported[pair[0]].add(pair[1])
    reached: dict[str, set[str]] = {}
    for folder in sorted(FLOORS, key=FLOORS.__getitem__):
        below = imported[folder]
        reached[folder] = below.union(*(reached[each] for each in below))
    return [
        (folder, each)
        for folder, below in imported.items()
        for each in sorted(below)
        if not any(each in reached[other] for other in below)
    ]


def byte_path_diagram() -> str:
    """Return the way of a byte that a child writes."""
    return _path("The way of a byte of output, from the child to its log", BYTE_PATH)


def request_path_diagram() -> str:
    """Return the way of a request, from the client and back."""
    return _path("The way of a request, from its bytes to those of the response", REQUEST_PATH)


def _path(label: str, steps: tuple[tuple[str, str], ...]) -> str:
    """Return boxes below one another: what happens, and where."""
    width = 360
    boxes = [
        Box(
            MARGIN + width / 2,
            MARGIN + HEIGHT / 2 + index * (HEIGHT + 26),
            width,
            HEIGHT,
            (text, _checked(name)) if name else (text,),
        )
        for index, (text, name) in enumerate(steps)
    ]
    arrows = [arrow(*pair) for pair in pairwise(boxes)]
    height = 2 * MARGIN + len(steps) * (HEIGHT + 26) - 26
    return picture(label, width + 2 * MARGIN, height, [*arrows, *(box.svg() for box in boxes)])


def _checked(name: str) -> str:
    """Return `module:function` with dots; raises `AttributeError` if there is none."""
    module, _, function = name.partition(":")
    attrgetter(function)(import_module(f"supervisor.{module}"))
    return f"{module}.{function}"
