defmodule Mix.Tasks.HfHub.Models do
  use HfHub.CLI.Task, noun: HfHub.CLI.Models
end
