defmodule HfHub.Flows.HostileUploadsTest do
  # Failures of uploads: unusual folders, invalid calls,
  # networks and processes that fail. No commit is partial, and no local file is lost.
  use HfHub.Case, async: true

  alias HfHub.{Api, Commit, Error, Git, LocalHub, Repo, Vm}
  alias HfHub.Commit.Operation

  @moduletag timeout: 300_000

  setup :writer

  setup context do
    id = "#{context.account}/hostile-#{System.unique_integer([:positive])}"
    write = [endpoint: context.endpoint, token: context.writer, retry_delay: 10]
    Repo.create!(id, write)
    {:ok, id: id, write: write}
  end

  describe "a folder" do
    test "may have links to files and folders, outside of it and in circles",
         %{id: id, write: write} = context do
      folder = folder(context, %{"a.txt" => "a", "sub/b.txt" => "b"})
      outside = folder(context, %{"out.txt" => "out"})
      File.ln_s!(Path.join(outside, "out.txt"), Path.join(folder, "linked.txt"))
      File.ln_s!(folder, Path.join(folder, "sub/loop"))
      File.ln_s!("self", Path.join(folder, "self"))
      File.ln_s!("nowhere", Path.join(folder, "dangling"))

      # As in the Python client, links to files are followed, and links to folders and broken links are omitted.
      assert {:ok, _info} = Commit.upload_folder(folder, id, write)
      assert listed(id, write) == [".gitattributes", "a.txt", "linked.txt", "sub/b.txt"]
      assert [%{size: 3}] = Api.paths_info!(id, "linked.txt", write)
    end

    test "may have a link in place of the upload's state file", %{id: id, write: write} = context do
      folder = folder(context, %{"a.txt" => "a"})
      outside = folder(context, %{})
      File.mkdir_p!(outside)
      File.ln_s!(outside, Path.join(folder, ".cache"))
      assert {:ok, _info} = Commit.upload_folder(folder, id, write)
      assert File.ls!(outside) == []
      assert listed(id, write) == [".gitattributes", "a.txt"]
    end

    test "that is empty, missing or a file is an error or makes no commit",
         %{id: id, write: write} = context do
      empty = Path.join(context.dir, "empty")
      File.mkdir_p!(empty)
      head = head(id, write)

      assert {:ok, %{oid: ^head}} = Commit.upload_folder(empty, id, write)
      assert {:error, %Error{kind: :io} = error} = Commit.upload_folder("/no/such/folder", id, write)
      assert error.message =~ "/no/such/folder"
      file = Path.join(folder(context, %{"a" => "a"}), "a")
      assert {:error, %Error{kind: :io}} = Commit.upload_folder(file, id, write)
      assert {:error, %Error{kind: :io}} = Commit.upload_file({:path, "/no/such/file"}, "x", id, write)
      assert {:error, %Error{kind: :io}} = Commit.upload_file({:path, empty}, "x", id, write)
      assert head(id, write) == head
    end

    @tag :root
    test "may be read-only, with unreadable files", %{id: id, write: write} = context do
      folder = folder(context, %{"a.txt" => "a", "m.bin" => large(20_000)})
      File.chmod!(context.dir, 0o755)
      assert as_nobody(context, folder) =~ "uploaded"
      assert listed(id, write) == [".gitattributes", "a.txt", "m.bin"]
      assert Enum.sort(File.ls!(folder)) == ["a.txt", "m.bin"]

      head = head(id, write)
      File.write!(Path.join(folder, "secret.txt"), "x")
      File.chmod!(Path.join(folder, "secret.txt"), 0o600)
      said = as_nobody(context, folder)
      assert said =~ "refused: io" and said =~ "secret.txt" and said =~ "permission denied"
      assert head(id, write) == head
    end

    test "may have files for two preupload requests, and the same content twice",
         %{id: id, write: write} = context do
      large = large(30_000)
      many = Map.new(1..300, &{"d#{rem(&1, 7)}/f#{&1}.txt", "#{rem(&1, 50)}"})
      folder = folder(context, Map.merge(many, %{"x.bin" => large, "y.bin" => large}))
      assert {:ok, info} = Commit.upload_folder(folder, id, write)
      assert length(listed(id, write)) == 303
      assert Enum.count(requests(id), &(&1["path"] =~ "/preupload/")) == 2
      assert Enum.count(requests(large), &(&1["method"] == "PUT")) == 1
      assert head(id, write) == info.oid
    end
  end

  describe "a call" do
    test "with invalid arguments raises at once, and sends nothing", %{id: id, write: write} do
      before = length(requests(id))

      for call <- [
            fn -> Commit.upload_file("a path or text?", "x", id, write) end,
            fn -> Commit.upload_file({:binary, 1}, "x", id, write) end,
            fn -> Commit.upload_file({:path, nil}, "x", id, write) end,
            fn -> Commit.upload_file({:binary, "x"}, nil, id, write) end,
            fn -> Commit.upload_file({:binary, "x"}, "x", id, [commit_mesage: "x"] ++ write) end,
            fn -> Commit.upload_file({:binary, "x"}, "x", id, [parent_commit: "HEAD"] ++ write) end,
            fn -> Commit.create(id, [:add], [commit_message: "x"] ++ write) end,
            fn -> Commit.create(id, %{}, [commit_message: "x"] ++ write) end,
            fn -> Commit.upload_folder(nil, id, write) end,
            fn -> Commit.upload_file({:stream, ["a", :b]}, "x", id, write) end,
            fn -> Commit.upload_folder(".", id, [num_workers: 0] ++ write) end
          ] do
        assert_raise ArgumentError, call
      end

      assert length(requests(id)) == before
    end

    test "with an invalid path is an error that names it", %{id: id, write: write} do
      for path <- [
            "../x",
            "a/../b",
            "/",
            "",
            ".git/config",
            "a/.git/x",
            ".cache/x",
            "a//b",
            "a\\..\\b",
            "a\0b",
            "x/"
          ] do
        result =
          try do
            Commit.upload_file({:binary, "x"}, path, id, write)
          rescue
            error in ArgumentError -> {:error, error}
          end

        assert {:error, error} = result, "#{inspect(path)} was taken"
        if is_struct(error, Error), do: assert(error.kind in [:invalid_name, :bad_request])
      end

      assert listed(id, write) == [".gitattributes"]
    end

    test "without repository, revision or permission has a distinct error",
         %{id: id, write: write} = context do
      upload = &Commit.upload_file({:binary, "x"}, "x.txt", &1, &2)
      assert {:error, %Error{kind: :repo_not_found} = error} = upload.("#{context.account}/none", write)
      assert error.message =~ "none"
      assert {:error, %Error{kind: :revision_not_found}} = upload.(id, [revision: "none"] ++ write)

      assert {:error, %Error{kind: kind} = error} =
               upload.(id, endpoint: context.endpoint, token: context.reader)

      assert kind == :forbidden and error.message =~ "write token"
      assert {:error, %Error{}} = upload.(id, endpoint: context.endpoint, token: false)
      assert {:error, %Error{kind: :invalid_name}} = upload.("a/b/c", write)
      assert listed(id, write) == [".gitattributes"]
    end

    test "without a network is a :transport error", %{id: id} = context do
      down = [endpoint: "http://127.0.0.1:1", token: context.writer, retries: 0]
      assert {:error, %Error{kind: :transport}} = Commit.upload_file({:binary, "x"}, "x", id, down)
      assert {:error, %Error{kind: :transport}} = Repo.create(id, down)
      assert {:error, %Error{kind: :transport}} = Git.create_branch(id, "x", down)

      # The network could read the token.
      plain = [endpoint: "http://198.51.100.1", token: context.writer, retries: 0, timeout: 5000]

      assert {:error, %Error{kind: :unauthorized} = error} =
               Commit.upload_file({:binary, "x"}, "x", id, plain)

      assert error.message =~ "plain http" and not (error.message =~ "refused")
    end
  end

  describe "a Hub" do
    test "without disk space is an error, and nothing is committed", context do
      {:ok, hub} = own_hub(context, ["--private-quota", "50000", "--max-file-size", "100000"])
      write = [endpoint: LocalHub.endpoint(hub), token: "hf_own", retry_delay: 10]
      Repo.create!("own/x", [private: true] ++ write)
      assert {:ok, _} = Commit.upload_file({:binary, large(40_000)}, "a.bin", "own/x", write)

      assert {:error, %Error{} = error} =
               Commit.upload_file({:binary, large(40_000)}, "b.bin", "own/x", write)

      assert error.kind == :forbidden and error.message =~ "storage limit reached"
      assert error.message =~ "free some storage" and not (error.message =~ "create_pr")
      Repo.update_settings!("own/x", [private: false] ++ write)

      assert {:error, %Error{} = error} =
               Commit.upload_file({:binary, large(200_000)}, "c.bin", "own/x", write)

      assert error.message =~ "c.bin" and error.message =~ "100000 bytes"
      assert listed("own/x", write) == [".gitattributes", "a.bin"]
    end

    test "that rejects a card is an error with the reason", %{id: id, write: write} do
      card = "---\ntags: [\n---\n# x\n"

      assert {:error, %Error{kind: :bad_request} = error} =
               Commit.upload_file({:binary, card}, "README.md", id, write)

      assert error.message =~ "README.md"
      assert listed(id, write) == [".gitattributes"]
    end

    test "whose branch has moved rejects the commit", %{id: id, write: write} do
      first = head(id, write)
      Commit.upload_file!({:binary, "1"}, "a.txt", id, [parent_commit: first] ++ write)

      assert {:error, %Error{kind: kind}} =
               Commit.upload_file({:binary, "2"}, "a.txt", id, [parent_commit: first] ++ write)

      assert kind in [:precondition, :conflict]
      assert {:error, %Error{kind: :entry_not_found} = error} = Commit.delete_file("none.txt", id, write)
      assert error.message =~ "is_folder: true"
      assert {:error, %Error{kind: :entry_not_found} = error} = Commit.delete_folder("a.txt", id, write)
      refute error.message =~ "is_folder: true"
      copy = [Operation.copy("none.txt", "x.txt")]

      assert {:error, %Error{kind: :entry_not_found} = error} =
               Commit.create(id, copy, [commit_message: "x"] ++ write)

      refute error.message =~ "is_folder"
      assert {:error, %Error{kind: :bad_request}} = Commit.upload_file({:binary, "x"}, "a.txt/y", id, write)
    end
  end

  test "operations are inspected without their content" do
    secret = "very secret content"
    refute inspect(Operation.add("x", {:binary, secret})) =~ secret
  end

  defp as_nobody(context, folder) do
    script =
      Vm.script(context, """
      {:ok, _} = Application.ensure_all_started(:hf_hub)
      where = [endpoint: #{inspect(context.endpoint)}, token: #{inspect(context.writer)}]
      case HfHub.Commit.upload_folder(#{inspect(folder)}, #{inspect(context.id)}, where) do
        {:ok, _info} -> IO.puts("uploaded")
        {:error, error} -> IO.puts("refused: \#{error.kind} \#{String.downcase(Exception.message(error))}")
      end
      """)

    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    {output, 0} = Vm.run(Vm.below(script, nobody), [{"HOME", "/nonexistent"}])
    output
  end

  defp listed(id, opts), do: id |> Api.list_repo_files!(opts) |> Enum.sort()

  defp head(id, opts), do: hd(Git.list_commits!(id, opts)).id

  defp own_hub(context, args) do
    {:ok, hub} = LocalHub.start_link(root: Path.join(context.dir, "hub"), test_control: true, args: args)
    LocalHub.command!(hub, ["user", "add", "own", "--token", "hf_own"])
    {:ok, hub}
  end
end
