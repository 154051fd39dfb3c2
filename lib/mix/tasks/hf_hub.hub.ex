defmodule Mix.Tasks.HfHub.Hub do
  use HfHub.CLI.Task, noun: HfHub.CLI.Hub
end
