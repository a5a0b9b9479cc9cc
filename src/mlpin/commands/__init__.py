"""The commands, a module each: its options, what it runs, and which exit code that gives.

`options(parser)` adds what the command takes, `run(options)` does it. With `cli`, the only place that reads the
environment and prints. A module is imported when its command is asked for.
"""
