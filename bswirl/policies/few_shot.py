"""Two worked examples, which show an untrained embedded model the format of the steps."""

from __future__ import annotations

from bswirl.policies.rendering import Message

TWO_SHOT: tuple[Message, ...] = (
    (
        "user",
        "A baker fills 6 trays with 12 rolls each. She sells 50 rolls in the morning. "
        "How many rolls are left?",
    ),
    (
        "assistant",
        "Step 1: The trays hold 6 * 12 = 72 rolls.\n"
        "Step 2: After the morning 72 - 50 = 22 rolls are left.\nAnswer: 22",
    ),
    (
        "user",
        "Tom saves $15 a week for 4 weeks and gets $20 from his aunt. A game costs $65. "
        "How much money does he have left after he buys it?",
    ),
    (
        "assistant",
        "Step 1: Tom saves 15 * 4 = 60 dollars.\nStep 2: With the gift he has 60 + 20 = 80 dollars.\n"
        "Step 3: After the game he has 80 - 65 = 15 dollars left.\nAnswer: 15",
    ),
)
