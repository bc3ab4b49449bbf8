-- The detail of an entry is kept as it was written, because the hash of its row is over that text. jsonb writes it anew, so
-- whoever wrote an entry had to ask first how. What was written before keeps the text that its hash is over. What jsonb
-- does not take (a NUL) is refused as before, since pages read single values of it.
ALTER TABLE xtk.audit
    ALTER COLUMN detail DROP DEFAULT,
    ALTER COLUMN detail TYPE json USING detail::text::json,
    ALTER COLUMN detail SET DEFAULT '{}',
    ADD CONSTRAINT audit_detail_check CHECK (jsonb_typeof(detail::jsonb) = 'object');
