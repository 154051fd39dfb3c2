"""Runs llama.cpp's server on two models that need no download, until its standard input is closed.

    llama_server.py FOLDER [MODEL]

`chat.gguf` is a Llama of random weights, which the script writes: it answers any prompt with nonsense, always the same
for a seed, and obeys a grammar. With MODEL, the folder of all-MiniLM-L6-v2, a second server embeds texts. The first
line of the output has the addresses as JSON.
"""

import json
import sys
from pathlib import Path

import gguf
import numpy as np
import xllamacpp as llama

# The template of Qwen 2.5, shortened: llama.cpp finds out from it how this model calls functions.
TEMPLATE = r"""
{%- if tools %}
{{- '<|im_start|>system\n# Tools\n\n<tools>' }}
{%- for tool in tools %}{{- '\n' }}{{- tool | tojson }}{%- endfor %}
{{- '\n</tools>\n\nReturn calls as:\n<tool_call>{"name": <name>, "arguments": <object>}</tool_call><|im_end|>\n' }}
{%- endif %}
{%- for message in messages %}
{%- if message.role == "tool" %}
{{- '<|im_start|>user\n<tool_response>\n' + message.content + '\n</tool_response><|im_end|>\n' }}
{%- else %}
{{- '<|im_start|>' + message.role }}
{%- if message.content %}{{- '\n' + message.content }}{%- endif %}
{%- for call in message.tool_calls or [] %}
{{- '<tool_call>{"name": "' + call.function.name + '", "arguments": ' }}
{{- call.function.arguments | tojson }}
{{- '}</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"""

WIDTH, HIDDEN, LAYERS, HEADS, CONTEXT = 64, 128, 2, 4, 8192


def tokens():
    """The tokens of the template, and printable ASCII characters as byte-level BPE writes them. Token 0 begins a call
    of a function and token 4 ends the reply, so that a bias of their logits makes a model without sense call one."""
    characters = [chr(c) for c in range(33, 127)] + ["Ġ", "Ċ", "ĠĠ"]
    return ["<tool_call>", "</tool_call>"], ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], characters


def write_chat_model(path):
    calls, special, characters = tokens()
    words = calls + special + characters
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("random")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(words)
    kinds = [(calls, "USER_DEFINED"), (special, "CONTROL"), (characters, "NORMAL")]
    writer.add_token_types([gguf.TokenType[kind] for some, kind in kinds for _word in some])
    writer.add_token_merges(["Ġ Ġ"])
    writer.add_eos_token_id(words.index("<|im_end|>"))
    writer.add_bos_token_id(words.index("<|endoftext|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)

    random = np.random.default_rng(16)

    def tensor(name, *shape):
        writer.add_tensor(name, random.standard_normal(shape, dtype=np.float32) * 0.5)

    def norm(name):
        writer.add_tensor(name, np.ones(WIDTH, dtype=np.float32))

    tensor("token_embd.weight", len(words), WIDTH)
    tensor("output.weight", len(words), WIDTH)
    norm("output_norm.weight")
    for layer in range(LAYERS):
        for name in ["attn_q", "attn_k", "attn_v", "attn_output"]:
            tensor(f"blk.{layer}.{name}.weight", WIDTH, WIDTH)
        tensor(f"blk.{layer}.ffn_gate.weight", HIDDEN, WIDTH)
        tensor(f"blk.{layer}.ffn_up.weight", HIDDEN, WIDTH)
        tensor(f"blk.{layer}.ffn_down.weight", WIDTH, HIDDEN)
        norm(f"blk.{layer}.attn_norm.weight")
        norm(f"blk.{layer}.ffn_norm.weight")
    finish(writer)


def write_embedding_model(path, source):
    config = json.loads((source / "config.json").read_text())
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_name("all-MiniLM-L6-v2")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    words = (source / "vocab.txt").read_text(encoding="utf-8").splitlines()
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_type_count(config["type_vocab_size"])
    writer.add_token_list([phantom_space(word) for word in words])
    writer.add_token_types([gguf.TokenType.CONTROL if special(word) else gguf.TokenType.NORMAL for word in words])
    for kind, word in [("unk", "[UNK]"), ("sep", "[SEP]"), ("pad", "[PAD]"), ("mask", "[MASK]"), ("bos", "[CLS]")]:
        getattr(writer, f"add_{kind}_token_id")(words.index(word))

    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, config["num_hidden_layers"])
    for name, tensor in safetensors(source / "model.safetensors"):
        known = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if known:
            writer.add_tensor(known, tensor)
    finish(writer)


def special(word):
    return word.startswith("[") and word.endswith("]")


def phantom_space(word):
    """How llama.cpp stores a vocabulary of WordPiece: words begin with a space, and the parts that go on with none."""
    if special(word):
        return word
    return word[2:] if word.startswith("##") else "\u2581" + word


def safetensors(path):
    content = np.memmap(path, dtype=np.uint8, mode="r")
    start = 8 + int.from_bytes(content[:8].tobytes(), "little")
    for name, about in json.loads(content[8:start].tobytes()).items():
        if name != "__metadata__" and about["dtype"] == "F32":
            first, last = about["data_offsets"]
            yield name, content[start + first : start + last].view(np.float32).reshape(about["shape"])


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def serve(path, name, **more):
    params = llama.CommonParams()
    params.model.path = str(path)
    params.model_alias = {name}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_gpu_layers = 0
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.warmup = False
    params.verbosity = -1
    for key, value in more.items():
        setattr(params, key, value)
    return llama.Server(params)


folder = Path(sys.argv[1])
write_chat_model(folder / "chat.gguf")
servers = {"chat": serve(folder / "chat.gguf", "random", n_ctx=CONTEXT, n_parallel=4, ctx_shift=True)}
if len(sys.argv) > 2:
    write_embedding_model(folder / "embed.gguf", Path(sys.argv[2]))
    servers["embed"] = serve(folder / "embed.gguf", "minilm", embedding=True, n_ctx=512, n_batch=512, n_ubatch=512)

print(json.dumps({name: server.listening_address for name, server in servers.items()}), flush=True)
sys.stdin.read()
