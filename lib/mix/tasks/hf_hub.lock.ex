defmodule Mix.Tasks.HfHub.Lock do
  use HfHub.CLI.Task, noun: HfHub.CLI.Lock
end
