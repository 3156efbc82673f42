"""Tiny random checkpoints of every family, their tensors made by transformers' own classes.

`build` writes a checkpoint the way it is published and returns the class that made it, as a function from one
window's ids to what the reference would say of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tiny import tiny_tokenizer
from tokenizers.processors import TemplateProcessing
from torch import Tensor, nn

# (ids, token types) -> (probability of each token, ranking logit or None)
Reference = Callable[[Tensor, Tensor], tuple[Tensor, Tensor | None]]
KINDS = ("openprovence-modernbert", "openprovence-xlmr", "openprovence-bert", "provence", "xprovence", "opensearch")
POSITIONS = 96
LOCAL = 16


def build(kind: str, folder: Path, *, positions: int = POSITIONS, max_length: int | None = None) -> Reference:
    """Write a checkpoint of a kind with room for `positions` tokens, and return its reference."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = tiny_tokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>" if "xl" in kind or kind == "xprovence" else "<s> $A </s> $B:1 </s>:1",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(7)
    common = {
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "pad_token_id": 1,
        "num_labels": 1,
    }
    model, head, config = _MAKERS[kind](common, positions)
    shake(model), shake(head)
    config = config | {} if max_length is None else config | {"max_length": max_length}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    save_file({k: v.contiguous() for k, v in named(kind, model, head).items()}, folder / "model.safetensors")
    return reference(kind, model.eval(), head.eval())


def shake(module: nn.Module) -> None:
    """Give every parameter values far from its default, so that each one matters."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            noise = torch.randn_like(parameter) * 0.25
            parameter.copy_(1 + noise if "norm" in name.lower() and name.endswith("weight") else noise)


def _modernbert(common: dict[str, Any], positions: int) -> tuple[nn.Module, nn.Module, dict[str, Any]]:
    from transformers import ModernBertConfig, ModernBertForSequenceClassification

    special = {"bos_token_id": 0, "cls_token_id": 0, "eos_token_id": 2, "sep_token_id": 2}
    config = ModernBertConfig(
        **common,
        **special,
        max_position_embeddings=positions,
        local_attention=LOCAL,
        global_attn_every_n_layers=3,
        classifier_pooling="mean",
    )
    return ModernBertForSequenceClassification(config), nn.Linear(32, 2), open_provence(config.to_dict())


def _xlm_roberta(common: dict[str, Any], positions: int) -> tuple[nn.Module, nn.Module, dict[str, Any]]:
    from transformers import XLMRobertaConfig, XLMRobertaForSequenceClassification

    config = XLMRobertaConfig(**common, max_position_embeddings=positions + 2, type_vocab_size=1, layer_norm_eps=1e-5)
    return XLMRobertaForSequenceClassification(config), nn.Linear(32, 2), open_provence(config.to_dict())


def _bert(common: dict[str, Any], positions: int) -> tuple[nn.Module, nn.Module, dict[str, Any]]:
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(**common, max_position_embeddings=positions)
    return BertForSequenceClassification(config), nn.Linear(32, 2), open_provence(config.to_dict())


def _provence(common: dict[str, Any], positions: int) -> tuple[nn.Module, nn.Module, dict[str, Any]]:
    from transformers import DebertaV2Config, DebertaV2ForSequenceClassification

    fields = {
        "relative_attention": True,
        "share_att_key": True,
        "pos_att_type": ["p2c", "c2p"],
        "norm_rel_ebd": "layer_norm",
        "position_biased_input": False,
        "position_buckets": 16,
        "max_relative_positions": -1,
        "type_vocab_size": 0,
        "max_position_embeddings": positions,
        "pooler_hidden_act": "gelu",
        "layer_norm_eps": 1e-7,
        "hidden_act": "gelu",
    }
    model = DebertaV2ForSequenceClassification(DebertaV2Config(**common, **fields))
    return model, nn.Linear(32, 2), common | fields | {"model_type": "Provence"}


def _xprovence(common: dict[str, Any], positions: int) -> tuple[nn.Module, nn.Module, dict[str, Any]]:
    model, head, config = _xlm_roberta(common, positions)
    return model, head, config["base_model_config"] | {"model_type": "XProvence"}


def _opensearch(common: dict[str, Any], positions: int) -> tuple[nn.Module, nn.Module, dict[str, Any]]:
    model, head, config = _bert(common, positions)
    return model, head, config["base_model_config"]


_MAKERS: dict[str, Callable[..., tuple[nn.Module, nn.Module, dict[str, Any]]]] = {
    "openprovence-modernbert": _modernbert,
    "openprovence-xlmr": _xlm_roberta,
    "openprovence-bert": _bert,
    "provence": _provence,
    "xprovence": _xprovence,
    "opensearch": _opensearch,
}


def open_provence(base: dict[str, Any]) -> dict[str, Any]:
    """Wrap a backbone's config as OpenProvence does."""
    return {"model_type": "open_provence", "base_model_config": base, "max_length": base["max_position_embeddings"]}


def named(kind: str, model: nn.Module, head: nn.Module) -> dict[str, Tensor]:
    """Name all tensors as the family publishes them."""
    if kind.startswith("openprovence"):
        whole = {f"ranking_model.{name}": tensor for name, tensor in model.state_dict().items()}
        return whole | {f"pruning_head.classifier.{name}": tensor for name, tensor in head.state_dict().items()}
    if kind == "opensearch":
        encoder = {name: tensor for name, tensor in model.state_dict().items() if name.startswith("bert.")}
        return encoder | {f"classifier.{name}": tensor for name, tensor in head.state_dict().items()}
    heads = {f"token_classifier.{name}": tensor for name, tensor in head.state_dict().items()}
    return dict(model.state_dict()) | heads


def reference(kind: str, model: nn.Module, head: nn.Module) -> Reference:
    """Return what transformers' class and the token head say of one window."""
    last: list[Tensor] = []
    encoder: Any = model.base_model
    layers = encoder.layers if kind.endswith("modernbert") else getattr(encoder.encoder, "layer", None)
    layers[-1].register_forward_hook(
        lambda _module, _args, out: last.append(out if isinstance(out, Tensor) else out[0])
    )

    def run(ids: Tensor, types: Tensor) -> tuple[Tensor, Tensor | None]:
        last.clear()
        extra = {"token_type_ids": types[None]} if kind.endswith("bert") or kind == "opensearch" else {}
        extra = {} if kind.endswith("modernbert") else extra
        with torch.inference_mode():
            logits = model(input_ids=ids[None], attention_mask=torch.ones_like(ids)[None], **extra).logits[0, 0]
            probabilities = torch.softmax(head(last[0][0]), -1)[:, 1]
        return probabilities, None if kind == "opensearch" else logits

    return run
