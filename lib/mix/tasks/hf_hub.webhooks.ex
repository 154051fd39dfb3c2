defmodule Mix.Tasks.HfHub.Webhooks do
  use HfHub.CLI.Task, noun: HfHub.CLI.Webhooks
end
