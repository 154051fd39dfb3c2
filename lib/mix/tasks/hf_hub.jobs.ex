defmodule Mix.Tasks.HfHub.Jobs do
  use HfHub.CLI.Task, noun: HfHub.CLI.Jobs
end
