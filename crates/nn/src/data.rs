use std::ops::RangeInclusive;

use inlay_base::{Error, Result};

use crate::shape::{Content, Positions, Shape};

/// What items have at one input, or what is wanted of them: items one after the other.
pub struct Column {
    /// Numbers or ids.
    pub cells: Cells,
    /// Where each item's rows begin, and where the last one's end.
    pub offsets: Vec<usize>,
    /// Values of a row.
    pub width: usize,
    /// The place of each row along each of `axes`: [rows, axes].
    places: Vec<u32>,
    /// Along how many axes; 0: places are not known.
    pub(crate) axes: usize,
}

/// The content of a column.
pub enum Cells {
    /// [rows]
    Ids(Vec<u32>),
    /// [rows, width]
    Values(Vec<f32>),
}

/// An id that stands for "nothing is wanted here" among targets.
pub const IGNORED: u32 = u32::MAX;

/// Some rows of each item of a batch: from the first one on, so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first row.
    pub first: usize,
    /// How many there are at most.
    pub count: usize,
}

impl Window {
    /// All rows.
    pub const ALL: Self = Self { first: 0, count: usize::MAX };

    /// What it has of an item of so many rows.
    pub fn rows(self, rows: usize) -> usize {
        rows.saturating_sub(self.first).min(self.count)
    }

    /// What it has of rows that begin and end here.
    fn of(self, start: usize, end: usize) -> (usize, usize) {
        let first = start.saturating_add(self.first).min(end);
        (first, first.saturating_add(self.count).min(end))
    }
}

impl Column {
    /// Checks a column against what goes into an input.
    ///
    /// # Errors
    /// `InvalidInput`, with the item, for what does not fit or is not finite.
    pub fn new(name: &str, cells: Cells, lengths: Option<&[u32]>, shape: &Shape) -> Result<Self> {
        let wrong =
            |problem: String| Error::InvalidInput { source: name.into(), offset: None, problem };
        let content = match cells {
            Cells::Ids(_) => Content::Ids,
            Cells::Values(_) => Content::Values,
        };
        if content != shape.content {
            return Err(wrong(format!("is not what the network takes: {shape}")));
        }
        let width = shape.width;
        let size = match &cells {
            Cells::Ids(ids) => ids.len(),
            Cells::Values(values) => values.len(),
        };
        if !size.is_multiple_of(width) {
            return Err(wrong(format!("has {size} values, no whole number of rows of {width}")));
        }
        let rows = size / width;
        let mut offsets = vec![0];
        match (lengths, &shape.positions) {
            (Some(lengths), Positions::Any) => {
                let mut end = 0usize;
                for &length in lengths {
                    end = end.saturating_add(length as usize);
                    offsets.push(end);
                }
                if end != rows {
                    return Err(wrong(format!("has {rows} rows, and lengths that make {end}")));
                }
            }
            (None, Positions::Fixed(axes)) => {
                let each = axes.iter().product::<usize>();
                if each == 0 || !rows.is_multiple_of(each) {
                    return Err(wrong(format!(
                        "has {rows} rows, no whole number of items of {shape}"
                    )));
                }
                offsets.extend((1..=rows / each).map(|item| item * each));
            }
            (None, Positions::Any) => return Err(wrong("lacks the lengths of its items".into())),
            (Some(_), Positions::Fixed(_)) => {
                return Err(wrong(format!("has lengths, and all items are {shape}")));
            }
        }
        if let Cells::Values(values) = &cells
            && let Some(at) = values.iter().position(|value| !value.is_finite())
        {
            let item = offsets.partition_point(|&offset| offset <= at / width) - 1;
            return Err(wrong(format!(
                "item {item} has a value that is not finite: {}",
                values[at]
            )));
        }
        Ok(Self { cells, offsets, width, places: Vec::new(), axes: 0 })
    }

    /// The same with the place of each row along so many axes, [rows, axes].
    ///
    /// # Errors
    /// `InvalidInput` if there are more or fewer.
    pub fn placed(self, name: &str, places: Vec<u32>, axes: usize) -> Result<Self> {
        let rows = self.offsets.last().copied().unwrap_or(0);
        if Some(places.len()) != rows.checked_mul(axes) {
            let problem = format!("has {} places, and {rows} rows along {axes} axes", places.len());
            return Err(Error::InvalidInput { source: name.into(), offset: None, problem });
        }
        Ok(Self { places, axes, ..self })
    }

    /// The place of each row, [rows, axes].
    pub(crate) fn places(&self) -> &[u32] {
        &self.places
    }

    /// How many items there are.
    pub fn items(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Rows of an item.
    pub fn rows(&self, item: usize) -> usize {
        self.offsets[item + 1] - self.offsets[item]
    }

    /// An item's ids in a window; `None` for a column of values.
    pub fn ids(&self, item: usize, window: Window) -> Option<&[u32]> {
        let (start, end) = window.of(self.offsets[item], self.offsets[item + 1]);
        match &self.cells {
            Cells::Ids(ids) => Some(&ids[start..end]),
            Cells::Values(_) => None,
        }
    }

    /// The cells of those rows of an item that are in a window, behind those of others.
    pub fn append(&self, item: usize, window: Window, values: &mut Vec<f32>, ids: &mut Vec<u32>) {
        let (start, end) = window.of(self.offsets[item], self.offsets[item + 1]);
        match &self.cells {
            Cells::Ids(of) => ids.extend_from_slice(&of[start..end]),
            Cells::Values(of) => {
                values.extend_from_slice(&of[start * self.width..end * self.width])
            }
        }
    }

    /// The places of those rows of an item that are in a window, behind those of others.
    pub(crate) fn append_places(&self, item: usize, window: Window, places: &mut Vec<u32>) {
        let (start, end) = window.of(self.offsets[item], self.offsets[item + 1]);
        places.extend_from_slice(&self.places[start * self.axes..end * self.axes]);
    }

    /// Refuses places that a layer has no row for.
    ///
    /// # Errors
    /// `InvalidInput`, with the item, the axis and the place.
    pub(crate) fn within(&self, name: &str, limits: &[usize]) -> Result<()> {
        let beyond = |(at, &place): (usize, &u32)| {
            let axis = at % self.axes;
            limits.get(axis).is_some_and(|&limit| place as usize >= limit).then_some((at, axis))
        };
        let Some((at, axis)) = self.places.iter().enumerate().find_map(beyond) else {
            return Ok(());
        };
        let row = at / self.axes;
        let item = self.offsets.partition_point(|&offset| offset <= row) - 1;
        let (place, limit) = (self.places[at], limits[axis]);
        let problem = format!(
            "item {item} has a row at place {place} of axis {axis}; they are below {limit}"
        );
        Err(Error::InvalidInput { source: name.into(), offset: None, problem })
    }

    /// Refuses ids that a layer has no row for.
    ///
    /// # Errors
    /// `InvalidInput`, with the item and the id.
    pub fn below(&self, name: &str, limit: usize, ignored: bool) -> Result<()> {
        let Cells::Ids(ids) = &self.cells else { return Ok(()) };
        let fits = |&id: &u32| (id as usize) < limit || ignored && id == IGNORED;
        match ids.iter().position(|id| !fits(id)) {
            None => Ok(()),
            Some(at) => {
                let item = self.offsets.partition_point(|&offset| offset <= at) - 1;
                let problem = format!("item {item} has the id {}; they are below {limit}", ids[at]);
                Err(Error::InvalidInput { source: name.into(), offset: None, problem })
            }
        }
    }

    /// That values lie in a range.
    ///
    /// # Errors
    /// `InvalidInput` for the first that does not.
    pub fn inside(&self, name: &str, range: &RangeInclusive<f32>) -> Result<()> {
        let Cells::Values(values) = &self.cells else { return Ok(()) };
        match values.iter().position(|value| !range.contains(value)) {
            None => Ok(()),
            Some(at) => {
                let item = self.offsets.partition_point(|&offset| offset <= at / self.width) - 1;
                let (least, most) = (range.start(), range.end());
                let problem =
                    format!("item {item} has the value {}; they are {least} to {most}", values[at]);
                Err(Error::InvalidInput { source: name.into(), offset: None, problem })
            }
        }
    }
}
