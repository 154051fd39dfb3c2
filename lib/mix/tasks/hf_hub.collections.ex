defmodule Mix.Tasks.HfHub.Collections do
  use HfHub.CLI.Task, noun: HfHub.CLI.Collections
end
