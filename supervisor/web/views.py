"""Views: constructed with a context, called until they return a response.

Plugins add their own views to `VIEWS` and subclass `MeldView`; `handler` calls them.
A view that returns `NOT_DONE_YET` is called again when one of its `wake_sources` notifies it or,
if it has none, every `delay` seconds.
"""

from __future__ import annotations

from supervisor.engine.deferred import NOT_DONE_YET, wake_sources_of
from supervisor.web.templates import template

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    from supervisor.engine.deferred import Deferred, Notifier
    from supervisor.http.plugin_request import PluginRequest
    from supervisor.process.daemon_protocol import Daemon

VIEWS: Final[dict[str, dict[str, Any]]] = {}
"""Page -> {"template": path or None, "view": class}; edited while the daemon runs."""

# Scripts and styles only from our own files, nothing inline; no framing, and no referrer for
# other sites.
PAGE_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
}


class ViewContext:
    """Context of a view: `form`, `request`, `response`, `supervisord`, `template`.

    `form` has the fields of the query and the body, and the CGI variables.
    `response` is {"headers": {...}}; a view adds "body" (text, bytes or a producer) and, if
    it is not 200, "status".
    """

    form: dict[str, Any]
    request: PluginRequest
    response: dict[str, Any]
    supervisord: Daemon
    template: str | None

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class MeldView:
    """A page made from a meld3 template; `render` returns its body, or `NOT_DONE_YET`."""

    content_type = "text/html;charset=utf-8"
    delay = 0.5

    def __init__(self, context: ViewContext) -> None:
        self.context = context
        self.root = None if context.template is None else template(context.template)
        self.callback: Deferred | None = None

    @property
    def wake_sources(self) -> tuple[Notifier, ...]:
        """The wake sources of the callback; a notification makes `handler` call the view again."""
        return () if self.callback is None else wake_sources_of(self.callback)

    def __call__(self) -> Any:
        """Return the response, or `NOT_DONE_YET`."""
        body = self.render()
        if body is NOT_DONE_YET:
            return NOT_DONE_YET
        response = self.context.response
        headers = {
            "Content-Type": self.content_type,
            "Pragma": "no-cache",
            "Cache-Control": "no-store",
            "Expires": "Thu, 01 Jan 1970 00:00:00 GMT",
        }
        response["headers"] = headers | response["headers"]
        response["body"] = body
        return response

    def render(self) -> Any:
        """Return the body."""
        raise NotImplementedError

    def clone(self) -> Any:
        """Return a copy of the template's tree."""
        if self.root is None:
            raise ValueError("this view has no template")
        return self.root.clone()


class OKView:
    """View that confirms that the server is up."""

    delay = 0

    def __init__(self, context: ViewContext) -> None:
        self.context = context

    def __call__(self) -> dict[str, Any]:
        """Return the response."""
        return {"headers": {"Content-Type": "text/plain"}, "body": "OK"}
