-- Files in Xet storage: which content they have, and where it is in the xorbs below `xet/`.
CREATE TABLE xet_files (
  id INTEGER PRIMARY KEY,
  -- The Xet hash: 64 hex digits.
  hash TEXT NOT NULL UNIQUE,
  -- SHA-256 of the content, which was computed here.
  oid TEXT NOT NULL,
  size INTEGER NOT NULL
) STRICT;
CREATE INDEX xet_files_by_oid ON xet_files (oid);

-- A file is a sequence of terms: chunks of a xorb that follow each other.
CREATE TABLE xet_terms (
  file_id INTEGER NOT NULL REFERENCES xet_files (id) ON DELETE CASCADE,
  -- Position in the file.
  start INTEGER NOT NULL,
  size INTEGER NOT NULL,
  xorb BLOB NOT NULL,
  first_chunk INTEGER NOT NULL,
  end_chunk INTEGER NOT NULL,
  PRIMARY KEY (file_id, start)
) STRICT, WITHOUT ROWID;
CREATE INDEX xet_terms_by_xorb ON xet_terms (xorb);

-- The chunks by which clients ask whether content is there already.
CREATE TABLE xet_chunks (
  chunk BLOB PRIMARY KEY,
  xorb BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX xet_chunks_by_xorb ON xet_chunks (xorb);
