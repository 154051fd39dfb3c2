-- Jobs: commands that the server runs on its own machine. `spec` and `initiator` are JSON.
CREATE TABLE jobs (
  id INTEGER PRIMARY KEY,
  object_id TEXT NOT NULL UNIQUE,
  namespace TEXT NOT NULL COLLATE NOCASE,
  initiator TEXT NOT NULL,
  spec TEXT NOT NULL,
  -- A JSON list.
  secret_names TEXT NOT NULL,
  -- The nonce and an encrypted JSON object of names and values.
  secrets BLOB NOT NULL,
  stage TEXT NOT NULL,
  message TEXT,
  failures INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  finished_at INTEGER
) STRICT;
CREATE INDEX jobs_by_namespace ON jobs (namespace, id);
CREATE INDEX jobs_unfinished ON jobs (id) WHERE finished_at IS NULL;
