-- Jobs that start at set times. Columns as in `jobs`; `schedule` is a cron expression or a name of one.
CREATE TABLE scheduled_jobs (
  id INTEGER PRIMARY KEY,
  object_id TEXT NOT NULL UNIQUE,
  namespace TEXT NOT NULL COLLATE NOCASE,
  initiator TEXT NOT NULL,
  spec TEXT NOT NULL,
  secret_names TEXT NOT NULL,
  secrets BLOB NOT NULL,
  schedule TEXT NOT NULL,
  suspended INTEGER NOT NULL,
  concurrency INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  last_job TEXT,
  last_at INTEGER,
  next_at INTEGER
) STRICT;
CREATE INDEX scheduled_jobs_by_namespace ON scheduled_jobs (namespace, id);
CREATE INDEX scheduled_jobs_by_time ON scheduled_jobs (next_at) WHERE NOT suspended;
