CREATE TABLE collections (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  object_id TEXT NOT NULL UNIQUE,
  namespace TEXT NOT NULL,
  title TEXT NOT NULL,
  description TEXT,
  private INTEGER NOT NULL CHECK (private IN (0, 1)),
  theme TEXT NOT NULL,
  position INTEGER NOT NULL,
  resource_group TEXT,
  updated_at INTEGER NOT NULL,
  UNIQUE (namespace, title)
) STRICT;
CREATE INDEX collections_by_change ON collections (updated_at DESC);

-- An item is a repository, a paper or another collection, and ends with it.
CREATE TABLE collection_items (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  object_id TEXT NOT NULL UNIQUE,
  collection_id INTEGER NOT NULL REFERENCES collections ON DELETE CASCADE,
  repository_id INTEGER REFERENCES repositories ON DELETE CASCADE,
  paper_id TEXT REFERENCES papers ON DELETE CASCADE,
  inner_id INTEGER REFERENCES collections ON DELETE CASCADE,
  note TEXT,
  position INTEGER NOT NULL,
  CHECK ((repository_id IS NOT NULL) + (paper_id IS NOT NULL) + (inner_id IS NOT NULL) = 1),
  UNIQUE (collection_id, repository_id),
  UNIQUE (collection_id, paper_id),
  UNIQUE (collection_id, inner_id)
) STRICT;
CREATE INDEX collection_items_of_repository ON collection_items (repository_id);
CREATE INDEX collection_items_of_paper ON collection_items (paper_id);
CREATE INDEX collection_items_of_collection ON collection_items (inner_id);

CREATE TABLE collection_upvotes (
  collection_id INTEGER NOT NULL REFERENCES collections ON DELETE CASCADE,
  user_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (collection_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX collection_upvotes_by_user ON collection_upvotes (user_id);
