//! Who is measured when, so that what disturbs the machine disturbs all.

/// The order of a round: the second is the first mirrored, the next two begin a third further on, and so on.
pub fn order(count: usize, round: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    if count > 0 {
        order.rotate_left(round / 2 * count.div_ceil(3) % count);
    }
    if round % 2 == 1 {
        order.reverse();
    }
    order
}
