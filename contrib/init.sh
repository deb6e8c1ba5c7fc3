#!/bin/sh
### BEGIN INIT INFO
# Provides:          supervisor
# Required-Start:    $remote_fs $network $named
# Required-Stop:     $remote_fs $network $named
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: Start and stop supervisord
# Description:       Starts supervisord, which starts and watches programs.
### END INIT INFO

# Settings of this machine go to /etc/default/supervisor.
DAEMON=/usr/bin/supervisord
CLIENT=/usr/bin/supervisorctl
CONFIG=/etc/supervisor/supervisord.conf
DEFAULTS=${SUPERVISOR_DEFAULTS:-/etc/default/supervisor}
if [ -r "$DEFAULTS" ]; then
    # shellcheck disable=SC1090  # a file of this machine
    . "$DEFAULTS"
fi

is_running() {
    "$CLIENT" -c "$CONFIG" pid >/dev/null 2>&1
}

start() {
    if is_running; then
        echo "supervisord is running already"
        return 0
    fi
    echo "Starting supervisord"
    "$DAEMON" -c "$CONFIG"
}

# Returns when the daemon has ended, and all programs with it.
stop() {
    if ! is_running; then
        echo "supervisord is not running"
        return 0
    fi
    echo "Stopping supervisord"
    pid=$("$CLIENT" -c "$CONFIG" pid)
    case $pid in
    "" | 0* | *[!0-9]*) # what kill takes for groups of processes, and texts of errors
        echo "supervisord has no pid: $pid" >&2
        return 1
        ;;
    esac
    kill -s TERM "$pid" || return 1
    while kill -s 0 "$pid" 2>/dev/null; do
        sleep 0.1
    done
}

case "${1-}" in
start) start ;;
stop) stop ;;
restart) stop && start ;;
reload | force-reload)
    if is_running; then "$CLIENT" -c "$CONFIG" reload; else start; fi
    ;;
status)
    if is_running; then
        echo "supervisord is running"
    else
        echo "supervisord is not running"
        exit 3
    fi
    ;;
*)
    echo "Usage: $0 {start|stop|restart|reload|force-reload|status}" >&2
    exit 2
    ;;
esac
