"""The summary of every kind of report: at most five sentences, no hash, no fact twice, nothing cleared untried."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro_tui.model.causes import Causes, Culprit, Hybrid, Unresolved
from repro_tui.model.finding import AreaName, Finding, area_of, not_recorded
from repro_tui.model.predictions import VERDICTS
from repro_tui.model.report import Areas
from repro_tui.report.cause_sentences import CauseWording
from repro_tui.report.channel import MOST_LINES, channel_summary
from repro_tui.report.differences import Difference, differences_of, listed, value_pair
from repro_tui.report.summary import NEXT, NOTE, Summary, next_of, summarise
from repro_tui.support.text import without_hashes
from tests.conftest import EXAMPLES
from tests.report.kinds import (
    CAUSE,
    CUT_SHORT,
    EITHER,
    FACTORS,
    LABEL,
    PACKAGE,
    TOGETHER,
    areas,
    every_kind,
    predictions,
    same_areas,
    side,
    sides,
)
from tests.report.sample import rich_report

KINDS = every_kind()
HASH = re.compile(r"(?i)(?<![0-9a-z])(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{8,}(?![0-9a-z])")
# What can be a fact: a pair of values, a percentage, a number with a fraction.
FACT = re.compile(r"\S+ → \S+|\d+\.\d+ %|\d+\.\d+")
# Every warning of the first edition, by a piece of it, and the kind of report that has it.
WARNINGS = {
    "one run a side": "whether the outputs change from run to run is not known",
    "uncommitted changes": "uncommitted changes of B were not run",
    "columns left out": "request_id was left out",
    "drift by position": "rows were matched by position",
    "a build failed": "no run of it was finished, because B had failed",
    "a run failed": "as declared",
    "nothing ran": "as declared; neither side was built",
    "identical": "not recorded on either side, so not compared: data",
    "search cut short": "the budget was spent",
}
NOTES = {
    "columns left out": "No output column matches --ignore predictions.x.",
    "stress and no sandbox": "This code ran as you and could reach the network.",
    "search cut short": "1 hybrid could not be built or run: the one with B's packages scipy.",
    "R3": "ndcg could not be checked: this version does not know how it is measured.",
    "drift, not searched": "No nondeterminism seen in 3 runs.",
}


def check(summary: Summary) -> None:
    """What holds of every summary."""
    sentences = summary.sentences
    assert 1 < len(sentences) <= 5
    assert next_of(sentences), sentences
    assert sum(text.startswith(NEXT) for text in sentences) == 1
    assert [text.startswith(NOTE) for text in sentences].count(True) <= 1
    for text in (*sentences, *summary.notes):
        assert not HASH.search(text), text
        assert text.endswith((".", "!", "?", "…", ")")) or "more)" in text, text
    facts = Counter(fact for text in sentences for fact in set(FACT.findall(text)))
    assert not [fact for fact, count in facts.items() if count > 1], sentences
    assert not set(sentences) & set(summary.notes)


@pytest.mark.parametrize("kind", KINDS)
def test_a_summary_is_five_sentences_without_hashes_and_without_a_fact_twice(kind: str) -> None:
    check(KINDS[kind])


@pytest.mark.parametrize("kind", WARNINGS)
def test_what_weakens_the_verdict_is_among_the_sentences(kind: str) -> None:
    assert WARNINGS[kind] in " ".join(KINDS[kind].sentences)


@pytest.mark.parametrize("kind", ["one run a side", "uncommitted changes", "drift by position", "nothing ran"])
def test_what_weakens_the_verdict_follows_it_at_once(kind: str) -> None:
    assert KINDS[kind].sentences[1].startswith(NOTE)


@pytest.mark.parametrize("kind", NOTES)
def test_what_the_sentences_leave_out_is_in_the_notes(kind: str) -> None:
    assert NOTES[kind] in KINDS[kind].notes


def test_a_drift_with_two_causes() -> None:
    assert KINDS["drift with two causes"].sentences == (
        "Drift: 58 of 400 decision values flip (14.5 %, 95 % interval 11.4 % to 18.3 %), most often decline to review "
        "(46).",
        "models/credit.json (intercept -0.86 → -0.81 and 1 more value) explains 66.4 % of the change and "
        "parameters.model.threshold 0.5 → 0.6 explains 33.6 %.",
        "Reverting both together restores A.",
        "numpy 1.26.4 → 2.1.3, BLAS, six 1.15.0 → 1.16.0 and 2 commits also differ and together do not matter here.",
        "Next: unless the change is intended, revert parameters.model.threshold (params.yaml) and models/credit.json "
        "in staging.",
    )


def test_a_drift_whose_cause_was_not_searched_for() -> None:
    _, differences, step = KINDS["drift, not searched"].sentences
    assert differences.endswith("and 2 commits differ (not tested as the cause).")
    assert step == "Next: search for the cause with repro-tui explain prod staging."


def test_factors_that_act_together_and_those_of_which_either_is_enough() -> None:
    together, either = (KINDS[kind].sentences for kind in ("drift only together", "drift by either"))
    assert together[1] == (
        "The code (predict.py) and parameters.model.threshold 0.5 → 0.6 explain 50.0 % of the change each, but only "
        "together."
    )
    assert either[1] == (
        "Either the code (predict.py) or parameters.model.threshold 0.5 → 0.6 alone causes the whole change "
        "(50.0 % each)."
    )
    assert not any("restores A" in text for text in either)


def test_the_last_line_of_an_error_is_the_reason() -> None:
    first, *_, last = KINDS["a run failed"].sentences
    assert first.endswith("failed at run 1: predict ended with exit status 1; its last output: ValueError: bad row 7.")
    assert last == "Next: correct the predict step."


def test_a_remedy_with_a_full_commit_is_kept_whole() -> None:
    commit = "9e2b" * 10
    lost = side("staging", failed="code", what=f"{commit} is not there", do=f"record code.commit = {commit}")
    summary = summarise(sides(b=lost), areas(predictions("not-comparable")), "not-comparable")
    assert summary.sentences[-1] == f"Next: record code.commit = {commit}."
    assert commit not in summary.sentences[0]


# -- nothing reassures without evidence -----------------------------------------------------------------------------


def others(causes: Causes, area: Any = None) -> str:
    return CauseWording(causes, differences_of(areas(area or predictions()))).others()


def test_what_was_not_tried_alone_is_not_cleared() -> None:
    untried = replace(CAUSE, hybrids=tuple(hybrid for hybrid in CAUSE.hybrids if hybrid.from_b != ("environment",)))
    assert others(untried) == "2 commits also differ and together do not matter here"
    cause = CauseWording(untried, differences_of(areas(predictions()))).cause()
    assert "the effect of the environment (numpy 1.26.4 → 2.1.3, BLAS and 1 more package) is not known" in cause


def test_one_end_is_not_enough_to_clear_a_factor() -> None:
    every = frozenset(FACTORS)
    one_end = tuple(h for h in CAUSE.hybrids if frozenset(h.from_b) != every - {"code"})
    assert "code" not in CauseWording(replace(CAUSE, hybrids=one_end), ()).idle


def test_a_factor_that_moves_something_in_company_is_not_cleared() -> None:
    odd = (*CAUSE.hybrids, Hybrid(("code", "model"), 0.7, 0.7, "neither"))
    assert "code" not in CauseWording(replace(CAUSE, hybrids=odd), ()).idle
    assert "code" in CauseWording(CAUSE, ()).idle


def test_a_small_share_is_named_and_not_cleared() -> None:
    small = replace(
        CAUSE,
        shares={**CAUSE.shares, "code": 0.00005},
        hybrids=tuple(
            replace(h, outputs="neither", score=0.00005) if h.from_b == ("code",) else h for h in CAUSE.hybrids
        ),
    )
    wording = CauseWording(small, differences_of(areas(predictions())))
    assert "code" not in wording.idle
    assert "the code (2 commits) explains less than 0.01 %" in wording.cause()


@pytest.mark.parametrize(
    ("score", "share", "exact"),
    [(0.00005, 0.00005, True), (0.0, 0.0, False)],
    ids=["a share of 0.005 %", "rows that move at a right angle to the change"],
)
def test_a_hybrid_that_only_counts_as_a_clears_nothing(score: float, share: float, exact: bool) -> None:
    hybrids = tuple(replace(h, score=score, exact=exact) if h.from_b == ("code",) else h for h in CAUSE.hybrids)
    wording = CauseWording(
        replace(CAUSE, shares={**CAUSE.shares, "code": share}, hybrids=hybrids), differences_of(areas(predictions()))
    )
    assert "code" not in wording.idle
    assert "the code (2 commits) explains less than 0.01 %" in wording.cause()


NOISY = replace(CAUSE, hybrids=tuple(replace(hybrid, rows_as_b=None, exact=False) for hybrid in CAUSE.hybrids))


def test_in_noise_nothing_is_said_not_to_matter() -> None:
    noisy = replace(NOISY, noise=0.05)
    assert "do not matter" not in others(noisy)
    assert "cannot be distinguished from noise" in others(noisy)


@pytest.mark.parametrize(("noise", "share"), [(0.0, 0.0), (0.01, 0.04)])
def test_an_effect_beyond_the_noise_of_the_search_is_not_put_down_to_it(noise: float, share: float) -> None:
    """A hybrid counts as A with up to a tenth of the change left, whatever the noise is."""
    hybrids = tuple(replace(h, score=0.04) if h.from_b == ("code",) else h for h in NOISY.hybrids)
    causes = replace(NOISY, noise=noise, shares={**NOISY.shares, "code": share}, hybrids=hybrids)
    wording = CauseWording(causes, differences_of(areas(predictions())))
    assert "code" not in wording.idle
    assert "2 commits" not in wording.others()


def test_what_came_with_the_guilty_package_is_not_cleared() -> None:
    text = others(PACKAGE)
    six = "six 1.15.0 → 1.16.0 also differs and does not matter here"
    assert f"2 commits also differ and together do not matter here; {six}; BLAS also differs (not tested" in text
    unsure = replace(PACKAGE, culprits=tuple(replace(culprit, alone=False) for culprit in PACKAGE.culprits))
    assert "six" in others(unsure).partition("; ")[2]
    untried = replace(PACKAGE, culprits=tuple(replace(culprit, cleared=0) for culprit in PACKAGE.culprits))
    assert "six 1.15.0 → 1.16.0 also differ (not tested" in others(untried)


GUILTY = Culprit("parameters", ("model", "threshold"), 0.5, 0.6, sufficient=True, alone=True)


@pytest.mark.parametrize(
    ("names", "cleared", "text"),
    [
        ("x", 1, "parameters.x 1 → 2 also differs and does not matter here"),
        ("xy", 2, "parameters.x 1 → 2 and parameters.y 1 → 2 also differ and together do not matter here"),
        ("x", 2, "parameters.x 1 → 2 also differs and, together with 1 more, does not matter here"),
        ("xy", 0, "parameters.x 1 → 2 and parameters.y 1 → 2 also differ (not tested apart)"),
    ],
)
def test_two_parameters_that_may_cancel_each_other_are_only_cleared_together(
    names: str, cleared: int, text: str
) -> None:
    causes = Causes(
        factors=("parameters",),
        shares={"parameters": 1.0},
        smallest=("parameters",),
        restores=(("parameters",),),
        culprits=(replace(GUILTY, cleared=cleared),),
    )
    findings = [Finding(("model", "threshold"), "changed", 0.5, 0.6)]
    findings += [Finding((name,), "changed", 1, 2) for name in names]
    area = replace(same_areas(predictions()), parameters=area_of(tuple(findings), 0))
    assert CauseWording(causes, differences_of(area)).others() == text


def test_idle_factors_are_only_cleared_together_where_that_was_run() -> None:
    """Without that hybrid, each is cleared as a whole, and what is in it as little apart as before."""
    apart = replace(CAUSE, hybrids=tuple(h for h in CAUSE.hybrids if set(h.from_b) != {"code", "environment"}))
    assert others(apart) == (
        "numpy 1.26.4 → 2.1.3, BLAS and six 1.15.0 → 1.16.0 also differ and together do not matter here; "
        "2 commits also differ and together do not matter here"
    )


def test_a_variable_that_may_belong_to_a_guilty_image_is_not_cleared() -> None:
    variable = Finding(("variables", "TZ"), "changed", "UTC", "CET")
    with_variable = replace(areas(predictions()), environment=area_of((variable,), 0))
    every = (*FACTORS, "variables")
    causes = replace(
        CAUSE,
        factors=every,
        shares={**CAUSE.shares, "variables": 0.0, "environment": 0.5, "model": 0.164},
        culprits=(),
        hybrids=(
            Hybrid(("variables",), 0.0, 0.0, "A", exact=True),
            Hybrid(FACTORS, 1.0, 1.0, "B", exact=True),
        ),
    )
    wording = CauseWording(causes, differences_of(with_variable))
    assert "variables" in wording.idle
    assert "TZ" not in wording.others().partition("do not matter")[0] or "not matter" not in wording.others()


# -- properties -----------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["threshold", "seed", "weights.age", "a" * 90, "4f1c" * 10, "=SUM(A1)", "naïve", "x y"])
VALUES = st.one_of(
    st.integers(-(10**18), 10**18),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["sha256:" + "ab12" * 16, "9e2b" * 10, "hidden:3f9a2c417d05", "long text " * 40, "", None, True]),
)
FINDINGS = st.builds(
    lambda path, a, b: Finding(tuple(path), "changed" if a != b else "unknown", a, b, "notice", "a note"),
    st.lists(NAMES, min_size=1, max_size=3),
    VALUES,
    VALUES,
)


@st.composite
def searches(draw: st.DrawFn) -> Causes | None:
    """Answers of a search whose parts need not fit each other: a summary must bear those too."""
    if draw(st.booleans()):
        return None
    factors = tuple(draw(st.lists(st.sampled_from([*FACTORS, "data", "predict"]), min_size=1, max_size=4, unique=True)))
    shares = {name: draw(st.floats(-1, 2)) for name in factors if draw(st.integers(0, 5))}
    hybrids = draw(
        st.lists(
            st.builds(
                Hybrid,
                st.lists(st.sampled_from(factors), unique=True).map(tuple),
                st.sampled_from([0.0, 0.3, 1.0]),
                st.sampled_from([None, 0.0, 1.0]),
                st.sampled_from(["A", "B", "neither"]),
            ),
            max_size=6,
        )
    )
    culprits = draw(
        st.lists(
            st.builds(
                Culprit, st.sampled_from(factors), st.lists(NAMES, min_size=1, max_size=3).map(tuple), VALUES, VALUES
            ),
            max_size=5,
        )
    )
    restores = draw(st.lists(st.lists(st.sampled_from(factors), min_size=1, unique=True).map(tuple), max_size=2))
    open_hybrids = draw(st.lists(st.builds(Unresolved, st.just(factors), NAMES), max_size=2))
    return Causes(
        factors,
        shares=shares,
        hybrids=tuple(hybrids),
        culprits=tuple(culprits),
        restores=tuple(restores),
        unresolved=tuple(open_hybrids),
        separable=draw(st.booleans()),
        budget_spent=draw(st.booleans()),
        sentences=("What the search says.",),
    )


@settings(max_examples=4 * EXAMPLES, deadline=None)
@given(
    verdict=st.sampled_from(VERDICTS),
    found_in=st.lists(st.lists(FINDINGS, max_size=8), min_size=4, max_size=4),
    causes=searches(),
    ignored=st.lists(NAMES, max_size=3),
    broken=st.sampled_from(["", "b", "ab"]),
    why=NAMES,
)
def test_of_any_report_the_summary_is_short_and_has_no_hash(
    verdict: Any, found_in: list[list[Finding]], causes: Causes | None, ignored: list[str], broken: str, why: str
) -> None:
    area = replace(
        predictions("identical"), verdict=verdict, ignored=tuple(ignored), columns=(LABEL,), what=why, do="x"
    )
    code, environment, parameters, data = (area_of(tuple(findings), 1) for findings in found_in)
    every = Areas(code, environment, parameters, data, area)
    failed = {"failed": "run 1", "what": why, "do": "correct it", "runs": ()}
    both = sides(
        *(side(name, **(failed if letter in broken else {})) for letter, name in (("a", "prod"), ("b", "new")))
    )
    summary = summarise(both, every, verdict, causes)
    assert 1 < len(summary.sentences) <= 5
    assert summary.sentences[-1].startswith(NEXT)
    for text in summary.sentences[:-1]:
        assert without_hashes(text) == text or text.endswith("…."), text
        assert len(text) <= 702
    for name in ignored:
        if len(name) < 20 and not broken and len(ignored) < 3:
            assert name in " ".join(summary.sentences)


@given(VALUES, VALUES)
def test_two_values_in_a_sentence_are_short_and_told_apart(a: Any, b: Any) -> None:
    text = value_pair(a, b)
    assert len(text) <= 80
    if text:
        left, arrow, right = text.partition(" → ")
        assert arrow
        assert (left != right) or a == b or str(a) == str(b)


def test_long_values_are_cut_around_their_first_difference() -> None:
    a, b = "x" * 500 + "old" + "y" * 500, "x" * 500 + "new" + "y" * 500
    left, right = value_pair(a, b).split(" → ")
    assert "old" in left
    assert "new" in right


# -- for a channel --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("causes", [None, CAUSE, TOGETHER, EITHER, CUT_SHORT])
def test_the_summary_for_a_channel_is_short_and_opens_the_audit(causes: Causes | None) -> None:
    rich = rich_report()
    summary = summarise(sides(), areas(predictions()), "drift", causes)
    text = channel_summary(replace(rich, summary=summary.sentences, causes=causes), "repro-tui show 20260105")
    assert len(text.split("\n")) <= MOST_LINES
    assert text.startswith("**≠ drift: prod against staging**")
    assert "`repro-tui show 20260105`" in text
    assert "Next: " in text
    assert "commit 9f2c9f2" in text


def test_no_value_of_the_summary_for_a_channel_is_markup_or_a_mention() -> None:
    rich = rich_report()
    text = channel_summary(replace(rich, summary=("`x` <b> @channel [a](http://b)",)), "repro-tui show `x`")
    assert "@channel" not in text
    assert "<b>" not in text
    assert "\\](http\\:" in text
    assert text.count("`") - text.count("\\`") == 2


def test_a_difference_that_cannot_be_exchanged_leaves_the_cause_open() -> None:
    def wording(*areas: AreaName) -> str:
        differences = [Difference(name, Finding((name,), "changed")) for name in areas]
        return CauseWording(Causes(factors=("code",), shares={"code": 1.0}), differences).cause()

    assert wording("code").startswith("Only the code differs, so it is the cause")
    assert wording("code", "environment").startswith("Only the code differs of what can be exchanged, so it may be")


def test_a_drift_of_many_columns_names_the_worst() -> None:
    """As the screen of the predictions has them: a label first, then by the rows that differ and by how far."""
    columns = [
        replace(LABEL, name=f"score {n}", kind="number", flips=None, flip_matrix=(), different=10, max_abs=float(n))
        for n in range(20)
    ]
    area = replace(predictions("drift"), columns=(*columns, LABEL))
    summary = summarise(sides(), areas(area), "drift")
    assert re.findall(r"(decision|score \d+) ", summary.sentences[0]) == ["decision", "score 19", "score 18"]


@pytest.mark.parametrize(("count", "named"), [(5, 5), (8, 5), (9, 3), (400, 3)])
def test_of_many_differences_a_sentence_names_few(count: int, named: int) -> None:
    """A list is read in one breath; all the others are counted."""
    differences = [Difference("parameters", Finding((f"p{n}",), "changed", 1, 2)) for n in range(count)]
    text = listed(differences)
    assert text.count("→") == named
    rest = f" and {count - named:,} more parameter{'s' if count - named > 1 else ''}"
    assert text.endswith(rest if count > named else " and parameters.p4 1 → 2")


@pytest.mark.parametrize("state", ["not recorded", "unknown", "known", "shown by a run"])
def test_what_is_not_known_leaves_the_cause_open(state: str) -> None:
    every = replace(
        same_areas(predictions()),
        data=area_of((), 1),
        parameters=area_of((Finding(("model", "threshold"), "changed", 0.5, 0.6),), 0),
    )
    if state == "unknown":
        every = replace(every, environment=area_of((Finding(("system", "libc"), "unknown", note="not read"),), 2))
    elif state != "known":
        every = replace(every, data=not_recorded())
    culprit = replace(GUILTY, cleared=1 if state == "shown by a run" else 0)
    causes = Causes(factors=("parameters",), shares={"parameters": 1.0}, culprits=(culprit,), sentences=("x",))
    (text,) = [text for text in summarise(sides(), every, "drift", causes).sentences if text.startswith("Only")]
    head = {
        "known": "Only the parameters differ, so they are the cause: ",
        "shown by a run": "Only the parameters differ of what is known, so they are the cause: ",
    }.get(state, "Only the parameters differ of what is known, so they may be the cause: ")
    assert text == f"{head}parameters.model.threshold 0.5 → 0.6."
