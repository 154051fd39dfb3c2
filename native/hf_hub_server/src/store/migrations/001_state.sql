-- Names are compared byte by byte unless NOCASE is written. Times are microseconds since 1970.

CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  fullname TEXT
) STRICT;

CREATE TABLE organizations (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE
) STRICT;

-- Listed in the order in which the user joined.
CREATE TABLE memberships (
  id INTEGER PRIMARY KEY,
  user_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
  organization_id INTEGER NOT NULL REFERENCES organizations ON DELETE CASCADE,
  role TEXT NOT NULL CHECK (role IN ('admin', 'write', 'read')),
  UNIQUE (user_id, organization_id)
) STRICT;
CREATE INDEX memberships_by_organization ON memberships (organization_id);

-- Tokens are stored as digests only. `grants` is the JSON of a fine-grained token's permissions.
CREATE TABLE tokens (
  id INTEGER PRIMARY KEY,
  user_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
  digest TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('read', 'write', 'fineGrained')),
  grants TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  refresh TEXT UNIQUE
) STRICT;
CREATE INDEX tokens_by_user ON tokens (user_id);

CREATE TABLE logins (
  digest TEXT PRIMARY KEY,
  user_code TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  decision TEXT NOT NULL CHECK (decision IN ('pending', 'approved', 'denied')),
  user TEXT,
  CHECK ((decision = 'approved') = (user IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE papers (
  id TEXT PRIMARY KEY,
  content TEXT NOT NULL
) STRICT;

-- `changes` counts the times the repository was locked for writing, `indexed` is the count that
-- the columns below it and the tables `repository_tags`, `_links` and `_facts` know of. `head` is
-- NULL without a main branch.
CREATE TABLE repositories (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL CHECK (kind IN ('model', 'dataset', 'space')),
  full_id TEXT NOT NULL,
  namespace TEXT,
  object_id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  private INTEGER NOT NULL CHECK (private IN (0, 1)),
  gated TEXT CHECK (gated IN ('auto', 'manual')),
  disabled INTEGER NOT NULL CHECK (disabled IN (0, 1)),
  more TEXT NOT NULL,
  changes INTEGER NOT NULL DEFAULT 1,
  indexed INTEGER NOT NULL DEFAULT 0,
  head TEXT,
  modified_at INTEGER,
  pipeline_tag TEXT,
  parameters REAL,
  storage INTEGER,
  summary TEXT,
  -- In this order SQLite does not prefer it to the indices of lists.
  UNIQUE (full_id, kind)
) STRICT;
CREATE INDEX repositories_in_any_case ON repositories (kind, full_id COLLATE NOCASE);
-- One for each order of a list, with what decides whether a repository is in it: the row itself is
-- read only for those on the page.
CREATE INDEX repositories_by_id
  ON repositories (kind, full_id, private, namespace) WHERE head IS NOT NULL;
CREATE INDEX repositories_by_creation
  ON repositories (kind, created_at DESC, full_id, private, namespace) WHERE head IS NOT NULL;
CREATE INDEX repositories_by_change
  ON repositories (kind, modified_at DESC, full_id, private, namespace) WHERE head IS NOT NULL;
CREATE INDEX repositories_by_namespace ON repositories (namespace, kind, full_id);
CREATE INDEX repositories_to_index ON repositories (id) WHERE changes <> indexed;

-- The objects of the first commit, as long as git's files were not needed.
CREATE TABLE first_commits (
  repository_id INTEGER PRIMARY KEY REFERENCES repositories ON DELETE CASCADE,
  head TEXT NOT NULL,
  pack BLOB NOT NULL
) STRICT;

CREATE TABLE repository_facts (
  repository_id INTEGER PRIMARY KEY REFERENCES repositories ON DELETE CASCADE,
  facts TEXT NOT NULL
) STRICT;

CREATE TABLE repository_tags (
  repository_id INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
  tag TEXT NOT NULL,
  PRIMARY KEY (repository_id, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX repository_tags_by_tag ON repository_tags (tag, repository_id);

-- Models and datasets that a Space declares to use.
CREATE TABLE repository_links (
  repository_id INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('models', 'datasets')),
  target TEXT NOT NULL,
  PRIMARY KEY (repository_id, kind, target)
) STRICT, WITHOUT ROWID;

-- Redirects that renames leave behind; a new repository of that name removes its own.
CREATE TABLE redirects (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('model', 'dataset', 'space')),
  full_id TEXT NOT NULL,
  moved_to TEXT NOT NULL,
  UNIQUE (kind, full_id)
) STRICT;
CREATE INDEX redirects_in_any_case ON redirects (kind, full_id COLLATE NOCASE);

-- Users are names here: access can be decided before the user exists.
CREATE TABLE repository_access (
  repository_id INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
  user TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('granted', 'pending', 'rejected')),
  PRIMARY KEY (repository_id, user)
) STRICT, WITHOUT ROWID;

CREATE TABLE pull_requests (
  id INTEGER PRIMARY KEY,
  repository_id INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
  num INTEGER NOT NULL,
  title TEXT NOT NULL,
  author TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (repository_id, num)
) STRICT;
