-- Requests for access to a repository, with the decision. Users are names here: access can be
-- decided before the user exists. `granted_by` is set for access that was granted without a request.
CREATE TABLE access_requests (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  object_id TEXT NOT NULL UNIQUE,
  repository_id INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
  user TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'accepted', 'rejected')),
  created_at INTEGER NOT NULL,
  fields TEXT,
  granted_by TEXT,
  reason TEXT,
  UNIQUE (repository_id, user)
) STRICT;
CREATE INDEX access_requests_by_state ON access_requests (repository_id, state, id);

INSERT INTO access_requests (object_id, repository_id, user, state, created_at)
SELECT lower(hex(randomblob(12))), repository_id, user,
  CASE state WHEN 'granted' THEN 'accepted' ELSE state END,
  unixepoch() * 1000000
FROM repository_access;
DROP TABLE repository_access;
