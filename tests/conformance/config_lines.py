"""Lines of configuration sections and command lines for `config_cases`, one case each.

In a section's line `|` stands for the end of a line.
"""

# Lines of [program:x].
PROGRAM_LINES = r"""
startsecs=abc
startsecs=10XB
startsecs=-1
startsecs=1.5
startsecs=
startsecs=1_0
startsecs=99999999999999999999
Startsecs=5
startsecs=5; comment
startsecs=5 ; comment
startsecs=5 # comment
startsecs=%(ENV_NOPE)s
startsecs=%(process_num)d
startretries=x
stopsignal=FOO
stopsignal=usr1
stopsignal=SIGUSR2
stopsignal= term
stopsignal=0
stopsignal=10
stopsignal=35
stopsignal=99
stopsignal=-3
stopsignal=
stopsignal=_DFL
stopsignal=RTMIN
stopsignal=1.5
exitcodes=300
exitcodes=0,255,256
exitcodes=-1
exitcodes=
exitcodes=0, 2
exitcodes=0,,2
exitcodes=0,
exitcodes=1,a
user=nobodyxx
user=nobody
user=65534
user=-1
user=
user=%(program_name)s
umask=9
umask=022
umask=0o22
umask=-1
umask=
umask=7777
stdout_logfile=/missing/dir/x
stdout_logfile=NONE
stdout_logfile=off
stdout_logfile=AUTO
stdout_logfile=auto
stdout_logfile=SYSLOG
stdout_logfile=syslog|stdout_syslog=false
stdout_logfile=syslog|numprocs=2|process_name=%(process_num)d
stdout_logfile=
stdout_logfile=%(here)s/%(program_name)s-%(process_num)d.log
stdout_logfile=%(here)s/missing/x.log
stdout_logfile=relative.log
stdout_logfile=~/relative.log
stdout_logfile=/
stdout_logfile=/dev/stdout|stdout_logfile_maxbytes=0
stderr_logfile=%(nope)s
stderr_logfile=syslog|redirect_stderr=true
stdout_logfile_maxbytes=1.5MB
stdout_logfile_maxbytes=1MB
stdout_logfile_maxbytes=1 kb
stdout_logfile_maxbytes=2GB
stdout_logfile_maxbytes=2TB
stdout_logfile_maxbytes=-1
stdout_logfile_maxbytes=0
stdout_logfile_maxbytes=0|stderr_logfile_maxbytes=0
stdout_logfile_maxbytes=0|numprocs=2|process_name=%(process_num)d
stdout_logfile_maxbytes=0|stdout_logfile=NONE
stdout_logfile_maxbytes=0|stdout_logfile=syslog
stderr_logfile_maxbytes=0|stdout_logfile=syslog
stderr_logfile_maxbytes=0|redirect_stderr=true
stderr_logfile_maxbytes=0|stderr_logfile=x.log|redirect_stderr=true
stdout_logfile_maxbytes=MB
stdout_logfile_maxbytes=
stdout_logfile_backups=x
stdout_capture_maxbytes=x
stderr_capture_maxbytes=1MB
stdout_events_enabled=x
stderr_events_enabled=on
stdout_syslog=x
stderr_syslog=true
autostart=maybe
autostart=
autostart=T
autostart=0
autostart=No
autostart=%(nope)s
autorestart=maybe
autorestart=Sometimes
autorestart=TRUE
autorestart=1
autorestart=Unexpected
autorestart=false
autorestart=
priority=x
priority=-5
priority=
priority=%(program_name)s
numprocs=2
numprocs=x
numprocs=0
numprocs=-1
numprocs=%(host_node_name)s
numprocs=12|process_name=%(process_num)s
numprocs=2|process_name=%(program_name)s_%(process_num)02d
numprocs=2|process_name=%(process_num)s|numprocs_start=5
numprocs=2|process_name=%(process_num)s|numprocs_start=-5
numprocs=2|process_name=%(process_num)s|numprocs_start=x
numprocs=2|process_name=%(process_num)
numprocs=2|process_name=%(program_name)s
numprocs=2|process_name=%%(process_num)s
process_name=a:b
process_name=a b
process_name=a/b
process_name=
process_name=%(here)s
process_name=%(nope)s
process_name=%(group_name)s-%(program_name)s
process_name=a b|user=nobodyxx
process_name=a b|numprocs=2
command=
command=%(nope)s
command=%d
command=%(here)d
command=50%
command=50%%
command=%(process_num)d %(numprocs)d %(group_name)s %(program_name)s %(host_node_name)s
command=foo 'bar
command=foo ; bar
command=foo ;bar
command=foo;bar
command=;foo
command= = a = b : c
directory=/missing
directory=%(here)s/%(process_num)d
directory=
directory=~
environment=A=1,B=2
environment=A="1",B='2'
environment=A
environment=A=
environment==1
environment=A=1,
environment=A=1,A=2
environment=A=1 B=2
environment=A=1;B=2
environment=A=5,B=6,C
environment=A==5
environment=,
environment=A.B=1,=2
environment=A=%(here)s,B=%(ENV_HOME)s
environment=A=%(ENV_NOPE)s
environment=A="50%%"
environment=A="%%(x)s"
environment=A="%(process_num)d/%(numprocs)d"
environment=A="x
environment=A='5
environment=A="",B=''
environment=A=/usr/bin:/bin,B=a-b,C=a+b,D=a.b,E=(a)
environment=A=a@b
environment=A=a*b
environment=A="a#b"
environment=A=a#b
environment=A=é
environment=A-B=1
environment=A='x y',B="it's",C="a,b"
environment=|  A="1",|  B="2",
environment=A="1"|  ,B="2"
environment=
stopwaitsecs=x
stopasgroup=true
stopasgroup=true|killasgroup=false
killasgroup=true
killasgroup=
redirect_stderr=true
redirect_stderr=x
redirect_stderr=true|stderr_logfile=/tmp/x
redirect_stderr=true|stderr_logfile=
redirect_stderr=true|stderr_logfile=NONE
redirect_stderr=true|stderr_syslog=true
serverurl=foo
serverurl=Auto
serverurl=unix://x
serverurl=
serverurl=%(nope)s
unknown=%(nope)s
"""

# Lines of [supervisord].
SUPERVISORD_LINES = """
logfile=/missing/x
logfile=%(here)s/foo.log
logfile=NONE
logfile=AUTO
logfile=syslog
logfile=SYSLOG
logfile=relative.log
logfile=
logfile=%(nope)s
logfile=~/x.log
logfile=/dev/stdout
logfile_maxbytes=x
logfile_maxbytes=1KB
logfile_maxbytes=10XB
logfile_backups=x
loglevel=foo
loglevel=DEBG
loglevel=blather
loglevel=trace
loglevel=warning
loglevel=CRITICAL
loglevel=10
loglevel=
pidfile=/missing/x.pid
pidfile=x.pid
pidfile=%(here)s/z.pid
identifier=
identifier=a b
identifier=%(here)s
identifier=%%(here)s
identifier=%(ENV_HOME)s
nodaemon=maybe
NoDaemon=true
silent=x
minfds=x
minfds: 5
minfds=-5
minprocs=x
umask=9
umask=077
user=nobodyxx
user=nobody
user=
user=root
directory=/missing
directory=%(here)s
directory=
directory=~
childlogdir=/missing
childlogdir=%(here)s
nocleanup=x
nocleanup=yes
strip_ansi=x
strip_ansi=1
environment=A
environment=A=%(here)s
environment=A=%(program_name)s
foo=bar
strip_ansi=x|environment=A
environment=A|user=nobodyxx
minfds=5|minfds=6
"""

# Arguments after `-n -c c.conf`.
ARGUMENTS = """
-u nobodyxx
-u nobody
-u ''
-m 9
-m 077
-d /missing
-d /tmp
-d relative
-l /missing/x
-l foo.log
-l %(here)s/x.log
-l ''
-l ~/x.log
-y 10XB
-y 1KB
-y -1
-z x
-z 5
-z 7 -z 8
-z
-e foo
-e DEBUG
-e 10
-j x.pid
-j /missing/x.pid
-j ''
-i foo
-i %(nope)s
-i --nodaemon
-q /missing
-q /tmp
-k
-a x
-a 5
-t
-s
-s --silent
-n
--nodaemon=1
--minprocs x
--minprocs=7
--min 5
--profile
--profile_options foo
--profile_options=calls,cumulative
--profile_options=callers
--profile_options=CALLERS,Calls
--profile_options=
--log foo
--logfile_m 5
--logfile=foo --logfile=bar
--ident foo
--bogus
-Q
-c other.conf
-c
extra
-y x extra
extra -y x
-- -x
-e debug -y 5 -u nobody -m 077 -i zz
"""

# Lines of [unix_http_server] beside `file`, of [inet_http_server], and of an
# [eventlistener:e] and a [fcgi-program:f] that have a command.
UNIX_LINES = """
chmod=xyz
chmod=9
chmod=0777|chown=nobody:nogroup|username=u|password=p
chmod=%(here)s
chown=nobody
chown=nobodyxx
chown=nobody:xx
chown=65534
chown=a:b:c
chown=
username=u
password=p
username=%(ENV_HOME)s|password=a%b
username=%(here)s|password=a
username=u|password=a%%b
chmod=x|chown=x|username=x
file=~/x.sock
file=$HOME/x.sock
file=/missing/x.sock
file=
file=%(nope)s/x.sock
"""
INET_LINES = """
port=
port=abc
port=localhost:abc
port=9001
port=:9001
port=*:9001
port=LOCALHOST:9001
port=99999
port=localhost:99999
port=0
port=-1
port=localhost
port=localhost:
port=%(ENV_NOPE)s
port=9001|username=u
port=9001|username=u|password={SHA}82ab876d1387bfafe46cc1c8a2ef074eae50cb1d
port=x|password=x
password=x
host=foo|port=9001
"""
LISTENER_LINES = """
events=FOO
events=TICK_5,foo
events=tick_5, PROCESS_STATE
events=TICK_5,TICK_5
events=
events=%(ENV_NOPE)s
events=TICK_5|redirect_stderr=true
events=TICK_5|redirect_stderr=false
events=TICK_5|redirect_stderr=x
events=TICK_5|buffer_size=0
events=TICK_5|buffer_size=x
events=TICK_5|buffer_size=20|numprocs=2|process_name=%(group_name)s_%(process_num)d
events=TICK_5|priority=x
events=TICK_5|priority=5
events=TICK_5|startsecs=x
events=TICK_5|command=%(nope)s
events=TICK_5|stdout_capture_maxbytes=5|stderr_events_enabled=true
events=TICK_5|stdout_logfile_maxbytes=0|stderr_logfile_maxbytes=0
events=TICK_5|result_handler=os:getpid
events=TICK_5|result_handler=%(nope)s
events=TICK_5|result_handler=os : getpid
events=TICK_5|result_handler=os : path..join
events=TICK_5|result_handler=os:getpid.
events=TICK_5|result_handler=os:getpid[extra]
events=TICK_5|result_handler=os [extra]
buffer_size=0|events=FOO|redirect_stderr=true
events=FOO|redirect_stderr=true
stdout_logfile=NONE
"""
FCGI_LINES = """
socket=bad
socket=
socket=TCP://localhost:9000
socket=tcp://localhost
socket=tcp://localhost:
socket=tcp://:9000
socket=tcp://localhost:x
socket=tcp://localhost:99999
socket=tcp://[::1]:9000
socket=tcp://*:9000
socket=tcp://localhost:9000|socket_backlog=5
socket=tcp://LocalHost:9000
socket=tcp://localhost:9000|socket_backlog=0
socket=tcp://localhost:9000|socket_backlog=65535
socket=tcp://localhost:9000|socket_backlog=65536
socket=tcp://localhost:9000|socket_backlog=x
socket=tcp://localhost:9000|socket_owner=nobody
socket=tcp://localhost:9000|socket_mode=0700
socket=tcp://localhost:9000|user=nobody
socket=tcp://localhost:9000|priority=x
socket=tcp://localhost:9000|startsecs=x
socket=unix:///tmp/%(program_name)s.sock
socket=unix:///tmp/./nope//../f.sock
socket=unix:////tmp//f.sock
socket=unix:///tmp/f.sock/
socket=unix:///../f.sock
socket=unix:///tmp/%(process_num)d.sock
socket=unix://tmp/f.sock
socket=unix://
socket=unix:///tmp/f.sock|user=nobody
socket=unix:///tmp/f.sock|user=root
socket=unix:///tmp/f.sock|socket_backlog=65536
socket=unix:///tmp/f.sock|user=nobodyxx|socket_owner=nobodyxx
socket=unix:///tmp/f.sock|socket_owner=nobody:nogroup|socket_mode=0777|socket_backlog=9
socket=unix:///tmp/f.sock|socket_owner=nobody
socket=unix:///tmp/f.sock|socket_owner=nobodyxx
socket=unix:///tmp/f.sock|socket_owner=nobody:xx:y
socket=unix:///tmp/f.sock|socket_owner=
socket=unix:///tmp/f.sock|socket_mode=xyz
socket=unix:///tmp/f.sock|numprocs=2|process_name=%(process_num)d|priority=4
stdout_logfile=NONE
"""
CLIENT_LINES = """
serverurl=unix:///tmp/x.sock|username=u|password=p|prompt=foo|history_file=~/.history
serverurl=unix://%(here)s/x.sock|username=%(ENV_HOME)s|password=a%%b|history_file=%(here)s/h
serverurl=unix://~/x.sock
serverurl=unix://x.sock
serverurl=unix://$HOME/x
serverurl=foo
serverurl=
serverurl=%(nope)s|prompt=%(nope)s
serverurl=http://x:y ; foo
prompt=
prompt=%(here)s
prompt=%(nope)s|username=%(nope)s
username=|password=
username=%(nope)s|password=%(nope)s
password=50%
password=%(nope)s|history_file=%(nope)s
history_file=%(nope)s
history_file=NONE
history_file=
history_file=/missing/h
foo=%(nope)s
"""
CLIENT_ARGUMENTS = """
-s http://foo:5 -u me -p pw -i status all
-s foo status
-s unix:///a/~b status
-s unix://relative status
-s http://
-s unix://
-s //x
-s HTTP:x
-s foo -s bar
status -s foo
-i
-i -i
-u a -u b
--history-file
--interact
-r
-v
--foo
-- -x
"""
