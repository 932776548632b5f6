"""Bad input of `siamese shard` and `siamese vectors`: refused, and nothing half-written."""

import pytest
from bad_files import BAD_FILES, bad_file, write


class TestShard:
    @pytest.mark.parametrize("case", BAD_FILES)
    def test_bad_input(self, refused, tmp_path, case):
        bad, fragments = bad_file(tmp_path, case)
        refused("shard", bad, "--output", tmp_path / "new" / "data", fragments=fragments)

    @pytest.mark.parametrize("case", BAD_FILES)
    def test_bad_input_beside_good_in_the_place_of_a_data_set(self, refused, tmp_path, data, case):
        bad, fragments = bad_file(tmp_path, case)
        refused(
            "shard", tmp_path / "groups.json", bad, "--output", data, "--fresh", fragments=fragments
        )

    def test_empty_text(self, refused, tmp_path):
        bad = write(tmp_path / "a.json", b'{"0": ["a", "b"], "k": ["c", " "]}')
        fragments = ["a.json", "'k'", "empty text"]
        refused("shard", bad, "--output", tmp_path / "data", fragments=fragments)

    def test_no_group_of_two_texts(self, refused, tmp_path):
        bad = write(tmp_path / "a.json", b'{"0": ["a"], "1": ["b", "b"]}')
        fragments = ["a.json", "two different texts"]
        refused("shard", bad, "--output", tmp_path / "data", fragments=fragments)

    def test_a_group_id_that_is_no_text(self, refused, tmp_path):
        bad = write(tmp_path / "a.jsonl", b'{"id": "\\ud800", "texts": ["a", "b"]}')
        refused("shard", bad, "--output", tmp_path / "data", fragments=["a.jsonl", "surrogate"])

    def test_folder_without_data(self, refused, tmp_path):
        (tmp_path / "empty").mkdir()
        bad = tmp_path / "empty"
        refused("shard", bad, "--output", tmp_path / "data", fragments=[str(bad), ".jsonl"])

    def test_unknown_scheme(self, refused, tmp_path):
        uri = "nonsense://bucket/a.json"
        refused("shard", uri, "--output", tmp_path / "data", fragments=[uri])

    def test_data_set_without_fresh(self, refused, groups, data):
        refused("shard", groups, "--output", data, fragments=[str(data), "--fresh"])

    @pytest.mark.parametrize("name", ["notes.txt", "manifest.json"])
    def test_fresh_on_what_is_no_data_set(self, refused, tmp_path, groups, name):
        (tmp_path / "mine").mkdir()
        write(tmp_path / "mine" / name, b'{"name": "mine"}')
        output = tmp_path / "mine"
        refused("shard", groups, "--output", output, "--fresh", fragments=[str(output)])

    @pytest.mark.parametrize("below", ["", "data"])
    def test_output_that_is_a_file_or_below_one(self, refused, tmp_path, groups, below):
        output = write(tmp_path / "file", b"mine") / below
        refused("shard", groups, "--output", output, fragments=[str(tmp_path / "file")])


class TestVectors:
    @pytest.mark.parametrize(
        "case",
        [
            "missing",
            "empty",
            "list at the top",
            "broken",
            "no list",
            "number",
            "utf-8",
            "utf-8 in lines",
            "utf-8 csv",
            "two columns",
            "no parquet",
            "ending",
        ],
    )
    @pytest.mark.parametrize("existing", [False, True])
    def test_bad_input(self, refused, tmp_path, case, existing):
        bad, fragments = bad_file(tmp_path, case)
        output = write(tmp_path / "vectors.txt", b"1 1\na 1\n" if existing else None)
        refused("vectors", bad, "--output", output, "--dim", 4, fragments=fragments)

    def test_nothing_to_train_on(self, refused, tmp_path, groups):
        command = ("vectors", groups, "--output", tmp_path / "v.txt", "--min-count", 999)
        refused(*command, fragments=["999", "texts"])

    def test_output_that_is_a_folder(self, refused, tmp_path, groups):
        output = tmp_path / "folder"
        output.mkdir()
        command = ("vectors", groups, "--output", output, "--dim", 4, "--epochs", 1)
        refused(*command, fragments=[str(output)])
