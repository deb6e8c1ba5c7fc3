"""Two daemons with Supvisors that share an application: its rules, and their configuration."""

from __future__ import annotations

from tests.support.children import child
from tests.support.networks import ADDRESS

RULES = """\
<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<root>
    <application name="shop">
        <start_sequence>1</start_sequence>
        <programs>
            <program name="web">
                <identifiers>two,one</identifiers>
                <start_sequence>1</start_sequence>
                <required>true</required>
                <running_failure_strategy>RESTART_PROCESS</running_failure_strategy>
            </program>
        </programs>
    </application>
</root>
"""

SHARED = f"""
identifier={{name}}
[inet_http_server]
port=:{{port}}
[rpcinterface:supvisors]
supervisor.rpcinterface_factory=supvisors.plugin:make_supvisors_rpcinterface
supvisors_list=<one>{ADDRESS}:60001,<two>{ADDRESS}:60002
rules_files={{rules}}
synchro_options=LIST
stats_enabled=OFF
[ctlplugin:supvisors]
supervisor.ctl_factory=supvisors.supvisorsctl:make_supvisors_controller_plugin
[program:web]
command={child("sleeper")}
autostart=false
startsecs=0
[group:shop]
programs=web
"""
