//! Pickles as data: the program that Python would run becomes a tree that says what it would have done.
//!
//! A pickle is a program for a machine with a stack and a memo, and two of its instructions name a function and call
//! it: that is how a model file runs code. Here a name is checked against the few that a state dict needs
//! ([`is_harmless`]), a call becomes a node with its function and arguments, and nothing is ever called. Nodes live in
//! one list and point to each other by place, so a pickle that holds itself is no danger: nothing here follows them.
//!
//! ("pickletools", in Python's library, is the specification; protocols 0 to 5.)

use std::collections::BTreeMap;

use super::super::budget::{Budget, Size, count};
use super::super::names::quoted;
use super::super::source::Fields;
use crate::weights::WeightsError;

/// Bytes charged for a node, beside its text.
const NODE_BYTES: u64 = 96;

/// A node's place in [`Pickle::nodes`].
pub type Place = usize;

/// What a pickle would have made.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// Numbers beyond 64 bits as the bytes of their two's complement, least significant first; byte strings.
    Bytes(Vec<u8>),
    /// `None`, numbers with a fraction, and everything else of no use here.
    Other,
    /// A whole number; `True` is 1.
    Whole(i64),
    /// Text.
    Text(String),
    /// A tuple or a list.
    Sequence(Vec<Place>),
    /// A dictionary: keys and values in order.
    Dictionary(Vec<(Place, Place)>),
    /// A name of something in a module.
    Global(String),
    /// A function that would have been called with arguments, and the items that would have been set on its result.
    Call {
        /// The function.
        function: Place,
        /// Its arguments, a [`Node::Sequence`].
        arguments: Place,
        /// Keys and values set on the result.
        items: Vec<(Place, Place)>,
    },
    /// Something outside of the pickle, by its key.
    Outside(Place),
}

/// A pickle that was read to its end.
#[derive(Debug)]
pub struct Pickle {
    /// All nodes.
    pub nodes: Vec<Node>,
    /// The one that the pickle stands for.
    pub root: Place,
}

impl Pickle {
    /// A node by its place.
    pub fn node(&self, place: Place) -> &Node {
        self.nodes.get(place).unwrap_or(&Node::Other)
    }
}

/// Whether a name may stand in a pickle. Storages only say the type of the numbers; the rest wraps tensors and
/// dictionaries.
fn is_harmless(module: &str, name: &str) -> bool {
    match module {
        "collections" => name == "OrderedDict",
        "torch._utils" => matches!(name, "_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_parameter"),
        "torch" => matches!(
            name,
            "FloatStorage"
                | "HalfStorage"
                | "BFloat16Storage"
                | "DoubleStorage"
                | "LongStorage"
                | "IntStorage"
                | "ShortStorage"
                | "CharStorage"
                | "ByteStorage"
                | "BoolStorage"
                | "Size"
        ),
        _ => false,
    }
}

/// Reads one pickle from the front of `fields`, which stand behind it afterwards.
pub fn read(fields: &mut Fields<'_>, budget: &mut Budget) -> Result<Pickle, WeightsError> {
    let mut machine = Machine { nodes: Vec::new(), stack: Vec::new(), memo: BTreeMap::new(), budget };
    loop {
        let instruction = fields.byte()?;
        if instruction == b'.' {
            let root = machine.pop()?;
            return Ok(Pickle { nodes: machine.nodes, root });
        }
        machine.step(instruction, fields)?;
    }
}

/// One place of the stack.
#[derive(Clone, Copy)]
enum Slot {
    Mark,
    Item(Place),
}

struct Machine<'budget> {
    nodes: Vec<Node>,
    stack: Vec<Slot>,
    memo: BTreeMap<u64, Place>,
    budget: &'budget mut Budget,
}

impl Machine<'_> {
    fn step(&mut self, instruction: u8, fields: &mut Fields<'_>) -> Result<(), WeightsError> {
        match instruction {
            // PROTO and FRAME say nothing that is needed.
            0x80 => fields.take(1).map(drop),
            0x95 => fields.take(8).map(drop),
            b'(' => self.push_slot(Slot::Mark),
            b'0' => self.stack.pop().map(drop).ok_or_else(stack_is_empty),
            b'1' => self.pop_to_mark().map(drop),
            b'2' => self.top().and_then(|top| self.push_slot(Slot::Item(top))),
            b'p' | b'q' | b'r' | 0x94 => self.memorise(instruction, fields),
            b'g' | b'h' | b'j' => self.recall(instruction, fields),
            b'}' | b'd' | b's' | b'u' => self.dictionary(instruction),
            b']' | b'l' | b'a' | b'e' | b')' | b't' | 0x85..=0x87 => self.sequence(instruction),
            b'c' | 0x93 | b'R' | 0x81 | b'b' | b'Q' => self.object(instruction, fields),
            _ => {
                let node = literal(instruction, fields)?;
                self.push(node)
            }
        }
    }

    /// PUT, BINPUT, LONG_BINPUT, MEMOIZE.
    fn memorise(&mut self, instruction: u8, fields: &mut Fields<'_>) -> Result<(), WeightsError> {
        let key = match instruction {
            b'p' => decimal(fields.line()?)?,
            b'q' => fields.byte()?.into(),
            b'r' => fields.u32()?.into(),
            _ => u64::try_from(self.memo.len()).unwrap_or(u64::MAX),
        };
        let top = self.top()?;
        self.budget.take(NODE_BYTES)?;
        self.memo.insert(key, top);
        Ok(())
    }

    /// GET, BINGET, LONG_BINGET.
    fn recall(&mut self, instruction: u8, fields: &mut Fields<'_>) -> Result<(), WeightsError> {
        let key = match instruction {
            b'g' => decimal(fields.line()?)?,
            b'h' => fields.byte()?.into(),
            _ => fields.u32()?.into(),
        };
        let place = self.memo.get(&key).copied();
        self.push_slot(Slot::Item(
            place.ok_or_else(|| WeightsError::malformed("its pickle recalls what it never had"))?,
        ))
    }

    /// EMPTY_DICT, DICT, SETITEM, SETITEMS.
    fn dictionary(&mut self, instruction: u8) -> Result<(), WeightsError> {
        match instruction {
            b'}' => self.push(Node::Dictionary(Vec::new())),
            b'd' => {
                let items = pairs(self.pop_to_mark()?)?;
                self.push(Node::Dictionary(items))
            }
            _ => {
                let new = if instruction == b's' {
                    let (value, key) = (self.pop()?, self.pop()?);
                    vec![(key, value)]
                } else {
                    pairs(self.pop_to_mark()?)?
                };
                let target = self.top()?;
                match self.nodes.get_mut(target) {
                    Some(Node::Dictionary(items) | Node::Call { items, .. }) => {
                        items.extend(new);
                        Ok(())
                    }
                    _ => Err(WeightsError::malformed("its pickle sets items on what is no dictionary")),
                }
            }
        }
    }

    /// EMPTY_LIST, LIST, APPEND, APPENDS, EMPTY_TUPLE, TUPLE, TUPLE1, TUPLE2, TUPLE3.
    fn sequence(&mut self, instruction: u8) -> Result<(), WeightsError> {
        let members = match instruction {
            b']' | b')' => Vec::new(),
            b'a' => vec![self.pop()?],
            0x85..=0x87 => {
                let mut members = Vec::new();
                for _ in 0x85..=instruction {
                    members.insert(0, self.pop()?);
                }
                members
            }
            _ => self.pop_to_mark()?,
        };
        if !matches!(instruction, b'a' | b'e') {
            return self.push(Node::Sequence(members));
        }
        let target = self.top()?;
        match self.nodes.get_mut(target) {
            Some(Node::Sequence(list)) => {
                list.extend(members);
                Ok(())
            }
            _ => Err(WeightsError::malformed("its pickle appends to what is no list")),
        }
    }

    /// GLOBAL, STACK_GLOBAL, REDUCE, NEWOBJ, BUILD, BINPERSID.
    fn object(&mut self, instruction: u8, fields: &mut Fields<'_>) -> Result<(), WeightsError> {
        match instruction {
            b'c' => {
                let (module, name) = (text(fields.line()?)?, text(fields.line()?)?);
                self.global(&module, &name)
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                match (self.nodes.get(module).cloned(), self.nodes.get(name).cloned()) {
                    (Some(Node::Text(module)), Some(Node::Text(name))) => self.global(&module, &name),
                    _ => Err(WeightsError::malformed("its pickle names something by what is no text")),
                }
            }
            b'R' | 0x81 => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                if !matches!(self.nodes.get(function), Some(Node::Global(_))) {
                    return Err(WeightsError::malformed("its pickle calls what is no function"));
                }
                self.push(Node::Call { function, arguments, items: Vec::new() })
            }
            // The state of an object: attributes of a state dict (`_metadata`), which are of no use here.
            b'b' => self.pop().map(drop),
            _ => {
                let key = self.pop()?;
                self.push(Node::Outside(key))
            }
        }
    }

    fn global(&mut self, module: &str, name: &str) -> Result<(), WeightsError> {
        let full_name = format!("{module}.{name}");
        if !is_harmless(module, name) {
            return Err(WeightsError::Code(quoted(&full_name)));
        }
        self.push(Node::Global(full_name))
    }

    fn push(&mut self, node: Node) -> Result<(), WeightsError> {
        self.budget.take(NODE_BYTES)?;
        if let Node::Text(text) = &node {
            self.budget.take(count(text.as_bytes()))?;
        }
        let place = self.nodes.len();
        self.nodes.push(node);
        self.push_slot(Slot::Item(place))
    }

    fn push_slot(&mut self, slot: Slot) -> Result<(), WeightsError> {
        self.budget.take(NODE_BYTES)?;
        self.stack.push(slot);
        Ok(())
    }

    fn pop(&mut self) -> Result<Place, WeightsError> {
        match self.stack.pop() {
            Some(Slot::Item(place)) => Ok(place),
            _ => Err(stack_is_empty()),
        }
    }

    fn top(&self) -> Result<Place, WeightsError> {
        match self.stack.last() {
            Some(&Slot::Item(place)) => Ok(place),
            _ => Err(stack_is_empty()),
        }
    }

    /// Everything above the last mark, and the mark.
    fn pop_to_mark(&mut self) -> Result<Vec<Place>, WeightsError> {
        let mut items = Vec::new();
        loop {
            match self.stack.pop() {
                Some(Slot::Item(place)) => items.push(place),
                Some(Slot::Mark) => break,
                None => return Err(stack_is_empty()),
            }
        }
        items.reverse();
        Ok(items)
    }
}

/// Instructions that push a constant.
fn literal(instruction: u8, fields: &mut Fields<'_>) -> Result<Node, WeightsError> {
    Ok(match instruction {
        b'N' => Node::Other,
        0x88 => Node::Whole(1),
        0x89 => Node::Whole(0),
        b'K' => Node::Whole(fields.byte()?.into()),
        b'M' => Node::Whole(fields.u16()?.into()),
        b'J' => Node::Whole(i32::from_le_bytes(fields.array()?).into()),
        b'I' | b'L' => whole(fields.line()?)?,
        0x8a => {
            let len = fields.byte()?;
            long(fields.take(len.into())?)
        }
        0x8b => {
            let len = fields.u32()?;
            long(fields.take(len.into())?)
        }
        b'F' => fields.line().map(|_| Node::Other)?,
        b'G' => fields.take(8).map(|_| Node::Other)?,
        b'X' | b'T' => {
            let len = fields.u32()?;
            Node::Text(text(fields.take(len.into())?)?)
        }
        0x8c | b'U' => {
            let len = fields.byte()?;
            Node::Text(text(fields.take(len.into())?)?)
        }
        0x8d => {
            let len = fields.u64()?;
            Node::Text(text(fields.take(len)?)?)
        }
        b'V' => Node::Text(text(fields.line()?)?),
        b'S' => Node::Text(text(fields.line()?)?.trim_matches(['\'', '"']).to_owned()),
        b'C' => {
            let len = fields.byte()?;
            fields.take(len.into()).map(|_| Node::Other)?
        }
        b'B' => {
            let len = fields.u32()?;
            fields.take(len.into()).map(|_| Node::Other)?
        }
        0x8e | 0x96 => {
            let len = fields.u64()?;
            fields.take(len).map(|_| Node::Other)?
        }
        other => return Err(WeightsError::Unsupported(format!("the pickle instruction 0x{other:02x}"))),
    })
}

fn stack_is_empty() -> WeightsError {
    WeightsError::malformed("its pickle takes from an empty stack")
}

fn pairs(items: Vec<Place>) -> Result<Vec<(Place, Place)>, WeightsError> {
    let (pairs, rest) = items.as_chunks::<2>();
    if rest.is_empty() {
        Ok(pairs.iter().map(|&[key, value]| (key, value)).collect())
    } else {
        Err(WeightsError::malformed("its pickle has a key without a value"))
    }
}

fn text(bytes: &[u8]) -> Result<String, WeightsError> {
    let text = str::from_utf8(bytes).map_err(|_| WeightsError::malformed("a text in its pickle is none"))?;
    Ok(text.to_owned())
}

fn decimal(line: &[u8]) -> Result<u64, WeightsError> {
    text(line)?.parse().map_err(|_| WeightsError::malformed("a number in its pickle is none"))
}

/// A decimal number with or without Python 2's L.
fn whole(line: &[u8]) -> Result<Node, WeightsError> {
    let digits = text(line)?;
    let value = digits.trim_end_matches('L').parse();
    value.map(Node::Whole).map_err(|_| WeightsError::malformed("a number in its pickle is none"))
}

/// A number in two's complement, least significant byte first.
fn long(bytes: &[u8]) -> Node {
    if Size::new(count(bytes)) > Size::new(8) {
        return Node::Bytes(bytes.iter().copied().take(16).collect());
    }
    let fill = if bytes.last().is_some_and(|&byte| byte >= 0x80) { 0xff } else { 0 };
    let mut filled = [fill; 8];
    filled.iter_mut().zip(bytes).for_each(|(filled, &byte)| *filled = byte);
    Node::Whole(i64::from_le_bytes(filled))
}
