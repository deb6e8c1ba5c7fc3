"""The built-in commands of supervisorctl, one module for each group of commands.

`default.DefaultControllerPlugin` lists the groups and is the plugin made of them.
"""
