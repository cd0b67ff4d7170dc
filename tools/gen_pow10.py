#!/usr/bin/env python3
"""Writes the power-of-ten tables of src/column, from exact integer arithmetic.

    tools/gen_pow10.py decimal > src/column/pow10_256.inc
    tools/gen_pow10.py double  > src/column/pow10_128.inc

decimal: 10^0 .. 10^76 as four 64-bit limbs, least significant first.
double:  10^-292 .. 10^324 scaled by a power of two into [2^127, 2^128), rounded up,
         as {high, low}; what Schubfach multiplies by.
"""
import sys

MASK = (1 << 64) - 1


def decimal_rows():
    for k in range(77):
        v = 10**k
        limbs = ", ".join("0x%016X" % ((v >> (64 * i)) & MASK) for i in range(4))
        yield "{{%s}}, /* %d */" % (limbs, k)


def scaled(k):
    """ceil(10^k * 2^s) for the s that makes it 128 bits long."""
    if k >= 0:
        v = 10**k
        shift = v.bit_length() - 128
        return v << -shift if shift <= 0 else -((-v) >> shift)
    d = 10**-k
    shift = d.bit_length() + 127
    if (1 << shift) // d >= 1 << 128:
        shift -= 1
    return -((-(1 << shift)) // d)


def double_rows():
    for k in range(-292, 325):
        v = scaled(k)
        assert 1 << 127 <= v < 1 << 128, k
        yield "{0x%016X, 0x%016X}, /* %d */" % (v >> 64, v & MASK, k)


def main():
    tables = {"decimal": decimal_rows, "double": double_rows}
    if len(sys.argv) != 2 or sys.argv[1] not in tables:
        sys.exit(__doc__)
    print("/* Written by tools/gen_pow10.py %s; do not edit. */" % sys.argv[1])
    for row in tables[sys.argv[1]]():
        print(row)


main()
