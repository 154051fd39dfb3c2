defmodule Mix.Tasks.HfHub.Datasets do
  use HfHub.CLI.Task, noun: HfHub.CLI.Datasets
end
