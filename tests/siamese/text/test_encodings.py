"""The encoding of a text, by its beginning: UTF-8 but for good reasons."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamese.text.encodings import recognised

CHINESE = "怎么修改支付密码？我的银行卡丢了，需要挂失。\t如何查询信用卡的账单和还款日\t1\n" * 3


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff\ufffe")), st.integers(0, 9)
)
def test_what_is_utf8_is_utf8_wherever_it_is_cut(text, cut) -> None:
    content = text.encode()
    assert recognised(content, True) == "utf-8"
    assert recognised(content[: max(len(content) - cut, 0)], False) == "utf-8"


@pytest.mark.parametrize("cut", range(5))
@pytest.mark.parametrize("encoding", ["gb18030", "utf-16-le", "utf-16-be"])
def test_chinese_is_recognised_wherever_it_is_cut(encoding, cut) -> None:
    content = CHINESE.encode(encoding)
    assert recognised(content, True) == encoding
    assert recognised(content[: len(content) - cut], False) == encoding
    assert recognised("密码\n".encode(encoding) * 2, True) == encoding


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("怎麼修改密碼？我的銀行卡丟了\t如何查詢帳單\t1\n", "big5"),
        ("パスワードを変更したい\tパスワードの変え方\t1\n", "shift-jis"),
        ("パスワードを変更したい\tパスワードの変え方\t1\n", "euc-jp"),
        (
            "비밀번호를 변경하고 싶어요 어떻게 하나요\t비밀번호 변경 방법을 알려 주세요\t1\n",
            "euc-kr",
        ),
        ("как изменить мой пароль\tсмена пароля\t1\n", "cp1251"),
        ("привет\tпока\t1\n", "cp1251"),
        ("où changer le mot de passe oublié\tréinitialisé\t1\n", "latin-1"),
        ("“how”\t‘why’\t1\n", "cp1252"),
    ],
)
def test_other_encodings_are_not_taken_for_chinese(text, encoding) -> None:
    assert recognised((text * 3).encode(encoding), True) == "utf-8"


@pytest.mark.parametrize("where", [0, 0.4, 1])
def test_utf8_with_one_damaged_line_is_utf8(where) -> None:
    at = int(len(CHINESE) * where)
    content = CHINESE[:at].encode() + "密码".encode("gbk") + CHINESE[at:].encode()
    assert recognised(content, True) == "utf-8"


@pytest.mark.parametrize("content", [b"", b"abc\0def\n", b"\0" * 50, b"a\tb\t1\n" * 9 + b"\0" * 20])
def test_zeros_alone_are_no_utf16(content) -> None:
    assert recognised(content, True) == "utf-8"
