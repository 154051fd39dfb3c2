defmodule Mix.Tasks.HfHub.Upload do
  use HfHub.CLI.Task, noun: HfHub.CLI.Upload
end
