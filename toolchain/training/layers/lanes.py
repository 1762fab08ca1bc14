"""Parts of the spiking kernels in the compiler's own language.

They are what LANES neurons do at once, with sums and states in registers.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import extending, types

intrinsic: Any = extending.intrinsic
LANES = 16  # neurons of a block: of float32, a line of cache
ROWS = 4  # that are summed at once, and inputs of a group
ENTRIES = 16  # of a group's table
SCALE = 8  # a pattern's unit: the smallest that a byte's offset into a table may have


@intrinsic
def add_entries(context, tables, patterns, stride, groups, sums, fresh):  # noqa: ANN001, ANN201
    """Sum one entry per group, as its pattern says, into sums [ROWS, LANES].

    They are added to what is there unless they are `fresh`. `patterns` and `sums` are addresses;
    `stride` bytes lie between two groups.
    """
    number = tables.dtype

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, patterns, stride, groups, sums, fresh = arguments
        scalar = context.get_data_type(number)
        address = groups.type
        byte = ir.IntType(8)
        word = ir.IntType(8 * ROWS)
        row = ir.VectorType(scalar, LANES)
        size = number.bitwidth // 8
        zero = ir.Constant(row, [ir.Constant(scalar, 0.0)] * LANES)
        entry, load, begin, head, body, end = (
            builder.block,
            *(
                builder.append_basic_block(name)
                for name in ("load", "begin", "head", "body", "end")
            ),
        )
        base = builder.ptrtoint(
            context.make_array(signature.args[0])(context, builder, array).data, address
        )
        places = [
            builder.inttoptr(
                builder.add(sums, ir.Constant(address, k * LANES * size)), row.as_pointer()
            )
            for k in range(ROWS)
        ]
        builder.cbranch(fresh, begin, load)

        builder.position_at_end(load)
        before = [builder.load(place, align=size) for place in places]
        builder.branch(begin)

        builder.position_at_end(begin)
        first = [_phi(builder, row, (zero, entry), (value, load)) for value in before]
        builder.branch(head)

        builder.position_at_end(head)
        left, pattern, table = (
            _phi(builder, address, (value, begin)) for value in (groups, patterns, base)
        )
        totals = [_phi(builder, row, (value, begin)) for value in first]
        builder.cbranch(builder.icmp_signed(">", left, ir.Constant(address, 0)), body, end)

        builder.position_at_end(body)
        four = builder.load(builder.inttoptr(pattern, word.as_pointer()), align=1)
        units = builder.inttoptr(table, ir.ArrayType(byte, LANES * size // SCALE).as_pointer())
        for k, total in enumerate(totals):
            unit = builder.zext(
                builder.trunc(builder.lshr(four, ir.Constant(word, 8 * k)), byte), address
            )
            found = builder.load(
                builder.bitcast(builder.gep(units, [unit]), row.as_pointer()), align=size
            )
            total.add_incoming(builder.fadd(total, found), body)
        left.add_incoming(builder.sub(left, ir.Constant(address, 1)), body)
        pattern.add_incoming(builder.add(pattern, stride), body)
        table.add_incoming(builder.add(table, ir.Constant(address, ENTRIES * LANES * size)), body)
        builder.branch(head)

        builder.position_at_end(end)
        for total, place in zip(totals, places, strict=True):
            builder.store(total, place, align=size)
        return context.get_dummy_value()

    return (
        types.void(tables, types.intp, types.intp, types.intp, types.intp, types.boolean),
        generate,
    )


@intrinsic
def fill_table(context, values, g, tables, k):  # noqa: ANN001, ANN201
    """Fill tables[k] with the sixteen sums of values[4 g : 4 g + 4], all with LANES columns.

    Both arrays are contiguous.
    """
    number = values.dtype

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        row = ir.VectorType(context.get_data_type(number), LANES)
        size = number.bitwidth // 8

        def start(index: int, which: int, rows: int) -> Any:
            data = context.make_array(signature.args[index])(
                context, builder, arguments[index]
            ).data
            return builder.gep(
                builder.bitcast(data, row.as_pointer()),
                [builder.mul(arguments[which], ir.Constant(arguments[which].type, rows))],
            )

        def at(pointer: Any, index: int) -> Any:
            return builder.gep(pointer, [ir.Constant(ir.IntType(64), index)])

        weights = start(0, 1, ROWS)
        table = start(2, 3, ENTRIES)
        entries = [ir.Constant(row, [ir.Constant(row.element, 0.0)] * LANES)]
        for bit in range(ROWS):
            weight = builder.load(at(weights, bit), align=size)
            entries += [
                weight if entry is entries[0] else builder.fadd(entry, weight) for entry in entries
            ]
        for index, entry in enumerate(entries):
            builder.store(entry, at(table, index), align=size)
        return context.get_dummy_value()

    return types.void(values, types.intp, tables, types.intp), generate


def lane_scan(two_state: bool, voltages: bool) -> Any:
    """Make an intrinsic that goes through the timesteps of LANES neurons of one sample.

    Their states stay in registers. drive, bias and out are addresses of first rows; stride and
    out_stride are bytes from one timestep to the next. It writes voltages, or which neurons fired
    as the bits of an uint16.
    """

    @intrinsic
    def scan(  # noqa: ANN001, ANN202
        context, drive, stride, timesteps, bias, constants, out, out_stride
    ):
        number = constants.dtype

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            drive, stride, timesteps, bias, constants, out, out_stride = arguments
            row = ir.VectorType(context.get_data_type(number), LANES)
            address = drive.type
            align = number.bitwidth // 8
            zero = ir.Constant(row, [ir.Constant(row.element, 0.0)] * LANES)

            def load(place: Any) -> Any:
                return builder.load(builder.inttoptr(place, row.as_pointer()), align=align)

            threshold, current_keep, voltage_keep, reset_v, reset_u, coupling_v, coupling_u = (
                _everywhere(builder, builder.extract_value(constants, index)) for index in range(7)
            )
            biases = load(bias)
            entry = builder.block
            head, body, end = (builder.append_basic_block(name) for name in ("head", "body", "end"))
            builder.branch(head)

            builder.position_at_end(head)
            left, here, there = (
                _phi(builder, address, (value, entry)) for value in (timesteps, drive, out)
            )
            current, kept, recovery = (_phi(builder, row, (zero, entry)) for _ in range(3))
            builder.cbranch(builder.icmp_signed(">", left, ir.Constant(address, 0)), body, end)

            builder.position_at_end(body)
            its = builder.fadd(
                builder.fmul(current_keep, current), builder.fadd(load(here), biases)
            )
            if two_state:
                v = builder.fadd(builder.fsub(builder.fmul(kept, kept), recovery), its)
                after = builder.fadd(
                    builder.fmul(coupling_u, recovery), builder.fmul(coupling_v, kept)
                )
                fired = builder.fcmp_ordered(">", v, threshold)
                recovery.add_incoming(
                    builder.fadd(after, builder.select(fired, reset_u, zero)), body
                )
                kept.add_incoming(builder.select(fired, reset_v, v), body)
            else:
                v = builder.fadd(kept, its)
                fired = builder.fcmp_ordered(">", v, threshold)
                recovery.add_incoming(zero, body)
                kept.add_incoming(builder.select(fired, zero, builder.fmul(voltage_keep, v)), body)
            current.add_incoming(its, body)
            if voltages:
                builder.store(v, builder.inttoptr(there, row.as_pointer()), align=align)
            else:
                bits = ir.IntType(LANES)
                builder.store(
                    builder.bitcast(fired, bits),
                    builder.inttoptr(there, bits.as_pointer()),
                    align=1,
                )
            for phi, change in (
                (left, ir.Constant(address, -1)),
                (here, stride),
                (there, out_stride),
            ):
                phi.add_incoming(builder.add(phi, change), body)
            builder.branch(head)

            builder.position_at_end(end)
            return context.get_dummy_value()

        return (
            types.void(
                types.intp, types.intp, types.intp, types.intp, constants, types.intp, types.intp
            ),
            generate,
        )

    return scan


leaky_voltages, leaky_spikes = (lane_scan(False, voltages) for voltages in (True, False))
two_state_voltages, two_state_spikes = (lane_scan(True, voltages) for voltages in (True, False))


@intrinsic
def encoder_spikes(  # noqa: ANN001, ANN201
    context, activations, timesteps, threshold, out, out_stride
):
    """Do as lane_scan, for the encoder's soft-reset neurons and activations [LANES] that stay."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        activations, timesteps, threshold, out, out_stride = arguments
        row = ir.VectorType(context.get_data_type(signature.args[2]), LANES)
        address = out.type
        bits = ir.IntType(LANES)
        zero = ir.Constant(row, [ir.Constant(row.element, 0.0)] * LANES)
        limit = _everywhere(builder, threshold)
        a = builder.load(
            builder.inttoptr(activations, row.as_pointer()), align=signature.args[2].bitwidth // 8
        )
        entry = builder.block
        head, body, end = (builder.append_basic_block(name) for name in ("head", "body", "end"))
        builder.branch(head)

        builder.position_at_end(head)
        left, there = (_phi(builder, address, (value, entry)) for value in (timesteps, out))
        kept = _phi(builder, row, (zero, entry))
        builder.cbranch(builder.icmp_signed(">", left, ir.Constant(address, 0)), body, end)

        builder.position_at_end(body)
        v = builder.fadd(kept, a)
        fired = builder.fcmp_ordered(">", v, limit)
        kept.add_incoming(builder.fsub(v, builder.select(fired, limit, zero)), body)
        builder.store(
            builder.bitcast(fired, bits), builder.inttoptr(there, bits.as_pointer()), align=1
        )
        for phi, change in ((left, ir.Constant(address, -1)), (there, out_stride)):
            phi.add_incoming(builder.add(phi, change), body)
        builder.branch(head)

        builder.position_at_end(end)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, threshold, types.intp, types.intp), generate


@intrinsic
def move_lanes(context, like, source, target, adds):  # noqa: ANN001, ANN201
    """Copy LANES numbers, as in `like`, from one address to another, or add them to those there."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, source, target, adds = arguments
        row = ir.VectorType(context.get_data_type(signature.args[0].dtype), LANES)
        align = signature.args[0].dtype.bitwidth // 8
        value = builder.load(builder.inttoptr(source, row.as_pointer()), align=align)
        place = builder.inttoptr(target, row.as_pointer())
        with builder.if_else(adds) as (several, one):
            with several:
                builder.store(
                    builder.fadd(builder.load(place, align=align), value), place, align=align
                )
            with one:
                builder.store(value, place, align=align)
        return context.get_dummy_value()

    return types.void(like, types.intp, types.intp, types.boolean), generate


def _everywhere(builder: Any, value: Any) -> Any:
    """A number in all lanes."""
    row = ir.VectorType(value.type, LANES)
    index = ir.IntType(32)
    one = builder.insert_element(ir.Constant(row, ir.Undefined), value, ir.Constant(index, 0))
    return builder.shuffle_vector(
        one, ir.Constant(row, ir.Undefined), ir.Constant(ir.VectorType(index, LANES), [0] * LANES)
    )


def _phi(builder: Any, kind: Any, *incoming: tuple[Any, Any]) -> Any:
    phi = builder.phi(kind)
    for value, block in incoming:
        phi.add_incoming(value, block)
    return phi
