"""The plan of an update as a page, with a button that applies it."""

from __future__ import annotations

from supervisor.common.faults import Faults, RPCError
from supervisor.common.namespec import make_namespec
from supervisor.engine.deferred import NOT_DONE_YET
from supervisor.rpcinterface import SupervisorNamespaceRPCInterface
from supervisor.web.actions import fault_text, run_steps
from supervisor.web.language import cookie_field, english, language_of
from supervisor.web.templates import Page
from supervisor.web.views import PAGE_HEADERS, MeldView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    from supervisor.web.language import Language

VISIBLE_OPTIONS: Final = ("command", "directory")
"""Options whose values the plan hides, but the page of a process shows."""


class UpdateView(MeldView):
    """View that shows the plan, or applies it and redirects to the status page."""

    def render(self) -> Any:
        """Return the page, '' with a redirect, or `NOT_DONE_YET`."""
        self.context.response["headers"].update(PAGE_HEADERS | cookie_field(self.context.form))
        is_post = self.context.request.command == "POST"
        try:
            if self.callback is None:
                self.callback = self._apply() if is_post else self._rpc.planUpdate()
            result = self.callback()
        except RPCError as error:
            return self._page({"id": "", "steps": []}, error.text)
        if result is NOT_DONE_YET:
            return NOT_DONE_YET
        return self._redirect(result) if is_post else self._page(result)

    @property
    def _rpc(self) -> SupervisorNamespaceRPCInterface:
        return SupervisorNamespaceRPCInterface(self.context.supervisord)

    def _apply(self) -> Any:
        plan_id = self.context.form.get("id", "")

        def message_of(results: list[Any]) -> str:
            failed = [
                f"{make_namespec(each['group'], each['name'])} ({each['description']})"
                for each in results[0]
                if each["status"] != Faults.SUCCESS
            ]
            message = english("message.update_applied")
            if not failed:
                return message
            return english("message.failed", message=message, failed=", ".join(failed))

        return run_steps([lambda: self._rpc.applyUpdate(plan_id)], message_of, _error)

    def _redirect(self, message: str) -> str:
        from urllib.parse import quote

        self.context.response["headers"]["Location"] = f"./?message={quote(message, safe='')}"
        return ""

    def _page(self, plan: dict[str, Any], problem: str = "") -> str:
        language = language_of(self.context.form)
        root = self.clone()
        language.localize(root)
        page = Page(root)
        page.put_languages(language, "update.html?")
        steps = plan["steps"]
        if problem:
            page.put(page.find("problem"), problem)
        else:
            page.find("problem").deparent()
        key = "update.nothing" if not steps else "update.steps"
        text = (
            "" if problem else language.text(key) if not steps else language.count(key, len(steps))
        )
        page.put(page.find("summary"), text)
        page.put(page.find("plan"), value=plan["id"])
        if not steps:
            page.find("apply").deparent()
            page.find("steps").deparent()
            return page.html()
        for element, step in page.find("step").repeat(steps):
            page.put(element.findmeld("verb"), language.text(f"update.{step['action']}"))
            page.put(element.findmeld("subject"), make_namespec(step["group"], step["name"]))
            page.put(element.findmeld("options"), self._changes(language, step))
        return page.html()

    def _changes(self, language: Language, step: dict[str, Any]) -> str:
        """Return the options of a step that change, as text; secrets are left out."""
        shown = []
        for option in step["options"]:
            old, new = self._values(step, option)
            is_known = old or new
            shown.append(
                language.text("update.option", name=option["name"], old=old, new=new)
                if is_known
                else option["name"]
            )
        return language.text("script.comma").join(shown)

    def _values(self, step: dict[str, Any], option: dict[str, str]) -> list[str]:
        """Return the values before and after; "" for both if they may be secret.

        The plan has no commands; those who can see this page see them on that of the process too.
        """
        if option["name"] not in VISIBLE_OPTIONS:
            return [option["old"], option["new"]]
        daemon, (group, name) = self.context.supervisord, (step["group"], step["name"])
        running = [each.config for each in daemon.process_groups[group].processes.values()]
        configured = [
            each
            for config in daemon.options.process_group_configs
            if config.name == group
            for each in config.process_configs
        ]
        return [
            next((getattr(e, option["name"]) or "" for e in configs if e.name == name), "")
            for configs in (running, configured)
        ]


def _error(error: RPCError) -> str:
    return english("message.error", reason=error.text) if error.text else fault_text(error)
