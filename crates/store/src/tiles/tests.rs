use super::*;

#[test]
fn paths_are_those_of_c2sp() {
    let check = |level, number, width, path: &str| assert_eq!(Tile { level, number, width }.path(), path);
    check(Some(0), 0, 256, "tile/0/000");
    check(Some(4), 1_234_067, 256, "tile/4/x001/x234/067");
    check(Some(4), 1_234_067, 8, "tile/4/x001/x234/067.p/8");
    check(None, 999, 1, "tile/entries/999.p/1");
    check(None, 1_000, 256, "tile/entries/x001/000");
}

#[test]
fn a_tree_has_the_tiles_that_its_size_needs() {
    let check = |size, expected: &[&str]| {
        let paths: Vec<String> = Tile::all(size).map(|tile| tile.path()).collect();
        assert_eq!(paths, expected, "{size}");
    };
    check(0, &[]);
    check(1, &["tile/entries/000.p/1", "tile/0/000.p/1"]);
    check(256, &["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]);
    check(
        515,
        &[
            "tile/entries/000",
            "tile/entries/001",
            "tile/entries/002.p/3",
            "tile/0/000",
            "tile/0/001",
            "tile/0/002.p/3",
            "tile/1/000.p/2",
        ],
    );
    let top: Vec<Tile> = Tile::all(65_536 * 2).filter(|tile| tile.level >= Some(1)).collect();
    assert_eq!(top.len(), 3);
    assert_eq!(top[2], Tile { level: Some(2), number: 0, width: 2 });
}

#[test]
fn tiles_agree_with_the_library() {
    for size in [1_u64, 2, 255, 256, 257, 70_000] {
        let library: Vec<(u8, u64, u32)> = tlog_tiles::Tile::new_tiles(8, 0, size)
            .iter()
            .map(|tile| (tile.level(), tile.level_index(), tile.width()))
            .collect();
        let ours: Vec<(u8, u64, u32)> = Tile::all(size)
            .filter_map(|tile| Some((tile.level?, tile.number, u32::try_from(tile.width).unwrap())))
            .collect();
        assert_eq!(ours, library, "{size}");
    }
}

#[test]
fn bundles_give_each_entry_its_length() {
    assert_eq!(bundle(&[b"ab".to_vec(), Vec::new(), vec![7; 300]])[..8], [0, 2, b'a', b'b', 0, 0, 1, 44]);
}
