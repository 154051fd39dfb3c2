-- `is_recent` is 1 as long as the like counts in `repositories.trend`.
CREATE TABLE likes (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  repository_id INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
  user_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
  created_at INTEGER NOT NULL,
  is_recent INTEGER NOT NULL DEFAULT 1 CHECK (is_recent IN (0, 1)),
  UNIQUE (repository_id, user_id)
) STRICT;
CREATE INDEX likes_by_user ON likes (user_id, repository_id);
CREATE INDEX likes_to_expire ON likes (created_at) WHERE is_recent;

ALTER TABLE repositories ADD COLUMN likes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE repositories ADD COLUMN trend INTEGER NOT NULL DEFAULT 0;
CREATE INDEX repositories_by_likes
  ON repositories (kind, likes DESC, full_id, private, namespace) WHERE head IS NOT NULL;
CREATE INDEX repositories_by_trend
  ON repositories (kind, trend DESC, full_id, private, namespace) WHERE head IS NOT NULL;

-- The counts follow the table, also when a user is removed.
CREATE TRIGGER like_added AFTER INSERT ON likes BEGIN
  UPDATE repositories SET likes = likes + 1, trend = trend + NEW.is_recent
  WHERE id = NEW.repository_id;
END;
CREATE TRIGGER like_removed AFTER DELETE ON likes BEGIN
  UPDATE repositories SET likes = likes - 1, trend = trend - OLD.is_recent
  WHERE id = OLD.repository_id;
END;
CREATE TRIGGER like_expired AFTER UPDATE OF is_recent ON likes BEGIN
  UPDATE repositories SET trend = trend + NEW.is_recent - OLD.is_recent
  WHERE id = NEW.repository_id;
END;
