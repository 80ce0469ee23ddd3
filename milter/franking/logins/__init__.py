"""Logins as Dovecot keeps them: lines of two passwd-files, one of tokens and one of passwords.

`lines` is the format, `secret` what a line holds of a secret, `files` how the files are changed safely, `logins` what
is done to a login, and `listing` compares them with the policy.
"""
