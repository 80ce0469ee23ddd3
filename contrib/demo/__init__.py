"""The demonstration: a stack of its own, a handful of messages, and what became of each.

`scenarios` says what is sent and what must come back, `mail` holds the messages, `client` submits them,
`private_stack` runs what is between, `play` goes through the scenarios, `paper` prints, and `cli` is the command.
Standard library only; everything is looked at by the commands and the protocol that a user has.
"""
