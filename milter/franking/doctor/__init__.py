"""What is amiss on a host where Franking works: Postfix, Dovecot, Redis, the socket and the policy, as they are now.

Nothing is changed; every finding has the command that mends it.
"""
