"""Stories of buying, selling, earning and saving."""

from __future__ import annotations

from bswirl.problems.template import Template, line

_GOODS = ("notebooks", "pens", "mugs", "candles", "posters", "scarves", "hats", "plants", "puzzles", "lamps")
_FRUIT = ("apples", "pears", "mangoes", "melons", "peaches", "plums", "oranges", "lemons")
_TREATS = ("muffins", "pies", "waffles", "cupcakes", "bagels", "tarts")

BUYING: tuple[Template, ...] = (
    Template(
        "change",
        (
            "{n} buys {a} {goods} that cost ${p} each and pays with ${c}. How "
            "many dollars of change does {he} get?",
            "A shop sells {goods} at ${p} each. {n} takes {a} of them and hands "
            "over ${c}. How much change should {he} receive?",
            "{n} has ${c}. {He} spends some of it on {a} {goods} for ${p} each. "
            "How many dollars does {he} have left?",
        ),
        {"a": (3, 12, 1), "p": (2, 15, 1), "c": (20, 200, 10)},
        (
            line("cost", "a * p", "The {goods} cost {usd} in all.", "{n} pays {usd} for the {goods}."),
            line("left", "c - cost", "{n} has {usd} left.", "The change is {usd}."),
        ),
        {"goods": _GOODS},
    ),
    Template(
        "cart",
        (
            "{n} buys {a} {fruit} at ${p} each and {b} {goods} at ${q} each. How "
            "much does {he} spend in total?",
            "At the market {n} picks {a} {fruit} for ${p} each and {b} {goods} "
            "for ${q} each. What is the total price in dollars?",
            "One of the {fruit} costs ${p} and one of the {goods} costs ${q}. {n} wants "
            "{a} {fruit} and {b} {goods}. How many dollars does {he} need?",
        ),
        {"a": (2, 12, 1), "p": (2, 9, 1), "b": (2, 9, 1), "q": (3, 20, 1)},
        (
            line("x", "a * p", "The {fruit} cost {usd}."),
            line("y", "b * q", "The {goods} cost {usd}."),
            line("total", "x + y", "In total {n} spends {usd}.", "Together that is {usd}."),
        ),
        {"fruit": _FRUIT, "goods": _GOODS},
    ),
    Template(
        "coupon",
        (
            "{n} orders {a} {goods} for ${p} each and {b} {treats} for ${q} each. {He} has "
            "a coupon for ${d} off the whole order. How much does {he} pay?",
            "An order holds {a} {goods} at ${p} each and {b} {treats} at ${q} each, "
            "and a coupon takes ${d} off. How many dollars does {n} pay?",
            "{n} uses a ${d} coupon when {he} buys {b} {treats} at ${q} each and "
            "{a} {goods} at ${p} each. What does {he} pay in dollars?",
        ),
        {"a": (2, 9, 1), "p": (5, 25, 1), "b": (2, 10, 1), "q": (2, 6, 1), "d": (5, 25, 5)},
        (
            line("x", "a * p", "The {goods} cost {usd}."),
            line("y", "b * q", "The {treats} cost {usd}."),
            line("sum", "x + y", "Before the coupon the order costs {usd}."),
            line("paid", "sum - d", "With the coupon {n} pays {usd}."),
        ),
        {"goods": _GOODS, "treats": _TREATS},
    ),
    Template(
        "discount",
        (
            "A jacket costs ${p}. In a sale it is {d} percent cheaper. {n} buys "
            "{k} of these jackets. How much does {he} pay?",
            "{n} buys {k} jackets in a sale. Each one normally costs ${p}, but today "
            "there is {d}% off. How many dollars does {he} pay in total?",
            "The price of a jacket falls by {d}% from ${p}. What do {k} jackets cost {n} now, in dollars?",
        ),
        {"p": (20, 120, 10), "d": (10, 50, 10), "k": (2, 6, 1)},
        (
            line("off", "p * d / 100", "The discount on one jacket is {usd}."),
            line("price", "p - off", "One jacket now costs {usd}."),
            line("total", "price * k", "{n} pays {usd}.", "The jackets cost {usd} together."),
        ),
    ),
    Template(
        "saving",
        (
            "{n} earns ${a} a week for {job}. After {w} weeks {he} spends ${s} on a gift. "
            "{He} wants a bicycle for ${g}. How many more dollars does {he} need?",
            "For {job} {n} gets ${a} every week. {He} works {w} weeks, then buys a gift for "
            "${s}. How much money is {he} still missing for a bicycle that costs ${g}?",
            "{n} wants to buy a bicycle for ${g}. {He} has worked {w} weeks for ${a} a week, {job}, "
            "and has spent ${s} of it. How many dollars does {he} still have to earn?",
        ),
        {"a": (8, 30, 1), "w": (3, 9, 1), "s": (5, 40, 5), "g": (150, 400, 10)},
        (
            line("earned", "a * w", "{n} earns {usd}."),
            line("left", "earned - s", "After the gift {he} has {usd}."),
            line("need", "g - left", "{He} still needs {usd}."),
        ),
        {"job": ("walking dogs", "mowing lawns", "delivering papers", "washing cars", "looking after cats")},
    ),
    Template(
        "concert",
        (
            "A school concert sells {a} tickets for adults at ${p} and {c} tickets "
            "for children at ${q}. The hall costs ${h}. The profit is shared equally "
            "by {k} classes. How many dollars does each class get?",
            "For the school concert {a} adults pay ${p} each and {c} children pay "
            "${q} each. After paying ${h} for the hall, {k} classes split what is "
            "left equally. How much does one class receive?",
            "{n} runs a concert: {a} adults at ${p}, {c} children at ${q}. The hall takes ${h}, and "
            "the rest goes in equal parts to {k} classes. What is one part, in dollars?",
        ),
        {
            "a": (20, 60, 10),
            "p": (5, 9, 1),
            "c": (10, 60, 10),
            "q": (2, 4, 1),
            "h": (50, 150, 10),
            "k": (2, 6, 1),
        },
        (
            line("x", "a * p", "The adults pay {usd}."),
            line("y", "c * q", "The children pay {usd}."),
            line("sum", "x + y", "Together that is {usd}."),
            line("profit", "sum - h", "After the hall {usd} is left."),
            line("part", "profit / k", "Each class gets {usd}."),
        ),
    ),
    Template(
        "eggs",
        (
            "{n}'s hens lay {a} eggs a day. {He} keeps {b} of them and sells the "
            "others for ${p} each. How much does {he} make in a week?",
            "Every day {n} collects {a} eggs, uses {b} in {his} kitchen and sells the "
            "rest at ${p} an egg. How many dollars does {he} earn in one week?",
            "{n} sells eggs at ${p} each. {His} hens lay {a} a day and {he} eats "
            "{b} of those. What does {he} earn in a week, in dollars?",
        ),
        {"a": (8, 24, 1), "b": (2, 7, 1), "p": (2, 5, 1)},
        (
            line("sold", "a - b", "{n} sells {eq} eggs a day."),
            line("day", "sold * p", "{He} makes {usd} a day."),
            line("week", "day * 7", "In a week {he} makes {usd}."),
        ),
    ),
    Template(
        "twice-price",
        (
            "A chair costs ${p}. A table costs twice as much. {n} buys {k} "
            "chairs and one table. How many dollars is that?",
            "{n} furnishes a room with one table and {k} chairs. Each chair is ${p} and the "
            "table is twice the price of a chair. What is the total cost in dollars?",
            "A table is twice as expensive as a chair, and a chair costs ${p}. "
            "How much does {n} pay for {k} chairs and a table?",
        ),
        {"p": (12, 60, 1), "k": (2, 8, 1)},
        (
            line("table", "p * 2", "The table costs {usd}."),
            line("chairs", "p * k", "The chairs cost {usd}."),
            line("total", "table + chairs", "Together they cost {usd}."),
        ),
    ),
)
