"""The texts of all pages and of their scripts, in each language.

`language` selects and fills them in.  A key begins with its place:

* `page.`: a text of a template, which contains the English one.
* `script.`: a text that a script needs (`SCRIPT_KEYS`).
* `message.`: a message about an action, or a description or reason of a process.  Scripts and
  clients parse the English ones, so they travel in English and are translated when they are shown.

A pair of keys that end in `.one` and `.other` depends on `{count}`.  Names of states are the same
in each language, since logs, events and `supervisorctl` show them too.
"""

from __future__ import annotations

from supervisor.common.explanation import SENTENCES
from supervisor.web.reason_texts import REASON_TEXTS
from supervisor.web.status_texts import STATUS_TEXTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

LANGUAGES: Final = {"en": "English", "zh": "简体中文"}
"""Code of each language -> its own name; the first is the default."""

TAGS: Final = {"en": "en", "zh": "zh-Hans"}
"""Language tag of the pages (RFC 5646)."""

SCRIPT_KEYS: Final = ("script.", "message.running", "message.days.", "explain.running")
"""Beginnings of the keys whose texts are sent to scripts."""

TEXTS: Final[dict[str, dict[str, str]]] = {
    **STATUS_TEXTS,
    # -- all pages -----------------------------------------------------------------
    "page.status": {"en": "Supervisor Status", "zh": "Supervisor 状态"},
    "page.skip": {"en": "Skip to the processes", "zh": "跳到进程列表"},
    "page.activity_log": {"en": "Activity log", "zh": "活动日志"},
    "page.all_processes": {"en": "All processes", "zh": "所有进程"},
    "page.cancel": {"en": "Cancel", "zh": "取消"},
    "action.refresh": {"en": "Refresh", "zh": "刷新"},
    "page.apply": {"en": "Apply", "zh": "应用"},
    "page.yes": {"en": "Yes", "zh": "是"},
    # -- the status page -----------------------------------------------------------
    "page.filter_name": {"en": "Filter by name", "zh": "按名称筛选"},
    "page.filter_state": {"en": "Filter by state", "zh": "按状态筛选"},
    "page.sort": {"en": "Sort", "zh": "排序"},
    "page.processes": {"en": "Processes", "zh": "进程"},
    "page.name": {"en": "Name", "zh": "名称"},
    "page.state": {"en": "State", "zh": "状态"},
    "page.description": {"en": "Description", "zh": "说明"},
    "page.actions": {"en": "Actions", "zh": "操作"},
    "state.": {"en": "All states", "zh": "所有状态"},
    "state.bad": {"en": "Failed", "zh": "失败"},
    "state.busy": {"en": "Changing", "zh": "变化中"},
    "state.ok": {"en": "Running", "zh": "运行中"},
    "state.off": {"en": "Stopped", "zh": "已停止"},
    "sort.name": {"en": "By name", "zh": "按名称"},
    "sort.state": {"en": "Trouble first", "zh": "有问题的在前"},
    "sort.changed": {"en": "Latest change first", "zh": "最近变化在前"},
    "action.start": {"en": "Start", "zh": "启动"},
    "action.restart": {"en": "Restart", "zh": "重启"},
    "action.stop": {"en": "Stop", "zh": "停止"},
    "action.clearlog": {"en": "Clear Log", "zh": "清空日志"},
    "action.startgroup": {"en": "Start", "zh": "启动"},
    "action.restartgroup": {"en": "Restart", "zh": "重启"},
    "action.stopgroup": {"en": "Stop", "zh": "停止"},
    "action.startall": {"en": "Start All", "zh": "全部启动"},
    "action.restartall": {"en": "Restart All", "zh": "全部重启"},
    "action.stopall": {"en": "Stop All", "zh": "全部停止"},
    "group": {"en": "group {name}", "zh": "组 {name}"},
    "on": {"en": "{action} {name}", "zh": "{action} {name}"},
    "tail_stdout": {"en": "Tail stdout of {name}", "zh": "{name} 的标准输出"},
    "tail_stderr": {"en": "Tail stderr of {name}", "zh": "{name} 的标准错误"},
    "message.not_done": {
        "en": "Nothing was done: the request did not come from this page.",
        "zh": "未执行任何操作：请求不是来自本页面。",
    },
    "script.none": {"en": "No programs are configured.", "zh": "没有配置任何程序。"},
    "script.no_match": {"en": "No process matches the filter.", "zh": "没有符合条件的进程。"},
    "script.processes.one": {"en": "{count} process", "zh": "{count} 个进程"},
    "script.processes.other": {"en": "{count} processes", "zh": "{count} 个进程"},
    "script.counts": {"en": "{total}: {parts}", "zh": "{total}：{parts}"},
    "script.comma": {"en": ", ", "zh": "，"},
    "script.kind.bad": {"en": "{count} failed", "zh": "{count} 个失败"},
    "script.kind.busy": {"en": "{count} changing", "zh": "{count} 个变化中"},
    "script.kind.ok": {"en": "{count} running", "zh": "{count} 个运行中"},
    "script.kind.off": {"en": "{count} stopped", "zh": "{count} 个已停止"},
    "script.failed_title": {"en": "({failed}) {title}", "zh": "（{failed}）{title}"},
    "script.question": {"en": "{action}?", "zh": "{action}？"},
    "script.no_response": {"en": "No response since {time}", "zh": "自 {time} 起无响应"},
    "script.live": {"en": "Live", "zh": "实时"},
    "script.refused": {"en": "The server refused: {status}", "zh": "服务器拒绝：{status}"},
    "script.unreachable": {"en": "The server cannot be reached.", "zh": "无法连接服务器。"},
    # -- a log ---------------------------------------------------------------------
    "page.tail": {"en": "Supervisor tail", "zh": "Supervisor 日志"},
    "page.log": {"en": "Log", "zh": "日志"},
    "page.streams": {"en": "Streams", "zh": "输出流"},
    "page.stdout": {"en": "Stdout", "zh": "标准输出"},
    "page.stderr": {"en": "Stderr", "zh": "标准错误"},
    "page.show_lines": {"en": "Show lines with", "zh": "只显示包含"},
    "page.show_only": {"en": "Show only lines that contain", "zh": "只显示包含此文字的行"},
    "page.download": {"en": "Download", "zh": "下载"},
    "page.both": {"en": "Both", "zh": "两者"},
    "page.search": {"en": "Search whole log", "zh": "搜索整个日志"},
    "page.wrap": {"en": "Wrap", "zh": "自动换行"},
    "page.times": {"en": "Times", "zh": "时间戳"},
    "page.together": {"en": "Together", "zh": "合并显示"},
    "page.show_too": {"en": "Show another process too", "zh": "同时显示另一个进程"},
    "page.empty": {"en": "No output yet", "zh": "尚无输出"},
    "tail.shared": {
        "en": "Other processes write to this file too: {names}",
        "zh": "其他进程也写入此文件：{names}",
    },
    "page.add": {"en": "Add", "zh": "添加"},
    "tail.another": {"en": "Another process", "zh": "另一个进程"},
    "found.one": {"en": "{count} line found", "zh": "找到 {count} 行"},
    "found.other": {"en": "{count} lines found", "zh": "找到 {count} 行"},
    "found.last": {
        "en": "{found}, the last {count} are shown",
        "zh": "{found}，显示最后 {count} 行",
    },
    "found.part": {"en": "{found} in the last {size} MB", "zh": "在最后 {size} MB 中{found}"},
    "found.gone": {
        "en": "The line is no longer there: the log has changed since the search.",
        "zh": "该行已不在此处：搜索之后日志已更改。",
    },
    "found.back": {"en": "Back to the log", "zh": "返回日志"},
    "tail.title": {
        "en": "Supervisor tail of process {name}",
        "zh": "进程 {name} 的日志 - Supervisor",
    },
    "tail.activity": {"en": "Supervisor activity log", "zh": "Supervisor 活动日志"},
    "tail.which": {"en": "Which process?", "zh": "哪个进程？"},
    "tail.no_process": {"en": "There is no process {name}", "zh": "没有进程 {name}"},
    "tail.no_file": {"en": "No file for {name}", "zh": "{name} 没有日志文件"},
    "tail.no_activity": {"en": "No file for the activity log", "zh": "活动日志没有文件"},
    "tail.redirected": {
        "en": "The stderr of {name} goes into its stdout log (redirect_stderr=true)",
        "zh": "{name} 的标准错误写入其标准输出日志（redirect_stderr=true）",
    },
    "script.paused": {"en": "Paused", "zh": "已暂停"},
    "script.pause": {"en": "Pause", "zh": "暂停"},
    "script.resume": {"en": "Resume", "zh": "继续"},
    "script.reconnecting": {"en": "Reconnecting", "zh": "重新连接中"},
    "script.no_line": {"en": "No line contains this", "zh": "没有包含此文字的行"},
    "script.lines.one": {"en": "{count} line", "zh": "{count} 行"},
    "script.lines.other": {"en": "{count} lines", "zh": "{count} 行"},
    # -- a process -----------------------------------------------------------------
    "page.skip_facts": {"en": "Skip to the facts", "zh": "跳到正文"},
    "page.timeline": {"en": "Timeline", "zh": "时间线"},
    "page.configuration": {"en": "Configuration", "zh": "配置"},
    "page.dependencies": {"en": "Dependencies", "zh": "依赖关系"},
    "page.needs": {"en": "Needs", "zh": "依赖"},
    "page.needed_by": {"en": "Needed by", "zh": "被依赖"},
    "page.descendants": {"en": "Processes of the system", "zh": "系统进程"},
    "page.pid": {"en": "pid", "zh": "pid"},
    "page.parent": {"en": "Parent", "zh": "父进程"},
    "page.cpu": {"en": "CPU time", "zh": "CPU 时间"},
    "page.memory": {"en": "Memory", "zh": "内存"},
    "page.control": {"en": "Signals and standard input", "zh": "信号与标准输入"},
    "page.signal": {"en": "Signal", "zh": "信号"},
    "page.line": {"en": "Line", "zh": "一行文字"},
    "page.process": {"en": "Process", "zh": "进程"},
    "action.signal": {"en": "Send Signal", "zh": "发送信号"},
    "action.stdin": {"en": "Send to stdin", "zh": "写入标准输入"},
    "process.title": {"en": "{name} - Supervisor", "zh": "{name} - Supervisor"},
    "script.signal": {"en": "Send {signal} to {name}", "zh": "向 {name} 发送 {signal}"},
    "process.since": {"en": "since {time}", "zh": "自 {time}"},
    "process.more.one": {"en": "and {count} more", "zh": "以及另外 {count} 个"},
    "process.more.other": {"en": "and {count} more", "zh": "以及另外 {count} 个"},
    "process.cpu": {"en": "{seconds} s", "zh": "{seconds} 秒"},
    "fact.command": {"en": "Command", "zh": "命令"},
    "fact.directory": {"en": "Directory", "zh": "目录"},
    "fact.user": {"en": "User", "zh": "用户"},
    "fact.environment": {"en": "Environment (names)", "zh": "环境变量（名称）"},
    "fact.envfiles": {"en": "Environment files", "zh": "环境变量文件"},
    "fact.place": {"en": "File", "zh": "文件"},
    "fact.pending": {"en": "Changed, but not applied", "zh": "已更改但尚未生效"},
    "fact.stopsignal": {"en": "Stop signal", "zh": "停止信号"},
    "fact.stdout": {"en": "Stdout log", "zh": "标准输出日志"},
    "fact.stderr": {"en": "Stderr log", "zh": "标准错误日志"},
    "fact.daemon_directory": {
        "en": "that of supervisord ({name})",
        "zh": "与 supervisord 相同（{name}）",
    },
    "fact.daemon_user": {
        "en": "that of supervisord ({name})",
        "zh": "与 supervisord 相同（{name}）",
    },
    "fact.uid": {"en": "uid {uid}", "zh": "uid {uid}"},
    "fact.not_shown": {"en": "(set, not shown)", "zh": "（已设置，不显示）"},
    "fact.line": {"en": "{file}, line {line}", "zh": "{file}，第 {line} 行"},
    "kind.optional": {"en": "optional", "zh": "可选"},
    "kind.completed": {"en": "completed", "zh": "已完成"},
    "kind.exited": {"en": "exited", "zh": "已退出"},
    "time": {"en": "%b %d %H:%M:%S", "zh": "%m-%d %H:%M:%S"},
    "duration.day.one": {"en": "{count} day", "zh": "{count} 天"},
    "duration.day.other": {"en": "{count} days", "zh": "{count} 天"},
    "duration.hour.one": {"en": "{count} hour", "zh": "{count} 小时"},
    "duration.hour.other": {"en": "{count} hours", "zh": "{count} 小时"},
    "duration.minute.one": {"en": "{count} minute", "zh": "{count} 分钟"},
    "duration.minute.other": {"en": "{count} minutes", "zh": "{count} 分钟"},
    "duration.second.one": {"en": "{count} second", "zh": "{count} 秒"},
    "duration.second.other": {"en": "{count} seconds", "zh": "{count} 秒"},
    "explain.in_hook": {"en": SENTENCES["in_hook"], "zh": "正在运行其 {hook}。"},
    "explain.hook": {"en": SENTENCES["hook"], "zh": "其 {hook} 正在运行。"},
    "explain.waiting": {"en": SENTENCES["waiting"], "zh": "正在等待 {names}。"},
    "explain.not_ready": {"en": SENTENCES["not_ready"], "zh": "尚未就绪：{reason}。"},
    "explain.running": {"en": SENTENCES["running"], "zh": "正在运行：{description}。"},
    "explain.backoff": {"en": SENTENCES["backoff"], "zh": "上次启动失败：{reason}。"},
    "explain.fatal": {"en": SENTENCES["fatal"], "zh": "已放弃：{reason}。"},
    "explain.exited": {"en": SENTENCES["exited"], "zh": "进程自行结束。"},
    "explain.ended": {"en": SENTENCES["ended"], "zh": "进程自行结束，不会自动重启。"},
    "explain.stopped": {"en": SENTENCES["stopped"], "zh": "进程已被停止。"},
    "explain.not_started": {"en": SENTENCES["not_started"], "zh": "进程尚未启动。"},
    "explain.not_started_since": {
        "en": SENTENCES["not_started_since"],
        "zh": "自 supervisord 启动以来，进程尚未启动。",
    },
    "explain.starting": {"en": SENTENCES["starting"], "zh": "进程已启动，但尚未算作运行中。"},
    "explain.stopping": {"en": SENTENCES["stopping"], "zh": "已要求进程停止，进程尚未结束。"},
    "explain.unknown": {"en": SENTENCES["unknown"], "zh": "无法向进程发送信号，状态未知。"},
    "explain.ready": {"en": SENTENCES["ready"], "zh": "自 {time} 起就绪。"},
    "explain.health": {"en": SENTENCES["health"], "zh": "健康状况：{health}。"},
    "explain.unhealthy": {
        "en": SENTENCES["unhealthy"],
        "zh": "健康状况：自 {time} 起 {health}：{reason}。",
    },
    "explain.unready": {"en": SENTENCES["unready"], "zh": "就绪检查自 {time} 起失败：{reason}。"},
    "explain.next_start": {"en": SENTENCES["next_start"], "zh": "{duration}后下次启动。"},
    "explain.requested_stop": {
        "en": SENTENCES["requested_stop"],
        "zh": "上次退出：按要求停止（{reason}），{time}。",
    },
    "explain.planned_stop": {
        "en": SENTENCES["planned_stop"],
        "zh": "上次退出：被 supervisord 停止（{reason}）：{why}，{time}。",
    },
    "explain.expected_exit": {
        "en": SENTENCES["expected_exit"],
        "zh": "上次退出：{reason}（符合预期），{time}。",
    },
    "explain.unexpected_exit": {
        "en": SENTENCES["unexpected_exit"],
        "zh": "上次退出：{reason}（不符合预期），{time}。",
    },
    "explain.starts.one": {
        "en": SENTENCES["starts.one"],
        "zh": "共启动 {count} 次。",
    },
    "explain.starts.other": {
        "en": SENTENCES["starts.other"],
        "zh": "共启动 {count} 次。",
    },
    "explain.restarts.one": {
        "en": SENTENCES["restarts.one"],
        "zh": "共启动 {count} 次，其中自动 {restarts} 次。",
    },
    "explain.restarts.other": {
        "en": SENTENCES["restarts.other"],
        "zh": "共启动 {count} 次，其中自动 {restarts} 次。",
    },
    "explain.pending": {
        "en": SENTENCES["pending"],
        "zh": "配置已更改但尚未生效（见 update）：{names}。",
    },
    "explain.place": {"en": SENTENCES["place"], "zh": "配置于 {file}。"},
    "explain.line": {"en": SENTENCES["line"], "zh": "配置于 {file}，第 {line} 行。"},
    # -- messages about actions ----------------------------------------------------
    "failed.process": {"en": "{name} ({reason})", "zh": "{name}（{reason}）"},
    "failed.more": {"en": "{count} more", "zh": "另外 {count} 个"},
    "message.failed": {"en": "{message}; failed: {failed}", "zh": "{message}；失败：{failed}"},
    "message.start_error": {
        "en": "ERROR: Process {name}: {reason}",
        "zh": "错误：进程 {name}：{reason}",
    },
    "message.error": {"en": "ERROR: {reason}", "zh": "错误：{reason}"},
    "message.no_file": {"en": "no such file", "zh": "没有此文件"},
    "message.not_executable": {"en": "file not executable", "zh": "文件不可执行"},
    "message.already_started": {"en": "already started", "zh": "已经启动"},
    "message.spawn_error": {"en": "spawn error", "zh": "启动失败"},
    "message.abnormal_termination": {"en": "abnormal termination", "zh": "异常终止"},
    "message.fault": {
        "en": "unexpected rpc fault [{code}] {reason}",
        "zh": "意外的 RPC 错误 [{code}] {reason}",
    },
    "message.start": {"en": "Process {name} started", "zh": "进程 {name} 已启动"},
    "message.stop": {"en": "Process {name} stopped", "zh": "进程 {name} 已停止"},
    "message.restart": {"en": "Process {name} restarted", "zh": "进程 {name} 已重启"},
    "message.clearlog": {"en": "Log for {name} cleared", "zh": "{name} 的日志已清空"},
    "message.refresh": {"en": "Page refreshed at {time}", "zh": "页面已于 {time} 刷新"},
    "message.group_start": {
        "en": "Group {name} started at {time}",
        "zh": "组 {name} 已于 {time} 启动",
    },
    "message.group_stop": {
        "en": "Group {name} stopped at {time}",
        "zh": "组 {name} 已于 {time} 停止",
    },
    "message.group_restart": {
        "en": "Group {name} restarted at {time}",
        "zh": "组 {name} 已于 {time} 重启",
    },
    "message.all_start": {"en": "All started at {time}", "zh": "已于 {time} 全部启动"},
    "message.all_stop": {"en": "All stopped at {time}", "zh": "已于 {time} 全部停止"},
    "message.all_restart": {"en": "All restarted at {time}", "zh": "已于 {time} 全部重启"},
    "message.shown_start": {"en": "{subject} started at {time}", "zh": "{subject}已于 {time} 启动"},
    "message.shown_stop": {"en": "{subject} stopped at {time}", "zh": "{subject}已于 {time} 停止"},
    "message.shown_restart": {
        "en": "{subject} restarted at {time}",
        "zh": "{subject}已于 {time} 重启",
    },
    "message.shown.one": {"en": "{count} shown process", "zh": "所示 {count} 个进程"},
    "message.shown.other": {"en": "{count} shown processes", "zh": "所示 {count} 个进程"},
    "message.no_such_process": {
        "en": "No such process named {name}",
        "zh": "没有名为 {name} 的进程",
    },
    "message.no_such_group": {"en": "No such group named {name}", "zh": "没有名为 {name} 的组"},
    "message.no_name": {"en": "No process name found", "zh": "缺少进程名称"},
    "message.unknown_action": {"en": "Unknown action {name}", "zh": "未知操作 {name}"},
    "message.signalled": {
        "en": "Signal {signal} sent to {name}",
        "zh": "已向 {name} 发送信号 {signal}",
    },
    "message.written": {"en": "Line sent to {name}", "zh": "已将一行写入 {name}"},
    "message.not_running": {"en": "NOT_RUNNING: {name}", "zh": "NOT_RUNNING：{name}"},
    **REASON_TEXTS,
}
