-- A field photo keeps when and where it was taken: a phone without a link brings it hours later.
-- NULL where the phone did not say, or said what cannot be.

ALTER TABLE evidence
    ADD COLUMN taken_at timestamptz,
    ADD COLUMN lon      double precision,
    ADD COLUMN lat      double precision;
