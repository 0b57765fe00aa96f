//! Pickles of tensors, read and never run. A pickle is a program for a stack machine that may call any
//! function of Python; here it can only build what files of tensors are made of, of which the list of
//! operations and that of names are the whole: everything else ends the reading.
//!
//! All that is built lies in one list, by number. So nothing is nested here however deep it is there, what
//! is remembered and used a thousand times costs nothing, and memory is bounded by the program's length.

use std::collections::HashMap;

use crate::safetensors::Dtype;

/// What a pickle is at most: operations of that many tensors fit into it a hundred times.
const MOST_STEPS: usize = 4_000_000;

/// Where in the file something is wrong, and what.
pub type Wrong = (usize, String);

/// Something that was built.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    Float,
    Text(&'a str),
    /// Its items are in [`Built`].
    Tuple(usize),
    List(usize),
    /// Keys and values in turn.
    Dict(usize),
    Name(Name),
    /// What `persistent_load` is asked for: its items.
    Storage(usize),
    /// The arguments of what rebuilds one.
    Tensor(usize),
}

/// A name of Python's that a file may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    OrderedDict,
    Size,
    RebuildTensor,
    RebuildParameter,
    Storage(Dtype),
}

/// Every name that a file may use: it has no other power.
const NAMES: [(&str, &str, Name); 15] = [
    ("collections", "OrderedDict", Name::OrderedDict),
    ("torch", "Size", Name::Size),
    ("torch._utils", "_rebuild_tensor", Name::RebuildTensor),
    ("torch._utils", "_rebuild_tensor_v2", Name::RebuildTensor),
    ("torch._utils", "_rebuild_parameter", Name::RebuildParameter),
    ("torch", "DoubleStorage", Name::Storage(Dtype::F64)),
    ("torch", "FloatStorage", Name::Storage(Dtype::F32)),
    ("torch", "HalfStorage", Name::Storage(Dtype::F16)),
    ("torch", "BFloat16Storage", Name::Storage(Dtype::BF16)),
    ("torch", "LongStorage", Name::Storage(Dtype::I64)),
    ("torch", "IntStorage", Name::Storage(Dtype::I32)),
    ("torch", "ShortStorage", Name::Storage(Dtype::I16)),
    ("torch", "CharStorage", Name::Storage(Dtype::I8)),
    ("torch", "ByteStorage", Name::Storage(Dtype::U8)),
    ("torch", "BoolStorage", Name::Storage(Dtype::Bool)),
];

/// What a pickle builds.
#[derive(Debug, Default)]
pub struct Built<'a> {
    items: Vec<Vec<Value<'a>>>,
}

impl<'a> Built<'a> {
    /// The items of a tuple, list, dict, storage or tensor.
    pub fn items(&self, number: usize) -> &[Value<'a>] {
        &self.items[number]
    }

    /// The items of everything that was built.
    pub fn all(&self) -> impl Iterator<Item = &[Value<'a>]> {
        self.items.iter().map(Vec::as_slice)
    }

    fn add(&mut self, items: Vec<Value<'a>>) -> usize {
        self.items.push(items);
        self.items.len() - 1
    }
}

/// Reads the pickle that begins at a byte: what it builds, its root, and where it ends.
pub fn read(bytes: &[u8], start: usize) -> Result<(Built<'_>, Value<'_>, usize), Wrong> {
    let mut machine = Machine {
        bytes,
        at: start,
        built: Built::default(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    for _ in 0..MOST_STEPS {
        let begin = machine.at;
        let step = machine.step().map_err(|problem| (begin, problem))?;
        if let Some(root) = step {
            return Ok((machine.built, root, machine.at));
        }
    }
    Err((machine.at, format!("the pickle has more than {MOST_STEPS} operations")))
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    built: Built<'a>,
    stack: Vec<Value<'a>>,
    marks: Vec<usize>,
    memo: HashMap<u32, Value<'a>>,
}

type Step<T> = Result<T, String>;

impl<'a> Machine<'a> {
    /// One operation; the root after the last one.
    fn step(&mut self) -> Step<Option<Value<'a>>> {
        match self.array::<1>()?[0] {
            b'.' => return self.pop().map(Some),
            0x80 => self.protocol()?,
            // A frame's length is for whoever reads from a socket.
            0x95 => _ = self.array::<8>()?,
            b'N' => self.stack.push(Value::None),
            0x88 => self.stack.push(Value::Bool(true)),
            0x89 => self.stack.push(Value::Bool(false)),
            b'K' => {
                let [byte] = self.array()?;
                self.stack.push(Value::Int(byte.into()));
            }
            b'M' => {
                let number = u16::from_le_bytes(self.array()?);
                self.stack.push(Value::Int(number.into()));
            }
            b'J' => {
                let number = i32::from_le_bytes(self.array()?);
                self.stack.push(Value::Int(number.into()));
            }
            0x8a => self.long()?,
            b'G' => {
                self.array::<8>()?;
                self.stack.push(Value::Float);
            }
            b'X' | b'T' => {
                let length = u32::from_le_bytes(self.array()?);
                self.text(length as usize)?;
            }
            0x8c | b'U' => {
                let [length] = self.array()?;
                self.text(length.into())?;
            }
            b'(' => self.marks.push(self.stack.len()),
            b')' => self.tuple(Vec::new()),
            0x85..=0x87 => {
                let count = usize::from(self.bytes[self.at - 1] - 0x84);
                let items = self.last(count)?;
                self.tuple(items);
            }
            b't' => {
                let items = self.marked()?;
                self.tuple(items);
            }
            b']' => {
                let list = self.built.add(Vec::new());
                self.stack.push(Value::List(list));
            }
            b'}' => self.dict(),
            b'a' => {
                let items = self.last(1)?;
                self.extend(items, false)?;
            }
            b'e' => {
                let items = self.marked()?;
                self.extend(items, false)?;
            }
            b's' => {
                let items = self.last(2)?;
                self.extend(items, true)?;
            }
            b'u' => {
                let items = self.marked()?;
                self.extend(items, true)?;
            }
            b'q' => {
                let [number] = self.array()?;
                self.remember(number.into())?;
            }
            b'r' => {
                let number = u32::from_le_bytes(self.array()?);
                self.remember(number)?;
            }
            0x94 => self.remember(self.memo.len() as u32)?,
            b'h' => {
                let [number] = self.array()?;
                self.recall(number.into())?;
            }
            b'j' => {
                let number = u32::from_le_bytes(self.array()?);
                self.recall(number)?;
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.name(module, name)?;
            }
            0x93 => match self.last(2)?[..] {
                [Value::Text(module), Value::Text(name)] => self.name(module, name)?,
                _ => return Err("a name that is no text".into()),
            },
            b'Q' => match self.pop()? {
                Value::Tuple(items) => self.stack.push(Value::Storage(items)),
                _ => return Err("a storage that is no tuple".into()),
            },
            b'R' => self.reduce()?,
            // The attributes of a dict (`_metadata` of a `state_dict`) hold nothing of a tensor.
            b'b' => match (self.pop()?, self.top()?) {
                (Value::Dict(_), Value::Dict(_)) => {}
                _ => return Err("attributes of something that is no dict".into()),
            },
            other => {
                return Err(format!(
                    "the pickle has the operation {other:#04x}, which files of tensors do not need: \
                     nothing of it was run"
                ));
            }
        }
        Ok(None)
    }

    fn protocol(&mut self) -> Step<()> {
        match self.array()? {
            [2..=5] => Ok(()),
            [other] => Err(format!("a pickle of protocol {other}; 2 to 5 are read")),
        }
    }

    fn take(&mut self, count: usize) -> Step<&'a [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let found = rest.get(..count).ok_or("the pickle ends in the middle")?;
        self.at += count;
        Ok(found)
    }

    fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn line(&mut self) -> Step<&'a str> {
        const LONGEST: usize = 256;
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let end = rest.iter().take(LONGEST).position(|&byte| byte == b'\n');
        let line = self.take(end.ok_or("a name that does not end")?)?;
        self.at += 1;
        std::str::from_utf8(line).map_err(|_| "a name that is not UTF-8".into())
    }

    fn long(&mut self) -> Step<()> {
        let [length] = self.array()?;
        let bytes = self.take(length.into())?;
        // Numbers beyond 64 bits are magic ones, whose value nobody asks for here.
        let sign = if bytes.last().is_some_and(|&byte| byte >= 0x80) { 0xff } else { 0 };
        let mut wide = [sign; 8];
        let kept = bytes.len().min(8);
        wide[..kept].copy_from_slice(&bytes[..kept]);
        self.stack.push(match length {
            0..=8 => Value::Int(i64::from_le_bytes(wide)),
            _ => Value::Float,
        });
        Ok(())
    }

    fn text(&mut self, length: usize) -> Step<()> {
        let bytes = self.take(length)?;
        let text = std::str::from_utf8(bytes).map_err(|_| "a text that is not UTF-8")?;
        self.stack.push(Value::Text(text));
        Ok(())
    }

    fn pop(&mut self) -> Step<Value<'a>> {
        self.last(1).map(|items| items[0])
    }

    fn top(&self) -> Step<Value<'a>> {
        let above = self.marks.last().copied().unwrap_or(0);
        let found = self.stack.get(above..).and_then(<[_]>::last).copied();
        found.ok_or_else(|| "the pickle takes what it has not built".into())
    }

    /// The last items since a mark.
    fn last(&mut self, count: usize) -> Step<Vec<Value<'a>>> {
        let above = self.marks.last().copied().unwrap_or(0);
        match self.stack.len().checked_sub(count) {
            Some(from) if from >= above => Ok(self.stack.split_off(from)),
            _ => Err("the pickle takes what it has not built".into()),
        }
    }

    fn marked(&mut self) -> Step<Vec<Value<'a>>> {
        let mark = self.marks.pop().ok_or("the pickle closes what it has not opened")?;
        Ok(self.stack.split_off(mark))
    }

    fn tuple(&mut self, items: Vec<Value<'a>>) {
        let tuple = self.built.add(items);
        self.stack.push(Value::Tuple(tuple));
    }

    fn dict(&mut self) {
        let dict = self.built.add(Vec::new());
        self.stack.push(Value::Dict(dict));
    }

    fn extend(&mut self, items: Vec<Value<'a>>, pairs: bool) -> Step<()> {
        let number = match (self.top()?, pairs) {
            (Value::List(number), false) => number,
            (Value::Dict(number), true) if items.len().is_multiple_of(2) => number,
            _ => return Err("items for what does not take them".into()),
        };
        self.built.items[number].extend(items);
        Ok(())
    }

    fn remember(&mut self, number: u32) -> Step<()> {
        let top = self.top()?;
        self.memo.insert(number, top);
        Ok(())
    }

    fn recall(&mut self, number: u32) -> Step<()> {
        let found = self.memo.get(&number).ok_or("the pickle recalls what it has not built")?;
        self.stack.push(*found);
        Ok(())
    }

    fn name(&mut self, module: &str, name: &str) -> Step<()> {
        let known = NAMES.iter().find(|known| (known.0, known.1) == (module, name));
        let &(.., meant) = known.ok_or_else(|| {
            format!(
                "the pickle names `{module}.{name}`, which files of tensors do not need: nothing of it was run"
            )
        })?;
        self.stack.push(Value::Name(meant));
        Ok(())
    }

    /// A call, of which there are four.
    fn reduce(&mut self) -> Step<()> {
        let pair = self.last(2)?;
        let [Value::Name(name), Value::Tuple(arguments)] = pair[..] else {
            return Err("the pickle calls what is no function".into());
        };
        let given = self.built.items(arguments);
        match (name, given) {
            (Name::OrderedDict, []) => self.dict(),
            (Name::Size, &[Value::Tuple(items)]) => self.stack.push(Value::Tuple(items)),
            (Name::RebuildTensor, [Value::Storage(_), ..]) => {
                self.stack.push(Value::Tensor(arguments));
            }
            (Name::RebuildParameter, &[tensor @ Value::Tensor(_), ..]) => self.stack.push(tensor),
            _ => return Err(format!("the pickle calls {name:?} with arguments that do not fit")),
        }
        Ok(())
    }
}
