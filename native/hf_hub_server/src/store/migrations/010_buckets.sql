-- Buckets: files without a history, whose contents are in Xet storage.
CREATE TABLE buckets (
  id INTEGER PRIMARY KEY,
  object_id TEXT NOT NULL UNIQUE,
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  private INTEGER NOT NULL,
  resource_group TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX buckets_by_name ON buckets (namespace COLLATE NOCASE, name COLLATE NOCASE);

CREATE TABLE bucket_files (
  bucket_id INTEGER NOT NULL REFERENCES buckets (id) ON DELETE CASCADE,
  path TEXT NOT NULL,
  -- The Xet hash: 64 hex digits.
  hash TEXT NOT NULL,
  -- SHA-256 of the content.
  oid TEXT NOT NULL,
  size INTEGER NOT NULL,
  content_type TEXT,
  -- When the file was changed before it was uploaded, as the client says.
  mtime INTEGER,
  uploaded_at INTEGER NOT NULL,
  PRIMARY KEY (bucket_id, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX bucket_files_by_oid ON bucket_files (oid);

-- Contents that were uploaded to a bucket or copied into it: only of these its files can be made.
CREATE TABLE bucket_contents (
  bucket_id INTEGER NOT NULL REFERENCES buckets (id) ON DELETE CASCADE,
  oid TEXT NOT NULL,
  held_at INTEGER NOT NULL,
  PRIMARY KEY (bucket_id, oid)
) STRICT, WITHOUT ROWID;
CREATE INDEX bucket_contents_by_oid ON bucket_contents (oid);
