defmodule Mix.Tasks.HfHub.Download do
  use HfHub.CLI.Task, noun: HfHub.CLI.Download
end
