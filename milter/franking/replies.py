"""What clients are told of ourselves; what of their messages is in `franking_policy.verdict`."""

from franking_policy.verdict import Reply

UNAVAILABLE = Reply(451, "4.3.0", ("accounting is out of reach, the message was not accepted; try again later",))
NO_DIRECTORY = Reply(451, "4.3.0", ("the directory of accounts is out of reach; try again later",))
WRONG_ENTRY = Reply(451, "4.3.0", ("the account has mistakes in the directory: tell the postmaster; try again later",))
BROKEN = Reply(451, "4.3.0", ("internal error, the message was not accepted; try again later",))
BROKEN_AT_RCPT = Reply(451, "4.3.0", ("internal error, the recipient was not accepted; try again later",))
STOPPING = Reply(421, "4.3.2", ("service is restarting; connect again",))


def unsettled(seconds: int) -> Reply:
    """Return the reply to a retry, where it is not known for so long at most what became of the first."""
    minutes = max(1, -(-seconds // 60))
    text = f"a message with this idempotency key is not settled yet: try again, in {minutes} min at the latest"
    return Reply(451, "4.7.1", (text,))


def too_many(cap: int) -> Reply:
    """Return the reply to one transaction more than a connection may have."""
    text = f"{cap} messages were sent on this connection, which is the most: connect again for the next"
    return Reply(421, "4.7.0", (text,))
