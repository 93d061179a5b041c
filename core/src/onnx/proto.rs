//! The few messages of ONNX that a network needs, with the numbers that its specification gives their fields
//! (<https://github.com/onnx/onnx/blob/main/docs/IR.md>, `onnx.proto`).

use crate::protobuf::{Field, Message, fields};

/// `TensorProto.DataType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DataType {
    Float = 1,
    Int64 = 7,
    Float16 = 10,
}

#[derive(Debug)]
pub(super) struct Model {
    pub ir_version: usize,
    pub opset: usize,
    pub producer_name: &'static str,
    pub producer_version: &'static str,
    pub graph: GraphProto,
    pub metadata_props: Vec<(&'static str, String)>,
}

impl Model {
    /// The bytes of a file.
    pub fn encode(&self) -> Vec<u8> {
        let mut model = Message::default();
        model.int(1, self.ir_version as i64);
        model.text(2, self.producer_name);
        model.text(3, self.producer_version);
        model.message(7, |graph| self.graph.fill(graph));
        model.message(8, |set| {
            set.text(1, "");
            set.int(2, self.opset as i64);
        });
        for (key, value) in &self.metadata_props {
            model.message(14, |entry| {
                entry.text(1, key);
                entry.text(2, value);
            });
        }
        model.into_bytes()
    }
}

#[derive(Debug)]
pub(super) struct GraphProto {
    pub name: &'static str,
    pub node: Vec<Node>,
    pub initializer: Vec<TensorProto>,
    pub input: ValueInfo,
    pub output: ValueInfo,
}

impl GraphProto {
    fn fill(&self, graph: &mut Message) {
        for node in &self.node {
            graph.message(1, |message| node.fill(message));
        }
        graph.text(2, self.name);
        for tensor in &self.initializer {
            graph.message(5, |message| tensor.fill(message));
        }
        graph.message(11, |message| self.input.fill(message));
        graph.message(12, |message| self.output.fill(message));
    }
}

#[derive(Debug)]
pub(super) struct Node {
    pub input: Vec<String>,
    pub output: Vec<String>,
    pub name: String,
    pub operation: String,
    pub attributes: Vec<Attribute>,
}

impl Node {
    fn fill(&self, node: &mut Message) {
        for input in &self.input {
            node.text(1, input);
        }
        for output in &self.output {
            node.text(2, output);
        }
        node.text(3, &self.name);
        node.text(4, &self.operation);
        for attribute in &self.attributes {
            node.message(5, |message| attribute.fill(message));
        }
    }
}

#[derive(Debug)]
pub(super) struct Attribute {
    name: &'static str,
    value: AttributeValue,
}

#[derive(Debug)]
enum AttributeValue {
    Int(usize),
    Text(&'static str),
    Ints(Vec<usize>),
}

impl Attribute {
    pub fn int(name: &'static str, value: usize) -> Self {
        let value = AttributeValue::Int(value);
        Self { name, value }
    }

    pub fn text(name: &'static str, value: &'static str) -> Self {
        let value = AttributeValue::Text(value);
        Self { name, value }
    }

    pub fn ints(name: &'static str, values: &[usize]) -> Self {
        let value = AttributeValue::Ints(values.to_vec());
        Self { name, value }
    }

    fn fill(&self, attribute: &mut Message) {
        attribute.text(1, self.name);
        let kind = match &self.value {
            AttributeValue::Int(value) => {
                attribute.int(3, *value as i64);
                2
            }
            AttributeValue::Text(text) => {
                attribute.text(4, text);
                3
            }
            AttributeValue::Ints(values) => {
                for value in values {
                    attribute.int(8, *value as i64);
                }
                7
            }
        };
        attribute.int(20, kind);
    }
}

#[derive(Debug)]
pub(super) struct TensorProto {
    pub shape: Vec<usize>,
    pub data_type: DataType,
    pub name: String,
    /// Little-endian elements, row after row.
    pub raw_data: Vec<u8>,
}

impl TensorProto {
    fn fill(&self, tensor: &mut Message) {
        for side in &self.shape {
            tensor.int(1, *side as i64);
        }
        tensor.int(2, self.data_type as i64);
        tensor.text(8, &self.name);
        tensor.bytes(9, &self.raw_data);
    }
}

#[derive(Debug)]
pub(super) struct ValueInfo {
    pub name: &'static str,
    pub data_type: DataType,
    pub shape: Vec<Extent>,
}

/// How long a side is, or what it is called where that shows only when the graph runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Extent {
    Value(usize),
    Name(&'static str),
}

impl ValueInfo {
    fn fill(&self, value: &mut Message) {
        value.text(1, self.name);
        value.message(2, |kind| {
            kind.message(1, |tensor| {
                tensor.int(1, self.data_type as i64);
                tensor.message(2, |shape| {
                    for extent in &self.shape {
                        shape.message(1, |side| match extent {
                            Extent::Value(length) => side.int(1, *length as i64),
                            Extent::Name(name) => side.text(2, name),
                        });
                    }
                });
            });
        });
    }
}

/// Key and value of an entry of `metadata_props`.
pub(super) fn entry(bytes: &[u8]) -> Option<(&str, &str)> {
    let mut entry = ("", "");
    for field in fields(bytes) {
        match field? {
            (1, Field::Bytes(key)) => entry.0 = str::from_utf8(key).ok()?,
            (2, Field::Bytes(value)) => entry.1 = str::from_utf8(value).ok()?,
            _ => {}
        }
    }
    Some(entry)
}
