"""Configuration: files and command line to typed configs; starts nothing (floor 3).

`commandline` and `parser` are shared by daemon and client, which read what is theirs with
`daemon.read_server_configuration` and `client.read_client_configuration`.
"""
