defmodule Mix.Tasks.HfHub.Spaces do
  use HfHub.CLI.Task, noun: HfHub.CLI.Spaces
end
