-- Discussions and pull requests, numbered together in each repository. What a user has written stays
-- when the user is removed, and does not belong to another one of that name.
CREATE TABLE discussions (
  id INTEGER PRIMARY KEY,
  repository_id INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
  num INTEGER NOT NULL,
  object_id TEXT NOT NULL,
  title TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('draft', 'open', 'closed', 'merged')),
  author_id INTEGER REFERENCES users ON DELETE SET NULL,
  created_at INTEGER NOT NULL,
  pinned INTEGER NOT NULL DEFAULT 0 CHECK (pinned IN (0, 1)),
  -- The ref into which a pull request is merged; NULL for a discussion.
  base TEXT,
  merge_commit TEXT,
  UNIQUE (repository_id, num),
  CHECK (base IS NOT NULL OR status IN ('open', 'closed')),
  CHECK ((status = 'merged') = (merge_commit IS NOT NULL))
) STRICT;

CREATE INDEX discussions_in_order ON discussions (repository_id, pinned, num);
CREATE INDEX discussions_by_author ON discussions (author_id);

-- Counts on its own: the number of a deleted discussion is not given again.
CREATE TABLE discussion_numbers (
  repository_id INTEGER PRIMARY KEY REFERENCES repositories ON DELETE CASCADE,
  last INTEGER NOT NULL
) STRICT;

-- In the order in which they happened. `data` is JSON, by kind.
CREATE TABLE discussion_events (
  id INTEGER PRIMARY KEY,
  discussion_id INTEGER NOT NULL REFERENCES discussions ON DELETE CASCADE,
  object_id TEXT NOT NULL,
  author_id INTEGER REFERENCES users ON DELETE SET NULL,
  created_at INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('comment', 'status-change', 'title-change', 'commit')),
  data TEXT NOT NULL,
  UNIQUE (discussion_id, object_id)
) STRICT;

CREATE INDEX discussion_events_by_kind ON discussion_events (discussion_id, kind);

-- What a comment said, oldest first. Of a hidden comment, nothing is left.
CREATE TABLE comment_versions (
  id INTEGER PRIMARY KEY,
  event_id INTEGER NOT NULL REFERENCES discussion_events ON DELETE CASCADE,
  author_id INTEGER REFERENCES users ON DELETE SET NULL,
  created_at INTEGER NOT NULL,
  content TEXT NOT NULL
) STRICT;
CREATE INDEX comment_versions_by_event ON comment_versions (event_id);

INSERT INTO discussions (repository_id, num, object_id, title, status, author_id, created_at, base)
  SELECT p.repository_id, p.num, lower(hex(randomblob(12))), p.title, 'open', u.id, p.created_at,
         'refs/heads/main'
  FROM pull_requests p LEFT JOIN users u ON u.name = p.author
  ORDER BY p.repository_id, p.num;
INSERT INTO discussion_numbers (repository_id, last)
  SELECT repository_id, max(num) FROM pull_requests GROUP BY repository_id;
DROP TABLE pull_requests;
