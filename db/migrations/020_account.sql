-- What kind of problem an external account had, so that people read it in their own language.
ALTER TABLE nms.ext_account ADD COLUMN last_error_kind text;
