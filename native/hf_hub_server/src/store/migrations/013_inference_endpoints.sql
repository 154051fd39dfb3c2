-- Inference endpoints: nothing is deployed. `config` is JSON, without the values of secrets; `script` is
-- what the endpoint goes through since `since`, `own_script` what an administrator has set for each start.
CREATE TABLE inference_endpoints (
  id INTEGER PRIMARY KEY,
  namespace TEXT NOT NULL COLLATE NOCASE,
  name TEXT NOT NULL,
  creator TEXT NOT NULL,
  config TEXT NOT NULL,
  script TEXT NOT NULL,
  own_script TEXT NOT NULL,
  since INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (namespace, name)
) STRICT;
