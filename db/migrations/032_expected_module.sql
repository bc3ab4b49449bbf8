-- What should work in the process, as it says itself; nothing: it is there for one run and missed by nobody.
ALTER TABLE xtk.engine_node ADD COLUMN modules text[] NOT NULL DEFAULT '{}';
