"""Configuration: files and command line to typed configs, without side effects.

Daemon and client share `commandline` and `parser`.  Each reads its own configuration with
`commandline.read_server_configuration` or `commandline.read_client_configuration`.
"""
