"""The published RPC methods of the `supervisor` namespace.

The docstrings are part of the API: `system.methodHelp` returns them, and
`system.methodSignature` parses their `@param` and `@return` lines.  `rpc/` implements the
methods.
"""

from __future__ import annotations

from supervisor import events
from supervisor.common.faults import Faults, RPCError
from supervisor.common.version import API_VERSION, VERSION
from supervisor.common.xmlrpc_codec import capped_int
from supervisor.engine.start_queue import Pace
from supervisor.process.description import describe
from supervisor.process.details import process_info
from supervisor.process.stop_order import with_dependents
from supervisor.rpc import control, details, info, logs
from supervisor.rpc.control import is_not_running as isNotRunning
from supervisor.rpc.control import is_running as isRunning
from supervisor.rpc.control import is_signallable as isSignallable
from supervisor.rpc.control import is_to_be_stopped, make_allfunc
from supervisor.rpc.lookup import essential_members, find, find_group, find_process, members
from supervisor.rpc.rows import rows
from supervisor.states import SupervisorStates
from supervisor.xmlrpc import quicker, starting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from supervisor.common.xmlrpc_codec import Pieces
    from supervisor.process.child import Subprocess
    from supervisor.process.daemon_protocol import Daemon
    from supervisor.process.groups import ProcessGroupBase
    from supervisor.rpc.lookup import Member

__all__ = [
    "API_VERSION",
    "SupervisorNamespaceRPCInterface",
    "isNotRunning",
    "isRunning",
    "isSignallable",
    "make_allfunc",
    "make_main_rpcinterface",
]


def _in_turn(interface: SupervisorNamespaceRPCInterface, start: Callable[[], Any]) -> Any:
    return interface.supervisord.runtime.services.start_queue.in_turn(start)


class SupervisorNamespaceRPCInterface:
    """The `supervisor` namespace; plugins subclass and wrap it."""

    def __init__(self, supervisord: Daemon) -> None:
        self.supervisord = supervisord

    def _update(self, text: str) -> None:
        """Refuse the method named `text` while the daemon shuts down."""
        self.update_text = text
        if self.supervisord.options.mood < SupervisorStates.RUNNING:
            raise RPCError(Faults.SHUTDOWN_STATE)

    # -- the daemon -----------------------------------------------------------

    def getAPIVersion(self) -> str:
        """Return the version of this RPC API.

        @return string version  Version of the API
        """
        self._update("getAPIVersion")
        return API_VERSION

    getVersion = getAPIVersion

    def getSupervisorVersion(self) -> str:
        """Return the version of Supervisor.

        @return string version  Version of the distribution
        """
        self._update("getSupervisorVersion")
        return VERSION

    def getIdentification(self) -> str:
        """Return the identifier of this daemon (`identifier` in its configuration).

        @return string identifier  Identifier of the daemon
        """
        self._update("getIdentification")
        return self.supervisord.options.identifier

    def getState(self) -> dict[str, Any]:
        """Return the state of the daemon.

        @return struct state  `statecode` (int) and `statename` (string)
        """
        self._update("getState")
        return info.daemon_state(self.supervisord.options.mood)

    def getPID(self) -> int:
        """Return the process id of the daemon.

        @return int pid  Process id of the daemon
        """
        self._update("getPID")
        return self.supervisord.options.get_pid()

    def readLog(self, offset: int, length: int) -> str:
        """Read length bytes from the main log starting at offset

        @param int offset  First byte; a negative offset counts from the end
        @param int length  Number of bytes; 0 means up to the end
        @return string result  Text of the log
        """  # noqa: D415 - Supvisors' tests expect this description to the letter
        self._update("readLog")
        return logs.read(self.supervisord.options.logfile, offset, length)

    readMainLog = readLog

    def clearLog(self) -> bool:
        """Clear the activity log.

        @return boolean result  True
        """
        self._update("clearLog")
        return logs.clear_main_log(self.supervisord)

    def shutdown(self) -> bool:
        """Stop all processes, then shut down the daemon.

        @return boolean result  True
        """
        self._update("shutdown")
        self.supervisord.options.mood = SupervisorStates.SHUTDOWN
        return True

    def restart(self) -> bool:
        """Stop all processes, reload the configuration and restart the daemon.

        @return boolean result  True
        """
        self._update("restart")
        self.supervisord.check_configuration()
        self.supervisord.options.mood = SupervisorStates.RESTARTING
        return True

    def reexec(self) -> Any:
        """Replace the daemon by the version that is installed; no process is stopped.

        The daemon keeps its pid.  It first checks that the new version accepts the configuration;
        changed settings of the daemon and of its servers are applied, those of programs not.

        @return boolean result  True, before the replacement
        """
        self._update("reexec")
        return self.supervisord.reexec.request()

    def reloadConfig(self) -> list[list[list[str]]]:
        """Reread the configuration and return the differences, without applying them.

        @return array result  `[[added, changed, removed]]`, each of them an array of group names
        """
        self._update("reloadConfig")
        return [self.supervisord.reread()]

    def addProcessGroup(self, name: str) -> bool:
        """Add a group from the last configuration that was read, and start its autostart processes.

        @param string name  Name of the group
        @return boolean result  True
        """
        self._update("addProcessGroup")
        configs = self.supervisord.options.process_group_configs
        config = next((each for each in configs if each.name == name), None)
        if config is None:
            raise RPCError(Faults.BAD_NAME, name)
        try:
            added = self.supervisord.add_process_group(config)
        except (OSError, ValueError) as error:  # a log or a FastCGI socket
            raise RPCError(Faults.FAILED, error) from None
        if not added:
            raise RPCError(Faults.ALREADY_ADDED, name)
        self.supervisord.process_groups[name].arm()
        return True

    def removeProcessGroup(self, name: str) -> bool:
        """Remove a group whose processes are all stopped.

        @param string name  Name of the group
        @return boolean result  True
        """
        self._update("removeProcessGroup")
        find_group(self.supervisord, name)
        if not self.supervisord.remove_process_group(name):
            raise RPCError(Faults.STILL_RUNNING, name)
        return True

    def planUpdate(self) -> Any:
        """Reread the configuration and return the steps of a minimal update, which changes nothing.

        The action of a step is `add`, `remove`, `restart` (an option differs that cannot be changed
        while the process runs) or `apply`.  Values that may hold secrets are empty strings.

        @return struct result  `id`, for applyUpdate, and `steps`, an array of structs of `action`,
            `group`, `name` (`*` for the options of the group), `options` (array of structs of
            `name`, `old` and `new`)
        """
        self._update("planUpdate")
        return self.supervisord.updates.plan()

    def applyUpdate(self, id: str, names: Sequence[str] = ()) -> Any:  # noqa: A002 - the API's name
        """Apply a plan of planUpdate; only processes that must be restarted are restarted.

        Nothing happens if the configuration or the groups have changed since the plan was made.

        @param string id  Id of the plan
        @param array names  Names of groups (default: all groups)
        @return array result  A struct for each step of the plan: `action`, `name`, `group`,
            `status`, `description`
        """
        self._update("applyUpdate")
        return self.supervisord.updates.apply(id, names)

    def setNumprocs(self, name: str, numprocs: int) -> Any:
        """Change the number of processes of a program; those with the highest numbers stop.

        The number replaces `numprocs` until the value in the file changes, or the daemon restarts.
        The program's process_name must contain %(process_num).

        @param string name  Name of the program (the part of its section after the colon)
        @param int numprocs  Number of processes, 1 or more
        @return array result  A struct for each process that is added or removed: `action`, `name`,
            `group`, `status`, `description`
        """
        self._update("setNumprocs")
        return self.supervisord.updates.scale(name, numprocs)

    # -- starting -------------------------------------------------------------

    @starting(_in_turn)
    def startProcess(self, name: str, wait: bool = True) -> Any:
        """Start a process.

        @param string name  Name of the process, `group:name` or `group:*`
        @param boolean wait  Wait until the process is running (default true)
        @return boolean result  True
        """
        self._update("startProcess")
        group, process = find(self.supervisord, name)
        if process is None:
            return self.startProcessGroup(group.config.name, wait)
        return control.start(process, name, wait=wait)

    def startProcessGroup(self, name: str, wait: bool = True) -> Any:
        """Start all processes of a group that are not running.

        @param string name  Name of the group
        @param boolean wait  Wait until the processes are running (default true)
        @return array result  A struct for each process: `name`, `group`, `status`, `description`
        """
        self._update("startProcessGroup")
        group = find_group(self.supervisord, name)
        return self._start_all(members([group]), wait=wait)

    def startAllProcesses(self, wait: bool = True) -> Any:
        """Start all processes that are not running.

        @param boolean wait  Wait until the processes are running (default true)
        @return array result  A struct for each process: `name`, `group`, `status`, `description`
        """
        self._update("startAllProcesses")
        return self._start_all(self._members(), wait=wait)

    def _start_all(self, processes: Sequence[Member], *, wait: bool) -> Any:
        queue = self.supervisord.runtime.services.start_queue
        predicate = control.to_be_started(processes, isNotRunning)
        return make_allfunc(processes, predicate, self.startProcess, queue.put, wait=wait)

    @starting(_in_turn)
    def startProcessAlone(self, name: str, wait: bool = True) -> Any:
        """Start a process at once, without its dependencies.

        @param string name  Name of the process, `group:name` or `group:*`
        @param boolean wait  Wait until the process is running (default true)
        @return boolean result  True; for `group:*` the array of startProcessGroup
        """
        self._update("startProcessAlone")
        group, process = find(self.supervisord, name)
        if process is not None:
            return control.start(process, name, wait=wait, alone=True)
        queue = self.supervisord.runtime.services.start_queue
        start = self.startProcessAlone
        return make_allfunc(members([group]), isNotRunning, start, queue.put, wait=wait)

    # -- stopping -------------------------------------------------------------

    def stopProcess(self, name: str, wait: bool = True) -> Any:
        """Stop a process.

        @param string name  Name of the process, `group:name` or `group:*`
        @param boolean wait  Wait until the process has stopped (default true)
        @return boolean result  True
        """
        self._update("stopProcess")
        group, process = find(self.supervisord, name)
        if process is None:
            return self.stopProcessGroup(group.config.name, wait)
        return control.stop(process, name, wait=wait)

    def stopProcessGroup(self, name: str, wait: bool = True) -> Any:
        """Stop all processes of a group that are running.

        @param string name  Name of the group
        @param boolean wait  Wait until the processes have stopped (default true)
        @return array result  A struct for each process: `name`, `group`, `status`, `description`
        """
        self._update("stopProcessGroup")
        group = find_group(self.supervisord, name)
        return self._stop_all(members([group]), wait=wait)

    def stopAllProcesses(self, wait: bool = True) -> Any:
        """Stop all processes that are running.

        @param boolean wait  Wait until the processes have stopped (default true)
        @return array result  A struct for each process: `name`, `group`, `status`, `description`
        """
        self._update("stopAllProcesses")
        return self._stop_all(self._members(), wait=wait)

    def stopProcessWithDependents(self, name: str, wait: bool = True) -> Any:
        """Stop a process and those that depend on it, these first.

        @param string name  Name of the process, `group:name` or `group:*`
        @param boolean wait  Wait until the processes have stopped (default true)
        @return array result  A struct for each process: `name`, `group`, `status`, `description`
        """
        self._update("stopProcessWithDependents")
        group, process = find(self.supervisord, name)
        named = list(group.processes.values()) if process is None else [process]
        all_members = self._members()
        chosen = set(with_dependents(named, (each for _, each in all_members)))
        stopping = [member for member in all_members if member[1] in chosen]
        if not any(is_to_be_stopped(each) for _, each in stopping):
            raise RPCError(Faults.NOT_RUNNING, name)
        return self._stop_all(stopping, wait=wait)

    def _stop_all(self, processes: Sequence[Member], *, wait: bool) -> Any:
        stop = control.in_order(processes, self.stopProcess)
        pace = Pace(self.supervisord.runtime.loop)
        return make_allfunc(processes, is_to_be_stopped, stop, pace.run, wait=wait)

    # -- signalling -----------------------------------------------------------

    def signalProcess(self, name: str, signal: str) -> Any:
        """Send a signal to a process.

        @param string name  Name of the process, `group:name` or `group:*`
        @param string signal  Name (`HUP`, `SIGHUP`) or number of the signal
        @return boolean result  True
        """
        self._update("signalProcess")
        group, process = find(self.supervisord, name)
        if process is None:
            return self.signalProcessGroup(group.config.name, signal)
        return control.send_signal(process, name, signal)

    def signalProcessGroup(self, name: str, signal: str) -> Any:
        """Send a signal to all processes of a group.

        @param string name  Name of the group
        @param string signal  Name (`HUP`, `SIGHUP`) or number of the signal
        @return array result  A struct for each process: `name`, `group`, `status`, `description`
        """
        self._update("signalProcessGroup")
        group = find_group(self.supervisord, name)
        return make_allfunc(members([group]), isSignallable, self.signalProcess, signal=signal)()

    def signalAllProcesses(self, signal: str) -> Any:
        """Send a signal to all processes.

        @param string signal  Name (`HUP`, `SIGHUP`) or number of the signal
        @return array result  A struct for each process: `name`, `group`, `status`, `description`
        """
        self._update("signalAllProcesses")
        return make_allfunc(self._members(), isSignallable, self.signalProcess, signal=signal)()

    # -- information ------------------------------------------------------------

    def getAllConfigInfo(self) -> list[dict[str, Any]]:
        """Return the configuration of all processes, also of groups that have not been added.

        @return array result  A struct for each process; `inuse` is true if its group has been added
        """
        self._update("getAllConfigInfo")
        running = self.supervisord.process_groups
        structs = [
            info.config_info(group, config, inuse=group.name in running)
            for group in self.supervisord.options.process_group_configs
            for config in group.process_configs
        ]
        return sorted(structs, key=lambda struct: str(struct["name"]))

    def getProcessInfo(self, name: str) -> dict[str, Any]:
        """Return information about one process.

        @param string name  Name of the process or `group:name`
        @return struct result  State, times, process id and log files
        """
        self._update("getProcessInfo")
        group, process = find(self.supervisord, name)
        if process is None:
            raise RPCError(Faults.BAD_NAME, name)
        return process_info(group, process)

    def _all_members(self) -> list[Member]:
        self._update("getAllProcessInfo")
        return self._members_by_name()

    def _all_rows(self) -> Pieces:
        all_members = self._all_members()
        return rows(all_members, capped_int(self.supervisord.runtime.clock.time()))

    @quicker(_all_rows)
    def getAllProcessInfo(self) -> list[dict[str, Any]]:
        """Return information about all processes.

        @return array result  A struct for each process, as from getProcessInfo
        """
        return [process_info(*member) for member in self._all_members()]

    def getProcessDetails(self, name: str, usage: bool = False) -> Any:
        """Return everything about one process; times are seconds since the epoch.

        0, an empty string or an empty array mean that a value is unknown or does not apply.

        @param string name  Name of the process or `group:name`
        @param boolean usage  Also return the use of CPU and memory (default: False)
        @return struct result  The fields of getProcessInfo except `logfile`, and: `signal` of the
            last exit, `ready_at`, `health`, `health_reason` and `health_since` (of a failing check
            of liveness or readiness), `waiting_for` (array of strings such as
            `db (STARTING)`), `starts`, `restarts` (automatic ones), `next_start`, `last_exit`
            (struct of `code`, `signal`, `expected`, `core`, `stopped`, `stop_reason`, `reason`,
            `at`), `history` (array of structs of `at`, `state`, `reason`), `config_file`,
            `config_line`, `pending_changes` (names of options that the last reread found changed);
            with `usage` also, for the process and its descendants: `cpu_percent` (of one core,
            since the previous sample or, if there is none, since the start), `cpu_seconds`,
            `memory_bytes` (a double, because it may exceed 32 bits) and `processes`
        """
        self._update("getProcessDetails")
        group, process = find(self.supervisord, name)
        if process is None:
            raise RPCError(Faults.BAD_NAME, name)
        return self._details([(group, process)], next, usage=usage)

    def _all_details(self, usage: bool = False) -> Any:
        self._update("getAllProcessDetails")
        members = self._members_by_name()
        return details.details_as_xml(self.supervisord, members, with_usage=usage)

    @quicker(_all_details)
    def getAllProcessDetails(self, usage: bool = False) -> Any:
        """Return everything about all processes.

        @param boolean usage  Also return the use of CPU and memory (default: False)
        @return array result  A struct for each process, as from getProcessDetails
        """
        self._update("getAllProcessDetails")
        return self._details(self._members_by_name(), list, usage=usage)

    def _details(
        self,
        found: Sequence[Member],
        result: Callable[[Iterator[dict[str, Any]]], Any],
        *,
        usage: bool,
    ) -> Any:
        """Return a result from the structs of processes, deferred if they contain the usage."""

        def step() -> Any:
            return result(details.details(self.supervisord, found, with_usage=usage))

        return details.with_fresh_usage(self.supervisord, step) if usage else step()

    def getEssentialProcessInfo(self) -> list[dict[str, Any]]:
        """Return information about the essential processes, which have to be RUNNING.

        @return array result  A struct for each process of a program with `essential`, as from
            getProcessInfo; for all processes but event listeners if no program has it
        """
        self._update("getEssentialProcessInfo")
        return [process_info(*member) for member in essential_members(self._members_by_name())]

    def getDependencies(self) -> list[dict[str, Any]]:
        """Return the dependencies between programs.

        @return array result  A struct for each program: `name`, `processes`, and `needs`, an array
            of structs of `name` (as configured), `condition` (`running`, `completed`, `exited`),
            `optional` (boolean) and `programs` (the programs that the name means)
        """
        self._update("getDependencies")
        return details.dependencies(self._members_by_name())

    # -- logs -------------------------------------------------------------------

    def readProcessStdoutLog(self, name: str, offset: int, length: int) -> str:
        """Return part of a process's stdout log.

        A negative offset counts from the end; a length of 0 means up to the end.

        @param string name  Name of the process or `group:name`
        @param int offset  First byte
        @param int length  Number of bytes
        @return string result  Text of the log
        """
        self._update("readProcessStdoutLog")
        return logs.read_process_log(self.supervisord, name, offset, length, "stdout")

    readProcessLog = readProcessStdoutLog

    def readProcessStderrLog(self, name: str, offset: int, length: int) -> str:
        """Return part of a process's stderr log.

        A negative offset counts from the end; a length of 0 means up to the end.

        @param string name  Name of the process or `group:name`
        @param int offset  First byte
        @param int length  Number of bytes
        @return string result  Text of the log
        """
        self._update("readProcessStderrLog")
        return logs.read_process_log(self.supervisord, name, offset, length, "stderr")

    def tailProcessStdoutLog(self, name: str, offset: int, length: int) -> list[Any]:
        """Return the end of a process's stdout log if it has grown beyond an offset.

        @param string name  Name of the process or `group:name`
        @param int offset  Offset that the previous call returned
        @param int length  Maximum number of bytes
        @return array result  `[text, offset, overflow]`: offset is for the next call, overflow is
            true if the log has grown by more than length bytes
        """
        self._update("tailProcessStdoutLog")
        return logs.tail_process_log(self.supervisord, name, offset, length, "stdout")

    tailProcessLog = tailProcessStdoutLog

    def tailProcessStderrLog(self, name: str, offset: int, length: int) -> list[Any]:
        """Return the end of a process's stderr log if it has grown beyond an offset.

        @param string name  Name of the process or `group:name`
        @param int offset  Offset that the previous call returned
        @param int length  Maximum number of bytes
        @return array result  `[text, offset, overflow]`: offset is for the next call, overflow is
            true if the log has grown by more than length bytes
        """
        self._update("tailProcessStderrLog")
        return logs.tail_process_log(self.supervisord, name, offset, length, "stderr")

    def clearProcessLogs(self, name: str) -> bool:
        """Clear the stdout and stderr logs of a process.

        @param string name  Name of the process or `group:name`
        @return boolean result  True
        """
        self._update("clearProcessLogs")
        return logs.clear(find_process(self.supervisord, name), name)

    clearProcessLog = clearProcessLogs

    def clearAllProcessLogs(self) -> Any:
        """Clear the logs of all processes.

        @return array result  A struct for each process: `name`, `group`, `status`, `description`
        """
        self._update("clearAllProcessLogs")
        return make_allfunc(self._members(), _any_process, self.clearProcessLog)()

    def rotateProcessLogs(self, name: str) -> Any:
        """Rotate the stdout and stderr logs of a process now, unless they are empty.

        @param string name  Name of the process, `group:name` or `group:*`
        @return boolean result  True; for `group:*` the array of rotateAllProcessLogs
        """
        self._update("rotateProcessLogs")
        return self._with_logs(name, logs.rotate, self.rotateProcessLogs)

    def rotateAllProcessLogs(self) -> Any:
        """Rotate the logs of all processes now, unless they are empty.

        @return array result  A struct for each process: `name`, `group`, `status`, `description`
        """
        self._update("rotateAllProcessLogs")
        return self._for_all(self._members(), self.rotateProcessLogs)

    def reopenProcessLogs(self, name: str) -> Any:
        """Close and reopen the log files of a process, as after a rotation by another program.

        @param string name  Name of the process, `group:name` or `group:*`
        @return boolean result  True; for `group:*` the array of reopenAllProcessLogs
        """
        self._update("reopenProcessLogs")
        return self._with_logs(name, logs.reopen, self.reopenProcessLogs)

    def reopenAllProcessLogs(self) -> Any:
        """Close and reopen the log files of all processes.

        @return array result  A struct for each process: `name`, `group`, `status`, `description`
        """
        self._update("reopenAllProcessLogs")
        return self._for_all(self._members(), self.reopenProcessLogs)

    def _with_logs(self, name: str, act: Callable[..., bool], method: Callable[..., Any]) -> Any:
        """Call a function for a process, or a method for each process of a group."""
        group, process = find(self.supervisord, name)
        if process is None:
            return self._for_all(members([group]), method)
        return act(process, name)

    def _for_all(self, processes: Sequence[Member], method: Callable[..., Any]) -> Any:
        queue = self.supervisord.runtime.services.start_queue
        return make_allfunc(processes, _any_process, method, queue.put)

    # -- communication ------------------------------------------------------------

    def sendProcessStdin(self, name: str, chars: str | bytes) -> bool:
        """Write text to the stdin of a process.

        @param string name  Name of the process or `group:name`
        @param string chars  Text to write, as UTF-8
        @return boolean result  True
        """
        self._update("sendProcessStdin")
        if not isinstance(chars, (str, bytes)):  # plugins pass bytes
            raise RPCError(Faults.INCORRECT_PARAMETERS, chars)
        return control.send_stdin(find_process(self.supervisord, name), name, chars)

    def sendRemoteCommEvent(self, type: str, data: str) -> bool:  # noqa: A002 - the API's name
        """Send an event to the listeners that are subscribed to REMOTE_COMMUNICATION.

        @param string type  Type of the event, by which listeners distinguish events
        @param string data  Payload of the event
        @return boolean result  True
        """
        events.notify(events.RemoteCommunicationEvent(type, data))
        return True

    def _interpretProcessInfo(self, info_: dict[str, Any]) -> str:
        return describe(info_)  # Supvisors calls it, without an instance

    def _getGroupAndProcess(self, name: str) -> tuple[ProcessGroupBase, Subprocess | None]:
        return find(self.supervisord, name)  # Supvisors' startProcess calls it

    def _members(self) -> list[Member]:
        return members(list(self.supervisord.process_groups.values()))

    def _members_by_name(self) -> list[Member]:
        return members(list(self.supervisord.process_groups.values()), by_name=True)


def _any_process(_process: Subprocess) -> bool:
    return True


def make_main_rpcinterface(supervisord: Daemon) -> SupervisorNamespaceRPCInterface:
    """Return the `supervisor` namespace; `[rpcinterface:supervisor]` names this factory."""
    return SupervisorNamespaceRPCInterface(supervisord)
