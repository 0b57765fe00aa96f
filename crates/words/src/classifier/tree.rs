//! The Huffman tree of labels, from the root down, for predictions: branches that cannot win are
//! not entered.

use crate::Huffman;

/// What a branch leads to.
#[derive(Clone, Copy)]
pub(super) enum Child {
    Node(u32),
    Label(u32),
}

/// Two children of each inner node, by fastText's numbers of nodes: the root is the last.
pub(super) struct Tree(Vec<[Child; 2]>);

impl Tree {
    pub fn new(huffman: &Huffman, labels: usize) -> Self {
        let last = huffman.inner().saturating_sub(1) as u32;
        let mut children = vec![[Child::Label(0); 2]; huffman.inner()];
        for label in 0..labels as u32 {
            let path: Vec<_> = huffman.path(label).collect();
            for (place, branch) in path.iter().enumerate() {
                let child = match path.get(place + 1) {
                    Some(next) => Child::Node(last - next.node),
                    None => Child::Label(label),
                };
                children[(last - branch.node) as usize][usize::from(branch.right)] = child;
            }
        }
        Self(children)
    }

    /// Where a search begins.
    pub fn root(&self) -> Child {
        match self.0.len() {
            0 => Child::Label(0),
            inner => Child::Node(inner as u32 - 1),
        }
    }

    /// What lies to the left and to the right.
    pub fn children(&self, node: u32) -> [Child; 2] {
        self.0[node as usize]
    }
}
