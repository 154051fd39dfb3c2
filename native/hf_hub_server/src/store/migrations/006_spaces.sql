-- A Space without a row has the settings of a new one. `script` is JSON: pairs of a stage and how
-- many seconds it lasts.
CREATE TABLE spaces (
  repository_id INTEGER PRIMARY KEY REFERENCES repositories ON DELETE CASCADE,
  hardware TEXT NOT NULL,
  sleep_time INTEGER,
  storage TEXT,
  dev_mode INTEGER NOT NULL CHECK (dev_mode IN (0, 1)),
  paused INTEGER NOT NULL CHECK (paused IN (0, 1)),
  volumes TEXT NOT NULL,
  script TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  hot_reloaded TEXT
) STRICT;

CREATE TABLE space_variables (
  repository_id INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  description TEXT,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (repository_id, name)
) STRICT, WITHOUT ROWID;

-- `sealed` is the nonce and the encrypted value.
CREATE TABLE space_secrets (
  repository_id INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
  name TEXT NOT NULL,
  sealed BLOB NOT NULL,
  description TEXT,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (repository_id, name)
) STRICT, WITHOUT ROWID;
