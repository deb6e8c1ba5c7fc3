"""Error pages for people: they say what to do, in the language of the browser.

Only for clients that accept `text/html`.  Others get the page of `http.response`, whose text
scripts of Supervisor 4 parse.
"""

from __future__ import annotations

import base64
import hashlib

from supervisor.http.http1 import RESPONSES
from supervisor.http.response import Response
from supervisor.web.language import language_of
from supervisor.web.templates import DOCTYPE, escaped, readable
from supervisor.web.texts import TEXTS
from supervisor.web.views import PAGE_HEADERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from supervisor.http.request import Request
    from supervisor.web.language import Language

STYLE: Final = """
:root { color-scheme: light dark; background: #f5f6f8; color: #1c2430; --link: #0b57a4; }
@media (prefers-color-scheme: dark) {
  :root { background: #12161c; color: #e4e8ee; --link: #82b8f7; }
}
a { color: var(--link); }
body { max-width: 36rem; margin: 12vh auto; padding: 0 1.25rem; }
body { font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.3rem; }
p { overflow-wrap: anywhere; }
.reason { opacity: .8; }
"""
"""Part of the page, because without a login the style sheet is refused too."""

PAGE: Final = """\
<html lang="{tag}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{code} {title} - Supervisor</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{advice}</p>
{reason}<p>{links}</p>
</main>
</body>
</html>
"""

LINKS: Final = {401: ("login",), 500: ("home", "log"), 503: ("again", "home")}
"""Status code -> the links of its page, if it is not only that to all processes."""


def page_for(request: Request, response: Response) -> Response:
    """Return the page for an error, with the header fields of its response."""
    language = language_of(
        {
            "HTTP_COOKIE": request.get_header("cookie") or "",
            "HTTP_ACCEPT_LANGUAGE": request.get_header("accept-language") or "",
        }
    )
    body = _page(language, request, response).encode()
    fields = {**response.fields, **PAGE_HEADERS, "Content-Type": "text/html;charset=utf-8"}
    fields["Content-Security-Policy"] = _policy()
    fields["Cache-Control"] = "no-store"
    fields["Content-Length"] = str(len(body))
    return Response(response.status, fields, [body], response.incident)


def _page(language: Language, request: Request, response: Response) -> str:
    code, phrase = response.status, RESPONSES.get(response.status, "")
    place = "error" if f"error.{code}.title" not in TEXTS else f"error.{code}"
    reason = response.error or ""
    shown = f'<p class="reason">{readable(reason)}</p>\n' if reason not in ("", phrase) else ""
    addresses = _addresses(request)
    return DOCTYPE + PAGE.format(
        tag=language.tag,
        code=code,
        title=escaped(language.text(f"{place}.title", phrase=phrase)),
        style=STYLE,
        advice=escaped(language.text(f"{place}.advice")),
        reason=shown,
        links=" ".join(
            f'<a href="{addresses[name]}">{escaped(language.text(f"error.{name}"))}</a>'
            for name in LINKS.get(code, ("home",))
        ),
    )


def _addresses(request: Request) -> dict[str, str]:
    """Return the relative addresses of the links, which work behind a proxy too."""
    depth = request.uri.partition("?")[0].count("/") - 1
    home = "../" * depth or "./"
    return {"home": home, "log": f"{home}tail.html?log=main", "login": "", "again": ""}


def _policy() -> str:
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'"
    )
