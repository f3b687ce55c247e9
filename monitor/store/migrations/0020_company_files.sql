-- What a visited company sends with its objection: the original is sealed by its hash, pages show copies encoded anew.

CREATE TABLE objection_file (
    objection_id bigint PRIMARY KEY REFERENCES objection (objection_id),
    sha256       text NOT NULL,
    content_type text NOT NULL,
    bytes        bigint NOT NULL,
    pages        integer NOT NULL CHECK (pages >= 1),   -- copies to look at, from 1
    at           timestamptz NOT NULL
);
