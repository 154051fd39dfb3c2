defmodule Mix.Tasks.HfHub.Sync do
  use HfHub.CLI.Task, noun: HfHub.CLI.Sync
end
