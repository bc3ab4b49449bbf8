-- What other instances need to speak with this one: a named right, tokens, and folders of their own.

-- A program that signed on. The token itself is with the program only.
CREATE TABLE xtk.api_token (
    token_hash bytea PRIMARY KEY,
    operator_id bigint NOT NULL REFERENCES xtk.operator ON DELETE CASCADE,
    ip inet,
    created timestamptz NOT NULL DEFAULT now(),
    expiration timestamptz NOT NULL,
    -- Set once, never taken back.
    revoked_at timestamptz
);
CREATE INDEX ON xtk.api_token (operator_id);
CREATE INDEX ON xtk.api_token (expiration);

INSERT INTO xtk.right (name, label) VALUES ('MID-SOURCING', 'Mid-sourcing submissions');
INSERT INTO xtk.right_grant (right_name, group_id)
SELECT 'MID-SOURCING', id FROM xtk.operator_group WHERE internal_name = 'midSourcing';
