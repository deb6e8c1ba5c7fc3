"""Dispatch of requests to views, and responses made from their results.

`supervisord` installs the handler between those of the followed logs and the static files.
"""

from __future__ import annotations

from supervisor.http.handling import Handler
from supervisor.http.plugin_request import PluginRequest
from supervisor.http.response import DeferredReply, Response, error_response, field_value
from supervisor.loggers import exception_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from supervisor.http.request import Request
    from supervisor.http.response import Reply
    from supervisor.process.daemon_protocol import Daemon

MAX_FIELDS = 100
"""Limit of the fields of a form; ours have three."""

DEFAULT_PAGE = "index.html"


class supervisor_ui_handler(Handler):  # noqa: N801 - Supervisor 4's name
    """Handler of the pages in `VIEWS`."""

    IDENT = "Supervisor Web UI HTTP Request Handler"

    def __init__(self, supervisord: Daemon) -> None:
        self.supervisord = supervisord

    def match(self, request: Request) -> bool:
        """Whether the path is a page; if the pages cannot be imported, none is."""
        try:
            from supervisor.web.pages import VIEWS
        except ImportError as error:  # Python itself has been replaced or removed
            self.supervisord.runtime.logger.critical(f"cannot load the web interface: {error}")
            return False
        return page_name(request) in VIEWS

    def respond(self, request: Request) -> Reply:
        """Return a reply that polls the view of the page until it returns a response."""
        if request.command not in {"GET", "HEAD", "POST"}:
            return error_response(405)
        from supervisor.web.pages import VIEWS, ViewContext

        page = VIEWS[page_name(request)]
        try:
            form = read_form(request)
        except ValueError:
            return error_response(400)
        filled = PluginRequest(request)
        try:
            view = page["view"](
                ViewContext(
                    template=page["template"],
                    request=filled,
                    form=form,
                    response={"headers": {}},
                    supervisord=self.supervisord,
                )
            )
        except Exception as error:  # noqa: BLE001 - the view may be a plugin's
            return self._failure(request, error)
        return DeferredReply(
            view,
            on_result=lambda response: _response(response, filled.reply_headers),
            on_error=lambda error: self._failure(request, error),
            on_cancel=getattr(view, "cancel", None),
        )

    def _failure(self, request: Request, _error: Exception) -> Response:
        """Log the exception being handled: it is a bug of Supervisor or a plugin."""
        self.supervisord.runtime.logger.critical(
            f"Showing {request.uri!r} raised an unexpected exception:\n{exception_text()}"
        )
        return error_response(500)


def _response(result: dict[str, Any], fields: dict[str, str]) -> Response:
    """Return the result of a view as a response, with the header fields that the view has set."""
    for name, value in result["headers"].items():
        fields[name] = field_value(name, value)
    if "Location" in result["headers"]:
        return error_response(303, fields=fields)
    body = result["body"]
    part = body.encode("utf-8", "replace") if isinstance(body, str) else body
    return Response(result.get("status", 200), fields, [part])


def page_name(request: Request) -> str:
    """Return the name of a page from the path; it may be missing in `VIEWS`."""
    path = request.split_uri()[0]
    if "%" in path:
        from urllib.parse import unquote

        path = unquote(path)
    return path.lstrip("/") or DEFAULT_PAGE


def read_form(request: Request) -> dict[str, Any]:
    """Return the CGI variables of a request, and the fields of its body and its query.

    The first of several values of a field wins.  Raises `ValueError` for a body or query
    that is not a form.
    """
    form = _cgi_variables(request)
    texts = [form["QUERY_STRING"]]
    if request.command == "POST":
        texts.insert(0, request.body.decode())
    for text in texts:
        for name, value in _fields(text):
            form.setdefault(name, value)
    return form


def _fields(text: str) -> list[tuple[str, str]]:
    if not text:
        return []
    from urllib.parse import parse_qsl

    return parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)


def _cgi_variables(request: Request) -> dict[str, Any]:
    """Return the meta-variables of RFC 3875 that plugins read."""
    path, _, query, _ = request.split_uri()
    config = request.server
    form: dict[str, Any] = {
        f"HTTP_{name.strip().upper().replace('-', '_')}": value.strip()
        for name, _, value in (line.partition(":") for line in request.header)
    }
    for name in ("CONTENT_LENGTH", "CONTENT_TYPE"):
        if f"HTTP_{name}" in form:
            form[name] = form.pop(f"HTTP_{name}")
    port = str(config.port or "")
    host = form.get("HTTP_HOST") or (f"localhost:{port}" if port else "localhost")
    return form | {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "PATH_INFO": path,
        "PATH_TRANSLATED": path,
        "QUERY_STRING": (query or "")[1:],
        "REMOTE_ADDR": request.peer.name.rpartition(":")[0],
        "REQUEST_METHOD": request.command,
        "SCRIPT_NAME": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{request.version}",
        "SERVER_SOFTWARE": "Supervisor",
        "SERVER_URL": f"http://{host}",
    }
