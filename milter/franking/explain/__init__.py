"""What would become of a message, by the code that judges real ones, without sending or counting anything."""

from franking.explain.judge import QUEUE_ID, Judged, Submission, judge, measured

__all__ = ["QUEUE_ID", "Judged", "Submission", "judge", "measured"]
