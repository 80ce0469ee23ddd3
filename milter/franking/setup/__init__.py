"""What Franking asks of Postfix, put into a configuration directory, and taken out again.

The fragments in `fragments/` are those of `contrib/postfix`, which say why each setting is wanted.
"""
