defmodule Mix.Tasks.HfHub.Papers do
  use HfHub.CLI.Task, noun: HfHub.CLI.Papers
end
