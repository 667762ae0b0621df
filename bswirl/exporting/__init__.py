"""What a training run made, in folders that other programs load: PEFT adapters and merged models."""
