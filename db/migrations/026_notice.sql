-- Whether people have been told that a workflow fails, and not yet that it recovered.
ALTER TABLE xtk.workflow ADD COLUMN alarmed boolean NOT NULL DEFAULT false;
