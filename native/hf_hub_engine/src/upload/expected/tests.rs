//! Compares with a model that knows the tree before the changes.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// Files and their contents.
type Tree = BTreeMap<&'static str, u8>;

#[derive(Clone, Copy, Debug)]
enum Change {
    Put(&'static str, u8),
    RemoveFile(&'static str),
    RemoveFolder(&'static str),
}

impl Change {
    fn path(self) -> &'static str {
        match self {
            Self::Put(path, _) | Self::RemoveFile(path) | Self::RemoveFolder(path) => path,
        }
    }
}

const PATHS: [&str; 8] = ["a", "a.b", "a/x", "a/x/y", "a/x/z", "a/z", "a0", "b/x"];

fn lies_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

fn look(tree: &Tree, path: &str) -> Found<u8> {
    match tree.get(path) {
        Some(content) => Found::File(*content),
        None if tree.keys().any(|file| lies_below(file, path)) => Found::Folder,
        None => Found::Nothing,
    }
}

/// The tree after the changes; `None` if a Hub rejects one of them.
fn apply(before: &Tree, changes: &[Change]) -> Option<Tree> {
    let mut tree = before.clone();
    for change in changes {
        let found = look(&tree, change.path());
        match *change {
            Change::Put(path, content) => {
                let through_file = tree.keys().any(|file| lies_below(path, file));
                if found == Found::Folder || through_file {
                    return None;
                }
                tree.insert(path, content);
            }
            Change::RemoveFile(path) => {
                tree.remove(path)?;
            }
            Change::RemoveFolder(path) => {
                if found != Found::Folder {
                    return None;
                }
                tree.retain(|file, _| !lies_below(file, path));
            }
        }
    }
    Some(tree)
}

/// All trees of the paths, with two contents.
fn trees() -> Vec<Tree> {
    let mut trees = vec![Tree::new()];
    for path in PATHS {
        for tree in trees.clone() {
            let fits = tree.keys().all(|file| !lies_below(file, path) && !lies_below(path, file));
            for content in [1, 2] {
                let mut tree = tree.clone();
                tree.insert(path, content);
                trees.extend(fits.then_some(tree));
            }
        }
    }
    trees
}

fn expected(changes: &[Change]) -> Expected<'static, u8> {
    let mut expected = Expected::default();
    for change in changes {
        match *change {
            Change::Put(path, content) => expected.put(path, content),
            Change::RemoveFile(path) | Change::RemoveFolder(path) => expected.remove(path),
        }
    }
    expected
}

fn random_changes(random: &mut fastrand::Rng) -> Vec<Change> {
    let change = |random: &mut fastrand::Rng| {
        let path = PATHS[random.usize(..PATHS.len())];
        match random.u8(..4) {
            0 | 1 => Change::Put(path, random.u8(1..=2)),
            2 => Change::RemoveFile(path),
            _ => Change::RemoveFolder(["a", "a/x", "b"][random.usize(..3)]),
        }
    };
    (0..random.usize(1..=5)).map(|_| change(random)).collect()
}

/// A tree is accepted exactly if the changes produce it from some earlier tree.
#[test]
fn accepts_exactly_the_trees_that_the_changes_can_produce() {
    let trees = trees();
    let mut random = fastrand::Rng::with_seed(7);
    let (mut accepted, mut rejected) = (0, 0);
    while accepted < 5000 {
        let changes = random_changes(&mut random);
        let touched: BTreeSet<&str> = changes.iter().map(|change| change.path()).collect();
        let shown =
            |tree: &Tree| touched.iter().map(|path| look(tree, path)).collect::<Vec<Found<u8>>>();
        let made: Vec<Tree> = trees.iter().filter_map(|tree| apply(tree, &changes)).collect();
        if made.is_empty() {
            continue;
        }
        let made: Vec<Vec<Found<u8>>> = made.iter().map(shown).collect();
        let expected = expected(&changes);
        assert_eq!(expected.paths().collect::<BTreeSet<_>>(), touched);
        for tree in &trees {
            let difference =
                expected.difference(|path| look(tree, path), |one, other| one == other);
            let can_be_made = made.contains(&shown(tree));
            assert_eq!(difference.is_none(), can_be_made, "{changes:?} {tree:?} {difference:?}");
            if can_be_made { accepted += 1 } else { rejected += 1 }
        }
    }
    assert!(rejected > 5000, "{rejected}");
}
