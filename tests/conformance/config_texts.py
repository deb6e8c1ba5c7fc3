"""Whole configuration files for `config_cases`, divided by `### name`.

In all but the first block, `[supervisord]` is put in front.
"""

BARE_FILES = """
### no section
foo
### no supervisord section
[program:x]
command=/bin/cat
### empty file
### unclosed section header
[supervisord
foo=1
### blanks in a section header
[ supervisord ]
### empty section name
[supervisord]
[]
a=1
### line without a value
[supervisord]
foo
### line without a name
[supervisord]
=x
### comments everywhere
# foo
[supervisord] ; foo
;minfds=x
 ;minfds=z
minfds=5 ;comment
### rem is no comment
[supervisord]
rem minfds
### supervisord section in an include only
[include]
files=supervisord.ini
### defaults reach every section
[DEFAULT]
minfds=77
startsecs=9
command=/bin/dog
[supervisord]
[program:x]
### defaults are arguments of plugins
[DEFAULT]
minfds=77
Startsecs=9
[supervisord]
[rpcinterface:x]
supervisor.rpcinterface_factory=os:getpid
### defaults do not name values
[DEFAULT]
foo=bar
[supervisord]
minfds=%(foo)s
"""

FILES = """
### two supervisord sections
minfds=5
[supervisord]
minprocs=6
### continued lines
[program:x]
command=/bin/cat
  -u
  # comment
  ; comment
  foo ; bar

  baz
### indented option
  minfds=5
### name with a colon
[program:a:b]
command=/bin/cat
### name with a blank
[program:a b]
command=/bin/cat
### name with a slash
[program:a/b]
command=/bin/cat
### name with blanks around it
[program: x ]
command=/bin/cat
### name of any other characters
[program:a"b<c>&d%e]
command=%(program_name)s
### empty name
[program:]
command=/bin/cat
### capital section
[Program:x]
command=/bin/cat
### bad name before a bad priority
[program:a b]
priority=x
### bad priority before a bad number
[program:x]
numprocs=x
priority=y
### bad number before a missing command
[program:x]
startsecs=x
### no command
[program:x]
### number of processes before stopasgroup
[program:x]
numprocs=2
stopasgroup=true
killasgroup=false
### stopasgroup before the environment
[program:x]
stopasgroup=true
killasgroup=false
environment=X
### environment before logs
[program:x]
stdout_logfile=/missing/x
environment=X
### duplicate programs
[program:x]
command=/bin/cat
[program:x]
command=/bin/dog
### program and listener of one name
[eventlistener:x]
command=a
events=TICK
[program:x]
command=a
### listener with a bad name
[eventlistener:x y]
command=a
events=TICK_5
autostart=x
### listener without a command
[eventlistener:x]
events=TICK_5
### environment of all programs
environment=A=1,B=2
[program:x]
command=%(ENV_A)s
environment=A=9,C=%(ENV_B)s
### order of variables
environment=B=1,A=2
[program:x]
command=a
environment=D=1,C=4,B=5
### environment reaches servers and plugins
environment=ZED=zee
[unix_http_server]
file=%(ENV_ZED)s
username=%(ENV_ZED)s
password=%(ENV_ZED)s
[rpcinterface:x]
supervisor.rpcinterface_factory=os:getpid
foo=%(ENV_ZED)s %(ENV_HOME)s 50%%
Foo-Bar=1
empty=
### environment does not reach its own section
environment=ZED=zee
identifier=%(ENV_ZED)s
### processes with everything
[program:x]
command=a
process_name=%(process_num)02d%(numprocs)d
numprocs=3
numprocs_start=9
environment=N="%(process_num)d/%(numprocs)d",G="%(group_name)s"
directory=/%(process_num)d
stdout_logfile=/tmp/%(process_num)d
### unknown member
[group:g]
programs=a
### group with members in order
[group:g]
programs=b,a
priority=5
[program:a]
command=/bin/cat %(group_name)s
[program:b]
command=/bin/cat
priority=1
[program:c]
command=/bin/cat
priority=1
[program:d]
command=/bin/cat
[program:aa]
command=/bin/cat
### groups by priority and name
[program:b]
command=a
[program:B]
command=b
[fcgi-program:aa]
command=b
socket=tcp://a:1
[eventlistener:ab]
command=b
events=TICK
priority=999
[group:ac]
programs=
[program:x]
command=b
priority=2
### group without programs
[group:g]
### group with a bad priority
[group:g]
programs=a
priority=x
[program:a]
command=/bin/cat
### member with a bad priority
[group:g]
programs=x
[program:x]
command=a
priority=x
### group with a bad name
[group:g:h]
programs=nope
priority=x
### member of two groups
[group:g]
programs=a
[group:h]
programs=a
[program:a]
command=/bin/cat
### group named like a program
[group:a]
programs=b
[program:a]
command=/bin/cat
[program:b]
command=/bin/cat
### member twice
[group:g]
programs=a,a
[program:a]
command=/bin/cat
### fastcgi program in a group
[group:g]
programs=a,b
[fcgi-program:a]
command=/bin/cat
socket=bad
[program:b]
command=/bin/cat
### listener in a group
[group:g]
programs=e
[eventlistener:e]
command=/bin/cat
events=EVENT
### ambiguous member
[group:g]
programs=a
[program:a]
command=/bin/cat
[fcgi-program:a]
command=/bin/cat
socket=tcp://localhost:9000
### member that names nothing
[group:g]
programs=%(nope)s
### fastcgi program with a bad name
[fcgi-program:f:g]
command=/bin/cat
priority=x
### listener before fastcgi program
[fcgi-program:y]
[eventlistener:z]
### groups before programs
[program:x]
[group:g]
programs=nope
### programs before servers
[program:x]
[inet_http_server]
### plugins before programs
[program:x]
[rpcinterface:x]
### servers before the user
user=nobodyxx
[inet_http_server]
### tcp servers before unix servers
[unix_http_server]
[inet_http_server]
### server without a file
[unix_http_server]
### server without a port
[inet_http_server]
### many servers
[inet_http_server]
port=9001
[unix_http_server:b]
file=b.sock
[inet_http_server:two]
port=9002
[unix_http_server:a]
file=c.sock
### servers on tcp only
[inet_http_server]
port=*:9001
[inet_http_server:two]
port=9002
### plugin without a factory
[rpcinterface:x]
### plugins in order
[rpcinterface:x]
supervisor.rpcinterface_factory=os:getpid
[rpcinterface:a:b c]
supervisor.rpcinterface_factory=os:path.join
### plugin that is a module
[rpcinterface:x]
supervisor.rpcinterface_factory=os.path
### here in a plugin's option
[rpcinterface:x]
supervisor.rpcinterface_factory=os:getpid
foo=%(here)s
### here in a plugin's factory
[rpcinterface:x]
supervisor.rpcinterface_factory=%(here)s
### unknown name in a plugin's option
[rpcinterface:x]
supervisor.rpcinterface_factory=os:getpid
foo=%(nope)s
### here in a plugin's option once there are includes
[include]
files=nope
[rpcinterface:x]
supervisor.rpcinterface_factory=os:getpid
foo=%(here)s
### include without files
[include]
### include of nothing
[include]
files=
### include that matches nothing
[include]
files=nope/*.conf
### include with a wildcard
[include]
files=*.inc
### include with two patterns
[include]
files=z*.inc a.inc
[program:m]
command=main
### include of an absolute path
[include]
files=%(here)s/[ab].inc
### include with a comma
[include]
files=a.inc,b.inc
### include over two lines
[include]
files=a.inc
      b.inc
### include twice
[include]
files=a.inc a.inc
### include with bad syntax
[include]
files=nohead.ini
### include with a bad header
[include]
files=badhead.ini
### include with a bad value
[include]
files=badvalue.ini
### include within an include
[include]
files=nested.ini
### include of a directory
[include]
files=sub
### include of the file itself
[include]
files=c.conf
### include that adds to supervisord
minfds=5
[include]
files=supervisord.ini
### include that changes a program
[include]
files=over.ini
[program:m]
command=main
startsecs=5
### include with a bad value in the main file
[include]
files=over.ini
[program:m]
command=main
startsecs=x
### include with its own directory
[include]
files=sub/*.ini
[program:z]
command=%(here)s z
### include of a group
[include]
files=group.ini
[program:m]
command=main
### include that names nothing
[include]
files=%(ENV_HOME)s/nope %(host_node_name)s.x %(nope)s
"""

CLIENT_FILES = """
### client without a section
[supervisord]
### client with defaults
[supervisorctl]
### client reads no includes
[include]
files=nohead.ini
[supervisorctl]
serverurl=http://x
### client knows no environment of supervisord
[supervisord]
environment=A=1
[supervisorctl]
prompt=%(ENV_A)s
### client plugin without a factory
[supervisorctl]
[ctlplugin:x]
### client plugin
[DEFAULT]
baz=1
[supervisorctl]
[ctlplugin:x]
supervisor.ctl_factory=os:getpid
Bar=%(ENV_HOME)s
### here in a client plugin
[supervisorctl]
[ctlplugin:x]
supervisor.ctl_factory=os:getpid
foo=%(here)s
"""
