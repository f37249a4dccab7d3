#[test]
fn mini() {
    let text = std::fs::read_to_string("/tmp/mini.toml").unwrap();
    match ripcord_policy::load_str(&text) {
        Ok(p) => println!("{:#?}", p.program()),
        Err(d) => panic!("{}", ripcord_policy::render(&d, &[("ripcord.toml".to_owned(), text)].into())),
    }
}
