-- A courier takes what is due in its order from the index, without sorting all that waits; and the look for earlier
-- messages of the same dispatch can't use that index (its condition is written in another way), which it walked through
-- once for each message.

DROP INDEX outgoing_todo;
CREATE INDEX outgoing_todo ON outgoing (next_try_at, outgoing_id) WHERE coalesce(sent_at, handed_at) IS NULL;

-- open_at_sites: the worst and oldest of a site without sorting all of them
CREATE INDEX alert_waits ON alert (site_id, level, opened_at)
    WHERE kind = 'violation' AND state = 'open' AND closed_at IS NULL;

-- what a visit has is looked up by what it is, no longer by when it was looked at
DROP INDEX visit_check_looked;
