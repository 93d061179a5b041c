//! A graph while it is written: nodes in the order in which they run, and the constants that they read.

use burn::tensor::{TensorData, f16};

use super::proto::{Attribute, DataType, Node, TensorProto};

/// Nodes and constants. A node is called as what it puts out.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub nodes: Vec<Node>,
    pub constants: Vec<TensorProto>,
}

impl Graph {
    /// Adds an operation with one output and returns its name.
    pub fn node(
        &mut self,
        operation: &str,
        name: impl Into<String>,
        inputs: &[&str],
        attributes: Vec<Attribute>,
    ) -> String {
        let name = name.into();
        self.nodes_of(operation, &name, inputs, [&name], attributes);
        name
    }

    /// Adds an operation with several outputs.
    pub fn nodes_of<const N: usize>(
        &mut self,
        operation: &str,
        name: &str,
        inputs: &[&str],
        outputs: [&str; N],
        attributes: Vec<Attribute>,
    ) {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        self.nodes.push(Node {
            input: owned(inputs),
            output: owned(&outputs),
            name: name.to_owned(),
            operation: operation.to_owned(),
            attributes,
        });
    }

    /// Splits `input` along `axis` into parts of these lengths, called `name.part`.
    pub fn split<const N: usize>(
        &mut self,
        name: &str,
        input: &str,
        axis: usize,
        parts: [(&str, usize); N],
    ) -> [String; N] {
        let lengths = parts.map(|(_, length)| length as i64);
        let lengths = self.integers(format!("{name}.lengths"), &lengths);
        let outputs = parts.map(|(part, _)| format!("{name}.{part}"));
        self.nodes_of(
            "Split",
            &format!("{name}.split"),
            &[input, &lengths],
            outputs.each_ref().map(String::as_str),
            vec![Attribute::int("axis", axis)],
        );
        outputs
    }

    /// Gives the last node's output another name.
    pub fn rename_last(&mut self, name: &str) {
        if let Some(node) = self.nodes.last_mut() {
            node.output = vec![name.to_owned()];
        }
    }

    /// Adds weights in half or single precision.
    pub fn weights(&mut self, name: String, data: &TensorData, half: bool) -> String {
        let values = data.iter::<f32>();
        let (data_type, raw_data) = if half {
            let halves = values.flat_map(|value| f16::from_f32(value).to_le_bytes());
            (DataType::Float16, halves.collect())
        } else {
            (DataType::Float, values.flat_map(f32::to_le_bytes).collect())
        };
        self.constant(name, data.shape().as_slice(), data_type, raw_data)
    }

    /// Adds constants of single precision.
    pub fn floats(&mut self, name: String, shape: &[usize], values: &[f32]) -> String {
        let raw_data = values.iter().copied().flat_map(f32::to_le_bytes).collect();
        self.constant(name, shape, DataType::Float, raw_data)
    }

    /// Adds a list of integers.
    pub fn integers(&mut self, name: String, values: &[i64]) -> String {
        let raw_data = values.iter().copied().flat_map(i64::to_le_bytes).collect();
        self.constant(name, &[values.len()], DataType::Int64, raw_data)
    }

    /// Adds an integer without dimensions.
    pub fn integer(&mut self, name: String, value: i64) -> String {
        self.constant(name, &[], DataType::Int64, value.to_le_bytes().to_vec())
    }

    fn constant(
        &mut self,
        name: String,
        shape: &[usize],
        data_type: DataType,
        raw_data: Vec<u8>,
    ) -> String {
        self.constants.push(TensorProto {
            shape: shape.to_vec(),
            data_type,
            name: name.clone(),
            raw_data,
        });
        name
    }
}
