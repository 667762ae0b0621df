"""Stories of comparing, collecting and sharing out."""

from __future__ import annotations

from bswirl.problems.template import Template, line

_THINGS = ("stickers", "marbles", "cards", "shells", "stamps", "coins", "badges", "buttons")
_SWEETS = ("candies", "chocolates", "toffees", "gummies", "caramels")
_GROUPS = ("friends", "cousins", "classmates", "neighbors")

SHARING: tuple[Template, ...] = (
    Template(
        "half-as-many",
        (
            "{n} sold {a} {things} in April and half as many in May. How many "
            "{things} did {he} sell in April and May together?",
            "In April {n} sold {a} {things}. In May {he} sold half that number. "
            "How many {things} is that in the two months?",
            "{n} gave away {a} {things} on Monday and half as many on Tuesday. "
            "How many {things} did {he} give away in all?",
        ),
        {"a": (8, 200, 2)},
        (
            line("other", "a / 2", "Half as many is {eq} {things}."),
            line("total", "a + other", "Together that makes {eq} {things}."),
        ),
        {"things": _THINGS},
    ),
    Template(
        "ages",
        (
            "{n} is {a} years old. {m} is {k} times as old. {m}'s brother is {b} "
            "years younger than {m}. How old are the three of them together?",
            "{m} is {k} times as old as {n}, who is {a}. {m} has a brother who is {b} "
            "years younger than {m}. What is the sum of the three ages?",
            "{n} is {a}, {m} is {k} times {n}'s age, and {m}'s brother is {b} "
            "years younger than {m}. What do their three ages add up to?",
        ),
        {"a": (4, 15, 1), "k": (2, 5, 1), "b": (2, 12, 1)},
        (
            line("older", "a * k", "{m} is {eq} years old."),
            line("brother", "older - b", "The brother is {eq} years old."),
            line("two", "a + older", "{n} and {m} are {eq} years old together."),
            line("sum", "two + brother", "All three together are {eq} years old."),
        ),
    ),
    Template(
        "teams",
        (
            "A school hall has {r} rows of {s} seats, all taken by pupils. {d} pupils go "
            "home and the rest form teams of {k}. How many teams are there?",
            "{r} rows of {s} pupils stand in the yard. When {d} of them leave, the "
            "others make teams of {k}. How many teams do they make?",
            "In a camp there are {r} tents with {s} children each. {d} children are ill, "
            "and the others are put into teams of {k}. How many teams is that?",
        ),
        {"r": (4, 12, 1), "s": (5, 15, 1), "d": (3, 20, 1), "k": (3, 10, 1)},
        (
            line("all", "r * s", "There are {eq} children."),
            line("rest", "all - d", "After that {eq} are left."),
            line("teams", "rest / k", "They make {eq} teams."),
        ),
    ),
    Template(
        "sweets",
        (
            "{n} has {a} bags of {b} {sweets} and finds {c} more. {He} eats {d} and shares the "
            "rest equally among {k} {group}. How many {sweets} does each of them get?",
            "There are {b} {sweets} in a bag. {n} has {a} bags and {c} loose {sweets}. {He} eats {d} "
            "of them, and {k} {group} share the others equally. How many does each get?",
            "{n} opens {a} bags with {b} {sweets} each and adds {c} {sweets} from a jar. After eating {d}, "
            "{he} splits them evenly between {k} {group}. How many {sweets} is that for each?",
        ),
        {"a": (2, 9, 1), "b": (6, 20, 1), "c": (3, 20, 1), "d": (2, 10, 1), "k": (3, 9, 1)},
        (
            line("bags", "a * b", "The bags hold {eq} {sweets}."),
            line("all", "bags + c", "With the others there are {eq} {sweets}."),
            line("rest", "all - d", "After eating some {eq} are left."),
            line("each", "rest / k", "Each one gets {eq} {sweets}."),
        ),
        {"sweets": _SWEETS, "group": _GROUPS},
    ),
    Template(
        "collection",
        (
            "{n} has {a} {things}. {m} has {k} times as many. They put them together, sell {s} "
            "and share the rest equally. How many {things} does each of them keep?",
            "{m} owns {k} times as many {things} as {n}, who owns {a}. They join their "
            "collections, lose {s} and split the rest in half. How many {things} does each get?",
            "{n} brings {a} {things} and {m} brings {k} times that number. They give {s} of them away and "
            "divide the others equally between the two of them. How many {things} is one share?",
        ),
        {"a": (10, 60, 1), "k": (2, 5, 1), "s": (5, 40, 1)},
        (
            line("other", "a * k", "{m} has {eq} {things}."),
            line("both", "a + other", "Together they have {eq} {things}."),
            line("rest", "both - s", "Then {eq} are left."),
            line("each", "rest / 2", "Each one gets {eq} {things}."),
        ),
        {"things": _THINGS},
    ),
    Template(
        "more-and-fewer",
        (
            "{n} has {a} {things}. {m} has {b} more than {n}. Their friend has half "
            "as many as {m}. How many {things} does the friend have?",
            "{m} has {b} more {things} than {n}, who has {a}. A friend of theirs "
            "has half as many as {m}. How many {things} has the friend?",
            "Half of {m}'s {things} is what a friend owns. {m} owns {b} more than "
            "{n}, and {n} owns {a} {things}. How many does the friend own?",
        ),
        {"a": (10, 150, 1), "b": (3, 60, 1)},
        (
            line("other", "a + b", "{m} has {eq} {things}."),
            line("friend", "other / 2", "The friend has {eq} {things}."),
        ),
        {"things": _THINGS},
    ),
    Template(
        "library",
        (
            "A library has {a} shelves with {b} books each. {p} percent of the "
            "books are lent out. How many books are still on the shelves?",
            "{n} counts {a} shelves of {b} books in a library. {p}% of all the "
            "books are out on loan. How many are not on loan?",
            "There are {b} books on each of {a} shelves. Readers borrow {p}% of them. How many books stay?",
        ),
        {"a": (2, 10, 1), "b": (20, 80, 10), "p": (10, 60, 10)},
        (
            line("all", "a * b", "There are {eq} books."),
            line("out", "all * p / 100", "Of these {eq} books are out."),
            line("left", "all - out", "So {eq} books are still there."),
        ),
    ),
    Template(
        "garden",
        (
            "{n} plants {r} rows of {s} carrots. {d} of them are eaten by rabbits. "
            "{He} ties the rest into bunches of {k}, sells each bunch for ${p} and "
            "spends ${c} on seeds. How much money does {he} have then?",
            "In {n}'s garden {r} rows of {s} carrots grow, but rabbits eat {d}. "
            "The others are sold in bunches of {k} at ${p} a bunch, and ${c} of "
            "that money goes into seeds. How many dollars are left?",
            "{r} rows with {s} carrots each grow in a garden; {d} carrots are lost. "
            "{n} makes bunches of {k} from the others and gets ${p} a bunch. After "
            "buying seeds for ${c}, how many dollars does {he} have?",
        ),
        {"r": (4, 10, 1), "s": (6, 15, 1), "d": (3, 20, 1), "k": (3, 8, 1), "p": (2, 5, 1), "c": (4, 12, 1)},
        (
            line("all", "r * s", "There are {eq} carrots."),
            line("rest", "all - d", "After the loss {eq} carrots are left."),
            line("bunches", "rest / k", "They make {eq} bunches."),
            line("money", "bunches * p", "The bunches sell for {usd}."),
            line("left", "money - c", "After the seeds {n} has {usd}."),
        ),
    ),
)
