defmodule Mix.Tasks.HfHub.UploadLargeFolder do
  use HfHub.CLI.Task, noun: HfHub.CLI.UploadLargeFolder
end
