"""The table of deliberate differences: which test shows each.

The names are the headings of docs/differences.md. A conformance test names the entry that it shows
(`pair.differ(..., entry=...)` or `declared(...)`); other tests try this package alone.
tests/unit/test_differences.py holds that table, document and tests agree.
"""

from __future__ import annotations

import re

CONFIGURATION = "tests/conformance/test_config_errors.py::test_what_the_reference_gets_wrong"
PARSER = "tests/unit/test_config_parser.py"
CLIENT = "tests/unit/test_supervisorctl_controller.py"
COMMANDS = "tests/unit/test_supervisorctl.py"
CLIENT_FAILURES = "tests/unit/test_supervisorctl_failures.py"
GUARD = "tests/unit/test_http_csrf.py"
HTTP = "tests/unit/test_http1.py"
STARTS = "tests/unit/test_starts.py"
CHILDREN = "tests/faults/test_children.py"
FILES = "tests/faults/test_files.py"
SURROUNDINGS = "tests/faults/test_hostile_surroundings.py"
RAW_HTTP = "tests/conformance/test_raw_http.py::test_on_purpose_not_the_same"

ADDED_METHODS = (
    "supervisor.applyUpdate",
    "supervisor.getAllProcessDetails",
    "supervisor.getDependencies",
    "supervisor.getEssentialProcessInfo",
    "supervisor.getProcessDetails",
    "supervisor.planUpdate",
    "supervisor.reexec",
    "supervisor.reopenAllProcessLogs",
    "supervisor.reopenProcessLogs",
    "supervisor.rotateAllProcessLogs",
    "supervisor.rotateProcessLogs",
    "supervisor.setNumprocs",
    "supervisor.startProcessAlone",
    "supervisor.stopProcessWithDependents",
)
"""RPC methods that 4.3.0 does not have."""

ADDED_COMMANDS = (
    "complete",
    "explain",
    "graph",
    "health",
    "logs",
    "reexec",
    "reopen",
    "rotate",
    "scale",
    "wait",
)
"""Commands of supervisorctl that 4.3.0 does not have."""

ADDED_FLAGS = (
    "--minimal",
    "--no-deps",
    "--plan",
    "--with-dependents",
    "--rolling",
    "--batch N",
    "--pause SECONDS",
    "--json",
    "--keep",
    "-v, --verbose",
    "--usage",
    "--watch[=SECONDS]",
)
"""Flags of its commands that 4.3.0 does not have."""

ADDED_OPTIONS = ("--can-resume", "--check", "--container", "--json", "--portable", "--strict")
"""Options of supervisord's command line that 4.3.0 does not have."""

FLAG_LINE = re.compile(rf"^(?:{'|'.join(map(re.escape, ADDED_FLAGS))}) .*\n", re.MULTILINE)
COMMAND_LIST = re.compile(r"^(=+)\n((?:\w[\w ]*\n)+)", re.MULTILINE)

# name -> the test that shows it
SHOWN_BY = {
    "Quoting in environment": CONFIGURATION,
    "Variables in environment": (
        "tests/unit/test_quoting.py::test_a_variable_arrives_byte_for_byte"
    ),
    "Names that cannot be resolved": CONFIGURATION,
    "One line for an error in a file": CONFIGURATION,
    "Unknown members of groups": CONFIGURATION,
    "A protected here": CONFIGURATION,
    "An empty file name": CONFIGURATION,
    "A configuration on standard input": (
        "tests/journeys/test_piped_configuration.py::test_it_is_kept_for_rereads_and_reloads"
    ),
    "The main process of a container": (
        "tests/conformance/test_command_line.py::test_help_names_the_same_options"
    ),
    "A history file on the command line": CONFIGURATION,
    "Brackets in the path of the configuration": (
        f"{PARSER}::test_the_directory_may_look_like_a_pattern"
    ),
    "Byte order marks": CONFIGURATION,
    "A literal percent sign": f"{PARSER}::test_what_cannot_be_filled_in",
    "Comments inside quotes": (
        "tests/unit/test_config_comments.py::test_an_unbalanced_quote_in_a_command"
    ),
    "FastCGI programs with one socket": (
        "tests/unit/test_config_groups.py::test_two_fastcgi_programs_with_one_unix_socket"
    ),
    "Without a temporary directory": (
        "tests/journeys/test_read_only_root.py::test_a_read_only_root_without_a_temporary_directory"
    ),
    "Configuration warnings": (
        "tests/faults/test_files.py::test_the_log_warns_of_what_is_readable_or_unknown"
    ),
    "IPv6 in port": CONFIGURATION,
    "Servers that cannot be opened": "tests/unit/test_http_server.py::test_what_the_user_reads",
    "Users and groups without an entry": CONFIGURATION,
    "Values that end the daemon": CONFIGURATION,
    "The host's name in every section": CONFIGURATION,
    "Commas that separate nothing": CONFIGURATION,
    "Several targets of a log": CONFIGURATION,
    "Home directories in two more paths": CONFIGURATION,
    "Checking a configuration": (
        "tests/conformance/test_command_line.py::test_help_names_the_same_options"
    ),
    "Further options": f"{STARTS}::test_a_start_pulls_its_dependencies_in",
    "Defaults of programs": (
        "tests/unit/test_config_program_default.py"
        "::test_programs_have_what_they_do_not_set_from_the_defaults"
    ),
    "Starts of many programs": f"{STARTS}::test_a_boot_is_spread_over_iterations",
    "Programs that wait for others": (
        f"{STARTS}::test_a_second_start_and_a_stop_of_a_waiting_program"
    ),
    "Programs that report readiness": (
        "tests/docs/test_docs.py::test_starts_in_order_to_the_letter"
    ),
    "Programs that are restarted while they run": (
        "tests/unit/test_health_monitor.py::test_a_failed_program_is_restarted_as_after_a_crash"
    ),
    "Health of programs": ("tests/journeys/test_health.py::test_a_listener_gets_the_verdicts"),
    "Programs with hooks": "tests/unit/test_hooks.py::test_a_whole_life",
    "Interpreters that do not exist": (
        "tests/unit/test_launchers.py::test_exec_failures_are_explained"
    ),
    "Starts that wait": f"{SURROUNDINGS}::test_a_start_that_waits_can_be_stopped",
    "Leases on executables": f"{SURROUNDINGS}::test_a_lease_is_the_reason",
    "Standard streams opened by name": (
        "tests/conformance/test_users.py::test_a_standard_stream_opened_by_name"
    ),
    "Groups of a program's user": (
        "tests/unit/test_config_groups.py::test_a_users_groups_are_looked_up_once_for_each_reading"
    ),
    "A pid file that is locked": (
        f"{FILES}::test_a_second_daemon_with_the_same_pid_file_changes_nothing"
    ),
    "Upgrades and removals of the package": (
        "tests/journeys/test_replaced_package.py::test_the_daemon_works_as_before"
    ),
    "Replacement of the daemon": (
        "tests/journeys/test_reexec_surroundings.py::test_changed_settings_are_applied"
    ),
    "AUTO logs of other users": "tests/unit/test_boot.py::test_only_those_of_our_user",
    "A pid file that cannot be written": "tests/unit/test_pidfile.py::test_a_link_is_not_followed",
    "Clearing a log that is not a file": "tests/unit/test_loggers.py::test_clearing_leaves_a_fifo",
    "Error pages for browsers": "tests/unit/test_web_errors.py::test_a_missing_page",
    "Escape sequences": (
        "tests/unit/test_streams.py::test_text_after_unknown_or_broken_sequences_stays"
    ),
    "Output beside captured parts": (
        "tests/unit/test_streams.py::test_output_is_not_held_back_unless_it_may_begin_a_token"
    ),
    "Symlinks in place of logs": (
        f"{FILES}::test_root_does_not_log_where_somebody_elses_link_leads"
    ),
    "Logs that cannot be read": f"{FILES}::test_a_log_that_cannot_be_read_is_a_plain_answer",
    "Stopping a process that is about to be restarted": (
        f"{CHILDREN}::test_a_crash_looping_group_is_stopped"
    ),
    "Stopping a whole process group": (
        "tests/journeys/test_process_groups.py::test_a_restart_waits_for_the_server"
    ),
    "Requests while a process is stopping": (
        "tests/conformance/test_rpc_states.py::test_requests_while_a_process_is_stopping"
    ),
    "Failed starts before a stop": (
        "tests/unit/test_process.py::test_a_stop_forgets_the_starts_that_failed"
    ),
    "Removing a program that cannot be signalled": (
        "tests/journeys/test_process_groups.py"
        "::test_a_program_that_may_not_be_signalled_is_not_removed"
    ),
    "Orphans as pid 1": (
        "tests/unit/test_daemon_signals.py"
        "::test_orphans_are_news_only_to_a_daemon_that_did_not_ask_for_them"
    ),
    "Input that is not read": f"{CHILDREN}::test_a_program_that_never_reads_its_stdin",
    "Orphans of a stopped group": (f"{CHILDREN}::test_nothing_of_a_killed_group_survives"),
    "The last output of grandchildren": (
        "tests/faults/test_logs.py::test_what_a_grandchild_says_late"
    ),
    "Standard output that is a socket": (
        "tests/conformance/test_program_logs.py::test_stdout_that_is_a_socket"
    ),
    "Logs that cannot be rotated": (
        "tests/journeys/test_output_to_log.py::test_output_goes_where_nothing_can_be_rotated"
    ),
    "Special characters in the identifier": (
        "tests/unit/test_boot.py::test_only_those_of_our_identifier"
    ),
    "Clearing the log of a stopped program": (
        "tests/conformance/test_program_logs.py::test_clear_of_a_program_that_is_stopped"
    ),
    "Logs with several writers": "tests/faults/test_shared_logs.py::test_a_rotated_log",
    "Logs on a full disk": ("tests/faults/test_logs.py::test_a_disk_that_is_full_for_a_while"),
    "Obstacles to a rotation": (
        "tests/unit/test_logs_rotation.py::test_obstacles_that_others_have_put_there"
    ),
    "Logs that cannot be reopened": (
        "tests/faults/test_shared_logs.py::test_one_log_that_cannot_be_reopened"
    ),
    "Logs with slow readers": ("tests/faults/test_logs.py::test_a_log_that_takes_nothing_more"),
    "Empty names and passwords": CONFIGURATION,
    "Included files that cannot be read": f"{PARSER}::test_included_files_that_are_broken",
    "A broken file on reload": (
        "tests/journeys/test_signals.py::test_sighup_with_a_broken_file_changes_nothing"
    ),
    "A working directory that no longer exists": (
        "tests/journeys/test_deleted_directory.py::test_commands_of_the_client_are_faults"
    ),
    "One clear line without a server": (
        "tests/conformance/test_command_line.py::test_without_a_server_there_is_one_clear_line"
    ),
    "One line for a missing password": f"{CLIENT}::test_a_missing_password_is_one_line",
    "One clear line from a server that misbehaves": (
        f"{CLIENT_FAILURES}::test_a_server_that_sends_an_invalid_response"
    ),
    "Faults that any command may receive": (
        f"{COMMANDS}::test_a_fault_that_any_command_may_receive_is_one_line"
    ),
    "Several names at once": (
        f"{COMMANDS}::test_stop_requests_every_stop_before_it_waits_for_the_first"
    ),
    "Following the log of an unknown process": (
        "tests/conformance/test_client_commands.py::test_following_an_unknown_process"
    ),
    "A daemon that replaces itself": (
        "tests/unit/test_client_tailing.py::test_every_byte_arrives_once"
    ),
    "Wildcards in names": "tests/conformance/test_client_commands.py::test_patterns",
    "Colours on a terminal": "tests/clients/test_terminal.py::test_states_have_colours",
    "Wide characters in names": f"{COMMANDS}::test_wide_characters_take_two_columns",
    "Interrupts and outputs that are gone": f"{CLIENT_FAILURES}::test_ctrl_c_while_a_command_waits",
    "Characters that the locale lacks": (
        "tests/unit/test_http_client.py::test_the_plain_listener_escapes_characters_that_the_locale_lacks"
    ),
    "Hints on a terminal": ("tests/clients/test_terminal.py::test_what_to_do_when_nobody_listens"),
    "Control characters on a terminal": (
        "tests/clients/test_terminal.py::test_what_a_program_writes_does_not_command_the_terminal"
    ),
    "Passwords for unix sockets": (
        "tests/faults/test_impostors.py::test_an_impostor_in_an_open_folder_gets_no_password"
    ),
    "Endless responses": f"{CLIENT_FAILURES}::test_a_server_whose_response_has_no_end",
    "Peers of the unix socket": "tests/unit/test_http_server.py::test_who_is_on_a_unix_socket",
    "Help for plugins' commands": f"{CLIENT}::test_help_on_a_topic",
    "Arguments of the wrong type": (
        "tests/conformance/test_xmlrpc.py::test_arguments_of_the_wrong_type_are_a_fault"
    ),
    "Further commands": (
        "tests/journeys/test_dependencies.py::test_a_stop_and_a_restart_with_dependents"
    ),
    "Further flags of status": "tests/journeys/test_watching.py::test_status_as_json",
    "Further methods": "tests/conformance/test_xmlrpc.py::test_methods_that_are_added",
    "Integers that do not fit": (
        "tests/conformance/test_rpc_states.py::test_an_integer_that_does_not_fit"
    ),
    "autorestart in getAllConfigInfo": (
        "tests/conformance/test_config_info.py"
        "::test_config_info_is_the_same_before_and_after_rereading"
    ),
    "Integers of 64 bits": (
        "tests/unit/test_xmlrpc_codec.py::test_large_integers_do_not_break_a_response"
    ),
    "Characters that XML cannot carry": (
        "tests/unit/test_xmlrpc_codec.py::test_characters_that_xml_does_not_allow_are_replaced"
    ),
    "Logs that are not UTF-8": (
        "tests/conformance/test_rpc_states.py::test_a_log_that_is_not_utf_8"
    ),
    "Malformed requests": RAW_HTTP,
    "The log at trace and below": (
        "tests/conformance/test_trace_log.py::test_what_is_said_of_the_http_server"
    ),
    "Other encodings": RAW_HTTP,
    "Requests without a body": RAW_HTTP,
    "Methods": RAW_HTTP,
    "Persistent connections": RAW_HTTP,
    "Following a log on another connection": (
        "tests/unit/test_http_handlers.py::test_a_client_that_resumes_gets_positions"
    ),
    "Following a log over HTTP/1.0": RAW_HTTP,
    "Strict framing": RAW_HTTP,
    "Large bodies": (
        "tests/clients/test_curl.py::test_a_large_body_is_asked_for_before_it_is_sent"
    ),
    "Limits": f"{HTTP}::test_a_request_has_limits",
    "The last responses": (
        "tests/unit/test_shutdown.py::test_clients_that_wait_to_be_accepted_are_answered"
    ),
    "Clients that stop sending": (
        "tests/unit/test_http_connection.py"
        "::test_a_deferred_response_reaches_a_client_that_has_half_closed"
    ),
    "Many calls in one request": (
        "tests/faults/test_http_floods.py::test_a_multicall_of_a_hundred_thousand_calls"
    ),
    "Logins": (
        "tests/unit/test_http_handlers.py::test_a_failed_login_is_logged_without_its_password"
    ),
    "Chunked bodies": RAW_HTTP,
    "Absolute addresses and doubled slashes": RAW_HTTP,
    "Encodings of a login": ("tests/unit/test_http_handlers.py::test_a_login_in_either_encoding"),
    "Headers and error pages": (
        "tests/unit/test_http_connection.py::test_a_response_has_the_fields_that_clients_need"
    ),
    "Static files": ("tests/unit/test_web_status.py::test_static_files_are_from_their_folder_only"),
    "Obstacles to a unix socket": (
        "tests/unit/test_http_server.py::test_only_what_is_a_socket_is_ever_unlinked"
    ),
    "Unix sockets that are removed": (
        "tests/unit/test_http_socket_file.py::test_a_removed_socket_is_created_again"
    ),
    "Groups that another client changes": (
        "tests/journeys/test_client.py::test_update_while_another_client_stops_a_group"
    ),
    "Following a log that is truncated": (
        "tests/unit/test_http_handlers.py::test_truncation_does_not_end_it"
    ),
    "The pages": RAW_HTTP,
    "More pages": "tests/unit/test_web_logs.py::test_both_streams_and_several_processes",
    "Languages": (
        "tests/unit/test_web_texts.py"
        "::test_redirects_stay_english_and_scripts_of_pages_get_translations"
    ),
    "A relative redirect": "tests/conformance/test_web.py::test_redirects_differ",
    "Messages instead of errors on the page": (
        "tests/conformance/test_web.py::test_unknown_actions_differ"
    ),
    "Restarts that fail": (
        "tests/unit/test_web_status.py::test_restart_reports_a_start_that_fails"
    ),
    "Cross-site requests": f"{GUARD}::test_foreign_posts_are_refused_everywhere",
    "Foreign names for the loopback address": (
        f"{GUARD}::test_a_loopback_server_accepts_no_other_name"
    ),
    "Restarts without delay": (
        "tests/journeys/test_death_to_restart.py::test_a_killed_process_is_restarted_at_once"
    ),
    "Commands relative to the directory": (
        "tests/journeys/test_config_to_process.py"
        "::test_a_relative_command_is_found_in_the_directory_of_the_program"
    ),
    "A clock that is set": (
        "tests/unit/test_process.py::test_a_clock_set_back_or_forward_changes_nothing"
    ),
    "Failures between fork and exec": (
        "tests/conformance/test_activity_log.py::test_a_failure_between_fork_and_exec"
    ),
    "A signal right after the start": (
        "tests/journeys/test_signals.py::test_a_signal_right_after_the_start_is_not_lost"
    ),
    "FastCGI sockets that cannot be opened": (
        "tests/journeys/test_fastcgi.py::test_a_socket_that_cannot_be_opened_is_one_line_and_exit_2"
    ),
    "The last events before the end": (
        "tests/unit/test_shutdown.py::test_a_busy_group_may_finish_first"
    ),
    "Listeners that reject everything": (
        "tests/unit/test_event_pools.py"
        "::test_a_listener_that_rejects_everything_gets_one_event_a_second"
    ),
    "Rejected events": (
        "tests/unit/test_event_pools.py::test_a_rejected_event_goes_back_to_its_own_pool_only"
    ),
    "The sample configuration": (
        "tests/conformance/test_command_line.py::test_the_sample_has_what_recipes_edit"
    ),
    "Help texts": ("tests/conformance/test_command_line.py::test_a_question_mark_prints_the_usage"),
    "Communication events from childutils": (
        "tests/unit/test_childutils.py::test_communication_events_are_marked"
    ),
    "Inherited descriptors": (
        "tests/journeys/test_standard_streams.py::test_children_inherit_their_own_pipes_only"
    ),
    "Pid files of pidproxy": (
        "tests/unit/test_pidproxy.py::test_only_another_process_gets_signals"
    ),
    "The end of pidproxy": "tests/unit/test_pidproxy.py::test_it_ends_with_its_command",
}


def declared(entry: str) -> None:
    """Fail unless a difference is in the table."""
    assert entry in SHOWN_BY, f"{entry!r} is not in tests/support/differences.py"


def without_additions(text: str) -> str:
    """Return help of supervisorctl without the commands and flags that are added."""
    text = COMMAND_LIST.sub(lambda found: f"{found[1]}\n{known_commands(found[2])}\n", text)
    return FLAG_LINE.sub("", text)


def known_commands(text: str) -> str:
    """Return the words of a list in columns, sorted, without the commands that are added."""
    return " ".join(sorted(each for each in text.split() if each not in ADDED_COMMANDS))
