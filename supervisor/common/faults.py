"""XML-RPC fault codes, the exception that carries one to the caller, and that of a server."""


class Faults:
    """Fault codes; scripts compare the numbers, and each fault text starts with the name.

    The class has plain attributes because plugins add their own codes with `setattr`.
    """

    UNKNOWN_METHOD = 1
    INCORRECT_PARAMETERS = 2
    BAD_ARGUMENTS = 3
    SIGNATURE_UNSUPPORTED = 4
    SHUTDOWN_STATE = 6
    BAD_NAME = 10
    BAD_SIGNAL = 11
    NO_FILE = 20
    NOT_EXECUTABLE = 21
    FAILED = 30
    ABNORMAL_TERMINATION = 40
    SPAWN_ERROR = 50
    ALREADY_STARTED = 60
    NOT_RUNNING = 70
    SUCCESS = 80
    ALREADY_ADDED = 90
    STILL_RUNNING = 91
    CANT_REREAD = 92


def getFaultDescription(code: int) -> str:
    """Return the name of a fault code, or `UNKNOWN` for an unknown number."""
    for name, value in vars(Faults).items():
        if value == code and not name.startswith("_"):
            return name
    return "UNKNOWN"


def refusal_in(text: str) -> str:
    """Return the reason of a refused start in the text of its fault, "" if it has none.

    It is the part after the name: `SPAWN_ERROR: web: dependency 'db' is FATAL`.
    """
    return text.partition(": ")[2].partition(": ")[2]


class RPCError(Exception):
    """An error raised by RPC methods: `code` is a fault code, `text` is `NAME[: extra]`."""

    def __init__(self, code: int, extra: object = None) -> None:
        self.code = code
        self.text = getFaultDescription(code)
        if extra is not None:
            self.text = f"{self.text}: {extra}"
        # The constructor arguments instead of the text, because Supvisors reads `args`.
        super().__init__(*((code,) if extra is None else (code, extra)))

    def __str__(self) -> str:
        return f"code={self.code!r}, text={self.text!r}"


class ServerError(Exception):
    """An HTTP server that cannot be opened; the text is for the user."""
