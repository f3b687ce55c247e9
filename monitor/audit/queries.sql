-- append_entry --
-- One entry, in the transaction of what it tells of.
INSERT INTO audit_entry (body, leaf_hash, kind, subject, actor, at)
VALUES (%(body)s, %(leaf_hash)s, %(kind)s, %(subject)s, %(actor)s, %(at)s);
