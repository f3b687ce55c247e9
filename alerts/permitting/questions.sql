-- What holders ask and object to, and the answers.

-- ask --
-- A question, or an objection to an alert that names the permit; the same press once.
INSERT INTO permit_question (permit_number, alert_id, asked_by, at, text, idempotency_key)
VALUES (%(number)s, %(alert_id)s, %(who)s, %(now)s, %(text)s, %(key)s)
ON CONFLICT (permit_number, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
RETURNING question_id

-- open_of_permit --
-- How many of a permit wait for an answer.
SELECT count(*) AS n FROM permit_question WHERE permit_number = %(number)s AND state = 'open'

-- of_permit --
-- A permit's questions and objections, oldest first.
SELECT q.question_id, q.permit_number, q.alert_id::text, a.number, q.asked_by, q.at, q.text, q.state, q.answered_by,
       q.answered_at, q.answer
FROM permit_question AS q LEFT JOIN alert AS a USING (alert_id)
WHERE permit_number = %(number)s ORDER BY question_id LIMIT 200

-- tasks --
-- What waits for an answer, oldest first; then what was answered last.
SELECT q.question_id, q.permit_number, p.company, q.alert_id::text, a.number, q.asked_by, q.at, q.text, q.state,
       q.answered_by, q.answered_at, q.answer
FROM permit_question AS q JOIN permit AS p USING (permit_number) LEFT JOIN alert AS a USING (alert_id)
ORDER BY q.state <> 'open', CASE WHEN q.state = 'open' THEN q.at END, q.answered_at DESC
LIMIT 100

-- question_for_update --
-- One of them, its row locked, with who is not to decide on it.
SELECT q.state, q.permit_number, q.alert_id::text, a.resolved_by
FROM permit_question AS q LEFT JOIN alert AS a USING (alert_id)
WHERE question_id = %(question_id)s FOR UPDATE OF q

-- answer --
-- Answered, upheld or rejected.
UPDATE permit_question SET state = %(state)s, answered_by = %(who)s, answered_at = %(now)s, answer = %(answer)s
WHERE question_id = %(question_id)s

-- names_permit --
-- The alert of that number, if its grade names the permit.
SELECT alert_id::text FROM alert
WHERE number = %(alert)s AND kind = 'violation' AND EXISTS (
    SELECT FROM jsonb_array_elements(reasons) AS reason
    WHERE reason->>'detail' = %(number)s AND reason->>'key' = ANY(%(keys)s)
)

-- looks --
-- How officers on a visit found a permit's work; without their words and names.
SELECT looked_at, outcome FROM visit_check
WHERE kind = 'permit' AND ref = %(number)s AND looked_at IS NOT NULL
ORDER BY looked_at DESC LIMIT 20
