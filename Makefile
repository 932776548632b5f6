# Two commands: `make quickstart` trains on the embedded sample, `make test` runs the tests.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
SAMPLE := data/siamese
OUT := quickstart

.PHONY: quickstart test check

quickstart: .venv/installed
	$(BIN)/siamese shard $(SAMPLE)/df_train.json --output $(OUT)/data --fresh
	$(BIN)/siamese train --data $(OUT)/data --dev $(SAMPLE)/df_dev.txt --run $(OUT)/run --fresh \
	    --recipe fast --set encoder.vectors=$(SAMPLE)/token_vec_64.txt --set training.epochs=60
	$(BIN)/siamese evaluate $(OUT)/run/best $(SAMPLE)/df_test.txt --json $(OUT)/test.json
	$(BIN)/siamese report $(OUT)/run
	$(BIN)/python $(SAMPLE)/examples.py $(OUT)/run/best
	@echo
	@echo "model     $(OUT)/run/best          load it with SentenceEncoder.load"
	@echo "report    $(OUT)/run/report.html   open it in a browser"
	@echo "figures   $(OUT)/test.json         on the test pairs, threshold from the development pairs"
	@echo "data set  $(OUT)/data"

# Those that start clusters wait for processes that answer in time, so they run alone; and each file
# in a process of its own: several in one process have ended it twice, without a word or a known cause.
test: .venv/installed-test
	$(BIN)/python -m pytest --ignore tests/clusters --numprocesses 2 --dist loadfile
	for file in tests/clusters/test_*.py; do $(BIN)/python -m pytest $$file || exit 1; done

check: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/installed-test: .venv/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@
