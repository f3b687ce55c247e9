-- append_entries --
-- Entries in their order, in the transaction of what they tell of.
INSERT INTO audit_entry (body, leaf_hash, kind, subject, actor, at)
SELECT body, leaf_hash, kind, subject, actor, at
FROM unnest(
    %(bodies)b::bytea[], %(leaf_hashes)b::bytea[], %(kinds)b::text[], %(subjects)b::text[], %(actors)b::text[],
    %(ats)b::timestamptz[]
) WITH ORDINALITY AS entry (body, leaf_hash, kind, subject, actor, at, n)
ORDER BY n;

-- lock_sequencer --
-- One sequencer at a time; released when the transaction ends.
SELECT pg_try_advisory_xact_lock(%(key)s) AS locked;

-- newest_head --
-- What was signed last, and from where the tree grows.
SELECT size, root, checkpoint, frontier, signed_at FROM audit_head ORDER BY size DESC LIMIT 1;

-- head_of_size --
-- The head that was signed at this size.
SELECT checkpoint FROM audit_head WHERE size = %(size)s;

-- count_sequenced --
-- Must equal the newest head's size.
SELECT count(*) AS entries, max(leaf_index) AS last FROM audit_entry WHERE leaf_index >= %(from_index)s;

-- waiting_entries --
-- Committed entries without an index, in the order in which they were written.
SELECT entry_id, leaf_hash FROM audit_entry WHERE leaf_index IS NULL ORDER BY entry_id LIMIT %(limit)s;

-- sequence_entries --
-- Gives the indices; the trigger lets nobody change them afterwards.
UPDATE audit_entry SET leaf_index = given.leaf_index
FROM unnest(%(entry_ids)s::bigint[], %(indices)s::bigint[]) AS given (entry_id, leaf_index)
WHERE audit_entry.entry_id = given.entry_id AND audit_entry.leaf_index IS NULL;

-- insert_head --
-- A signed tree head.
INSERT INTO audit_head (size, root, checkpoint, frontier, signed_at)
VALUES (%(size)s, %(root)s, %(checkpoint)s, %(frontier)s, %(signed_at)s);

-- all_entries --
-- The log, in the order of the tree, up to a size.
SELECT leaf_index, body, leaf_hash, kind, subject, actor, at
FROM audit_entry WHERE leaf_index < %(size)s ORDER BY leaf_index;

-- all_heads --
-- All signed tree heads up to a size, the smallest first.
SELECT size, root, checkpoint, signed_at FROM audit_head WHERE size <= %(size)s ORDER BY size;

-- signing_keys --
-- Entries that say which key signs; the newest comes last.
SELECT body FROM audit_entry WHERE kind = 'audit.key' ORDER BY entry_id;

-- entries_between --
-- A page of the log, for the auditor's page.
SELECT leaf_index, body, leaf_hash, kind, subject, actor, at
FROM audit_entry WHERE leaf_index BETWEEN %(first)s AND %(last)s ORDER BY leaf_index;

-- entries_of --
-- The history of one subject, sequenced or not.
SELECT leaf_index, body, leaf_hash, kind, subject, actor, at
FROM audit_entry WHERE subject = %(subject)s ORDER BY entry_id;
