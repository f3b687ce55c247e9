-- Permits at the desk: read, written, listed, due. What covers an event is read by alerts/queries.sql.

-- permit --
-- One permit.
SELECT * FROM permit WHERE permit_number = %(number)s

-- permit_for_update --
-- One permit, its row locked.
SELECT * FROM permit WHERE permit_number = %(number)s FOR UPDATE

-- insert_permit --
-- A new permit; none if the number is taken.
INSERT INTO permit (
    permit_number, violation, also, state, pipeline_id, from_m, to_m, from_offset_m, to_offset_m, valid_from, valid_to,
    hours, activities, machine_limits, company, phone, email, holder, machines, file_sha256, ended_at, prolong_to,
    version, created_at
) VALUES (
    %(permit_number)s, %(violation)s, %(also)s, %(state)s, %(pipeline_id)s, %(from_m)s, %(to_m)s, %(from_offset_m)s,
    %(to_offset_m)s, %(valid_from)s, %(valid_to)s, %(hours)s, %(activities)s, %(machine_limits)s, %(company)s,
    %(phone)s, %(email)s, %(holder)s, %(machines)s, %(file_sha256)s, %(ended_at)s, %(prolong_to)s, %(version)s, %(now)s
)
ON CONFLICT (permit_number) DO NOTHING

-- update_permit --
-- The permit after a step; its row is locked.
UPDATE permit SET
    violation = %(violation)s, also = %(also)s, state = %(state)s, pipeline_id = %(pipeline_id)s, from_m = %(from_m)s,
    to_m = %(to_m)s, from_offset_m = %(from_offset_m)s, to_offset_m = %(to_offset_m)s, valid_from = %(valid_from)s,
    valid_to = %(valid_to)s, hours = %(hours)s, activities = %(activities)s, machine_limits = %(machine_limits)s,
    company = %(company)s, phone = %(phone)s, email = %(email)s, holder = %(holder)s, machines = %(machines)s,
    file_sha256 = %(file_sha256)s, ended_at = %(ended_at)s, prolong_to = %(prolong_to)s, version = %(version)s
WHERE permit_number = %(permit_number)s

-- count_moves --
-- How many rows a permit's history has.
SELECT count(*) AS n FROM permit_move WHERE permit_number = %(number)s

-- has_move --
-- Whether the step of that key was taken.
SELECT FROM permit_move WHERE permit_number = %(number)s AND idempotency_key = %(key)s

-- add_move --
-- A row of a permit's history.
INSERT INTO permit_move (permit_number, n, step, from_state, to_state, actor, role, at, note, facts, idempotency_key)
VALUES (%(permit_number)s, %(n)s, %(step)s, %(from_state)s, %(to_state)s, %(actor)s, %(role)s, %(at)s, %(note)s,
        %(facts)s, %(idempotency_key)s)

-- was_prolonged --
-- Whether the end that a permit has was given by a prolongation.
SELECT FROM permit_move
WHERE permit_number = %(number)s AND step = 'prolong'
  AND n = (SELECT max(n) FROM permit_move WHERE permit_number = %(number)s AND facts ? 'valid_to')

-- moves --
-- A permit's history.
SELECT * FROM permit_move WHERE permit_number = %(number)s ORDER BY n

-- add_due --
-- What becomes due for a permit; the same row once.
INSERT INTO permit_due (permit_number, what, valid_to, due_at)
VALUES (%(permit_number)s, %(what)s, %(valid_to)s, %(due_at)s)
ON CONFLICT (permit_number, what, valid_to) DO NOTHING

-- open_end_again --
-- The end of a permit that has this end again: its row was handled while the permit had another one. An update of
-- its own, not ON CONFLICT, which would wait for the worker that holds the row and waits for the permit.
UPDATE permit_due SET done_at = NULL
WHERE permit_number = %(permit_number)s AND what = %(what)s AND valid_to = %(valid_to)s AND done_at IS NOT NULL

-- next_due --
-- The row that is due longest and that no other transaction holds.
SELECT permit_number, what, valid_to, due_at FROM permit_due
WHERE done_at IS NULL AND due_at <= %(now)s
ORDER BY due_at, permit_number, what
LIMIT 1
FOR UPDATE SKIP LOCKED

-- finish_due --
-- The row is handled.
UPDATE permit_due SET done_at = %(now)s
WHERE permit_number = %(permit_number)s AND what = %(what)s AND valid_to = %(valid_to)s

-- is_holder --
-- Whether somebody of that name logs in as a holder.
SELECT FROM app_user WHERE user_name = %(user)s AND role = 'holder'

-- list_permits --
-- Permits of one view: what runs and what comes first.
SELECT * FROM permit
WHERE (%(holder)s::text IS NULL OR holder = %(holder)s)
  AND (%(numbers)s::text[] IS NULL OR permit_number = ANY(%(numbers)s))
  AND (%(text)s = '' OR permit_number ILIKE %(like)s OR company ILIKE %(like)s)
  AND CASE %(view)s
      WHEN 'running' THEN state = 'approved' AND valid_from <= %(now)s AND valid_to >= %(now)s
      WHEN 'coming' THEN state = 'approved' AND valid_from > %(now)s
      WHEN 'ending' THEN state = 'approved' AND valid_from <= %(now)s AND valid_to BETWEEN %(now)s AND %(soon)s
      WHEN 'asked' THEN state = 'requested' OR (state = 'approved' AND prolong_to IS NOT NULL)
      WHEN 'over' THEN state IN ('refused', 'withdrawn', 'ended') OR valid_to < %(now)s
      ELSE true
  END
ORDER BY state IN ('refused', 'withdrawn', 'ended'), valid_to, permit_number
LIMIT %(limit)s

-- alerts_of_permit --
-- Alerts whose grade names the permit: those that it covered, and those that lay outside of it.
SELECT alert_id::text, number, state, level, violation, opened_at, closed_at, closing_reason,
       chainage_m, reasons
FROM alert
WHERE kind = 'violation' AND reasons @> jsonb_build_array(jsonb_build_object('detail', %(number)s::text))
  -- a holder chooses his number: other reasons' details (a code, a grade) may read the same
  AND EXISTS (
      SELECT FROM jsonb_array_elements(reasons) AS reason
      WHERE reason->>'detail' = %(number)s AND reason->>'key' = ANY(%(keys)s)
  )
ORDER BY number DESC
LIMIT %(limit)s

-- breached_permits --
-- Permits that alerts since then lay outside of.
SELECT DISTINCT reason->>'detail' AS number
FROM alert, jsonb_array_elements(reasons) AS reason
WHERE kind = 'violation' AND opened_at >= %(since)s AND reason->>'key' = ANY(%(keys)s)

-- add_outgoing --
-- A message to deliver; one of the same key is the same message.
INSERT INTO outgoing (channel, address, idempotency_key, body, created_at, next_try_at)
VALUES (%(channel)s, %(address)s, %(idempotency_key)s, %(body)s, %(created_at)s, %(created_at)s)
ON CONFLICT (idempotency_key) DO NOTHING

-- notify --
-- Tells who listens, on commit.
SELECT pg_notify(%(channel)s, %(payload)s)
