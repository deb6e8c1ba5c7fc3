"""Descriptions and reasons of processes, a part of the table in `texts`.

The English texts are those of the modules that report them, which scripts and clients parse.  The
first one that matches counts.
"""

from __future__ import annotations

from supervisor.common.explanation import UNKNOWN_REASON
from supervisor.config.hooks import HOOKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

REASON_TEXTS: Final[dict[str, dict[str, str]]] = {
    "message.running": {"en": "pid {pid}, uptime {uptime}", "zh": "pid {pid}，已运行 {uptime}"},
    "message.days.one": {"en": "{count} day, {time}", "zh": "{count} 天 {time}"},
    "message.days.other": {"en": "{count} days, {time}", "zh": "{count} 天 {time}"},
    "message.not_started": {"en": "Not started", "zh": "未启动"},
    "message.waiting_ready": {"en": "waiting for READY=1", "zh": "等待 READY=1"},
    "message.waiting_newline": {
        "en": "waiting for a newline on the notification fd",
        "zh": "等待 notification_fd 上的换行符",
    },
    "message.waiting_line": {
        "en": "waiting for a line that matches ready_log_line",
        "zh": "等待与 ready_log_line 匹配的行",
    },
    "message.newline": {
        "en": "a newline on the notification fd",
        "zh": "notification_fd 上的换行符",
    },
    "message.line": {
        "en": "a line that matches ready_log_line",
        "zh": "与 ready_log_line 匹配的行",
    },
    "message.waiting": {"en": "waiting for {names}", "zh": "等待 {names}"},
    "message.pausing": {
        "en": "{description}, restart in {seconds} s",
        "zh": "{description}，{seconds} 秒后重启",
    },
    "message.too_quickly": {
        "en": "Exited too quickly (process log may have details)",
        "zh": "退出过快（详情可能在进程日志中）",
    },
    "message.unknown_error": {
        "en": 'unknown error (try "tail {name}")',
        "zh": "未知错误（请看 {name} 的日志）",
    },
    "message.unknown_reason": {"en": UNKNOWN_REASON, "zh": "原因未知"},
    "message.start_requested": {"en": "start requested", "zh": "要求启动"},
    "message.start_requested_by": {"en": "start requested by {client}", "zh": "{client} 要求启动"},
    "message.stop_requested": {"en": "stop requested", "zh": "要求停止"},
    "message.stop_requested_by": {"en": "stop requested by {client}", "zh": "{client} 要求停止"},
    "message.autostart": {"en": "autostart", "zh": "自动启动"},
    "message.automatic_restart": {"en": "automatic restart", "zh": "自动重启"},
    "message.retry": {"en": "retry after a failed start", "zh": "启动失败后重试"},
    "message.follows": {
        "en": "follows a dependency (on_dependency_failure)",
        "zh": "跟随依赖项（on_dependency_failure）",
    },
    "message.dependencies_up": {
        "en": "dependencies are up again (on_dependency_failure)",
        "zh": "依赖项已恢复（on_dependency_failure）",
    },
    "message.ready": {"en": "ready", "zh": "已就绪"},
    "message.cannot_signal": {"en": "cannot be signalled", "zh": "无法发送信号"},
    "message.too_many_retries": {
        "en": "too many start retries too quickly",
        "zh": "启动重试次数过多、过快",
    },
    "message.up": {"en": "up for startsecs", "zh": "已运行 startsecs 秒"},
    "message.gave_up": {"en": "gave up", "zh": "已放弃"},
    "message.exit_status": {"en": "exit status {code}", "zh": "退出状态 {code}"},
    "message.status": {"en": "status {count}", "zh": "状态 {count}"},
    "message.core_dumped": {
        "en": "terminated by {signal} (core dumped)",
        "zh": "被 {signal} 终止（已转储核心）",
    },
    "message.terminated": {"en": "terminated by {signal}", "zh": "被 {signal} 终止"},
    "message.no_command": {"en": "can't find command {command}", "zh": "找不到命令 {command}"},
    # -- reasons of failures ---------------------------------------------------------
    "message.bad_exit": {"en": "Bad exit code {code}", "zh": "退出状态异常：{code}"},
    "message.not_yet_ready": {
        "en": "Exited before it was ready (process log may have details)",
        "zh": "就绪之前已退出（详情可能在进程日志中）",
    },
    "message.not_ready": {"en": "not ready after {span}", "zh": "{span}后仍未就绪"},
    "message.timed_out": {"en": "timed out after {span}", "zh": "{span}后超时"},
    "message.too_often": {
        "en": "restarted {times} in {span} (startlimit_burst)",
        "zh": "{span}内重启{times}（startlimit_burst）",
    },
    "message.restarted_too_often": {"en": "restarted too often", "zh": "重启过于频繁"},
    "message.gate": {
        "en": "its dependencies were not ready in time",
        "zh": "其依赖项未及时就绪",
    },
    "message.waited": {"en": "waited {span} for {names}", "zh": "等待 {names} 已达 {span}"},
    "message.stopped_by_failure": {
        "en": "it was stopped because of a failure",
        "zh": "因故障而被停止",
    },
    "message.memory": {
        "en": "uses {used} MB of memory (max_memory_restart: {allowed} MB)",
        "zh": "占用内存 {used} MB（max_memory_restart：{allowed} MB）",
    },
    "message.runtime": {
        "en": "has run for {span} (max_runtime)",
        "zh": "已运行 {span}（max_runtime）",
    },
    "message.liveness": {"en": "liveness check failed: {reason}", "zh": "存活检查失败：{reason}"},
    "message.liveness_again": {
        "en": "liveness check failed {count} times in a row: {reason}",
        "zh": "存活检查连续失败 {count} 次：{reason}",
    },
    "message.readiness": {"en": "readiness check failed: {reason}", "zh": "就绪检查失败：{reason}"},
    "message.readiness_part": {
        "en": "readiness check: {count} of {wanted} successes",
        "zh": "就绪检查：已成功 {count} 次，共需 {wanted} 次",
    },
    "message.readiness_none": {
        "en": "readiness check: no result yet",
        "zh": "就绪检查：尚无结果",
    },
    "message.watchdog": {"en": "watchdog: {reason}", "zh": "看门狗：{reason}"},
    "message.no_watchdog": {"en": "no WATCHDOG=1 for {span}", "zh": "{span}内没有 WATCHDOG=1"},
    "message.failing": {"en": "failing ({part})", "zh": "失败（{part}）"},
    "message.interrupted": {
        "en": "stopped before the program was started",
        "zh": "程序启动之前已被停止",
    },
    "message.not_executable_at": {
        "en": "command at {path} is not executable",
        "zh": "{path} 处的命令不可执行",
    },
    "message.directory_at": {
        "en": "command at {path} is a directory",
        "zh": "{path} 处的命令是目录",
    },
    "message.no_exec": {"en": "couldn't exec {path}: {error}", "zh": "无法执行 {path}：{error}"},
    "message.no_chdir": {
        "en": "couldn't chdir to {path}: {error}",
        "zh": "无法进入目录 {path}：{error}",
    },
    "message.no_setuid": {
        "en": "couldn't setuid to {user}: {error}",
        "zh": "无法切换到用户 {user}：{error}",
    },
    "message.dependency": {
        "en": "dependency '{name}' is {reason}",
        "zh": "依赖项“{name}”状态为 {reason}",
    },
    "message.not_completed": {"en": "not completed", "zh": "未完成"},
    "message.not_exited": {"en": "not exited", "zh": "未退出"},
    "message.unknown": {"en": "unknown", "zh": "未知"},
    # -- words of which the reasons above consist ---------------------------------------
    "message.span.one": {"en": "{count} second", "zh": "{count} 秒"},
    "message.span.other": {"en": "{count} seconds", "zh": "{count} 秒"},
    "message.once": {"en": "once", "zh": " 1 次"},
    "message.times": {"en": "{count} times", "zh": " {count} 次"},
    # -- additions to a description, last because they match the most ---------------------
    "message.unhealthy": {
        "en": "{description}, health: {health}",
        "zh": "{description}，健康状况：{health}",
    },
    "message.health": {"en": "health: {health}", "zh": "健康状况：{health}"},
    **{
        f"message.{hook}.running": {"en": f"running {hook}", "zh": f"正在运行 {hook}"}
        for hook in HOOKS
    },
    **{
        f"message.{hook}.also": {
            "en": f"{{description}}, running {hook}",
            "zh": f"{{description}}，正在运行 {hook}",
        }
        for hook in HOOKS
    },
    **{
        f"message.{hook}.failed": {
            "en": f"{hook} failed: {{reason}}",
            "zh": f"{hook} 失败：{{reason}}",
        }
        for hook in HOOKS
    },
}
