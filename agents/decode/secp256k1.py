"""raw -> normalized, who signed: the public key that made a signature, on the curve that Ethereum uses. Pure.

Q = (s R - z G) / r, where R is the curve point whose x is r. Points are Jacobian (x / z^2, y / z^3), and both products
are made in one run over their digits (signed, of odd multiples), so that one signature costs about a millisecond. Only
public data goes in: nothing here needs to take the same time for every input.
"""

from functools import lru_cache
from typing import Final

_P: Final = 2**256 - 2**32 - 977
ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_GX: Final = 0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798
_GY: Final = 0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8
_WIDTH_G: Final = 8
_WIDTH_R: Final = 5

_Affine = tuple[int, int]
_Jacobian = tuple[int, int, int]
_INFINITY: Final[_Jacobian] = (0, 1, 0)


def recovered_key(digest: bytes, r: int, s: int, odd: bool) -> bytes | None:
    """The 64 bytes of the public key that signed ``digest`` (32 bytes); None where no key did.

    ``odd``: whether the y of the signature's point is odd.
    """
    if not (0 < r < ORDER and 0 < s < ORDER):
        return None
    square = (r * r * r + 7) % _P
    y = pow(square, (_P + 1) // 4, _P)
    if y * y % _P != square:
        return None
    if y & 1 != odd:
        y = _P - y
    inverse = pow(r, -1, ORDER)
    z = int.from_bytes(digest, "big")
    point = _sum(-z * inverse % ORDER, s * inverse % ORDER, (r, y))
    if point[2] == 0:
        return None
    x, y = _affine([point])[0]
    return x.to_bytes(32, "big") + y.to_bytes(32, "big")


def _sum(of_g: int, of_point: int, point: _Affine) -> _Jacobian:
    """of_g * G + of_point * point."""
    digits_g, digits_r = _digits(of_g, _WIDTH_G), _digits(of_point, _WIDTH_R)
    table_g, table_r = _generator(), _odd_multiples(point, _WIDTH_R)
    total = _INFINITY
    for at in range(max(len(digits_g), len(digits_r)) - 1, -1, -1):
        total = _doubled(total)
        if at < len(digits_g) and (digit := digits_g[at]):
            total = _plus(total, table_g, digit)
        if at < len(digits_r) and (digit := digits_r[at]):
            total = _plus(total, table_r, digit)
    return total


def _digits(number: int, width: int) -> list[int]:
    """The number in signed digits, lowest first: each is zero or odd, and below 2^(width-1) in size."""
    digits = []
    full, half = 1 << width, 1 << (width - 1)
    while number:
        digit = 0
        if number & 1:
            digit = number & (full - 1)
            if digit >= half:
                digit -= full
            number -= digit
        digits.append(digit)
        number >>= 1
    return digits


@lru_cache(maxsize=1)
def _generator() -> list[_Affine]:
    return _odd_multiples((_GX, _GY), _WIDTH_G)


def _odd_multiples(point: _Affine, width: int) -> list[_Affine]:
    """1, 3, 5 ... times the point, as many as digits of that width need."""
    [twice] = _affine([_doubled((*point, 1))])
    multiples: list[_Jacobian] = [(*point, 1)]
    for _ in range((1 << (width - 2)) - 1):
        multiples.append(_added(multiples[-1], *twice))
    return _affine(multiples)


def _plus(total: _Jacobian, table: list[_Affine], digit: int) -> _Jacobian:
    x, y = table[abs(digit) >> 1]
    return _added(total, x, y if digit > 0 else _P - y)


def _doubled(point: _Jacobian) -> _Jacobian:
    x, y, z = point
    if z == 0:
        return _INFINITY
    square_y = y * y % _P
    shift = 4 * x * square_y % _P
    slope = 3 * x * x % _P
    new_x = (slope * slope - 2 * shift) % _P
    return new_x, (slope * (shift - new_x) - 8 * square_y * square_y) % _P, 2 * y * z % _P


def _added(point: _Jacobian, x: int, y: int) -> _Jacobian:
    """A Jacobian and an affine point."""
    x1, y1, z1 = point
    if z1 == 0:
        return x, y, 1
    square_z = z1 * z1 % _P
    width = (x * square_z - x1) % _P
    height = (y * square_z * z1 - y1) % _P
    if width == 0:
        return _doubled(point) if height == 0 else _INFINITY
    square = width * width % _P
    cube = square * width % _P
    base = x1 * square % _P
    new_x = (height * height - cube - 2 * base) % _P
    return new_x, (height * (base - new_x) - y1 * cube) % _P, z1 * width % _P


def _affine(points: list[_Jacobian]) -> list[_Affine]:
    """Points, none of them at infinity, with one division for all."""
    products = [1]
    for _, _, z in points:
        products.append(products[-1] * z % _P)
    inverse = pow(products[-1], -1, _P)
    found: list[_Affine] = []
    for (x, y, z), before in zip(reversed(points), reversed(products[:-1]), strict=True):
        own, inverse = inverse * before % _P, inverse * z % _P
        square = own * own % _P
        found.append((x * square % _P, y * square * own % _P))
    return found[::-1]
