"""Print the similarities of three example pairs: `python data/siamese/examples.py MODEL`."""

import sys

from siamese import SentenceEncoder

PAIRS = [
    ("怎么取消去大连的高铁票", "去大连的动车票不想要了，能退吗"),
    ("怎么取消去大连的高铁票", "怎么预订去大连的高铁票"),
    ("我的快递什么时候到", "房间里的空调不制冷怎么办"),
]

encoder = SentenceEncoder.load(sys.argv[1])
for first, second in PAIRS:
    answer = "similar" if encoder.is_similar(first, second) else "different"
    print(f"{encoder.similarity(first, second):7.4f}  {answer:9}  {first}  |  {second}")
