"""Stories of baking, building and working."""

from __future__ import annotations

from bswirl.problems.template import Template, line

_BAKED = ("cookies", "rolls", "scones", "pretzels", "buns", "biscuits")
_PARTS = ("toys", "clocks", "chairs", "bicycles", "radios", "keyboards")

PRODUCING: tuple[Template, ...] = (
    Template(
        "bakery",
        (
            "{n} bakes {t} trays of {k} {baked} each. {He} gives {e} to neighbors and packs the "
            "rest into boxes of {s}. Each box sells for ${p}. How much does {he} earn?",
            "A bakery makes {t} trays with {k} {baked} on each. {e} of them break. The others go into "
            "boxes of {s} that sell for ${p} a box. How many dollars does the bakery take in?",
            "There are {t} trays of {k} {baked}. {n} keeps {e}, puts the others into boxes "
            "of {s} and sells every box at ${p}. How much money does {he} get?",
        ),
        {"t": (3, 9, 1), "k": (8, 20, 2), "e": (4, 20, 1), "s": (4, 12, 1), "p": (3, 9, 1)},
        (
            line("all", "t * k", "There are {eq} {baked}."),
            line("rest", "all - e", "After that {eq} are left."),
            line("boxes", "rest / s", "They fill {eq} boxes."),
            line("money", "boxes * p", "The boxes sell for {usd}."),
        ),
        {"baked": _BAKED},
    ),
    Template(
        "two-workers",
        (
            "{n} folds {a} boxes an hour. {m} folds twice as many an hour. How "
            "many boxes do they fold together in {h} hours?",
            "{m} works twice as fast as {n}, who folds {a} boxes an hour. How "
            "many boxes do the two of them fold in {h} hours?",
            "In one hour {n} folds {a} boxes and {m} folds twice that number. "
            "Both work {h} hours. How many boxes is that?",
        ),
        {"a": (6, 40, 1), "h": (2, 9, 1)},
        (
            line("other", "a * 2", "{m} folds {eq} boxes an hour."),
            line("both", "a + other", "Together they fold {eq} boxes an hour."),
            line("total", "both * h", "In that time they fold {eq} boxes."),
        ),
    ),
    Template(
        "factory",
        (
            "A factory has {a} machines. Each makes {b} {parts} an hour and runs {h} hours a "
            "day. If {d} {parts} a day are faulty, how many good ones are made a day?",
            "{a} machines make {b} {parts} an hour each for {h} hours. Then {d} of the "
            "{parts} are thrown away because of faults. How many {parts} are good?",
            "In a factory each of {a} machines turns out {b} {parts} an hour. After {h} "
            "hours the inspectors reject {d} of them. How many {parts} pass?",
        ),
        {"a": (2, 9, 1), "b": (3, 12, 1), "h": (4, 12, 1), "d": (5, 30, 1)},
        (
            line("hour", "a * b", "In an hour the machines make {eq} {parts}."),
            line("day", "hour * h", "In all they make {eq} {parts}."),
            line("good", "day - d", "Of these {eq} are good."),
        ),
        {"parts": _PARTS},
    ),
    Template(
        "dozen",
        (
            "{n} buys {a} dozen eggs and already has {b} eggs. Each cake takes "
            "{c} eggs. How many cakes can {he} bake?",
            "{n} has {b} eggs in the fridge and buys {a} dozen more. If a cake "
            "needs {c} eggs, how many cakes can {he} make?",
            "A cake needs {c} eggs. How many cakes can {n} bake with {b} eggs "
            "from {his} hens and {a} dozen eggs from the shop?",
        ),
        {"a": (2, 9, 1), "b": (2, 12, 1), "c": (2, 6, 1)},
        (
            line("bought", "a * 12", "{n} buys {eq} eggs."),
            line("all", "bought + b", "{He} has {eq} eggs."),
            line("cakes", "all / c", "That is enough for {eq} cakes."),
        ),
    ),
    Template(
        "beads",
        (
            "{n} makes {a} bracelets with {b} beads each and {c} necklaces with {d} beads each. "
            "Beads come in bags of {s} that cost ${p}. How much does {he} spend on beads?",
            "A bracelet takes {b} beads and a necklace {d}. {n} makes {a} bracelets and {c} necklaces "
            "from bags of {s} beads at ${p} a bag. How many dollars do the beads cost?",
            "{n} needs beads for {a} bracelets of {b} beads and {c} necklaces of {d} beads. "
            "A bag of {s} beads costs ${p}. What do the bags cost in dollars?",
        ),
        {
            "a": (2, 8, 1),
            "b": (10, 30, 5),
            "c": (2, 6, 1),
            "d": (20, 60, 10),
            "s": (20, 60, 10),
            "p": (2, 6, 1),
        },
        (
            line("x", "a * b", "The bracelets take {eq} beads."),
            line("y", "c * d", "The necklaces take {eq} beads."),
            line("all", "x + y", "Together that is {eq} beads."),
            line("bags", "all / s", "{n} needs {eq} bags."),
            line("cost", "bags * p", "The bags cost {usd}."),
        ),
    ),
    Template(
        "wages",
        (
            "{n} earns ${a} an hour and works {h} hours a day, {d} days a week. {He} pays "
            "${r} a week for {his} room. How much does {he} have left each week?",
            "Working {d} days a week and {h} hours a day at ${a} an hour, {n} pays ${r} "
            "of {his} weekly wage in rent. How many dollars remain each week?",
            "{n} works {h} hours on each of {d} days a week. {His} pay is ${a} an hour "
            "and the weekly rent is ${r}. What is left of a week's pay?",
        ),
        {"a": (8, 25, 1), "h": (2, 8, 1), "d": (2, 6, 1), "r": (30, 150, 10)},
        (
            line("hours", "h * d", "{n} works {eq} hours a week."),
            line("pay", "hours * a", "{He} earns {usd} a week."),
            line("left", "pay - r", "{He} has {usd} left."),
        ),
    ),
    Template(
        "painting",
        (
            "{n} paints {a} walls of {b} square feet each, but {d} square feet are windows. A "
            "can of paint covers {c} square feet. How many cans does {he} need?",
            "A room has {a} walls, each with {b} square feet, and {d} square feet of that are "
            "windows. How many cans does {n} need if one can covers {c} square feet?",
            "One can of paint covers {c} square feet. {n} wants to paint {a} walls with {b} square "
            "feet each and leaves out windows of {d} square feet. How many cans is that?",
        ),
        {"a": (2, 6, 1), "b": (40, 120, 10), "d": (20, 60, 10), "c": (20, 80, 10)},
        (
            line("all", "a * b", "The walls have {eq} square feet."),
            line("net", "all - d", "Without the windows that is {eq} square feet."),
            line("cans", "net / c", "{n} needs {eq} cans."),
        ),
    ),
)
