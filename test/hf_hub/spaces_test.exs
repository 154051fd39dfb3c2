defmodule HfHub.SpacesTest do
  # Spaces, against the Local Hub, which stores what is requested and scripts the stages.
  use HfHub.Case, async: true

  import ExUnit.CaptureLog

  alias HfHub.{Api, Error, LocalHub, Repo, Spaces}

  alias HfHub.Spaces.{
    SpaceHardware,
    SpaceSearchResult,
    SpaceSecret,
    SpaceTemplate,
    SpaceVariable,
    ZeroGpuQuota
  }

  @secret "s3cret-of-a-test"

  setup :writer

  setup context do
    ours = [endpoint: context.endpoint, token: context.writer, retry_delay: 10]
    id = "#{context.account}/app"
    Repo.create!(id, [repo_type: :space, space_sdk: :gradio] ++ ours)
    {:ok, id: id, ours: ours, stranger: Keyword.put(ours, :token, token())}
  end

  defp stage(id, steps), do: LocalHub.command!(hub(), ["space", "stage", id | steps])

  defp app(context) do
    HfHub.Commit.upload_file!({:binary, "app"}, "app.py", context.id, [repo_type: :space] ++ context.ours)
  end

  test "a Space is paused and restarted, and its metadata has the runtime", %{id: id, ours: ours} = context do
    assert %{stage: :no_app_file} = Spaces.get_runtime!(id, ours)
    app(context)

    assert %{stage: :stopped, error_message: "The Local Hub does not run Spaces"} =
             Spaces.get_runtime!(id, ours)

    assert {:ok, %{stage: :paused}} = Spaces.pause(id, ours)
    assert Api.space_info!(id, ours).runtime.stage == :paused

    assert [%{runtime: %{stage: :paused}}] =
             Api.list_spaces!([author: context.account, expand: ["runtime"]] ++ ours)

    assert {:ok, %{stage: :stopped}} = Spaces.restart(id, ours)
    stage(id, ["RUNNING"])
    assert %{stage: :running, hardware: "cpu-basic"} = Spaces.restart!(id, [factory_reboot: true] ++ ours)
    assert %{stage: :paused} = Spaces.pause!("hf://spaces/#{id}", ours)
  end

  test "hardware, sleep time, storage and dev mode are requested", %{id: id, ours: ours} do
    assert {:ok, runtime} = Spaces.request_hardware(id, :t4_small, [sleep_time: 300] ++ ours)
    assert %{requested_hardware: "t4-small", sleep_time: 300} = runtime
    assert Spaces.set_sleep_time!(id, :never, ours).sleep_time == -1
    assert Spaces.set_sleep_time!(id, 60, ours).sleep_time == 60
    assert Spaces.request_hardware!(id, "a10g-large", ours).sleep_time == 60
    assert {:ok, %{storage: "small"}} = Spaces.request_storage(id, :small, ours)
    assert Spaces.request_storage!(id, "large", ours).storage == "large"

    assert {:error, %Error{kind: :bad_request, message: message}} = Spaces.request_storage(id, :small, ours)
    assert message =~ "cannot be made smaller"
    assert Spaces.delete_storage!(id, ours).storage == nil
    assert {:error, %Error{kind: :bad_request}} = Spaces.delete_storage(id, ours)
    assert {:ok, %{dev_mode: true}} = Spaces.enable_dev_mode(id, ours)
    assert %{dev_mode: false} = Spaces.disable_dev_mode!(id, ours)
  end

  test "a sleep time on free hardware is a warning", %{id: id, ours: ours} do
    warned = fn fun -> capture_log(fun) =~ "cpu-basic sleeps after 48 hours" end
    assert warned.(fn -> Spaces.set_sleep_time!(id, 60, ours) end)
    assert warned.(fn -> Spaces.request_hardware!(id, :cpu_basic, [sleep_time: 60] ++ ours) end)
    opts = [repo_type: :space, space_sdk: :docker, space_hardware: :cpu_basic, space_sleep_time: 60]
    assert warned.(fn -> Repo.create!("#{id}-free", opts ++ ours) end)
    refute warned.(fn -> Spaces.request_hardware!(id, :l4x1, [sleep_time: 60] ++ ours) end)
    refute warned.(fn -> Spaces.set_sleep_time!(id, 60, ours) end)
  end

  test "variables are set, listed and deleted", %{id: id, ours: ours} do
    assert {:ok, %SpaceVariable{} = variable} =
             Spaces.add_variable(id, "MODE", "fast", [description: "d"] ++ ours)

    assert %{key: "MODE", value: "fast", description: "d", updated_at: %DateTime{}} = variable
    assert Spaces.add_variable!(id, "N", "1", ours).value == "1"
    assert {:ok, %{"MODE" => ^variable, "N" => %{value: "1"}}} = Spaces.get_variables(id, ours)
    assert :ok = Spaces.delete_variable(id, "N", ours)
    assert :ok = Spaces.delete_variable!(id, "N", ours)
    # Everybody sees them.
    assert Map.keys(Spaces.get_variables!(id, [token: false] ++ Keyword.delete(ours, :token))) == ["MODE"]
  end

  test "secrets are set, listed without their values and deleted", %{id: id, ours: ours} = context do
    assert :ok = Spaces.add_secret(id, "KEY", @secret, [description: "d"] ++ ours)
    assert :ok = Spaces.add_secret!(id, "OTHER", @secret, ours)
    assert {:ok, %{"KEY" => %SpaceSecret{} = secret, "OTHER" => _other}} = Spaces.list_secrets(id, ours)
    assert %{key: "KEY", description: "d", updated_at: %DateTime{}} = secret
    refute inspect(Spaces.list_secrets!(id, ours)) =~ @secret
    assert :ok = Spaces.delete_secret(id, "KEY", ours)
    assert :ok = Spaces.delete_secret!(id, "KEY", ours)
    assert Map.keys(Spaces.list_secrets!(id, ours)) == ["OTHER"]
    assert {:error, %Error{kind: :forbidden}} = Spaces.list_secrets(id, context.stranger)
  end

  test "errors do not show the value of a secret", %{id: id, ours: ours} do
    echo = %{kind: "status", code: 400, body: ~s({"error": "bad value #{@secret}"})}
    fault("/api/spaces/#{id}/secrets", echo)
    {:error, error} = Spaces.add_secret(id, "KEY", @secret, ours)
    assert error.kind == :bad_request
    refute inspect(Map.from_struct(error)) =~ @secret

    for args <- [[id, @secret <> "!", "v"], [id, "KEY", [@secret]], [id, [@secret], "v"]] do
      error = assert_raise ArgumentError, fn -> apply(Spaces, :add_secret, args ++ [ours]) end
      refute error.message =~ @secret
    end
  end

  test "volumes are mounted and removed", %{id: id, ours: ours} = context do
    Repo.create!("#{context.account}/data", [repo_type: :dataset] ++ ours)
    volume = %{type: :dataset, source: "#{context.account}/data", mount_path: "/data"}
    assert :ok = Spaces.set_volumes(id, [volume], ours)
    assert [%{"mountPath" => "/data", "readOnly" => true}] = Spaces.get_runtime!(id, ours).volumes
    assert :ok = Spaces.set_volumes!(id, [volume, %{volume | mount_path: "/more"}], ours)
    assert :ok = Spaces.delete_volumes!(id, ours)
    assert {:error, %Error{kind: :bad_request, message: message}} = Spaces.delete_volumes(id, ours)
    assert message =~ "no volumes"
    missing = %{volume | source: "nobody/nothing"}
    assert {:error, %Error{kind: :bad_request}} = Spaces.set_volumes(id, [missing], ours)
  end

  test "a copy has the variables and the settings of the call", %{id: id, ours: ours} = context do
    Spaces.add_variable!(id, "MODE", "fast", ours)
    Spaces.add_secret!(id, "KEY", @secret, ours)

    opts = [
      to_id: "copy",
      private: true,
      hardware: :t4_small,
      sleep_time: 60,
      storage: :small,
      secrets: %{B: "c"}
    ]

    assert {:ok, copy} = Spaces.duplicate(id, opts ++ ours)
    assert copy.repo_id == "#{context.account}/copy"

    assert %{requested_hardware: "t4-small", sleep_time: 60, storage: "small"} =
             Spaces.get_runtime!(copy.repo_id, ours)

    assert Map.keys(Spaces.get_variables!(copy.repo_id, ours)) == ["MODE"]
    assert Map.keys(Spaces.list_secrets!(copy.repo_id, ours)) == ["B"]
    assert {:error, %Error{kind: :conflict}} = Spaces.duplicate(id, [to_id: "copy"] ++ ours)
    assert Spaces.duplicate!(id, [to_id: "copy", exist_ok: true] ++ ours).repo_id == copy.repo_id
  end

  test "the settings of a new Space are stored", %{ours: ours} = context do
    id = "#{context.account}/set"

    Repo.create!(
      id,
      [
        repo_type: :space,
        space_sdk: :docker,
        space_hardware: :l4x1,
        space_sleep_time: 600,
        space_storage: :medium,
        space_secrets: %{KEY: @secret},
        space_variables: [%{key: "MODE", value: "fast", description: "d"}]
      ] ++ ours
    )

    assert %{requested_hardware: "l4x1", sleep_time: 600, storage: "medium"} = Spaces.get_runtime!(id, ours)
    assert %{"MODE" => %{value: "fast", description: "d"}} = Spaces.get_variables!(id, ours)
    assert Map.keys(Spaces.list_secrets!(id, ours)) == ["KEY"]
  end

  test "waits until a Space runs", %{id: id, ours: ours} do
    stage(id, ["BUILDING:0.2", "APP_STARTING:0.2", "RUNNING"])
    assert {:ok, %{stage: :running}} = Spaces.wait_until_running(id, [poll_interval: 50] ++ ours)
    assert length(requests("#{id}/runtime")) > 2

    stage(id, ["RUNNING_BUILDING"])
    late = Spaces.wait_until_running(id, [poll_interval: 50, timeout: 200] ++ ours)
    assert {:error, %Error{kind: :timeout, message: message}} = late
    assert message =~ "the Space #{inspect(id)} was not ready within 200 ms: its stage is :running_building; "
  end

  test "a stage that a Space does not leave by itself is an error with the next step", %{id: id, ours: ours} do
    for {stage, step} <- [
          {"BUILD_ERROR", "build: true"},
          {"RUNTIME_ERROR", "logs/2"},
          {"CONFIG_ERROR", "correct its card"},
          {"PAUSED", "restart/2"},
          {"STOPPED", "restart/2"},
          {"SLEEPING", "restart/2"},
          {"NO_APP_FILE", "app.py"},
          {"DELETING", "its stage is :deleting"}
        ] do
      stage(id, [stage])
      assert {:error, %Error{kind: :precondition} = error} = Spaces.wait_until_running(id, ours)
      assert error.message =~ step and error.message =~ id
      assert error.details["stage"] == stage
    end

    assert_raise Error, fn -> Spaces.wait_until_running!(id, ours) end
    # A stage that is not known yet.
    fault("/api/spaces/#{id}/runtime", %{
      kind: "status",
      code: 200,
      body: ~s({"stage": "HIBERNATING"}),
      headers: %{"content-type" => "application/json"}
    })

    assert %{stage: "HIBERNATING"} = Spaces.get_runtime!(id, ours)
    assert {:error, %Error{message: message}} = Spaces.wait_until_running(id, ours)
    assert message =~ ~s("HIBERNATING")
  end

  test "a commit is loaded into a running app", %{id: id, ours: ours} = context do
    stage(id, ["RUNNING"])
    space = [repo_type: :space] ++ ours
    HfHub.Commit.upload_file!({:binary, "1"}, "app.py", id, [hot_reload: true] ++ space)
    assert %{hot_reloading: %{"status" => "created"}} = Spaces.get_runtime!(id, ours)
    app(context)
    assert Spaces.get_runtime!(id, ours).hot_reloading == nil

    assert_raise ArgumentError, ~r/for Spaces only/, fn ->
      HfHub.Commit.upload_file({:binary, "1"}, "a", "me/model", [hot_reload: true] ++ ours)
    end
  end

  test "Spaces are found by words", %{id: id, ours: ours} = context do
    word = "w#{System.unique_integer([:positive])}x"
    card = "---\ntitle: The #{word}\nsdk: gradio\ntags: [template]\n---\n"
    HfHub.Commit.upload_file!({:binary, card}, "README.md", id, [repo_type: :space] ++ ours)
    assert {:ok, []} = Spaces.search(word, ours)
    assert [%SpaceSearchResult{id: ^id} = found] = Spaces.search!(word, [include_non_running: true] ++ ours)
    assert found.title == "The #{word}" and found.runtime.stage == :no_app_file and found.private == false
    stage(id, ["RUNNING"])
    assert [%{id: ^id}] = Spaces.stream_search(word, ours) |> Enum.to_list()
    assert [] = Spaces.search!(word, [sdk: [:docker |> to_string()]] ++ ours)
    assert [%{id: ^id}] = Spaces.search!(word, [sdk: :gradio, filter: "template", limit: 1] ++ ours)
    assert [] = Spaces.search!(word, [filter: ["template", "none"]] ++ ours)

    templates = Spaces.list_templates!(ours)
    assert %SpaceTemplate{sdk: "gradio"} = Enum.find(templates, &(&1.repo_id == id))
    copy = "#{context.account}/made"
    Repo.create!(copy, [repo_type: :space, space_template: "the #{word}"] ++ ours)
    assert Api.space_info!(copy, ours).card_data["title"] == "The #{word}"
  end

  test "hardware and quota are listed", %{ours: ours} do
    assert {:ok, [%SpaceHardware{name: "cpu-basic", cpu: "2 vCPU"} | _more] = all} =
             Spaces.list_hardware(ours)

    assert all == Spaces.list_hardware!(ours)
    assert %{accelerator: %{"model" => "T4"}} = Enum.find(all, &(&1.name == "t4-small"))
    assert Enum.sort(for one <- all, do: one.name) == Enum.sort(HfHub.Spaces.Values.hardware())
    assert {:ok, %ZeroGpuQuota{base: base, remaining: base}} = Spaces.get_zero_gpu_quota(ours)
    assert {:error, %Error{kind: :no_token}} = Spaces.get_zero_gpu_quota([token: false] ++ ours)
  end

  test "others cannot change a Space, and the error has the next step", %{id: id} = context do
    stranger = context.stranger

    for call <- [
          &Spaces.pause(id, &1),
          &Spaces.restart(id, &1),
          &Spaces.request_hardware(id, :t4_small, &1),
          &Spaces.set_sleep_time(id, 60, &1),
          &Spaces.request_storage(id, :small, &1),
          &Spaces.delete_storage(id, &1),
          &Spaces.enable_dev_mode(id, &1),
          &Spaces.disable_dev_mode(id, &1),
          &Spaces.set_volumes(id, [], &1),
          &Spaces.delete_volumes(id, &1),
          &Spaces.add_variable(id, "A", "b", &1),
          &Spaces.delete_variable(id, "A", &1),
          &Spaces.add_secret(id, "A", "b", &1),
          &Spaces.delete_secret(id, "A", &1)
        ] do
      assert {:error, %Error{kind: :forbidden, message: message}} = call.(stranger)
      assert message =~ "or duplicate the Space"
    end

    assert {:error, %Error{kind: kind}} = Spaces.pause(id, Keyword.put(stranger, :token, false))
    assert kind in [:no_token, :repo_not_found]
  end

  test "a static Space cannot be paused", %{ours: ours} = context do
    id = "#{context.account}/site"
    Repo.create!(id, [repo_type: :space, space_sdk: :static] ++ ours)
    assert {:error, %Error{kind: :bad_request, message: message}} = Spaces.pause(id, ours)
    assert message =~ "static Space cannot be paused"
  end

  test "values are checked before a request", %{id: id, ours: ours} do
    for {call, allowed} <- [
          {fn -> Spaces.request_hardware(id, :t4_smal, ours) end, "t4-small"},
          {fn -> Spaces.request_hardware(id, "T4 small", ours) end, "t4-small"},
          {fn -> Spaces.request_hardware(id, nil, ours) end, "t4-small"},
          {fn -> Spaces.request_hardware(id, :l4x1, [sleep_time: 0] ++ ours) end, ":never"},
          {fn -> Spaces.set_sleep_time(id, 0, ours) end, ":never"},
          {fn -> Spaces.set_sleep_time(id, 1.5, ours) end, ":never"},
          {fn -> Spaces.request_storage(id, :huge, ours) end, ":small, :medium or :large"},
          {fn -> Spaces.add_variable(id, "1A", "x", ours) end, "letters, digits and underscores"},
          {fn -> Spaces.add_variable(id, "A", nil, ours) end, "a string"},
          {fn -> Spaces.delete_secret(id, "A B", ours) end, "letters, digits and underscores"},
          {fn -> Spaces.set_volumes(id, [%{source: "a/b", mount_path: "data"}], ours) end, ":mount_path"},
          {fn -> Spaces.set_volumes(id, [%{source: "a/b", mount_path: "/a/../b"}], ours) end, ":mount_path"},
          {fn -> Spaces.set_volumes(id, [%{type: :disk, source: "a/b", mount_path: "/d"}], ours) end,
           ":bucket"},
          {fn -> Spaces.set_volumes(id, :none, ours) end, ":mount_path"},
          {fn -> Spaces.set_volumes(id, nil, ours) end, ":mount_path"},
          {fn -> Spaces.search("  ", ours) end, "at least one word"},
          {fn -> Spaces.search(nil, ours) end, "at least one word"},
          {fn -> Spaces.duplicate(id, [secrets: %{"A B" => "x"}] ++ ours) end,
           "letters, digits and underscores"},
          {fn -> Spaces.logs(id, [quiet: 0] ++ ours) end, "positive integer"}
        ] do
      error = assert_raise ArgumentError, call
      assert error.message =~ allowed
    end

    assert {:error, %Error{kind: :invalid_name}} = Spaces.get_runtime("no-owner", ours)
    assert {:error, %Error{kind: :invalid_name}} = Spaces.pause("hf://datasets/#{id}", ours)
    assert {:error, %Error{kind: :repo_not_found}} = Spaces.get_runtime("#{id}-none", ours)
    assert requests("#{id}/hardware") == []
    # Newer hardware than this library knows is the Hub's decision.
    assert {:error, %Error{kind: :bad_request, message: message}} =
             Spaces.request_hardware(id, "h900x2", ours)

    assert message =~ "Must be one of [cpu-basic"
  end

  test "a value with bytes that are not text is an error without the value" do
    message = "expected the value to be a string of valid UTF-8, got "
    assert_raise ArgumentError, message <> "other bytes", fn -> Spaces.add_secret("me/x", "A", <<255>>) end
    assert_raise ArgumentError, message <> "something else", fn -> Spaces.add_variable("me/x", "A", 5) end
  end
end
