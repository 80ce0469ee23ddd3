"""What the control fields of a message say, by the rules of its account: tags, metadata, options, stream.

Each module reads one of them, and gives what it read together with the faults it met; the check of the same name
refuses those, and the record keeps the rest. Fields count in the message's own header section alone, never in a MIME
part's, which a milter is not even shown.
"""
