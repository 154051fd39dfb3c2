-- Changes of files, for those who follow a bucket. `changes` is JSON, a list. Old ones are forgotten; the
-- bucket has the last id and time of these.
CREATE TABLE bucket_events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  bucket_id INTEGER NOT NULL REFERENCES buckets (id) ON DELETE CASCADE,
  at INTEGER NOT NULL,
  count INTEGER NOT NULL,
  changes TEXT NOT NULL
) STRICT;
CREATE INDEX bucket_events_by_bucket ON bucket_events (bucket_id, id);
ALTER TABLE buckets ADD COLUMN forgotten_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE buckets ADD COLUMN forgotten_at INTEGER NOT NULL DEFAULT 0;
UPDATE buckets SET forgotten_at = updated_at;

-- That of a bucket's event, whose `repository_id` is 0.
ALTER TABLE webhook_deliveries ADD COLUMN bucket_id INTEGER;
