"""Stories of distance, time and crowds on the move."""

from __future__ import annotations

from bswirl.problems.template import Template, line

_ACTIVITY = ("the piano", "the violin", "chess", "the guitar", "juggling", "the drums")

TRAVELLING: tuple[Template, ...] = (
    Template(
        "trip",
        (
            "{n} drives {a} hours at {s} miles an hour and then {b} hours at {t} miles "
            "an hour. The whole trip is {g} miles. How many miles are left?",
            "On a trip of {g} miles {n} drives {s} miles an hour for {a} hours, then {t} "
            "miles an hour for {b} hours. How far does {he} still have to go?",
            "{n} has a trip of {g} miles ahead. {He} covers {a} hours at {s} miles an "
            "hour and {b} hours at {t} miles an hour. How many miles remain?",
        ),
        {"a": (2, 5, 1), "s": (30, 70, 5), "b": (2, 4, 1), "t": (30, 60, 10), "g": (250, 600, 10)},
        (
            line("x", "a * s", "First {he} drives {eq} miles."),
            line("y", "b * t", "Then {he} drives {eq} miles."),
            line("done", "x + y", "So far that is {eq} miles."),
            line("left", "g - done", "There are {eq} miles left."),
        ),
    ),
    Template(
        "practice",
        (
            "{n} practices {activity} {a} minutes in the morning and {b} minutes in the evening, "
            "every day of the week. How many minutes does {he} practice in {w} weeks?",
            "Every day {n} practices {activity} for {a} minutes before school and "
            "{b} minutes after it. How many minutes is that in {w} weeks?",
            "{n} spends {a} minutes each morning and {b} minutes each evening on "
            "{activity}. How many minutes add up over {w} weeks?",
        ),
        {"a": (5, 20, 1), "b": (5, 20, 1), "w": (2, 5, 1)},
        (
            line("day", "a + b", "{n} practices {eq} minutes a day."),
            line("week", "day * 7", "In a week that is {eq} minutes."),
            line("total", "week * w", "In all {he} practices {eq} minutes."),
        ),
        {"activity": _ACTIVITY},
    ),
    Template(
        "pages",
        (
            "{n} reads for {h} hours a day and gets through {a} pages an hour. "
            "How many pages does {he} read in {d} days?",
            "{n} reads {a} pages an hour. {He} reads {h} hours a day. How many "
            "pages does {he} read in {d} days?",
            "At {a} pages an hour and {h} hours of reading a day, how many pages does {n} read in {d} days?",
        ),
        {"a": (10, 40, 1), "h": (2, 4, 1), "d": (2, 9, 1)},
        (
            line("day", "a * h", "{n} reads {eq} pages a day."),
            line("total", "day * d", "In all {he} reads {eq} pages."),
        ),
    ),
    Template(
        "reading",
        (
            "A book has {g} pages. {n} reads {a} pages a day for {d} days and "
            "then {b} pages a day. How many more days does {he} need?",
            "{n} reads a book of {g} pages. For the first {d} days {he} reads {a} pages a day, "
            "after that {b} pages a day. How many days does the rest of the book take?",
            "After {d} days at {a} pages a day, {n} goes on at {b} pages a day. "
            "The book has {g} pages. How many days of reading are left?",
        ),
        {"g": (120, 400, 10), "a": (10, 30, 1), "d": (3, 9, 1), "b": (10, 40, 5)},
        (
            line("done", "a * d", "{n} reads {eq} pages first."),
            line("rest", "g - done", "There are {eq} pages left."),
            line("days", "rest / b", "They take {eq} days."),
        ),
    ),
    Template(
        "tank",
        (
            "A tank holds {a} gallons. A pump adds {b} gallons a minute for an hour, and "
            "{c} gallons leak out. How many gallons are in the tank then?",
            "There are {a} gallons in a tank. For one hour {n} pumps in {b} gallons a minute, "
            "while {c} gallons are lost. How many gallons does the tank hold after that?",
            "{n} fills a tank that has {a} gallons in it with {b} gallons a minute for an "
            "hour. {c} gallons leak. How many gallons are there at the end?",
        ),
        {"a": (20, 200, 10), "b": (2, 9, 1), "c": (10, 90, 5)},
        (
            line("pumped", "b * 60", "The pump adds {eq} gallons."),
            line("sum", "a + pumped", "With that there would be {eq} gallons."),
            line("left", "sum - c", "After the leak there are {eq} gallons."),
        ),
    ),
    Template(
        "buses",
        (
            "{a} classes of {b} pupils and {c} teachers go on a trip. Each bus seats "
            "{s} people and costs ${p}. How many dollars do the buses cost?",
            "A school takes {a} classes with {b} pupils each and {c} teachers on a trip, in buses "
            "for {s} people. If a bus costs ${p}, what do all the buses cost in dollars?",
            "Buses for {s} people cost ${p} each. How much does a school pay to "
            "take {a} classes of {b} pupils and {c} teachers?",
        ),
        {"a": (2, 9, 1), "b": (15, 30, 1), "c": (3, 15, 1), "s": (15, 60, 5), "p": (50, 150, 10)},
        (
            line("pupils", "a * b", "There are {eq} pupils."),
            line("people", "pupils + c", "In all {eq} people go."),
            line("buses", "people / s", "They need {eq} buses."),
            line("cost", "buses * p", "The buses cost {usd}."),
        ),
    ),
    Template(
        "wheels",
        (
            "A parking lot holds {a} cars with 4 wheels and {b} motorcycles with 2 "
            "wheels. {c} cars leave. How many wheels are in the lot then?",
            "{n} sees {a} cars and {b} motorcycles in a lot. When {c} cars have gone, how many "
            "wheels are there, if a car has 4 wheels and a motorcycle 2 wheels?",
            "There are {a} cars and {b} motorcycles in a lot, and {c} cars drive "
            "away. Cars have 4 wheels, motorcycles 2. How many wheels stay?",
        ),
        {"a": (10, 60, 1), "b": (4, 30, 1), "c": (2, 9, 1)},
        (
            line("cars", "a - c", "There are {eq} cars left."),
            line("x", "cars * 4", "The cars have {eq} wheels."),
            line("y", "b * 2", "The motorcycles have {eq} wheels."),
            line("total", "x + y", "Together that is {eq} wheels."),
        ),
    ),
    Template(
        "running",
        (
            "{n} runs {a} laps of {b} meters on each of {d} days. {m} runs {c} "
            "meters less in that time. How many meters does {m} run?",
            "On {d} days {n} runs {a} laps, each {b} meters long. In the same days {m} "
            "runs {c} meters less than {n}. How many meters is that for {m}?",
            "A lap has {b} meters. {n} runs {a} laps a day for {d} days, and {m} runs "
            "{c} meters less than {n}. How far does {m} run, in meters?",
        ),
        {"a": (2, 6, 1), "b": (20, 60, 10), "d": (2, 5, 1), "c": (10, 90, 5)},
        (
            line("day", "a * b", "{n} runs {eq} meters a day."),
            line("all", "day * d", "In all {n} runs {eq} meters."),
            line("other", "all - c", "{m} runs {eq} meters."),
        ),
    ),
)
