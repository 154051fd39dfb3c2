defmodule Mix.Tasks.HfHub.Repo do
  use HfHub.CLI.Task, noun: HfHub.CLI.Repo
end
