defmodule Mix.Tasks.HfHub.Cp do
  use HfHub.CLI.Task, noun: HfHub.CLI.Cp
end
