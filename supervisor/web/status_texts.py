"""The texts of the status page, a part of the table in `texts`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

STATUS_TEXTS: Final[dict[str, dict[str, str]]] = {
    # -- facts about a process -------------------------------------------------------
    "script.ago": {"en": "{duration} ago", "zh": "{duration}前"},
    "script.for": {"en": "for {duration}", "zh": "已 {duration}"},
    "script.seconds": {"en": "{count} s", "zh": "{count} 秒"},
    "script.minutes": {"en": "{count} min", "zh": "{count} 分钟"},
    "script.hours": {"en": "{count} h", "zh": "{count} 小时"},
    "script.days": {"en": "{count} d", "zh": "{count} 天"},
    "script.restarts_in": {"en": "restarts in {seconds} s", "zh": "{seconds} 秒后重启"},
    "script.kill_in": {"en": "KILL in {seconds} s", "zh": "{seconds} 秒后强制终止（KILL）"},
    "fact.restarts.one": {"en": "{count} restart", "zh": "重启 {count} 次"},
    "fact.restarts.other": {"en": "{count} restarts", "zh": "重启 {count} 次"},
    "fact.flapping": {"en": "{count} in {minutes} min", "zh": "{minutes} 分钟内 {count} 次"},
    "fact.ready": {"en": "ready", "zh": "已就绪"},
    "fact.last_failure": {"en": "last failure: {reason}", "zh": "上次失败：{reason}"},
    "fact.last_exit": {"en": "last exit: {reason}", "zh": "上次退出：{reason}"},
    "fact.stopped": {"en": "stopped", "zh": "被停止"},
    "fact.stopped_by": {"en": "stopped, {reason}", "zh": "被停止，{reason}"},
    "fact.meaning": {"en": "{reason}: {meaning}", "zh": "{reason}：{meaning}"},
    "fact.last_line": {"en": "Last line of stderr:", "zh": "标准错误的最后一行："},
    "exit.64": {"en": "wrong use of the command", "zh": "命令用法错误"},
    "exit.65": {"en": "bad input data", "zh": "输入数据有误"},
    "exit.66": {"en": "cannot open its input", "zh": "无法打开输入"},
    "exit.67": {"en": "unknown user", "zh": "用户不存在"},
    "exit.68": {"en": "unknown host", "zh": "主机不存在"},
    "exit.69": {"en": "a service is unavailable", "zh": "所需服务不可用"},
    "exit.70": {"en": "internal error of the program", "zh": "程序内部错误"},
    "exit.71": {"en": "error of the operating system", "zh": "操作系统错误"},
    "exit.72": {"en": "a system file is missing", "zh": "缺少系统文件"},
    "exit.73": {"en": "cannot create its output", "zh": "无法创建输出文件"},
    "exit.74": {"en": "input or output error", "zh": "输入输出错误"},
    "exit.75": {"en": "temporary failure", "zh": "暂时失败"},
    "exit.76": {"en": "protocol error", "zh": "协议错误"},
    "exit.77": {"en": "permission denied", "zh": "权限不足"},
    "exit.78": {"en": "configuration error", "zh": "配置错误"},
    "exit.126": {"en": "command cannot be executed", "zh": "命令无法执行"},
    "exit.127": {"en": "command not found", "zh": "找不到命令"},
    "exit.by_signal": {"en": "ended by {signal}", "zh": "被 {signal} 终止"},
    "signal.SIGABRT": {"en": "the program aborted itself", "zh": "程序自行中止"},
    "signal.SIGBUS": {"en": "invalid memory address", "zh": "无效的内存地址"},
    "signal.SIGFPE": {"en": "arithmetic error", "zh": "算术错误"},
    "signal.SIGHUP": {"en": "hangup", "zh": "挂断"},
    "signal.SIGILL": {"en": "invalid instruction", "zh": "无效指令"},
    "signal.SIGINT": {"en": "interrupted", "zh": "被中断"},
    "signal.SIGKILL": {
        "en": "killed, perhaps out of memory",
        "zh": "被强制终止，可能内存不足",
    },
    "signal.SIGPIPE": {"en": "wrote to a closed pipe", "zh": "写入已关闭的管道"},
    "signal.SIGSEGV": {"en": "invalid access to memory", "zh": "非法访问内存"},
    "signal.SIGSYS": {"en": "system call not permitted", "zh": "系统调用被禁止"},
    "signal.SIGXCPU": {"en": "limit of CPU time exceeded", "zh": "超出 CPU 时间限制"},
    "signal.SIGXFSZ": {"en": "limit of file size exceeded", "zh": "超出文件大小限制"},
    # -- kinds and columns -------------------------------------------------------------
    "state.flapping": {"en": "Flapping", "zh": "反复重启"},
    "script.kind.flapping": {"en": "{count} flapping", "zh": "{count} 个反复重启"},
    "sort.restarts": {"en": "Most restarts first", "zh": "重启最多在前"},
    "sort.cpu": {"en": "Most CPU first", "zh": "CPU 最高在前"},
    "sort.memory": {"en": "Most memory first", "zh": "内存最多在前"},
    "usage.show": {"en": "Show CPU and memory", "zh": "显示 CPU 和内存"},
    "usage.hide": {"en": "Hide CPU and memory", "zh": "隐藏 CPU 和内存"},
    "column.cpu": {"en": "CPU", "zh": "CPU"},
    "column.memory": {"en": "Memory", "zh": "内存"},
    # -- identity, and what needs attention ------------------------------------------------
    "status.title": {
        "en": "{identifier} on {host} - Supervisor Status",
        "zh": "{host} 上的 {identifier} - Supervisor 状态",
    },
    "page.login": {"en": "Log in again", "zh": "重新登录"},
    "script.login": {"en": "The login has ended", "zh": "登录已失效"},
    "page.outdated": {
        "en": "The configuration files have changed since they were read.",
        "zh": "配置文件在读取之后已更改。",
    },
    # -- errors --------------------------------------------------------------------------
    "error.title": {"en": "{phrase}", "zh": "{phrase}"},
    "error.advice": {
        "en": "The server cannot do what this request asks for.",
        "zh": "服务器无法执行此请求。",
    },
    "error.401.title": {"en": "Login required", "zh": "需要登录"},
    "error.401.advice": {
        "en": "This server asks for the user name and the password that the configuration of"
        " supervisord gives it. If you do not know them, ask the owner of this machine.",
        "zh": "请输入 supervisord 配置中为此服务器设置的用户名和密码。不知道时请询问管理员。",
    },
    "error.403.title": {"en": "Refused", "zh": "已拒绝"},
    "error.403.advice": {
        "en": "The request was refused, and nothing was done. Open the status page by its own"
        " address, and try again there.",
        "zh": "请求被拒绝，未执行任何操作。请用状态页面自己的地址打开，再试一次。",
    },
    "error.404.title": {"en": "There is no such page", "zh": "没有此页面"},
    "error.404.advice": {
        "en": "The address may be mistyped, or the process or its log may have been removed.",
        "zh": "地址可能有误，或者进程或其日志已被移除。",
    },
    "error.500.title": {"en": "An error in Supervisor", "zh": "Supervisor 内部错误"},
    "error.500.advice": {
        "en": "The page could not be made. The activity log has the details. The programs go on.",
        "zh": "无法生成页面，详情见活动日志。程序继续运行。",
    },
    "error.503.title": {"en": "The server is busy", "zh": "服务器繁忙"},
    "error.503.advice": {
        "en": "There are too many large requests at once. Try again in a few seconds. The programs"
        " go on.",
        "zh": "同时有过多的大请求，请几秒后重试。程序继续运行。",
    },
    "error.home": {"en": "All processes", "zh": "所有进程"},
    "error.log": {"en": "Activity log", "zh": "活动日志"},
    "error.login": {"en": "Log in", "zh": "登录"},
    "error.again": {"en": "Try again", "zh": "重试"},
    # -- the plan of an update -------------------------------------------------------------
    "page.show_changes": {"en": "Show the changes", "zh": "查看更改"},
    "page.changes": {"en": "Configuration changes", "zh": "配置更改"},
    "update.nothing": {"en": "There is nothing to change.", "zh": "没有需要应用的更改。"},
    "update.steps.one": {
        "en": "{count} step brings what runs in line with the files. Nothing has been done yet.",
        "zh": "共 {count} 步使运行状态与配置文件一致，尚未执行。",
    },
    "update.steps.other": {
        "en": "{count} steps bring what runs in line with the files. Nothing has been done yet.",
        "zh": "共 {count} 步使运行状态与配置文件一致，尚未执行。",
    },
    "update.add": {"en": "add", "zh": "添加"},
    "update.remove": {"en": "remove", "zh": "移除"},
    "update.restart": {"en": "restart", "zh": "重启"},
    "update.apply": {"en": "apply", "zh": "应用"},
    "update.option": {"en": "{name} {old} → {new}", "zh": "{name} {old} → {new}"},
    "message.update_applied": {"en": "Configuration applied", "zh": "配置已应用"},
    # -- groups, selection and actions on several processes -------------------------------
    "page.pick_all": {"en": "Select all shown", "zh": "选择所有显示的进程"},
    "page.pick_group": {"en": "Select group", "zh": "选择组"},
    "select": {"en": "Select {name}", "zh": "选择 {name}"},
    "script.tally": {"en": "{running} of {count} running", "zh": "{count} 个中 {running} 个运行中"},
    "script.subject.shown": {"en": "{count} shown", "zh": "所示 {count} 个"},
    "script.subject.selected": {"en": "{count} selected", "zh": "所选 {count} 个"},
    "script.startall.on": {"en": "Start {subject}", "zh": "启动 {subject}"},
    "script.restartall.on": {"en": "Restart {subject}", "zh": "重启 {subject}"},
    "script.stopall.on": {"en": "Stop {subject}", "zh": "停止 {subject}"},
    "message.selected.one": {"en": "{count} selected process", "zh": "所选 {count} 个进程"},
    "message.selected.other": {"en": "{count} selected processes", "zh": "所选 {count} 个进程"},
    "script.cpu_label": {"en": "CPU, last minutes", "zh": "最近几分钟的 CPU"},
    "script.memory_label": {"en": "Memory, last minutes", "zh": "最近几分钟的内存"},
}
