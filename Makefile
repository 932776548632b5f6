# `make quickstart` trains on the embedded sample, `make demo` serves a FAQ, `make test` runs the tests.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
SAMPLE := data/siamese
OUT := quickstart
FAQ := data/faq
DEMO := demo

.PHONY: quickstart demo test test-clusters test-others check docs

quickstart: .venv/installed
	$(BIN)/siamese shard $(SAMPLE)/df_train.json --output $(OUT)/data --fresh
	$(BIN)/siamese train --data $(OUT)/data --dev $(SAMPLE)/df_dev.txt --run $(OUT)/run --fresh \
	    --recipe fast
	$(BIN)/siamese evaluate $(OUT)/run/best $(SAMPLE)/df_test.txt --json $(OUT)/test.json
	$(BIN)/siamese report $(OUT)/run
	$(BIN)/python $(SAMPLE)/examples.py $(OUT)/run/best
	@echo
	@echo "model     $(OUT)/run/best          load it with SentenceEncoder.load"
	@echo "report    $(OUT)/run/report.html   open it in a browser"
	@echo "figures   $(OUT)/test.json         on the test pairs, threshold from the development pairs"
	@echo "data set  $(OUT)/data"

# Ends with a server: Ctrl-C stops it.
demo: .venv/installed-serve
	$(BIN)/siamese shard $(FAQ)/paraphrases.json --output $(DEMO)/data --fresh
	$(BIN)/siamese train --data $(DEMO)/data --dev $(FAQ)/dev.txt --run $(DEMO)/run --fresh \
	    --set training.epochs=8 --set loss.hard_negatives=0 --set loss.ranking=0
	$(BIN)/siamese index $(FAQ)/faq.csv --model $(DEMO)/run/best --output $(DEMO)/index --fresh
	$(BIN)/python tests/benchmarks/faq.py $(DEMO)/run/best
	$(BIN)/siamese search $(DEMO)/index 房间里连不上网怎么办 充错号码了话费能退吗 明天会下雨吗 -k 1
	$(BIN)/siamese serve $(DEMO)/run/best --index $(DEMO)/index

# Two lanes side by side, a process each. The tests that start Ray clusters wait for much of their time,
# but must answer in time: the others take only what those leave of the processors (`nice`).
test: .venv/installed-test
	$(MAKE) --jobs 2 --keep-going --output-sync=target test-clusters test-others

# A request of Ray's client to a cluster that is gone ends the process after 60 s: `_Exit(1)` in Ray's
# RetryableGrpcClient, so no exception, no report of pytest's, no stack. Ray's one line about it goes to
# file descriptor 2, which pytest captures and loses; `--capture=sys` lets the line through.
test-clusters: .venv/installed-test
	$(BIN)/python -m pytest -m cluster --capture=sys

test-others: .venv/installed-test
	nice -n 19 $(BIN)/python -m pytest -m "not cluster"

check: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Runs every command of README.md and docs/, and writes what it prints below it.
docs: .venv/installed
	$(BIN)/python docs/outputs.py

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/installed-serve: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[serve]'
	touch $@ .venv/installed

.venv/installed-test: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@ .venv/installed .venv/installed-serve
