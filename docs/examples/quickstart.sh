#!/bin/sh
# Installs the package into .venv and runs the daemon in the foreground on quickstart.conf.
# Control-C ends it, and everything that it has started.
set -eu
cd "$(dirname "$0")/../.."
sh tools/venv.sh .venv .
mkdir -p docs/examples/run
PATH=$PWD/.venv/bin:$PATH # `python3` of the programs is this environment's
exec supervisord -n -c docs/examples/quickstart.conf
