-- By what a process recognises the instance's key, so that one with another key is refused before it writes: a value derived
-- from the key, from which nobody comes back to it. No row: no process has brought a key yet.
CREATE TABLE xtk.instance_key (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    check_value bytea NOT NULL CHECK (length(check_value) = 32),
    recorded_at timestamptz NOT NULL DEFAULT now(),
    -- The first entry of the audit trail that this key has sealed. Those before it are of a key that was given up.
    first_seq bigint NOT NULL DEFAULT 1
);
