defmodule Mix.Tasks.HfHub.Get do
  use HfHub.CLI.Task, noun: HfHub.CLI.Get
end
