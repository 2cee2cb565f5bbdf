"""Stable Diffusion XL."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDPMScheduler,
    DiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from diffusers.training_utils import cast_training_params, compute_snr
from diffusers.utils import convert_state_dict_to_diffusers, convert_state_dict_to_kohya
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from trainer.families import sdxl_prompts
from trainer.families.family import Denoiser, Encoders, Example, Family
from trainer.memory import Options
from trainer.places import ADAPTER_FILE, OTHER_PROGRAMS_FILE
from trainer.weights import Part, Weights

LORA_TARGETS = ("to_k", "to_q", "to_v", "to_out.0")
"""The attention's projections: what diffusers' own example trains."""
MIN_SNR_GAMMA = 5.0
"""Hang et al. 2023, "Efficient Diffusion Training via Min-SNR Weighting Strategy" (arXiv:2303.09556), who use 5.
Steps with little noise weigh less: they teach fine texture (of a film: grain and compression), not who it is."""


class SdxlEncoders(Encoders):
    """VAE, and both text encoders."""

    def __init__(self, weights: Weights, options: Options, device: torch.device) -> None:
        folder, variant = weights.folder, weights.variant
        self._device = device
        # In float32, as in diffusers' example: SDXL's own VAE overflows in fp16.
        vae = AutoencoderKL.from_pretrained(folder, subfolder="vae", variant=variant, dtype=torch.float32)
        self._vae = vae.to(device)
        self._tokenizers = [
            CLIPTokenizer.from_pretrained(folder, subfolder=name) for name in ("tokenizer", "tokenizer_2")
        ]
        self._encoders = [
            kind.from_pretrained(folder, subfolder=name, variant=variant, dtype=options.dtype).to(device).eval()
            for kind, name in ((CLIPTextModel, "text_encoder"), (CLIPTextModelWithProjection, "text_encoder_2"))
        ]
        self._nothing, _ = self._encode("")

    @torch.no_grad()
    def encode_picture(self, pixels: Tensor) -> Tensor:  # noqa: D102
        found = self._vae.encode(pixels[None].to(self._device, torch.float32)).latent_dist
        return torch.cat([found.mean, found.std]).cpu()

    def encode_caption(self, caption: str) -> dict[str, Tensor]:  # noqa: D102
        parts = [self._encode(part) for part in sdxl_prompts.split_prompt(self._tokenizers, caption)]
        return {
            "hidden": torch.cat([hidden for hidden, _ in parts]),
            # Of the first part alone, and shorter ones filled up with nothing: as prompts are encoded for drawing.
            "pooled": parts[0][1],
            "nothing": self._nothing,
        }

    @torch.no_grad()
    def _encode(self, text: str) -> tuple[Tensor, Tensor]:
        """Encode what the encoders read at once: hidden states, [tokens, width], and the pooled output."""
        hidden: list[Tensor] = []
        pooled: Tensor | None = None
        for tokenizer, encoder in zip(self._tokenizers, self._encoders, strict=True):
            tokens = tokenizer(
                text,
                padding="max_length",
                max_length=tokenizer.model_max_length,
                truncation=True,
                return_tensors="pt",
            ).input_ids
            said = encoder(tokens.to(self._device), output_hidden_states=True)
            # SDXL reads the last but one layer of both, and the second's pooled output.
            hidden.append(said.hidden_states[-2])
            pooled = said[0]
        assert pooled is not None  # noqa: S101 - for the type checker
        return torch.cat(hidden, dim=-1)[0].cpu(), pooled[0].cpu()


class SdxlDenoiser(Denoiser):
    """The UNet."""

    def __init__(self, weights: Weights, options: Options, device: torch.device, rank: int, seed: int) -> None:
        self._scheduler = DDPMScheduler.from_pretrained(weights.folder, subfolder="scheduler")
        self._dtype, self._device = options.dtype, device
        vae = AutoencoderKL.load_config(weights.folder, subfolder="vae")
        self._scaling = float(vae["scaling_factor"])
        unet = UNet2DConditionModel.from_pretrained(
            weights.folder, subfolder="unet", variant=weights.variant, dtype=options.dtype
        )
        unet.requires_grad_(False)
        unet.to(device)
        torch.manual_seed(seed)
        unet.add_adapter(
            LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=list(LORA_TARGETS))
        )
        # What is trained has to be in float32: a step is too small for 16 bits.
        cast_training_params(unet, dtype=torch.float32)
        if options.gradient_checkpointing:
            unet.enable_gradient_checkpointing()
        self.network = unet

    def parameters(self) -> list[nn.Parameter]:  # noqa: D102
        return [parameter for parameter in self.network.parameters() if parameter.requires_grad]

    def losses(  # noqa: D102
        self, network: nn.Module, examples: Sequence[Example], draws: Tensor, noise: tuple[Tensor, Tensor]
    ) -> Tensor:
        device, dtype = self._device, self._dtype
        moments = torch.stack([example.moments for example in examples]).to(device)
        for_latents, added = (one.to(device) for one in noise)
        latents = (moments[:, 0] + moments[:, 1] * for_latents) * self._scaling
        steps = (draws.double() * self._scheduler.config.num_train_timesteps).long().to(device)
        noisy = self._scheduler.add_noise(latents, added, steps)
        predicted = network(
            noisy.to(dtype),
            steps,
            _captions(examples).to(device, dtype),
            added_cond_kwargs={
                "text_embeds": torch.stack([example.conditions["pooled"] for example in examples]).to(
                    device, dtype
                ),
                "time_ids": torch.stack([example.sizes for example in examples]).to(device, dtype),
            },
            return_dict=False,
        )[0]
        snr = compute_snr(self._scheduler, steps)
        if self._scheduler.config.prediction_type == "v_prediction":
            target, divisor = self._scheduler.get_velocity(latents, added, steps), snr + 1
        else:
            target, divisor = added, snr
        squares = nn.functional.mse_loss(predicted.float(), target.float(), reduction="none")
        weight: Tensor = snr.clamp(max=MIN_SNR_GAMMA) / divisor
        return squares.mean(dim=(1, 2, 3)) * weight

    def adapter_state(self) -> dict[str, Tensor]:  # noqa: D102
        state = get_peft_model_state_dict(self.network)
        return {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}

    def load_adapter_state(self, state: dict[str, Tensor]) -> None:  # noqa: D102
        set_peft_model_state_dict(self.network, state)
        cast_training_params(self.network, dtype=torch.float32)

    def save_adapter(self, folder: Path) -> None:  # noqa: D102
        layers = convert_state_dict_to_diffusers(self.adapter_state())
        folder.mkdir(parents=True, exist_ok=True)
        StableDiffusionXLPipeline.save_lora_weights(folder, unet_lora_layers=layers, weight_name=ADAPTER_FILE)
        prefixed = {f"unet.{name}": tensor for name, tensor in self.adapter_state().items()}
        save_file(convert_state_dict_to_kohya(prefixed), folder / OTHER_PROGRAMS_FILE)


def _captions(examples: Sequence[Example]) -> Tensor:
    """Stack the hidden states of a batch's captions, all as long as the longest: [batch, tokens, width]."""
    captions = [example.conditions["hidden"] for example in examples]
    longest = max(len(caption) for caption in captions)
    filled = []
    for caption, example in zip(captions, examples, strict=True):
        nothing = example.conditions["nothing"]
        filled.append(torch.cat([caption, *[nothing] * ((longest - len(caption)) // len(nothing))]))
    return torch.stack(filled)


class Sdxl(Family):
    """SDXL base 1.0, and whatever was made of it in the same shape."""

    name = "sdxl"
    parts = (
        Part("unet", "model"),
        Part("vae", "model"),
        Part("text_encoder", "model"),
        Part("text_encoder_2", "model"),
        Part("tokenizer", "tokenizer"),
        Part("tokenizer_2", "tokenizer"),
        Part("scheduler", "scheduler"),
    )

    def load_encoders(self, weights: Weights, options: Options, device: torch.device) -> Encoders:  # noqa: D102
        return SdxlEncoders(weights, options, device)

    def load_denoiser(  # noqa: D102
        self, weights: Weights, options: Options, device: torch.device, *, rank: int, seed: int
    ) -> Denoiser:
        return SdxlDenoiser(weights, options, device, rank, seed)

    def load_pipeline(  # noqa: D102
        self, weights: Weights, options: Options, device: torch.device, adapter: Path | None = None
    ) -> DiffusionPipeline:
        pipeline = StableDiffusionXLPipeline.from_pretrained(
            weights.folder, variant=weights.variant, dtype=options.dtype
        )
        pipeline.to(device)
        if options.attention_slicing:
            pipeline.enable_attention_slicing()
        if options.vae_tiling:
            pipeline.vae.enable_tiling()
        if adapter is not None:
            pipeline.load_lora_weights(adapter, weight_name=ADAPTER_FILE)
        return pipeline

    def call_values(self, *, cfg_scale: float) -> dict[str, Any]:  # noqa: D102
        return {"guidance_scale": cfg_scale}

    def prompt_values(  # noqa: D102
        self, pipeline: DiffusionPipeline, prompt: str, negative_prompt: str
    ) -> dict[str, Tensor]:
        return sdxl_prompts.prompt_values(pipeline, prompt, negative_prompt)
