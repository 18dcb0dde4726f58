"""Write messages.csv: 800 invented short messages, a third of them spam. No person wrote or got any of them.

python specs/data/make_messages.py [FILE]
"""

from __future__ import annotations

import csv
import random
import sys
from pathlib import Path

ROWS, SEED = 800, 11
SPAM = (
    "{loud} You have won a {prize}! Call {number} {now}",
    "{loud} Claim your {prize} {now}, text {word} to {number}",
    "Your account is on hold. Confirm your {secret} at {site} {now}",
    "Cheap {goods}, {percent}% off {now}. Order at {site}",
    "Last chance: {prize} for the first {count} who reply {word} to {number}",
    "Hi {name}, earn {pounds} a day from home. See {site}",
)
"""What spam is made of."""
HAM = (
    "Hi {name}, are you coming to {place} {day}?",
    "Sorry, the {thing} is late. See you at {hour}",
    "Can you call me {day}? It is about the {thing}",
    "We are at {place} until {hour}, bring the {thing}",
    "Thanks for the {thing}, {name}! See you {day}",
    "Happy birthday {name}, the prize for the best cake is yours :)",
    "I won the {thing} at {place}, can you believe it?",
    "Is the {thing} free {day}? {name} wants to claim it",
)
"""What other messages are made of; some have words of spam."""
WORDS = {
    "loud": ("URGENT!", "FREE!", "WINNER!!", "Congratulations!", "Dear customer,"),
    "prize": ("prize of 1000", "holiday", "new phone", "gift card", "cash prize"),
    "now": ("now", "today", "before midnight", "within 24 hours"),
    "word": ("WIN", "YES", "CLAIM", "GO"),
    "secret": ("password", "card number", "PIN", "address"),
    "site": ("www.win-now.example", "bank.example/login", "deals.example", "bit.example/x9"),
    "goods": ("watches", "tickets", "phones", "loans", "pills"),
    "name": ("Ana", "Ben", "Chloe", "Dev", "Elif", "Femi"),
    "place": ("the station", "the park", "school", "Ana's house", "the office"),
    "day": ("today", "tomorrow", "on Friday", "at the weekend", "tonight"),
    "thing": ("train", "bike", "meeting", "book", "dinner", "car", "ticket", "phone"),
}
"""What stands in the places of the messages."""
SLIP = 0.04
"""The share of the words that are written wrongly: two letters change places."""
WRONG = 0.03
"""The share of the messages that somebody has sorted wrongly."""


def filled(form: str, draw: random.Random) -> str:
    """A message of a form."""
    words = {name: draw.choice(choices) for name, choices in WORDS.items()}
    numbers = {
        "number": f"0{draw.randint(700, 999)}{draw.randint(1000, 9999)}",
        "percent": draw.choice((20, 50, 70, 90)),
        "count": draw.randint(10, 500),
        "pounds": draw.randint(100, 900),
        "hour": draw.randint(1, 12),
    }
    return " ".join(slipped(word, draw) for word in form.format(**words, **numbers).split())


def slipped(word: str, draw: random.Random) -> str:
    """A word, at times with two letters that changed places."""
    if len(word) < 4 or draw.random() >= SLIP:
        return word
    at = draw.randrange(1, len(word) - 2)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def main(file: Path) -> None:
    """Write the file."""
    draw = random.Random(SEED)
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("message", "label"))
        for _ in range(ROWS):
            spam = draw.random() < 1 / 3
            message = filled(draw.choice(SPAM if spam else HAM), draw)
            writer.writerow((message, "spam" if spam != (draw.random() < WRONG) else "ham"))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "messages.csv")
