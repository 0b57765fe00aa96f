use std::fmt;

/// What a value between two layers looks like, for one item of a batch: its positions, each with so
/// many values. A picture is [height, width, channels], a sentence [any, dimensions], a vector
/// [values]. Items of a batch lie one after the other, position after position, without padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// What stands at each place.
    pub content: Content,
    /// The positions of an item.
    pub positions: Positions,
    /// Values at each position.
    pub width: usize,
    /// Along how many axes the place of each row of a sequence is known (see `Rows::places`); 0: it is not.
    pub axes: usize,
}

/// What stands at each place of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Numbers from 0 that stand for words, categories, pieces.
    Ids,
    /// f32 values.
    Values,
}

/// The positions of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Positions {
    /// A sequence, each item of its own length.
    Any,
    /// The same for each item: [] for a vector, [length], [height, width], [time, height, width].
    Fixed(Vec<usize>),
}

/// Values of an item or a parameter, at most: more than any memory has, few enough for sums and products with them.
const MOST: usize = 1 << 46;

/// Whether so many values along each axis are no more than can be counted.
pub(crate) fn countable<'a>(axes: impl IntoIterator<Item = &'a usize>) -> bool {
    let size = axes.into_iter().try_fold(1usize, |size, &axis| size.checked_mul(axis));
    size.is_some_and(|size| size <= MOST)
}

impl Shape {
    /// A vector for each item.
    pub fn vector(width: usize) -> Self {
        Self { content: Content::Values, positions: Positions::Fixed(Vec::new()), width, axes: 0 }
    }

    /// The same positions with other values.
    #[must_use]
    pub fn with_width(&self, width: usize) -> Self {
        let Self { positions, axes, .. } = self.clone();
        Self { content: Content::Values, positions, width, axes }
    }

    /// Whether both have as many values at the same positions, whatever is known of places.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let Self { content, positions, width, .. } = self;
        (*content, *width) == (other.content, other.width) && *positions == other.positions
    }

    /// Whether an item is one row.
    pub(crate) fn is_vector(&self) -> bool {
        matches!(&self.positions, Positions::Fixed(axes) if axes.is_empty())
    }

    /// Rows of an item, if they are the same for each.
    pub fn rows(&self) -> Option<usize> {
        match &self.positions {
            Positions::Any => None,
            Positions::Fixed(axes) => Some(axes.iter().product()),
        }
    }

    /// Why a layer that wants to know places along so many axes cannot take it, if it cannot.
    pub(crate) fn placed(&self, axes: usize) -> Result<(), String> {
        match self.axes {
            known if known == axes => Ok(()),
            0 => Err(format!("expects rows whose place along {axes} axes is known (`axes`)")),
            known => Err(format!("expects places along {axes} axes, and they have {known}")),
        }
    }

    /// Whether the values of an item, or of a row if its length is not known, can be counted.
    pub(crate) fn can_be(&self) -> bool {
        let axes = match &self.positions {
            Positions::Any => &[],
            Positions::Fixed(axes) => &axes[..],
        };
        countable(axes.iter().chain([&self.width]))
    }

    /// Why a layer that works on values cannot take it, if it cannot.
    pub(crate) fn values(&self) -> Result<(), String> {
        match self.content {
            Content::Values => Ok(()),
            Content::Ids => Err(format!("takes values, and {self} comes: an embedding is missing")),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut axes: Vec<String> = match &self.positions {
            Positions::Any => vec!["any".into()],
            Positions::Fixed(axes) => axes.iter().map(ToString::to_string).collect(),
        };
        match self.content {
            Content::Ids => write!(f, "ids [{}]", axes.join(", ")),
            Content::Values => {
                axes.push(self.width.to_string());
                write!(f, "[{}]", axes.join(", "))
            }
        }
    }
}
