//! Networks that read their parameters where files have them: the same bits as from memory of their own, nothing held
//! twice, and what one learns stays with it.

use std::path::{Path, PathBuf};

use inlay_base::{Result, Run};
use inlay_formats::safetensors::{Dtype, Part, save};
use inlay_nn::{
    Cells, Column, Content, Examples, Keep, Loss, Network, Optimizer, Origins, Positions,
    Precision, Shape,
};
use serde_json::{Value, json};
use tempfile::TempDir;

mod plain;
use plain::training;

/// Texts of tokens.
fn texts() -> Value {
    json!({
        "inputs": [{"content": "ids"}],
        "layers": [
            {"kind": "embedding", "name": "tokens", "values": 5000, "dimensions": 32},
            {"kind": "positions", "name": "places", "code": "learned", "length": 12},
            {"kind": "self-attention", "name": "look", "heads": 2},
            {"kind": "dense", "name": "wide", "units": 70}, {"kind": "gelu"},
            {"kind": "pool", "by": "mean"},
            {"kind": "dense", "name": "last", "units": 3, "bias": false},
        ],
    })
}

/// Pictures, by convolutions of all kinds: windows taken together, of groups, of a channel each, before a norm.
fn pictures() -> Value {
    json!({
        "inputs": [{"content": "values", "positions": [10, 10], "width": 3}],
        "layers": [
            {"kind": "conv2d", "name": "a", "channels": 64, "kernel": 3, "padding": 1},
            {"kind": "batch-norm", "name": "norm"}, {"kind": "relu"},
            {"kind": "conv2d", "name": "b", "channels": 64, "kernel": 3, "padding": 1},
            {"kind": "conv2d", "name": "c", "channels": 32, "kernel": 2, "stride": 2, "groups": 2},
            {"kind": "conv2d", "name": "d", "channels": 32, "kernel": 3, "groups": 32},
            {"kind": "flatten"}, {"kind": "dense", "name": "last", "units": 9},
        ],
    })
}

struct Folder {
    folder: TempDir,
    description: String,
    origins: Origins,
}

impl Folder {
    /// A file with the parameters of a network that knows something.
    fn of(description: &Value, from: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let description = description.to_string();
        let network = Network::new(&description, 3).expect("a network");
        network.save(&folder.path().join(from)).expect("a file");
        Self { folder, description, origins: Origins::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn load(&self, name: &str, precision: Precision, keep: Keep) -> Result<Network> {
        let path = self.path(name);
        let file = inlay_formats::open(&path)?;
        let mut network = Network::blank(&self.description)?;
        network.load(&[&*file], &path, &self.origins, precision, keep)?;
        Ok(network)
    }

    /// The same from memory and from the file.
    fn both(&self, name: &str, precision: Precision) -> [Network; 2] {
        [Keep::Own, Keep::Files].map(|keep| self.load(name, precision, keep).expect("a network"))
    }
}

fn tokens(shape: &Shape) -> Column {
    let ids = (0..24).map(|i| i * 977 % 5000).collect();
    Column::new("tokens", Cells::Ids(ids), Some(&[5, 12, 7]), shape).expect("texts")
}

fn pixels(shape: &Shape) -> Column {
    let values = (0..600).map(|i| (i * 7919 % 1000) as f32 / 500.0 - 1.0).collect();
    Column::new("pixels", Cells::Values(values), None, shape).expect("pictures")
}

fn encode(network: &Network) -> Vec<f32> {
    let shape = network.inputs().expect("inputs").remove(0).1;
    let column = if shape.content == Content::Ids { tokens(&shape) } else { pixels(&shape) };
    network.encode(&[column], None, &Run::quiet(2, 1)).expect("vectors").0
}

fn parameters(network: &Network) -> Vec<Vec<f32>> {
    network.parameters().iter().map(|parameter| parameter.get()).collect()
}

fn learn(network: &mut Network) {
    let shape = network.inputs().expect("inputs").remove(0).1;
    let classes =
        Shape { content: Content::Ids, positions: Positions::Fixed(Vec::new()), width: 1, axes: 0 };
    let targets = Column::new("classes", Cells::Ids(vec![0, 2, 1]), None, &classes);
    let examples =
        Examples { inputs: vec![tokens(&shape)], targets: Some(targets.expect("classes")) };
    let loss = Loss::CrossEntropy { weights: None, smoothing: 0.0 };
    let optimizer = Optimizer::Adam { betas: [0.9, 0.999], epsilon: 1e-8, decay: 0.0 };
    let how = training(loss, optimizer, 0.01);
    network.train(&examples, None, &how, &Run::quiet(2, 1)).expect("a training");
}

#[test]
fn a_file_in_place_gives_the_bits_of_memory_and_holds_nothing_twice() {
    for (description, least) in [(texts(), 4 * 5000 * 32), (pictures(), 4 * 64 * 64 * 9)] {
        let folder = Folder::of(&description, "weights");
        for precision in [Precision::Full, Precision::Bytes] {
            let [own, filed] = folder.both("weights", precision);
            assert_eq!(parameters(&own), parameters(&filed));
            assert_eq!(encode(&own), encode(&filed));
            assert_eq!(own.mapped(), 0);
            assert!(filed.mapped() >= least, "{} of {least}", filed.mapped());
            assert_eq!(filed.held() + filed.mapped(), own.held());
        }
    }
}

#[test]
fn what_one_learns_is_neither_in_the_file_nor_in_others() {
    let folder = Folder::of(&texts(), "weights");
    let before = std::fs::read(folder.path("weights")).expect("the file");
    let [mut own, mut filed] = folder.both("weights", Precision::Full);
    let other = folder.load("weights", Precision::Full, Keep::Files).expect("a network");
    let (vectors, known) = (encode(&other), parameters(&other));
    let further = filed.described(filed.description(), 1).expect("a network");
    assert_eq!(further.mapped(), 0, "its own copy");
    assert_eq!(parameters(&further), known);

    for network in [&mut own, &mut filed] {
        learn(network);
    }
    assert_ne!(parameters(&filed), known);
    assert_eq!(parameters(&filed), parameters(&own));
    assert_eq!(encode(&filed), encode(&own));
    for name in ["look.in_proj_weight", "tokens.weight"] {
        let values = vec![0.25; filed.get(name).expect("a parameter").len()];
        filed.set(name, &values).expect("values");
        assert_eq!(filed.get(name), Some(values));
    }
    assert_eq!((encode(&other), parameters(&other)), (vectors, known));
    assert_eq!(std::fs::read(folder.path("weights")).expect("the file"), before);
}

#[test]
fn values_set_in_place_of_those_of_a_file_are_encoded_with() {
    let folder = Folder::of(&texts(), "weights");
    for name in ["wide.weight", "tokens.weight", "places.weight"] {
        let [mut own, mut filed] = folder.both("weights", Precision::Full);
        let values: Vec<f32> =
            own.get(name).expect("a parameter").iter().map(|value| value + 0.5).collect();
        for network in [&mut own, &mut filed] {
            network.set(name, &values).expect("values");
        }
        assert_eq!(encode(&own), encode(&filed), "{name}");
        assert_ne!(encode(&own), encode(&folder.both("weights", Precision::Full)[0]), "{name}");
    }
}

/// The parameters of a network as a file whose data begins so many bytes beyond a multiple of four.
fn shifted(network: &Network, path: &Path, by: usize) {
    save(path, &[], parts(network, &parameters(network), &[])).expect("a file");
    let bytes = std::fs::read(path).expect("the file");
    let length = u64::from_le_bytes(*bytes.first_chunk().expect("a length"));
    let (header, data) = bytes[8..].split_at(length as usize);
    let length = (length + by as u64).to_le_bytes();
    std::fs::write(path, [&length[..], header, &vec![b' '; by], data].concat()).expect("a file");
}

/// All parameters but some, with these values.
fn parts<'a>(network: &'a Network, values: &'a [Vec<f32>], without: &[&str]) -> Vec<Part<'a>> {
    let both = network.parameters().iter().zip(values);
    let both = both.filter(|(parameter, _)| !without.contains(&&parameter.name[..]));
    let part = |(parameter, values): (&'a inlay_nn::Parameter, &'a Vec<f32>)| {
        let shape = &parameter.blueprint.shape;
        Part::bytes(&parameter.name, Dtype::F32, shape, bytemuck::cast_slice(values))
    };
    both.map(part).collect()
}

#[test]
fn what_is_not_aligned_is_copied() {
    let folder = Folder::of(&texts(), "weights");
    let network = folder.load("weights", Precision::Full, Keep::Own).expect("a network");
    for by in [0, 1, 2, 3, 4] {
        shifted(&network, &folder.path("shifted"), by);
        let [own, filed] = folder.both("shifted", Precision::Full);
        assert_eq!(filed.mapped() > 0, by % 4 == 0, "shifted by {by}");
        assert_eq!(encode(&own), encode(&filed));
        assert_eq!(encode(&own), encode(&network));
    }
}

#[test]
fn rows_that_are_skipped_and_parts_of_several_tensors_are_read_in_place() {
    let mut folder = Folder::of(&texts(), "weights");
    let network = folder.load("weights", Precision::Full, Keep::Own).expect("a network");
    let mut values = parameters(&network);
    let number = |name: &str| {
        let same = |parameter: &inlay_nn::Parameter| parameter.name == name;
        network.parameters().iter().position(same).expect("a parameter")
    };
    let (places, look) = (number("places.weight"), number("look.in_proj_weight"));
    values[places].splice(0..0, [9.0; 64]);
    let projected: Vec<Vec<f32>> = values[look].chunks(32 * 32).map(<[f32]>::to_vec).collect();
    let mut parts = parts(&network, &values, &["places.weight", "look.in_proj_weight"]);
    parts.push(Part::bytes("p", Dtype::F32, &[14, 32], bytemuck::cast_slice(&values[places])));
    for (name, values) in ["q", "k", "v"].iter().zip(&projected) {
        parts.push(Part::bytes(name, Dtype::F32, &[32, 32], bytemuck::cast_slice(values)));
    }
    save(&folder.path("parts"), &[], parts).expect("a file");
    let origins = json!({"tensors": {
        "places.weight": {"tensors": ["p"], "skip": 2},
        "look.in_proj_weight": {"tensors": ["q", "k", "v"]},
    }});
    folder.origins = serde_json::from_value(origins).expect("origins");
    for precision in [Precision::Full, Precision::Bytes] {
        let [own, filed] = folder.both("parts", precision);
        assert_eq!(parameters(&own), parameters(&filed));
        assert_eq!(encode(&own), encode(&filed));
        // Vectors are copied, and all that became bytes.
        let vectors = ["look.in_proj_bias", "look.out_proj.bias", "wide.bias"];
        let copied = |name: &str| match precision {
            Precision::Full => vectors.contains(&name),
            Precision::Bytes => !["tokens.weight", "places.weight"].contains(&name),
        };
        let lying = own.parameters().iter().filter(|parameter| !copied(&parameter.name));
        let wanted = lying.map(|parameter| 4 * parameter.blueprint.size() as u64).sum::<u64>();
        assert_eq!(filed.mapped(), wanted);
    }
}
