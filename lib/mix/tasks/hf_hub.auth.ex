defmodule Mix.Tasks.HfHub.Auth do
  use HfHub.CLI.Task, noun: HfHub.CLI.Auth
end
