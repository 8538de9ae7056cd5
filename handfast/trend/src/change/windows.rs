//! Where change points are looked for: windows of 16, 32, 64, .. values that half overlap, and those that end where the series does.
//!
//! S. Kovács, H. Li, P. Bühlmann, A. Munk, Seeded binary segmentation, Biometrika 2023: a fixed grid of windows of all scales finds what is hidden from
//! binary segmentation of the whole, in almost linear time.

/// The shortest window.
const LENGTH_MIN: usize = 16;

/// The starts of the windows of the grid that a series of this length has just completed.
pub(super) fn completed(length: usize) -> impl Iterator<Item = usize> {
    lengths(length)
        .filter(move |window| (length - window).is_multiple_of(window / 2))
        .map(move |window| length - window)
}

/// The starts of the windows off the grid that reach to the end of a series, the whole of it among them.
pub(super) fn open(length: usize) -> impl Iterator<Item = usize> {
    let off = lengths(length).filter(move |window| !(length - window).is_multiple_of(window / 2));
    off.map(move |window| length - window).chain(std::iter::once(0))
}

fn lengths(length: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(LENGTH_MIN), |window| Some(window * 2))
        .take_while(move |window| *window <= length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_window_of_the_grid_is_completed_once() {
        let all: Vec<(usize, usize)> =
            (1..=64).flat_map(|end| completed(end).map(move |start| (start, end))).collect();
        let expected = [
            (0, 16),
            (8, 24),
            (16, 32),
            (0, 32),
            (24, 40),
            (32, 48),
            (16, 48),
            (40, 56),
            (48, 64),
            (32, 64),
            (0, 64),
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn the_newest_values_are_in_windows_of_every_length() {
        assert_eq!(open(70).collect::<Vec<_>>(), [54, 38, 6, 0]);
        assert_eq!(open(5).collect::<Vec<_>>(), [0]);
    }
}
