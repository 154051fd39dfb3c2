defmodule Mix.Tasks.HfHub.Cache do
  use HfHub.CLI.Task, noun: HfHub.CLI.Cache
end
