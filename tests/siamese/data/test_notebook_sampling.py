"""The notebook's draws."""

from draws import draw, make_groups
from hypothesis import given, settings
from hypothesis import strategies as st

from siamese.config.recipe import Sampling

seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=50)
@given(seeds, st.integers(0, 20), st.integers(0, 20))
def test_notebook_rows_are_two_texts_of_a_group_joined_both_ways(seed, epoch, step) -> None:
    groups = make_groups([1, 2, 3, 4, 5])  # the notebook may draw one text twice
    sampling = Sampling(batch_groups=4, method="notebook")
    rows = draw(groups, sampling, seed=seed, epoch=epoch, step=step)
    members = {joined.split("t")[0]: joined for joined in rows.first}
    assert len(members) == 4
    for first, second in zip(rows.first, rows.second, strict=True):
        group = groups[int(first[1])]
        assert any(
            first == one + two and second == two + one for one in group.texts for two in group.texts
        )


def test_notebook_draws_with_replacement_and_anew_at_every_step() -> None:
    groups, sampling = make_groups([2] * 8), Sampling(batch_groups=4, method="notebook")
    repeats, batches = 0, set()
    for step in range(200):
        rows = draw(groups, sampling, step=step)
        repeats += sum(f == s for f, s in zip(rows.first, rows.second, strict=True))
        batches.add(tuple(sorted(text[:2] for text in rows.first)))
    # random.choices of two texts repeats one in half of the cases: 400 of 800, deviation 14.
    assert 340 < repeats < 460
    assert len(batches) > 50  # of 70 possible; a pass over 8 groups would alternate
