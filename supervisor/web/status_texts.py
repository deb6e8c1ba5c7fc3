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
    "fact.last_exit": {"en": "last exit: {reason}", "zh": "上次退出：{reason}"},
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
    "page.usage": {"en": "CPU and memory", "zh": "CPU 和内存"},
    "script.cpu_label": {"en": "CPU, last minutes", "zh": "最近几分钟的 CPU"},
    "script.memory_label": {"en": "Memory, last minutes", "zh": "最近几分钟的内存"},
}
