ALTER TABLE users ADD COLUMN details TEXT;
ALTER TABLE users ADD COLUMN created_at INTEGER;
ALTER TABLE organizations ADD COLUMN fullname TEXT;
ALTER TABLE organizations ADD COLUMN details TEXT;

-- A user follows a user or an organization.
CREATE TABLE follows (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  follower_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
  user_id INTEGER REFERENCES users ON DELETE CASCADE,
  organization_id INTEGER REFERENCES organizations ON DELETE CASCADE,
  created_at INTEGER NOT NULL,
  CHECK ((user_id IS NULL) <> (organization_id IS NULL)),
  CHECK (follower_id IS NOT user_id),
  UNIQUE (follower_id, user_id),
  UNIQUE (follower_id, organization_id)
) STRICT;
CREATE INDEX follows_of_user ON follows (user_id);
CREATE INDEX follows_of_organization ON follows (organization_id);
