-- `state` is why nothing is sent; `failures` counts the deliveries in a row that were given up.
CREATE TABLE webhooks (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  object_id TEXT NOT NULL UNIQUE,
  user_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
  url TEXT NOT NULL,
  domains TEXT NOT NULL,
  secret TEXT,
  state TEXT NOT NULL CHECK (state IN ('enabled', 'disabled', 'suspended')),
  failures INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  triggered_at INTEGER
) STRICT;
CREATE INDEX webhooks_by_user ON webhooks (user_id);

CREATE TABLE webhook_watched (
  webhook_id INTEGER NOT NULL REFERENCES webhooks ON DELETE CASCADE,
  position INTEGER NOT NULL,
  type TEXT NOT NULL CHECK (type IN ('bucket', 'dataset', 'model', 'org', 'space', 'user')),
  name TEXT NOT NULL,
  PRIMARY KEY (webhook_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_watched_by_name ON webhook_watched (name COLLATE NOCASE, type);

-- The queue and the log of each webhook. `repository_id` is no reference: the event of a deleted
-- repository is still sent. `note` is the start of the response, or why there is none.
CREATE TABLE webhook_deliveries (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  object_id TEXT NOT NULL UNIQUE,
  webhook_id INTEGER NOT NULL REFERENCES webhooks ON DELETE CASCADE,
  repository_id INTEGER NOT NULL,
  event TEXT NOT NULL,
  payload TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'failed')),
  created_at INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0,
  finished_at INTEGER,
  url TEXT,
  status INTEGER,
  note TEXT
) STRICT;
CREATE INDEX webhook_deliveries_waiting
  ON webhook_deliveries (webhook_id, id) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_finished
  ON webhook_deliveries (webhook_id, id) WHERE state <> 'waiting';
