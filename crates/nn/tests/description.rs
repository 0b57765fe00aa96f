//! Descriptions that are wrong say where.

use inlay_base::Error;
use inlay_nn::Network;
use serde_json::{Value, json};

fn refuses(layers: Value, wanted: &str) {
    let input = json!({"content": "values", "positions": [2, 3], "width": 4});
    let description = json!({"inputs": [input], "layers": layers}).to_string();
    let error = Network::new(&description, 1).err().expect("an error").to_string();
    assert!(error.contains(wanted), "{error}\nnot: {wanted}");
}

#[test]
fn every_fault_has_its_place() {
    let dense = |units: usize| json!({"kind": "dense", "units": units});
    refuses(json!([{"kind": "dens", "units": 2}]), "layers[0] is of the unknown kind `dens`");
    refuses(json!([{"kind": "dense", "unit": 2}]), "layers[0] (`dense1`): unknown field `unit`");
    refuses(json!([{"kind": "dense", "units": -2}]), "layers[0] (`dense1`): invalid value");
    refuses(json!([{"kind": "relu", "slope": 2}]), "layers[0] (`relu1`): unknown field `slope`");
    refuses(json!([{"kind": "sum", "branches": [[], 3]}]), "layers[0].branches[1] is no list");
    refuses(json!([{"kind": "sum", "branches": []}]), "layers[0] has no branch");
    refuses(json!([{"kind": "concat"}]), "layers[0] has no list `branches`");
    refuses(json!([{"kind": "take", "input": "sound"}]), "takes the input `sound`");
    refuses(json!([7]), "layers[0] is no layer");
    refuses(
        json!([{"kind": "dense", "name": "a", "units": 2}, {"kind": "tanh", "name": "a"}]),
        "layers[1] has the name of another layer, `a`",
    );
    refuses(
        json!([{"kind": "sum", "branches": [[], [dense(5)]]}]),
        "adds up branches of [2, 3, 4] and [2, 3, 5]",
    );
    refuses(
        json!([{"kind": "concat", "branches": [[], [{"kind": "max-pool", "kernel": 2}]]}]),
        "puts branches of [2, 3, 4] and [1, 1, 4] side by side",
    );
    refuses(
        json!([dense(5), {"kind": "embedding", "values": 3, "dimensions": 2}]),
        "`embedding1` expects ids; `dense1` gives [2, 3, 5]",
    );
    refuses(
        json!([{"kind": "dropout", "probability": 1.0}]),
        "`dropout1` expects a probability from 0 up to 1, got 1",
    );
}

#[test]
fn what_no_memory_holds_is_an_error() {
    let vast = 1u64 << 60;
    let dense = json!({"kind": "dense", "units": vast});
    refuses(json!([dense]), "`dense1` makes [2, 3, 1152921504606846976] of [2, 3, 4], too large");
    let input = json!({"content": "values", "positions": [1u64 << 32, 1u64 << 32], "width": 1});
    let description = json!({"inputs": [input], "layers": [{"kind": "flatten"}]}).to_string();
    let error = Network::blank(&description).err().expect("an error").to_string();
    assert!(error.contains("too large to be counted"), "{error}");
    // What a file may say before its values are looked for takes no memory by itself.
    let input = json!({"content": "values", "positions": [], "width": 2});
    let layers = json!([{"kind": "dense", "units": 1u64 << 40}]);
    let blank = Network::blank(&json!({"inputs": [input], "layers": layers}).to_string()).unwrap();
    assert!(blank.parameters().iter().all(|parameter| parameter.pieces() <= 1 << 16));
    let input = json!({"content": "values", "positions": [], "width": 1 << 22});
    let description = json!({"inputs": [input], "layers": [{"kind": "dense", "units": 1 << 22}]});
    let outcome = Network::new(&description.to_string(), 1).err();
    if cfg!(target_os = "linux") {
        assert!(matches!(outcome, Some(Error::OutOfMemory { .. })), "{outcome:?}");
    }
}

#[test]
fn what_is_no_description_is_refused() {
    for (text, wanted) in [
        ("", "EOF"),
        ("[]", "is no object"),
        ("{\"inputs\": []}", "has no input"),
        ("{\"inputs\": [{\"content\": \"sounds\"}]}", "inputs[0]: unknown variant"),
        (
            "{\"inputs\": [{\"content\": \"ids\"}], \"layers\": [], \"more\": 1}",
            "unknown field `more`",
        ),
        ("{\"inputs\": [{\"content\": \"ids\"}], \"layers\": []}", "has no layer"),
    ] {
        let error = Network::new(text, 1).err().expect("an error").to_string();
        assert!(error.contains(wanted), "{error}\nnot: {wanted}");
    }
}

#[test]
fn a_summary_has_shapes_parameters_and_operations() {
    let description = json!({
        "inputs": [{"content": "ids", "positions": [4]}],
        "layers": [
            {"kind": "embedding", "name": "C", "values": 50, "dimensions": 6},
            {"kind": "flatten"},
            {"kind": "dense", "name": "H", "units": 10},
            {"kind": "tanh"},
        ],
    });
    let lines = Network::summary(&description.to_string()).unwrap();
    let shown: Vec<String> = lines
        .iter()
        .map(|line| format!("{} {} {} {}", line.name, line.shape, line.parameters, line.operations))
        .collect();
    assert_eq!(shown, ["C [4, 6] 300 0", "flatten1 [24] 0 0", "H [10] 250 480", "tanh1 [10] 0 10"]);
}
