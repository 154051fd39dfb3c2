defmodule Mix.Tasks.HfHub.Buckets do
  use HfHub.CLI.Task, noun: HfHub.CLI.Buckets
end
