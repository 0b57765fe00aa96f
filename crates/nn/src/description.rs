//! Networks as JSON: what a network is given, its layers, and nothing that is not understood.

use inlay_base::{Error, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::layer::Layer;
use crate::layers;
use crate::layers::masked::Mask;
use crate::shape::{Content, Positions, Shape};

/// A network before anything is worked out.
pub struct Description {
    /// What it is given; each has a name.
    pub inputs: Vec<(String, Shape)>,
    /// What is done with the first input.
    pub layers: Vec<Described>,
}

/// A layer, or a composition of layers.
pub enum Described {
    /// One layer.
    Layer {
        /// By which its parameters and outputs are called; unique.
        name: String,
        /// What it does.
        layer: Box<dyn Layer>,
    },
    /// Branches that all get the same, added up.
    Sum(Vec<Vec<Described>>),
    /// Branches that all get the same, one behind the other in each row.
    Concat(Vec<Vec<Described>>),
    /// Layers that see some rows only; what stands for the others.
    Masked(Masked),
    /// One of the network's inputs, in the place of what comes.
    Take(String),
}

/// Layers that see some rows only.
pub struct Masked {
    /// Of what stands for the rows that they do not see.
    pub name: String,
    /// Which rows they see.
    pub mask: Mask,
    /// The standard deviation of the first values of what stands for the others.
    pub deviation: f32,
    /// What they are.
    pub layers: Vec<Described>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    name: Option<String>,
    content: InputContent,
    /// None: any length.
    positions: Option<Vec<usize>>,
    #[serde(default = "one")]
    width: usize,
    /// Along how many axes the place of each row comes with it.
    #[serde(default)]
    axes: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum InputContent {
    Ids,
    Values,
}

fn one() -> usize {
    1
}

/// Axes that a place may have.
const MOST_AXES: usize = 8;

/// What is wrong with a network, as an error.
pub(crate) fn wrong(problem: impl Into<String>) -> Error {
    Error::InvalidInput { source: "the network".into(), offset: None, problem: problem.into() }
}

impl Description {
    /// Reads `{"inputs": [...], "layers": [...]}`.
    ///
    /// # Errors
    /// `InvalidInput`, with the place of what is not understood.
    pub fn parse(json: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(json).map_err(|error| wrong(error.to_string()))?;
        let Value::Object(mut fields) = value else { return Err(wrong("is no object")) };
        let inputs = list(&mut fields, "inputs", "")?;
        let inputs = inputs.into_iter().enumerate().map(|(i, input)| {
            let input: Input = serde_json::from_value(input)
                .map_err(|error| wrong(format!("inputs[{i}]: {error}")))?;
            let content = match input.content {
                InputContent::Ids => Content::Ids,
                InputContent::Values => Content::Values,
            };
            let positions = input.positions.map_or(Positions::Any, Positions::Fixed);
            let name = input.name.unwrap_or_else(|| "input".into());
            if input.axes > MOST_AXES || input.axes > 0 && positions != Positions::Any {
                let problem =
                    format!("inputs[{i}]: only sequences have `axes`, {MOST_AXES} at most");
                return Err(wrong(problem));
            }
            Ok((name, Shape { content, positions, width: input.width, axes: input.axes }))
        });
        let inputs = inputs.collect::<Result<Vec<_>>>()?;
        if inputs.is_empty() {
            return Err(wrong("has no input"));
        }
        let layers = list(&mut fields, "layers", "")?;
        // What training makes small and what a model says of itself are read by those who need them.
        fields.remove("loss");
        fields.remove("about");
        if let Some(unknown) = fields.keys().next() {
            return Err(wrong(format!("has an unknown field `{unknown}`")));
        }
        let mut names = Names::default();
        let layers = names.layers(layers, "layers")?;
        Ok(Self { inputs, layers })
    }
}

fn list(fields: &mut Map<String, Value>, name: &str, place: &str) -> Result<Vec<Value>> {
    match fields.remove(name) {
        Some(Value::Array(list)) => Ok(list),
        _ => Err(wrong(format!("{place} has no list `{name}`").trim_start())),
    }
}

/// Names that are taken, and how many layers of a kind have none of their own.
#[derive(Default)]
struct Names {
    taken: Vec<String>,
    kinds: Vec<String>,
}

impl Names {
    fn layers(&mut self, layers: Vec<Value>, place: &str) -> Result<Vec<Described>> {
        let layers = layers.into_iter().enumerate();
        layers.map(|(i, layer)| self.layer(layer, &format!("{place}[{i}]"))).collect()
    }

    fn layer(&mut self, layer: Value, place: &str) -> Result<Described> {
        let Value::Object(mut fields) = layer else {
            return Err(wrong(format!("{place} is no layer")));
        };
        let text = |value: Option<Value>| match value {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let Some(kind) = text(fields.remove("kind")) else {
            return Err(wrong(format!("{place} has no `kind`")));
        };
        match kind.as_str() {
            "sum" => return Ok(Described::Sum(self.branches(fields, place)?)),
            "concat" => return Ok(Described::Concat(self.branches(fields, place)?)),
            "take" => {
                let input = text(fields.remove("input"));
                return input
                    .map(Described::Take)
                    .ok_or_else(|| wrong(format!("{place} has no `input`")));
            }
            _ => {}
        }
        let name = self.name(&kind, text(fields.remove("name")), place)?;
        if kind == "masked" {
            return Ok(Described::Masked(self.masked(name, fields, place)?));
        }
        match layers::read(&kind, Value::Object(fields)) {
            Some(Ok(layer)) => Ok(Described::Layer { name, layer }),
            Some(Err(error)) => Err(wrong(format!("{place} (`{name}`): {error}"))),
            None => Err(wrong(format!("{place} is of the unknown kind `{kind}`"))),
        }
    }

    /// The name of a layer, which nobody else has.
    fn name(&mut self, kind: &str, given: Option<String>, place: &str) -> Result<String> {
        self.kinds.push(kind.into());
        let number = self.kinds.iter().filter(|&other| other == kind).count();
        let name = given.unwrap_or_else(|| format!("{kind}{number}"));
        if self.taken.contains(&name) {
            return Err(wrong(format!("{place} has the name of another layer, `{name}`")));
        }
        self.taken.push(name.clone());
        Ok(name)
    }

    fn masked(
        &mut self,
        name: String,
        mut fields: Map<String, Value>,
        place: &str,
    ) -> Result<Masked> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Rest {
            mask: Mask,
            #[serde(default = "deviation")]
            deviation: f32,
        }
        fn deviation() -> f32 {
            0.02
        }
        let layers = list(&mut fields, "layers", place)?;
        let rest = serde_json::from_value(Value::Object(fields))
            .map_err(|error| wrong(format!("{place} (`{name}`): {error}")))?;
        let Rest { mask, deviation } = rest;
        let layers = self.layers(layers, &format!("{place}.layers"))?;
        Ok(Masked { name, mask, deviation, layers })
    }

    fn branches(
        &mut self,
        mut fields: Map<String, Value>,
        place: &str,
    ) -> Result<Vec<Vec<Described>>> {
        let branches = list(&mut fields, "branches", place)?;
        if branches.is_empty() {
            return Err(wrong(format!("{place} has no branch")));
        }
        let branches = branches.into_iter().enumerate().map(|(i, branch)| match branch {
            Value::Array(layers) => self.layers(layers, &format!("{place}.branches[{i}]")),
            _ => Err(wrong(format!("{place}.branches[{i}] is no list of layers"))),
        });
        branches.collect()
    }
}
