"""What gensim's Phrases finds. With a file of sentences and options, prints it; with none, makes
phrases.golden.json of sentences of its own, which stand in for gensim where that is not installed:

    python __test__/interop/gensim_phrases.py > __test__/interop/phrases.golden.json
"""
import json
import random
import sys

import gensim
from gensim.models.phrases import ENGLISH_CONNECTOR_WORDS, Phrases


def pairs(sentence, connector_words):
    """The pairs of neighbours, with the connector words between them."""
    start, between = None, []
    for word in sentence:
        if word in connector_words:
            if start is not None:
                between.append(word)
            continue
        if start is not None:
            yield start, between, word
        start, between = word, []


def found(sentences, options):
    """For each pass the phrases with their scores; and the sentences, joined."""
    connector_words = frozenset(options["connectorWords"])
    passes = []
    for _ in range(options["passes"]):
        model = Phrases(
            sentences,
            min_count=options["minCount"],
            threshold=options["threshold"],
            scoring=options["scoring"],
            connector_words=connector_words,
        )
        # Not export_phrases: of a phrase of three words it scores the first and the last as if they
        # stood alone, and so lists other scores than those by which it joins.
        scores = {}
        for sentence in sentences:
            for a, between, b in pairs(sentence, connector_words):
                phrase, score = model.score_candidate(a, b, between)
                if score is not None:
                    scores[phrase] = score
        if not passes and not any("_" in word for sentence in sentences for word in sentence):
            assert scores == model.export_phrases()
        passes.append(scores)
        sentences = [model[sentence] for sentence in sentences]
    return {"passes": passes, "joined": sentences}


def toy_sentences():
    chance = random.Random(1)
    fixed = ["new york", "new york times", "bank of america", "state of the union", "red_cross"]
    words = "a the of in new york times bank red blue river flows runs sees old man said".split()
    sentences = []
    for _ in range(240):
        sentence = []
        for _ in range(chance.randint(1, 5)):
            sentence += chance.choice(fixed).split() if chance.random() < 0.4 else []
            sentence += chance.choices(words, k=chance.randint(0, 3))
        sentences.append(sentence)
    return sentences


if len(sys.argv) > 1:
    with open(sys.argv[1], encoding="utf8") as file:
        given = json.load(file)
    print(json.dumps(found(given["sentences"], given["options"])))
else:
    plain = {"minCount": 3, "threshold": 0.6, "scoring": "default", "passes": 2}
    npmi = {"minCount": 3, "threshold": 0.3, "scoring": "npmi", "passes": 2}
    connectors = sorted(ENGLISH_CONNECTOR_WORDS)
    sentences = toy_sentences()
    cases = [
        {**options, "connectorWords": words}
        for options in (plain, npmi)
        for words in ([], connectors)
    ]
    golden = [{"options": case, **found(sentences, case)} for case in cases]
    print(json.dumps({"gensim": gensim.__version__, "englishConnectorWords": connectors,
                      "sentences": sentences, "cases": golden}))
