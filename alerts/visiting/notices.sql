-- Notices to visited companies, their ratings and objections.

-- alert --
-- The alert of a notice.
SELECT * FROM alert WHERE alert_id = %(alert_id)s FOR SHARE

-- was_sent --
-- Whether this officer was on site for the alert.
SELECT FROM dispatch WHERE alert_id = %(alert_id)s AND officer = %(user)s AND arrived_at IS NOT NULL LIMIT 1

-- insert_notice --
-- A notice; the same press once.
INSERT INTO notice (notice_id, alert_id, company, code_sha256, advice, said, issued_by, issued_at, idempotency_key)
VALUES (%(notice_id)s, %(alert_id)s, %(company)s, %(code_sha256)s, %(advice)s, %(said)s, %(issued_by)s, %(issued_at)s, %(key)s)
ON CONFLICT (alert_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING

-- of_alert --
-- An alert's notices, oldest first.
SELECT notice_id::text, alert_id::text, company, advice, said, issued_by, issued_at, rating, rating_note, rated_at
FROM notice WHERE alert_id = %(alert_id)s ORDER BY issued_at, notice_id

-- by_code --
-- The notice of a code.
SELECT notice_id::text, alert_id::text, company, advice, said, issued_by, issued_at, rating, rating_note, rated_at
FROM notice WHERE code_sha256 = %(hash)s

-- notice_for_update --
-- One objection after the other.
SELECT FROM notice WHERE notice_id = %(notice_id)s FOR UPDATE

-- rate --
-- The first rating counts.
UPDATE notice SET rating = %(rating)s, rating_note = %(note)s, rated_at = %(now)s
WHERE notice_id = %(notice_id)s AND rating IS NULL

-- objections_of --
-- A notice's objections, oldest first.
SELECT objection_id, notice_id::text, o.at, text, state, decided_by, decided_at, decision, f.sha256 AS file_sha256,
       f.content_type AS file_type, f.bytes AS file_bytes, coalesce(f.pages, 0) AS pages
FROM objection AS o LEFT JOIN objection_file AS f USING (objection_id)
WHERE notice_id = %(notice_id)s ORDER BY objection_id

-- add_objection --
-- A task for the supervisor.
INSERT INTO objection (notice_id, at, text) VALUES (%(notice_id)s, %(now)s, %(text)s) RETURNING objection_id

-- add_file --
-- What the company sent with it.
INSERT INTO objection_file (objection_id, sha256, content_type, bytes, pages, at)
VALUES (%(objection_id)s, %(sha256)s, %(content_type)s, %(bytes)s, %(pages)s, %(now)s)

-- file_of --
-- The file of an objection.
SELECT sha256, content_type, bytes, pages FROM objection_file WHERE objection_id = %(objection_id)s

-- pictures --
-- Stored pictures of an alert, oldest first: the cameras', and photos by officers who were there (never a caller's). At
-- most so many of each kind, so that neither hides the other, with how many there are. Each half by its own index.
WITH found AS (
    SELECT sha256, kind, coalesce(taken_at, announced_at) AS at, true AS by_officer FROM evidence
    WHERE alert_id = %(alert_id)s AND kind = 'photo' AND stored_at IS NOT NULL
      AND uploaded_by IN (SELECT officer FROM dispatch WHERE alert_id = %(alert_id)s AND arrived_at IS NOT NULL)
    UNION ALL
    SELECT e.sha256, e.kind, coalesce(e.taken_at, e.announced_at), false FROM alert_episode AS a
    JOIN evidence AS e USING (episode_id)
    WHERE a.alert_id = %(alert_id)s AND e.kind IN ('snapshot_annotated', 'snapshot_clean') AND e.stored_at IS NOT NULL
), counted AS (
    SELECT *, row_number() OVER (PARTITION BY by_officer ORDER BY at, sha256) AS nth, count(*) OVER () AS of_all FROM found
)
SELECT sha256, kind, at, of_all FROM counted WHERE nth <= %(limit)s ORDER BY at, sha256

-- picture --
-- One of these, by its hash; no row if it is not of this alert.
SELECT sha256, kind, coalesce(taken_at, announced_at) AS at FROM evidence AS e
WHERE sha256 = %(sha256)s AND stored_at IS NOT NULL AND (
      kind IN ('snapshot_annotated', 'snapshot_clean')
      AND EXISTS (SELECT FROM alert_episode AS a WHERE a.episode_id = e.episode_id AND a.alert_id = %(alert_id)s)
   OR kind = 'photo' AND e.alert_id = %(alert_id)s
      AND EXISTS (SELECT FROM dispatch AS d
                  WHERE d.alert_id = %(alert_id)s AND d.officer = e.uploaded_by AND d.arrived_at IS NOT NULL))

-- objections --
-- What waits for a decision, oldest first; then what was decided last.
SELECT objection_id, o.notice_id::text, o.at, o.text, o.state, o.decided_by, o.decided_at, o.decision, n.company,
       n.alert_id::text, a.number, f.sha256 AS file_sha256, f.content_type AS file_type, f.bytes AS file_bytes,
       coalesce(f.pages, 0) AS pages
FROM objection AS o JOIN notice AS n USING (notice_id) JOIN alert AS a USING (alert_id)
LEFT JOIN objection_file AS f USING (objection_id)
ORDER BY o.state <> 'open', CASE WHEN o.state = 'open' THEN o.at END, o.decided_at DESC
LIMIT 100

-- objection_for_update --
-- One objection, its row locked, with who is not to decide it.
SELECT o.state, o.notice_id::text, n.issued_by, a.resolved_by
FROM objection AS o JOIN notice AS n USING (notice_id) JOIN alert AS a USING (alert_id)
WHERE objection_id = %(objection_id)s FOR UPDATE OF o

-- decide --
-- Upheld or rejected.
UPDATE objection SET state = %(state)s, decided_by = %(who)s, decided_at = %(now)s, decision = %(decision)s
WHERE objection_id = %(objection_id)s

-- notify --
-- Pages of the alert change.
SELECT pg_notify('hcawatch_change', %(payload)s)
