//! The steps on images that lie channel after channel.

use super::images::{Images, broadcasts, exchange, exchanged, leaves_both};
use crate::dim::Dim;
use crate::instr::{ConvAttrs, Instr, Layout, MAX_RANK};
use crate::program::{ProgramValue, Role, Step};
use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

/// The program that is made.
pub(super) struct Rewriter<'a> {
    images: &'a Images<'a>,
    pub(super) values: Vec<ProgramValue>,
    pub(super) steps: Vec<Step>,
    /// Copies in the other order, and views that broadcast in it.
    copies: BTreeMap<u32, u32>,
}

impl<'a> Rewriter<'a> {
    /// `values` lie as they are to lie.
    pub(super) fn new(images: &'a Images<'a>, values: Vec<ProgramValue>) -> Rewriter<'a> {
        let steps = Vec::with_capacity(images.program.steps.len());
        Rewriter { images, values, steps, copies: BTreeMap::new() }
    }

    fn layout(&self, v: u32) -> Layout {
        self.values[v as usize].layout
    }

    pub(super) fn step(&mut self, s: &Step) {
        if s.convolves() {
            return self.convolution(s);
        }
        let images = self.images.of(s);
        let outermost = images.iter().any(|v| self.layout(*v) == Layout::Cnhw);
        let layout = if outermost { Layout::Cnhw } else { Layout::Nchw };
        let (mut instr, mut reads) = (s.instr, Vec::with_capacity(s.reads.len()));
        if let Instr::Transpose { perm } = instr {
            return self.transposition(s, perm);
        }
        if outermost {
            instr = exchange(instr);
        }
        for r in s.reads.iter() {
            reads.push(match (outermost, images.contains(r)) {
                (_, true) => self.lying(*r, layout, s.layer),
                (true, false) if broadcasts(&s.instr) => self.broadcasting(*r, s.layer),
                _ => self.lying(*r, Layout::Nchw, s.layer),
            });
        }
        // Between instructions that know one order of axes for all ranks and those that count channels from the second: a
        // leading axis of one image.
        if outermost && matches!(instr, Instr::Lrn(_) | Instr::LrnBackward(_)) {
            return self.as_one_image(s, instr, &reads);
        }
        // What has a lower rank, but both of the first two axes, has them exchanged, too.
        let both = outermost && leaves_both(&s.instr);
        if both && matches!(instr, Instr::Expand { .. }) {
            reads[0] = self.lying(reads[0], Layout::Cnhw, s.layer);
        }
        self.push(s, instr, reads, |v| if both || images.contains(&v) { layout } else { Layout::Nchw });
    }

    /// Data and result lie as their values do, each by itself; what is added lies as the result.
    fn convolution(&mut self, s: &Step) {
        let mut reads = s.reads.to_vec();
        let lies = |v: u32| self.layout(v);
        let (instr, result) = match s.instr {
            Instr::Conv2d(a, e) => {
                let (x, y) = (lies(reads[0]), lies(s.writes[0]));
                (Instr::Conv2d(ConvAttrs { x, y, ..a }, e), y)
            }
            Instr::Conv2dBackwardData(a, e) => {
                let (x, y) = (lies(s.writes[0]), lies(reads[0]));
                (Instr::Conv2dBackwardData(ConvAttrs { x, y, ..a }, e), x)
            }
            Instr::Conv2dBackwardWeight(a) => {
                let (x, y) = (lies(reads[0]), lies(reads[1]));
                let a = ConvAttrs { x, y, ..a };
                (Instr::Conv2dBackwardWeight(a), Layout::Nchw)
            }
            other => panic!("{other:?} is no convolution"),
        };
        if let Instr::Conv2d(_, e) | Instr::Conv2dBackwardData(_, e) = instr {
            // What is added and what masks lie as the result.
            let mask = e.mask.then(|| reads.len() - 1);
            for at in e.residual.then_some(2).into_iter().chain(mask) {
                reads[at] = self.lying(reads[at], result, s.layer);
            }
        }
        self.push(s, instr, reads, |_| result);
    }

    /// It reads and makes either order.
    fn transposition(&mut self, s: &Step, mut perm: [u8; MAX_RANK]) {
        if self.layout(s.reads[0]) == Layout::Cnhw {
            for axis in &mut perm[..4] {
                *axis = exchanged(*axis);
            }
        }
        if self.layout(s.writes[0]) == Layout::Cnhw {
            perm.swap(0, 1);
        }
        self.steps.push(Step { instr: Instr::Transpose { perm }, ..s.clone() });
    }

    /// A step whose results are made in these orders; one that is to lie otherwise is copied.
    fn push(&mut self, s: &Step, instr: Instr, reads: Vec<u32>, made: impl Fn(u32) -> Layout) {
        let mut writes = s.writes.to_vec();
        let mut after = Vec::new();
        for w in &mut writes {
            let layout = made(*w);
            if layout != self.layout(*w) {
                let new = self.other(*w);
                after.push((new, *w));
                self.copies.insert(*w, new);
                *w = new;
            }
        }
        self.steps.push(Step { instr, reads: reads.into(), writes: writes.into(), layer: s.layer });
        for (from, to) in after {
            self.transpose(from, to, s.layer);
        }
    }

    /// A channel after channel image as one image whose pixels are those of all.
    fn as_one_image(&mut self, s: &Step, instr: Instr, reads: &[u32]) {
        let view = |to: &mut Rewriter<'_>, v: u32| {
            let mut shape = alloc::vec![Dim::ONE];
            shape.extend(to.values[v as usize].shape.iter().cloned());
            let name = format!("{}_one", to.values[v as usize].name);
            to.add(ProgramValue {
                name: name.into(),
                shape: shape.into(),
                layout: Layout::Nchw,
                ..to.values[v as usize].clone()
            })
        };
        let mut ones = Vec::with_capacity(reads.len());
        for r in reads {
            let one = view(self, *r);
            self.instr(Instr::View, *r, one, s.layer);
            ones.push(one);
        }
        let made = match self.layout(s.writes[0]) {
            Layout::Cnhw => s.writes[0],
            Layout::Nchw => self.other(s.writes[0]),
        };
        let one = view(self, made);
        self.steps.push(Step { instr, reads: ones.into(), writes: alloc::vec![one].into(), layer: s.layer });
        self.instr(Instr::View, one, made, s.layer);
        if made != s.writes[0] {
            self.transpose(made, s.writes[0], s.layer);
        }
    }

    /// The value in this order: itself, or a copy that is made once.
    fn lying(&mut self, v: u32, layout: Layout, layer: u32) -> u32 {
        if self.layout(v) == layout {
            return v;
        }
        if let Some(copy) = self.copies.get(&v) {
            return *copy;
        }
        let copy = self.other(v);
        self.transpose(v, copy, layer);
        self.copies.insert(v, copy);
        copy
    }

    /// An operand that broadcasts to images that lie channel after channel.
    fn broadcasting(&mut self, v: u32, layer: u32) -> u32 {
        let value = &self.values[v as usize];
        let rank = value.shape.len();
        if value.layout == Layout::Cnhw || rank < 3 || rank == 3 && value.shape[0] == Dim::ONE {
            return v;
        }
        let mut shape = alloc::vec![Dim::ONE; 4 - rank];
        shape.extend(value.shape.iter().cloned());
        let ones = |d: &Dim| *d == Dim::ONE;
        match [ones(&shape[0]), ones(&shape[1])] {
            [true, true] => v,
            [false, false] => self.lying(v, Layout::Cnhw, layer),
            _ => {
                if let Some(view) = self.copies.get(&v) {
                    return *view;
                }
                shape.swap(0, 1);
                let name = format!("{}_cnhw", value.name).into();
                let value = value.clone();
                let view =
                    self.add(ProgramValue { name, shape: shape.into(), layout: Layout::Cnhw, ..value });
                self.instr(Instr::View, v, view, layer);
                self.copies.insert(v, view);
                view
            }
        }
    }

    /// A new value like this one in the other order.
    fn other(&mut self, v: u32) -> u32 {
        let value = self.values[v as usize].clone();
        let (layout, name) = match value.layout {
            Layout::Nchw => (Layout::Cnhw, "cnhw"),
            Layout::Cnhw => (Layout::Nchw, "nchw"),
        };
        let mut shape = value.shape.to_vec();
        shape.swap(0, 1);
        let name = Cow::Owned(format!("{}_{name}", value.name));
        self.add(ProgramValue { name, shape: shape.into(), layout, ..value })
    }

    fn add(&mut self, value: ProgramValue) -> u32 {
        self.values.push(ProgramValue { role: Role::Internal, ..value });
        self.values.len() as u32 - 1
    }

    fn transpose(&mut self, from: u32, to: u32, layer: u32) {
        let mut perm = [0; MAX_RANK];
        let rank = self.values[from as usize].shape.len();
        perm[..rank].copy_from_slice(&[1, 0, 2, 3][..rank]);
        self.instr(Instr::Transpose { perm }, from, to, layer);
    }

    fn instr(&mut self, instr: Instr, from: u32, to: u32, layer: u32) {
        let (reads, writes) = (alloc::vec![from].into(), alloc::vec![to].into());
        self.steps.push(Step { instr, reads, writes, layer });
    }
}
