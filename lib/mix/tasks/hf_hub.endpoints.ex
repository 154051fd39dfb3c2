defmodule Mix.Tasks.HfHub.Endpoints do
  use HfHub.CLI.Task, noun: HfHub.CLI.Endpoints
end
