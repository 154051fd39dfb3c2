defmodule Mix.Tasks.HfHub.Discussions do
  use HfHub.CLI.Task, noun: HfHub.CLI.Discussions
end
