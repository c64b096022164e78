"""Makes questions, since people type questions: from titles, definitions and sentences, and from patterns filled with words.

The teacher gives every text its target, so a question need not be a good one; what counts is that it is about something and has the form.
"""

import re

WHAT = ("what is {0}?", "what is {0}", "what does {0} mean?", "define {0}", "meaning of {0}", "what are {0}?", "{0} definition",
        "tell me about {0}", "explain {0}", "What is {0}?", "What is meant by {0}?", "{0}")
WHO = ("who was {0}?", "who is {0}?", "Who was {0}?", "what is {0} known for?", "why is {0} famous?", "{0} biography", "{0}")
WHERE = ("where is {0}?", "Where is {0} located?", "in which country is {0}?", "what is {0}?", "{0}")
NAMED = ("what do you call {0}?", "what is the word for {0}?", "which word means {0}?", "What is the name for {0}?", "{0}?")
HOW = ("how do I {0}?", "how to {0}", "How can I {0}?", "what is the best way to {0}?", "how do you {0}", "steps to {0}", "I want to {0}")

# {n} a thing, {m} another, {v} an action, {a} a quality, {p} a person, {g} a place.
PATTERNS = (
    "what causes {n}?", "what causes {n} to {v}?", "why do {n}s {v}?", "why does {n} {v}?", "why is {n} {a}?", "why are {n}s {a}?",
    "how does {n} work?", "how is {n} made?", "how do {n}s {v}?", "how long does {n} last?", "how long does it take to {v} {n}?",
    "how many {n}s are there in {m}?", "how much {n} is in {m}?", "how far is {g} from {h}?", "how old is {g}?", "how big is {n}?",
    "how to {v} {n}", "how do I {v} {n} from {m}?", "how can I {v} my {n}?", "how to remove {n} from {m}", "how to get rid of {n}",
    "how do you cook {n}?", "how long should I boil {n}?", "what can I make with {n} and {m}?", "recipe for {n} with {m}",
    "what is the difference between {n} and {m}?", "{n} or {m}, which is better?", "is {n} {a}?", "can {n} {v} {m}?", "does {n} cause {m}?",
    "what is {n} used for?", "what is {n} made of?", "what are the symptoms of {n}?", "how to treat {n}", "what helps against {n}?",
    "what is the {a} {n} in the world?", "which {n} is the most {a}?", "what kind of {n} is {a}?", "where does {n} come from?",
    "where can I find {n}?", "where do {n}s live?", "where was {p} born?", "when was {n} invented?", "when did {p} die?",
    "who invented {n}?", "who discovered {n}?", "who was the first to {v} {n}?", "who wrote about {n}?", "who painted {n}?",
    "what did {p} discover?", "what did {p} write?", "what is the capital of {g}?", "what language is spoken in {g}?",
    "what happened in {g}?", "which river flows through {g}?", "who won the war between {g} and {h}?", "what is the currency of {g}?",
    "what is the law on {n}?", "is it legal to {v} {n}?", "what tax is paid on {n}?", "what is the price of {n}?", "should I {v} {n}?",
    "what is the history of {n}?", "what is the theory of {n}?", "what part of the body is {n}?", "what do {n}s eat?", "which {n} can {v}?",
    "what happens when {n} {v}s?", "what happens if you {v} {n}?", "what are the parts of {n}?", "what is the opposite of {a}?",
    "another word for {a}", "how do you play {n}?", "what are the rules of {n}?", "which instrument is {a}?", "what does a {n} do?",
    "name of the {n} that {v}s {m}", "why can't I {v} {n}?", "my {n} is {a}, what should I do?", "what should I do about {n}?",
)


def fill(pattern, words, random):
    """A pattern with random words: lists of things, actions, qualities, people and places."""
    def choose(match):
        kind = {"m": "n", "h": "g"}.get(match[1], match[1])
        return words[kind][random.integers(len(words[kind]))]

    return re.sub(r"\{(\w)\}", choose, pattern)


def ask(patterns, text, random):
    return patterns[random.integers(len(patterns))].format(text)


def decapitalized(text):
    return text[0].lower() + text[1:] if len(text) > 1 and text[1].islower() else text


def from_title(title):
    """"Remove a printer" as "how do I ...", when a title asks for that."""
    match = re.match(r"(?:how (?:do i|to|can i) |to )?([A-Za-z][a-z]+ing |[A-Za-z][a-z]+ )(.{3,60})$", title, flags=re.I)
    return decapitalized(match[1] + match[2]).rstrip("?. ") if match else None


# (pattern of a sentence, questions that it answers); groups are the parts of the sentence.
ANSWERED = (
    (r"(?P<s>.{4,80}?) (?P<b>is|was|are|were) (?P<v>written|invented|discovered|painted|composed|founded|directed|created|designed|built|"
     r"developed|introduced|led|ruled) (?:in .{3,30} )?by (?P<o>.+)", ("who {verb} {s}?", "who {verb} {s}", "by whom {b} {s} {v}?")),
    (r"(?P<s>.{4,80}?) (?P<b>was|were) (?P<v>born|founded|built|invented|published|discovered|established|released|signed|formed|killed|"
     r"created|completed|introduced) (?P<o>.*?)(?:in|on) (?P<t>.*\d{3,4}.*)", ("when {b} {s} {v}?", "in what year {b} {s} {v}?")),
    (r"(?P<s>.{4,80}?) (?P<b>is|was|are|were) (?P<v>located|situated|found|native|born|spoken|grown|held|buried) (?:in|at|on|to) (?P<o>.+)",
     ("where {b} {s} {v}?", "where {b} {s}?")),
    (r"(?P<s>.{4,60}?) (?P<b>is|was|are|were) (?P<o>.{6,90}?),? because (?P<t>.+)", ("why {b} {s} {o}?",)),
    (r"(?P<s>.{4,60}?) (?P<b>can|must|should|may|will) (?P<o>.{6,90})", ("{b} {s} {o}?", "what {b} {s} do?")),
    (r"(?P<s>.{4,60}?) (?P<b>causes?|produces?|contains?|includes?|prevents?|requires?|uses?|means) (?P<o>.{6,90})",
     ("what {b} {o}?", "what does {s} do?")),
    (r"(?P<s>.{4,60}?),? (?P<b>is|was|are|were) (?P<o>(?:a|an|the|one of) .{12,120}?)(?:[,;:].*)?", ("what {b} {o}?", "which is {o}?", "what {b} {s}?")),
)
VERBS = {"written": "wrote", "led": "led", "built": "built"}


def from_sentence(sentence, random):
    """A question that a statement answers, or None."""
    for pattern, forms in ANSWERED:
        if match := re.fullmatch(pattern, sentence.rstrip(".")):
            parts = {name: (part or "").strip() for name, part in match.groupdict().items()}
            parts["s"] = re.sub(r"^(The|A|An|In|It|They|He|She|This|These) ", lambda m: m[0].lower(), parts["s"])
            if re.match(r"(it|they|he|she|this|these|there|which|who)\b", parts["s"], flags=re.I):
                return None
            parts["verb"] = VERBS.get(parts.get("v"), parts.get("v"))
            question = forms[random.integers(len(forms))].format(**parts)
            return question if 12 < len(question) < 140 else None
    return None
