//! The plan for any values of the symbols: sizes are numbers or multiples of one symbol, so the arena is one block that
//! scales with it and one that does not.

use super::{InPlace, Plan, Problem, aligned, assign, lifetime, verify};
use crate::dim::{Mono, SymbolDef, SymbolId};
use crate::program::{Place, Program, ProgramPlan, ProgramValue};
use alloc::vec::Vec;

/// Bytes of a value as a function of one symbol.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Affine {
    a: i64,
    c: i64,
}

/// What a program's arena takes for any values of its symbols; `None` when a size is neither a number nor, but for a number,
/// a multiple of one common symbol.
pub fn symbolic(program: &Program) -> Option<ProgramPlan> {
    symbolic_places(program).map(|(plan, _)| plan)
}

/// [`symbolic`], with the place of every value: [`Place::Scaled`] and [`Place::Fixed`]. A part of an array is listed with the
/// place of what it is a part of.
pub fn symbolic_places(program: &Program) -> Option<(ProgramPlan, Vec<Place>)> {
    let mut problem = Problem {
        sizes: alloc::vec![0; program.values.len()],
        outside: program.outside(),
        steps: program.accesses(None),
        boundary: program.forward,
    };
    let mut symbol = None;
    let mut sizes = alloc::vec![Affine { a: 0, c: 0 }; program.values.len()];
    let mut mixed: Vec<Affine> = Vec::new();
    for s in &problem.steps {
        for w in &s.writes {
            let w = *w as usize;
            if problem.outside[w] {
                continue;
            }
            let size = affine(&program.values[w], program, &mut symbol)?;
            sizes[w] = size;
            problem.sizes[w] = match size {
                Affine { a: 0, c } => c as u64 * 2 + 1,
                Affine { a, c: 0 } => a as u64 * 2,
                _ => {
                    let known = mixed.iter().position(|m| *m == size).unwrap_or_else(|| {
                        mixed.push(size);
                        mixed.len() - 1
                    });
                    1 << 63 | known as u64
                }
            };
        }
    }
    // `a·S + c` is at most `(a + c)·S`, as S is at least 1.
    let scaled = |s: Affine| if s.a == 0 { 0 } else { aligned((s.a + s.c.max(0)) as u64) };
    let fixed = |s: Affine| if s.a == 0 { aligned(s.c as u64) } else { 0 };
    let with = |parts| {
        let rules = lifetime::Rules { problem: &problem, keys: &problem.sizes, bytes: false, parts };
        let buffers = lifetime::buffers(rules);
        let place = |size: &dyn Fn(Affine) -> u64| {
            let list: Vec<u64> = buffers.value.iter().map(|v| size(sizes[*v as usize])).collect();
            assign::assign(&buffers.items(&list), list.len(), problem.steps.len())
        };
        let (offsets, per_symbol) = place(&scaled);
        let (fixed_offsets, fixed) = place(&fixed);
        let places = buffers.places(|b| match sizes[buffers.value[b] as usize] {
            Affine { a: 0, .. } => Place::Fixed(fixed_offsets[b]),
            _ => Place::Scaled(offsets[b]),
        });
        (ProgramPlan { symbol: symbol.unwrap_or(0), per_symbol, fixed }, places, buffers.has_parts())
    };
    let (mut plan, mut places, parts) = with(true);
    if parts {
        let (copied, others, _) = with(false);
        if copied.per_symbol <= plan.per_symbol
            && copied.fixed <= plan.fixed
            && (copied.per_symbol, copied.fixed) != (plan.per_symbol, plan.fixed)
        {
            (plan, places) = (copied, others);
        }
    } else if cfg!(test) {
        // Any number that leaves no size negative will do: places and sizes of the first block scale alike.
        let least = |z: &Affine| if z.a > 0 && z.c < 0 { (z.a - 1 - z.c) / z.a } else { 0 };
        let s = sizes.iter().map(least).fold(3, i64::max);
        problem.sizes = sizes.iter().map(|z| (z.a * s + z.c) as u64).collect();
        for (v, size) in problem.sizes.iter_mut().enumerate().filter(|(v, _)| problem.outside[*v]) {
            *size = (1 << 40) + v as u64;
        }
        for step in &mut problem.steps {
            if matches!(step.inplace, InPlace::Part(_) | InPlace::Concat) {
                step.inplace = InPlace::Never;
            }
        }
        if let Err(e) = verify(&problem, &plan.at(&places, s)) {
            panic!("the memory plan is wrong: {e}");
        }
    }
    Some((plan, places))
}

fn affine(value: &ProgramValue, program: &Program, symbol: &mut Option<SymbolId>) -> Option<Affine> {
    let (mut a, mut c, mut of) = (0, value.dtype.size() as i64, None);
    for d in value.shape.iter() {
        if let Some(n) = d.as_const() {
            (a, c) = (a * n, c * n);
            continue;
        }
        let id = d.terms().first().and_then(|t| t.mono.symbols().next())?;
        let (da, dc) = d.affine_in(id)?;
        if a != 0 {
            return None;
        }
        debug_assert!(d.terms().iter().all(|t| t.mono == Mono::ONE || t.mono == Mono::symbol(id)));
        (a, c, of) = (c * da, c * dc, Some(id));
    }
    if let Some(id) = of {
        let named = program.symbols[usize::from(id)].def == SymbolDef::Named;
        if !named || symbol.is_some_and(|s| s != id) {
            return None;
        }
        *symbol = Some(id);
    }
    (a >= 0 && (a > 0 || c >= 0)).then_some(Affine { a, c })
}

impl ProgramPlan {
    /// The plan with the symbol bound and the places of [`symbolic_places`]: one arena, the scaled block first.
    pub fn at(&self, places: &[Place], symbol: i64) -> Plan {
        let s = symbol as u64;
        let place = |p: &Place| match p {
            Place::Scaled(offset) => Place::Fixed(offset * s),
            Place::Fixed(offset) => Place::Fixed(self.per_symbol * s + offset),
            other => *other,
        };
        Plan { bytes: self.bytes(s), places: places.iter().map(place).collect() }
    }
}
