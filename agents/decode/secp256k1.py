"""raw -> normalized, who signed: the public key that made a signature, on the curve that Ethereum uses. Pure.

Q = (s R - z G) / r, where R is the curve point whose x is r. Points are Jacobian (x / z^2, y / z^3). Each factor is
split into two of half its length (the curve has a cheap multiplication, by lambda), and all four products are made in
one run over their digits (signed, of odd multiples), so that a signature costs about a millisecond. Only public data
goes in: nothing here needs to take the same time for every input.
"""

from functools import lru_cache
from typing import Final

_P: Final = 2**256 - 2**32 - 977
ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_GX: Final = 0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798
_GY: Final = 0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8
_BETA: Final = 0x7AE96A2B657C07106E64479EAC3434E99CF0497512F58995C1396C28719501EE
"""lambda * (x, y) = (beta * x, y)."""
_A1: Final = 0x3086D221A7D46BCDE86C90E49284EB15
_A2: Final = 0x114CA50F7A8E2F3F657C1108D9D44CFD8
_B1: Final = 0xE4437ED6010E88286F547FA90ABFE4C3
_STEPS: Final = 131
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
    steps: list[list[_Affine]] = [[] for _ in range(_STEPS)]
    for factor, table, width in ((of_g, _generator(), _WIDTH_G), (of_point, _odd_multiples(point, _WIDTH_R), _WIDTH_R)):
        short, by_lambda = _halves(factor)
        _plan(steps, short, table, width)
        _plan(steps, by_lambda, [(_BETA * x % _P, y) for x, y in table], width)
    total = _INFINITY
    for points in reversed(steps):
        total = _doubled(total)
        for x, y in points:
            total = _added(total, x, y)
    return total


def _halves(factor: int) -> tuple[int, int]:
    """Two numbers of about 128 bits, of either sign, with factor = first + second * lambda (modulo the order)."""
    first, second = (_A1 * factor + ORDER // 2) // ORDER, (_B1 * factor + ORDER // 2) // ORDER
    return factor - first * _A1 - second * _A2, first * _B1 - second * _A1


def _plan(steps: list[list[_Affine]], factor: int, table: list[_Affine], width: int) -> None:
    """Put down which multiple of the point is added at each of the factor's binary places."""
    for at, digit in enumerate(_digits(abs(factor), width)):
        if digit:
            x, y = table[abs(digit) >> 1]
            steps[at].append((x, y if (digit > 0) == (factor > 0) else _P - y))


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
