"""The harness of demo, tests and benchmarks: everything a message passes, below one directory.

`layout` says where things are, `processes` starts and stops them, one module a service says
how it is configured and when it is ready, `lifecycle` puts them in order and `cli` is the command.
Standard library only: it runs from a bare clone.
"""
