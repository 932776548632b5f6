"""Print the similarities of three example pairs: `python data/siamese/examples.py MODEL`."""

import sys

from siamese import SentenceEncoder

PAIRS = [
    ("临时有事，订的双床房可以不要了吗", "怎么取消双床房的订单"),  # few characters in common
    ("麻烦问下，怎么预订双床房", "请问怎么撤销双床房的预订"),  # most of them in common
    ("我的快递什么时候到", "房间里的空调不制冷怎么办"),
]

encoder = SentenceEncoder.load(sys.argv[1])
for first, second in PAIRS:
    answer = "similar" if encoder.is_similar(first, second) else "different"
    print(f"{encoder.similarity(first, second):7.4f}  {answer:9}  {first}  |  {second}")
