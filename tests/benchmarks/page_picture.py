"""The picture of the page in docs/: a search by day, a comparison by night.

python tests/benchmarks/page_picture.py run/best faq-index docs/pictures/serve.png
"""

import argparse
import io
import sys
import tempfile
from base64 import b64decode
from pathlib import Path
from urllib.parse import urlencode

from PIL import Image

from siamese import SentenceEncoder
from siamese.search.index import Index
from siamese.serving.desk import Desk
from siamese.serving.served import name_of

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "helpers"))
from browser import Browser
from served_here import listening

SIZE = (600, 780)
SHARPNESS = 1.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("model")
    parser.add_argument("index")
    parser.add_argument("picture", type=Path)
    parser.add_argument("--question", default="密码想不起来了怎么登录")
    options = parser.parse_args()

    encoder = SentenceEncoder.load(options.model)
    index = Index.open(options.index, encoder)
    entry = index.search(options.question, 1, -1)[0].text
    views = (
        ("light", {"q": options.question}),
        ("dark", {"a": options.question, "b": entry}),
    )
    with (
        listening(Desk(encoder, index, name_of(options.model))) as url,
        tempfile.TemporaryDirectory() as profile,
        Browser(Path(profile)) as browser,
    ):
        browser.size(*SIZE, sharpness=SHARPNESS)
        shots = []
        for scheme, asked in views:
            browser.prefer(scheme)
            browser.open(f"{url}/?{urlencode(asked)}")
            png = b64decode(browser.call("Page.captureScreenshot")["data"])
            shots.append(Image.open(io.BytesIO(png)).convert("RGB"))
    width, height = shots[0].size
    both = Image.new("RGB", (2 * width, height))
    for number, shot in enumerate(shots):
        both.paste(shot, (number * width, 0))
    both.save(options.picture, optimize=True)
    print(f"{options.picture}: {options.picture.stat().st_size >> 10} KiB")


if __name__ == "__main__":
    main()
