defmodule Mix.Tasks.HfHub.Env do
  use HfHub.CLI.Task, noun: HfHub.CLI.Env
end
