"""What the figures of a race say: medians, ratios, which bars are reached, and the tables."""

import statistics

from race import DERIVED, NAMES, ROWS

BEGIN, END = "<!-- race:begin -->", "<!-- race:end -->"


def derive(measures):
    """The measures of one report, name -> (unit, samples), and those of DERIVED that it allows."""
    made = dict(measures)
    for name, how, sources in DERIVED:
        chosen = [measures[key] for source in sources for key in measures
                  if key == source or (source.endswith("*") and key.startswith(source[:-1]))]
        if len(chosen) >= len(sources):
            made[name] = (chosen[0][0], [how(samples) for samples in zip(*(samples for _, samples in chosen))])
    return made


class Summary:
    """Of one measure: the median of the rounds' medians, and the extremes of all samples."""

    def __init__(self, rounds):
        self.rounds = len(rounds)
        samples = [sample for each in rounds for sample in each]
        self.min, self.max = min(samples), max(samples)
        self.median = statistics.median(statistics.median(each) for each in rounds)


def summary(result, who, measure):
    """None if it was not measured."""
    entry = result["figures"].get(who, {}).get(measure)
    return Summary(entry["rounds"]) if entry else None


def reached(bar, row, ours, result):
    """Whether Muster's figure reaches the bar; None if one of the two is not there."""
    limit = bar.factor
    if bar.peer:
        theirs = summary(result, bar.peer.who, bar.peer.measure)
        if theirs is None:
            return None
        limit *= theirs.median
    if ours is None:
        return None
    return ours.median >= limit if row.more_is_better else ours.median <= limit


def verdict(row, ours, result):
    answers = [reached(bar, row, ours, result) for bar in row.bars]
    if not answers:
        return ""
    if False in answers:
        return "FAIL"
    return "not judged" if None in answers else "pass"


def number(value):
    """Three significant digits, never an exponent: 1,230,000, 45.6, 0.0012."""
    if value == 0:
        return "0"
    digits = 2 - int(f"{abs(value):e}".partition("e")[2])
    return f"{round(value, digits):,.{max(0, digits)}f}"


def times(ratio):
    return f"{ratio:.2g}×" if ratio < 10 else f"{ratio:,.0f}×"


def bar_text(bar, row):
    if not bar.peer:
        return f"{'at least' if row.more_is_better else 'under'} {bar.factor:,.6g} {row.unit}"
    if row.more_is_better or bar.factor >= 1:
        return f"{bar.factor:,.6g}× {bar.peer.name}"
    return f"1/{1 / bar.factor:,.6g} of {bar.peer.name}"


def missing(result, who, group):
    return "not measured: " + result["missing"].get(who, {}).get(group, "left out")


def spread(summed, result):
    """The extremes, and in how many rounds, where it failed in some."""
    partly = f"; {summed.rounds} of {result['rounds']} rounds" if summed.rounds < result["rounds"] else ""
    return f"({number(summed.min)} to {number(summed.max)}{partly})"


def cells(row, result):
    """Title, Muster's figure, those beside it, the bars, the verdict; a list where there are several."""
    ours = summary(result, "muster", row.measure)
    if ours is None:
        own = missing(result, "muster", row.group)
    else:
        own = f"{number(ours.median)} {row.unit} {spread(ours, result)}"
    beside = []
    for figure in row.beside:
        theirs = summary(result, figure.who, figure.measure)
        if theirs is None:
            beside.append(f"{figure.name}: {missing(result, figure.who, row.group)}")
        else:
            line = f"{figure.name}: {number(theirs.median)} {spread(theirs, result)}"
            if ours is not None and ours.median and theirs.median:
                line += f", {times(row.better_by(ours.median, theirs.median))}"
            beside.append(line)
    return row.title, own, beside, [bar_text(bar, row) for bar in row.bars], verdict(row, ours, result)


def rows(result):
    return [cells(row, result) for row in ROWS if row.group in result["groups"]]


def how_measured(result):
    machine = result["machine"]
    rounds = "1 round" if result["rounds"] == 1 else f"{result['rounds']} rounds"
    return (f"{machine['cpu']}, {machine['cores']} cores, {machine['memory']}, {machine['kernel']}; "
            f"load {machine['load_before']} before and {machine['load_after']} after; {', '.join(result['versions'])}. "
            f"{rounds}, everybody in turn in each, {result['date']}.")


HOW_TO_READ = ("Median of the rounds' medians, and the extremes of all samples. A factor says how many times as good "
               "as the neighbour's Muster's median is. The programs and settings: [bench](bench/README.md).")


def markdown(result):
    """The part of README.md between the markers."""
    lines = [how_measured(result), "", HOW_TO_READ, "",
             "| measure | Muster | beside it | to reach | |", "|---|---|---|---|---|"]
    for title, own, beside, bars, word in rows(result):
        lines.append(f"| {title} | {own} | {'<br>'.join(beside)} | {'<br>'.join(bars)} | {word} |")
    return "\n".join(lines) + "\n"


def text(result):
    """For a terminal."""
    lines = [how_measured(result), ""]
    for title, own, beside, bars, word in rows(result):
        lines.append(title)
        lines.append(f"    {NAMES['muster']}: {own}")
        lines += [f"    {line}" for line in beside]
        if bars:
            lines.append(f"    to reach: {', '.join(bars)}: {word}")
    counted = [word for *_, word in rows(result) if word]
    lines.append("")
    lines.append(", ".join(f"{counted.count(word)} {word}" for word in ("pass", "FAIL", "not judged")))
    return "\n".join(lines) + "\n"


def replace_between_markers(document, part):
    """`document` with everything between the markers replaced."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document has no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{part}\n{END}{after}"
