"""Franking's engine: what an account may send, decided without touching the world.

Standard library, PyYAML and idna only: no milter, no socket, no clock, no log.
``franking_policy.load`` turns YAML files into a `Policy`;
``franking_policy.decide`` turns an account and a message into a `Decision`.
"""
