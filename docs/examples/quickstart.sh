#!/bin/sh
# Installs the package into .venv and runs the daemon in the foreground on quickstart.conf.
# Control-C ends it, and everything that it has started.
set -eu
cd "$(dirname "$0")/../.."
echo 'Installing into .venv, which may take half a minute the first time ...'
sh tools/venv.sh .venv .
mkdir -p docs/examples/run
PATH=$PWD/.venv/bin:$PATH # `python3` of the programs is this environment's
echo 'The page is on http://127.0.0.1:9001/, Control-C ends everything.'
exec supervisord -n -c docs/examples/quickstart.conf
