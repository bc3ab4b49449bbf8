-- What each module of a process said last, see db/module.go. A row goes with its node.
CREATE TABLE xtk.node_module (
    node_id int NOT NULL REFERENCES xtk.engine_node ON DELETE CASCADE,
    module text NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (node_id, module)
) WITH (fillfactor = 70);

-- A node that a person has told not to come back: it is missed by nobody until it is heard again.
ALTER TABLE xtk.engine_node ADD COLUMN retired_at timestamptz, ADD COLUMN retired_by text,
    ADD CHECK ((retired_at IS NULL) = (retired_by IS NULL));
