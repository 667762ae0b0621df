"""Prompts as versioned files: what policies and judges behind a chat interface are told."""

from bswirl.prompts.prompt import NOTHING, PURPOSES, ChatMessage, Prompt, Purpose
from bswirl.prompts.shipped import prompt_text, shipped, shipped_text

__all__ = [
    "NOTHING",
    "PURPOSES",
    "ChatMessage",
    "Prompt",
    "Purpose",
    "prompt_text",
    "shipped",
    "shipped_text",
]
