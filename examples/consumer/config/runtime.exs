import Config

# The release has its models, see mix.exs. The tasks of Mix, which pin and download them, read this file too.
if System.get_env("RELEASE_NAME") do
  config :hf_hub, cache_dir: HfHub.Release.cache_dir(:consumer), offline: true
end
